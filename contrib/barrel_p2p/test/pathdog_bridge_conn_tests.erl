%% SPDX-License-Identifier: Apache-2.0
%% One test for each shape of state that the module knows, and for what it must not take.
-module(pathdog_bridge_conn_tests).
-include_lib("eunit/include/eunit.hrl").

-define(REMOTE, {{127, 0, 0, 1}, 9100}).

find_test_() ->
    {setup, fun start/0, fun stop/1, fun({Conn, Other, Ctrl}) ->
        From = fun pathdog_bridge_conn:from_state/1,
        Client = {ok, #{conn => Conn, role => client}},
        Server = {ok, #{conn => Conn, role => server}},
        [
            {"the real controller's shape", ?_assertEqual(Client, pathdog_bridge_conn:find(Ctrl, 5000))},
            {"a gen_statem's", ?_assertEqual(Server, From({connected, {state, Conn, server, 0, []}}))},
            {"in another state", ?_assertEqual(Client, From({handshaking, {state, Conn, client, 0}}))},
            {"the plain record", ?_assertEqual(Client, From({state, Conn, client, 0, []}))},
            {"a map", ?_assertEqual(Client, From(#{conn => Conn, role => client, more => 1}))},
            {"a gen_statem with a map", ?_assertEqual(Client, From({connected, #{conn => Conn, role => client}}))},
            {"moved within the record",
                ?_assertEqual(Server, From({connected, {state, 0, undefined, Other, server, Conn}}))},
            {"no pid at all", ?_assertEqual({error, unknown_shape}, From({connected, {state, 1, client}}))},
            {"a pid that is no connection, elsewhere",
                ?_assertEqual({error, unknown_shape}, From({connected, {state, 0, Other, client}}))},
            {"no role", ?_assertEqual({error, unknown_shape}, From({connected, {state, Conn, undefined, 0}}))},
            {"two roles: no guess",
                ?_assertEqual({error, unknown_shape}, From({connected, {state, 0, client, server, Conn}}))},
            {"something else", ?_assertEqual({error, unknown_shape}, From(hello))},
            {"an empty tuple", ?_assertEqual({error, unknown_shape}, From({}))},
            {"a state name alone", ?_assertEqual({error, unknown_shape}, From({connected, 7}))}
        ]
    end}.

start() ->
    {ok, Ctrl} = quic_dist_controller:start({start, client, ?REMOTE}, client),
    {connected, Record} = sys:get_state(Ctrl),
    {element(2, Record), whereis(kernel_sup), Ctrl}.

stop({_, _, Ctrl}) -> gen_statem:stop(Ctrl).

two_connections_are_none_test() ->
    {ok, A} = quic_connection:start_link(client, ?REMOTE, undefined),
    {ok, B} = quic_connection:start_link(client, ?REMOTE, undefined),
    ?assertEqual({error, unknown_shape}, pathdog_bridge_conn:from_state({connected, {state, 0, A, B, client}})),
    [quic:close(C, normal) || C <- [A, B]].

a_dead_one_is_none_test() ->
    {Pid, Monitor} = spawn_monitor(fun() -> ok end),
    receive {'DOWN', Monitor, process, Pid, _} -> ok end,
    ?assertEqual({error, no_conn}, pathdog_bridge_conn:from_state({connected, {state, Pid, client}})).

a_wedged_controller_costs_the_limit_test() ->
    {ok, Ctrl} = quic_dist_controller:start({start, client, ?REMOTE}, client),
    erlang:suspend_process(Ctrl),
    ?assertMatch(
        {error, timeout},
        pathdog_bridge_call:run(fun() -> pathdog_bridge_conn:find(Ctrl, infinity) end, 50)
    ),
    ?assertExit({timeout, _}, pathdog_bridge_conn:find(Ctrl, 50)),
    erlang:resume_process(Ctrl),
    gen_statem:stop(Ctrl).

%% quic's own answer is the one from before the migration
the_socket_knows_its_address_test() ->
    {ok, Conn} = quic_connection:start_link(client, ?REMOTE, undefined),
    Before = pathdog_bridge_conn:local(Conn),
    ?assertEqual({ok, Before}, quic:sockname(Conn)),
    ok = quic:migrate(Conn, #{}),
    After = pathdog_bridge_conn:local(Conn),
    ?assertNotEqual(Before, After),
    ?assertEqual({ok, Before}, quic:sockname(Conn)),
    ?assertEqual(?REMOTE, pathdog_bridge_conn:remote(Conn)),
    quic:close(Conn, normal).

an_inbound_one_has_the_listeners_test() ->
    {ok, Conn} = quic_connection:start_link(server, ?REMOTE, undefined),
    ?assertEqual({{127, 0, 0, 1}, 9100}, pathdog_bridge_conn:local(Conn)),
    quic:close(Conn, normal).

addresses_test_() ->
    A = fun pathdog_bridge_conn:address/1,
    [
        ?_assertEqual(<<"192.0.2.1:443">>, A({{192, 0, 2, 1}, 443})),
        ?_assertEqual(<<"0.0.0.0:9">>, A({{0, 0, 0, 0}, 9})),
        ?_assertEqual(<<"[2001:db8::1]:443">>, A({{16#2001, 16#db8, 0, 0, 0, 0, 0, 1}, 443})),
        ?_assertEqual(<<"[::ffff:192.0.2.1]:1">>, A({{0, 0, 0, 0, 0, 16#ffff, 16#c000, 16#201}, 1})),
        ?_assertEqual(undefined, A(undefined))
    ].
