%% SPDX-License-Identifier: Apache-2.0
-module(pathdog_bridge_table_tests).
-include_lib("eunit/include/eunit.hrl").

conn(Id, Node) ->
    #{
        id => Id, node => Node, name => atom_to_binary(Node), ctrl => self(), mon => make_ref(),
        state => resolving, told => false, quic => undefined, role => undefined, local => undefined,
        remote => undefined, via => undefined, reason => undefined, retry => {1, 1}
    }.

told(Conn, Table) -> pathdog_bridge_table:put(Conn#{told := true}, Table).

one_test() ->
    A = conn(1, a),
    Table = pathdog_bridge_table:add(A, pathdog_bridge_table:new()),
    ?assertEqual(A, pathdog_bridge_table:get(1, Table)),
    ?assertEqual(A, pathdog_bridge_table:of_node(a, Table)),
    ?assertEqual(A, pathdog_bridge_table:of_monitor(maps:get(mon, A), Table)),
    ?assertEqual(undefined, pathdog_bridge_table:of_node(b, Table)),
    ?assertEqual([A], pathdog_bridge_table:all(Table)),
    ?assertError(function_clause, pathdog_bridge_table:add(conn(2, a), Table)).

untold_test() ->
    A = conn(1, a),
    B = conn(2, b),
    Two = pathdog_bridge_table:add(B, pathdog_bridge_table:add(A, pathdog_bridge_table:new())),
    ?assertEqual(2, pathdog_bridge_table:untold(Two)),
    One = told(A, told(A, Two)),
    ?assertEqual(1, pathdog_bridge_table:untold(One)),
    ?assertEqual(0, pathdog_bridge_table:untold(pathdog_bridge_table:remove(B, One))),
    ?assertEqual(1, pathdog_bridge_table:untold(pathdog_bridge_table:remove(A#{told := true}, One))).

find_test() ->
    A = conn(1, a),
    Untold = pathdog_bridge_table:add(A, pathdog_bridge_table:new()),
    ?assertEqual({error, not_connected}, pathdog_bridge_table:find(1, Untold)),
    Told = told(A, Untold),
    ?assertMatch({ok, #{id := 1}}, pathdog_bridge_table:find(1, Told)),
    Gone = pathdog_bridge_table:remove(A#{told := true}, Told),
    ?assertEqual({error, not_connected}, pathdog_bridge_table:find(1, Gone)),
    B = conn(2, a),
    Again = pathdog_bridge_table:add(B, Gone),
    ?assertEqual({error, not_connected}, pathdog_bridge_table:find(1, Again)),
    ?assertEqual({replaced, 2}, pathdog_bridge_table:find(1, told(B, Again))),
    ?assertEqual({error, not_connected}, pathdog_bridge_table:find(99, told(B, Again))).

what_is_gone_is_not_put_back_test() ->
    A = conn(1, a),
    Empty = pathdog_bridge_table:remove(A, pathdog_bridge_table:add(A, pathdog_bridge_table:new())),
    ?assertEqual(Empty, pathdog_bridge_table:put(A, Empty)).

%% Years of reconnects do not make it grow.
the_late_are_bounded_test_() -> {timeout, 60, fun the_late_are_bounded/0}.

the_late_are_bounded() ->
    Table = lists:foldl(
        fun(Id, T) -> Conn = conn(Id, a), pathdog_bridge_table:remove(Conn, pathdog_bridge_table:add(Conn, T)) end,
        pathdog_bridge_table:new(),
        lists:seq(1, 10000)
    ),
    Last = conn(10001, a),
    Now = told(Last, pathdog_bridge_table:add(Last, Table)),
    ?assertEqual({replaced, 10001}, pathdog_bridge_table:find(10000, Now)),
    ?assertEqual({replaced, 10001}, pathdog_bridge_table:find(6000, Now)),
    ?assertEqual({error, not_connected}, pathdog_bridge_table:find(5000, Now)).
