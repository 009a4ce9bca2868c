%% SPDX-License-Identifier: Apache-2.0
%% With which id at a relay, from which address.
-module(pathdog_relay_reg_ids_tests).
-include_lib("eunit/include/eunit.hrl").

-define(A, {10, 0, 1, 2}).
-define(B, {10, 0, 2, 2}).
-define(C, {10, 0, 3, 2}).
-define(D, {10, 0, 4, 2}).

ids_test() ->
    Ids = [pathdog_relay_reg_ids:id(<<"alpha-bravo">>, Number) || Number <- lists:seq(0, 15)],
    ?assertEqual(<<"alpha-bravo">>, hd(Ids)),
    ?assertEqual(Ids, lists:uniq(Ids)),
    [?assertMatch({match, _}, re:run(Id, "^[0-9a-f]{32}$")) || Id <- tl(Ids)],
    %% both ends have to find the same ones, also in the next version
    ?assertEqual(<<"d13626285a75fda861e21ce7f61105a2">>, lists:nth(2, Ids)),
    ?assertNotEqual(lists:nth(2, Ids), pathdog_relay_reg_ids:id(<<"alpha-charlie">>, 1)).

halves_test() ->
    ?assertEqual([0, 1, 2], pathdog_relay_reg_ids:numbers(0, 3)),
    ?assertEqual([3, 4, 5], pathdog_relay_reg_ids:numbers(pathdog_relay_reg_ids:other(0), 3)),
    ?assertEqual([0], pathdog_relay_reg_ids:numbers(0, 1)),
    ?assertEqual([0], pathdog_relay_reg_ids:numbers(1, 1)).

%% The numbers of addresses that come one after the other.
places(Half, Count, Addresses) -> places(Half, Count, Addresses, []).

places(Half, Count, Addresses, Places) ->
    {Numbers, Last} = lists:mapfoldl(
        fun(Address, Before) -> pathdog_relay_reg_ids:place(Address, Half, Count, Before) end, Places, Addresses
    ),
    {Numbers, Last}.

place_test_() ->
    Of = fun(Half, Count, Addresses) -> element(1, places(Half, Count, Addresses)) end,
    [
        {"each address has its own, and keeps it", ?_assertEqual([0, 1, 0, 1, 2, 0], Of(0, 3, [?A, ?B, ?A, ?B, ?C, ?A]))},
        {"one too many takes that of which it is longest ago", ?_assertEqual([0, 1, 2, 0, 2, 1], Of(0, 3, [?A, ?B, ?C, ?D, ?C, ?A]))},
        {"there is only one", ?_assertEqual([0, 0, 0], Of(0, 1, [?A, ?B, ?C]))},
        {"of the other half", ?_assertEqual([3, 4, 3], Of(1, 3, [?A, ?B, ?A]))}
    ].

%% What an address has had in the one half is nothing in the other, and is there again afterwards.
turned_test() ->
    {[0, 1], Places} = places(0, 3, [?A, ?B]),
    {[3], Turned} = places(1, 3, [?A], Places),
    ?assertMatch({[1], _}, places(0, 3, [?B], Turned)).

full_test() ->
    {[0], Places} = places(0, 2, [?A]),
    Full = pathdog_relay_reg_ids:full(0, Places),
    ?assert(pathdog_relay_reg_ids:is_full(0, Full)),
    ?assertNot(pathdog_relay_reg_ids:is_full(1, Full)),
    {[1], Next} = places(0, 2, [?A], Full),
    %% there is no other any more: the one that was refused longest ago
    All = pathdog_relay_reg_ids:full(1, Next),
    ?assertMatch({[0], _}, places(0, 2, [?A], All)).
