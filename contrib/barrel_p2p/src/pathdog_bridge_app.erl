%% SPDX-License-Identifier: Apache-2.0
%% The application: reads the settings once and starts the supervisor. It must not start anything
%% by hand, and it must not guess: a setting that it does not understand is refused with its name.
-module(pathdog_bridge_app).
-behaviour(application).

-export([start/2, stop/1]).

-spec start(application:start_type(), term()) -> {ok, pid()} | {error, term()}.
start(_Type, _Args) ->
    case pathdog_bridge_settings:read() of
        {ok, Settings} ->
            pathdog_bridge_boot:ensure(),
            tell_missing(pathdog_bridge_bind:missing()),
            pathdog_bridge_sup:start_link(Settings);
        {error, Bad} ->
            logger:error("pathdog_bridge: not started, bad settings: ~tp", [Bad]),
            {error, {bad_settings, Bad}}
    end.

tell_missing([]) ->
    ok;
tell_missing(Missing) ->
    logger:notice(
        "pathdog_bridge: connections cannot be bound to an interface (feature bind), this version of quic"
        " lacks ~ts", [lists:join(", ", Missing)]).

-spec stop(term()) -> ok.
stop(_State) ->
    ok.
