%% SPDX-License-Identifier: Apache-2.0
%% Stand-in for barrel_p2p as an application of a release: as the real one, it calls hlc when it starts, which its .app
%% does not list.
-module(standin_app).
-behaviour(application).

-export([start/2, stop/1]).

start(_Type, _Args) ->
    _ = hlc:new(),
    {ok, _} = standin_net:start(),
    {ok, spawn_link(fun() -> receive stop -> ok end end)}.

stop(_State) -> ok.
