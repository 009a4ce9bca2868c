%% SPDX-License-Identifier: Apache-2.0
%% The bridge's processes, in the order in which they need each other. When one crashes, those
%% after it begin anew as well: the client is cut off and asks again.
-module(pathdog_bridge_core).
-behaviour(supervisor).

-export([start_link/1, init/1]).

-spec start_link(pathdog_bridge_settings:settings()) -> {ok, pid()} | {error, term()}.
start_link(Settings) ->
    case supervisor:start_link({local, ?MODULE}, ?MODULE, Settings) of
        {ok, Pid} -> {ok, Pid};
        {error, Reason} -> {error, Reason};
        ignore -> {error, ignore}
    end.

-spec init(pathdog_bridge_settings:settings()) ->
    {ok, {supervisor:sup_flags(), [supervisor:child_spec()]}}.
init(Settings) ->
    Relay =
        case Settings of
            #{relay := undefined} -> [];
            #{relay := _} -> [worker(pathdog_bridge_relay, Settings)]
        end,
    Rest = [
        worker(Module, Settings)
     || Module <- [
            pathdog_bridge_peers,
            pathdog_bridge_effects,
            pathdog_bridge_options,
            pathdog_bridge_dials,
            pathdog_bridge_redial,
            pathdog_bridge_sampler,
            pathdog_bridge_moves,
            pathdog_bridge_listener
        ]
    ],
    {ok, {#{strategy => rest_for_one, intensity => 5, period => 10}, Relay ++ Rest}}.

worker(Module, Settings) ->
    #{id => Module, start => {Module, start_link, [Settings]}, shutdown => 2000}.
