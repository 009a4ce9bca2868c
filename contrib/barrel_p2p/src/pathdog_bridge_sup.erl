%% SPDX-License-Identifier: Apache-2.0
%% The application's top: it holds the keeper and nothing else. A supervisor that gives up takes its
%% application down, and with a permanent application the whole node; the keeper is what prevents it.
-module(pathdog_bridge_sup).
-behaviour(supervisor).

-export([start_link/1, init/1]).

-spec start_link(pathdog_bridge_settings:settings()) -> {ok, pid()} | {error, term()}.
start_link(Settings) ->
    case supervisor:start_link({local, ?MODULE}, ?MODULE, Settings) of
        {ok, Pid} -> {ok, Pid};
        Other -> {error, Other}
    end.

-spec init(pathdog_bridge_settings:settings()) ->
    {ok, {supervisor:sup_flags(), [supervisor:child_spec()]}}.
init(Settings) ->
    Keeper = #{
        id => keeper,
        start => {pathdog_bridge_keeper, start_link, [Settings]},
        shutdown => 10000
    },
    {ok, {#{strategy => one_for_one, intensity => 10, period => 1}, [Keeper]}}.
