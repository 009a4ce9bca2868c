%% SPDX-License-Identifier: Apache-2.0
-module(pathdog_relay_reg_pulse_tests).
-include_lib("eunit/include/eunit.hrl").

%% What each tick says, with so many datagrams sent before it.
said(Counts) ->
    {Said, _} = lists:mapfoldl(
        fun(Count, Pulse) ->
            pathdog_relay_reg_pulse:tick(lists:foldl(fun(_, P) -> pathdog_relay_reg_pulse:sent(P) end, Pulse, lists:seq(1, Count)))
        end,
        pathdog_relay_reg_pulse:new(),
        Counts
    ),
    Said.

idle_test() ->
    ?assertEqual([quiet, quiet, quiet], said([0, 3, 7])).

busy_test() ->
    ?assertEqual([ping, ping], said([8, 900])).

%% What stands still sends hardly anything: it goes on for ten seconds, and its own PINGs do not keep it going.
stands_still_test() ->
    Said = said([800 | lists:duplicate(25, 3)]),
    ?assertEqual(lists:duplicate(21, ping) ++ lists:duplicate(5, quiet), Said).
