%% SPDX-License-Identifier: Apache-2.0
%% Features bind and probe_path on one interface, lo; bound.py has what needs two.
-module(bind_SUITE).
-include_lib("stdlib/include/assert.hrl").
-compile([export_all, nowarn_export_all]).

-define(B, 'bravo@127.0.0.1').
-define(BRAVO, <<"bravo@127.0.0.1">>).
-define(LOCALHOST, {127, 0, 0, 1}).
-define(LO, <<"lo">>).
-define(BY_LO, [{bind_to_device, <<"lo">>}]).

all() ->
    [
        migrated_to_an_interface, migrated_to_the_same_again, migrated_to_an_address, not_where_it_is_forbidden,
        not_where_quic_loses_data,
        a_black_hole, no_path_and_nothing_is_touched, no_socket_to_bind, not_an_inbound_one,
        reconnected_from_an_interface, reconnected_from_an_address, inbound_and_its_address_is_known,
        every_attempt_is_bound, another_dial_is_in_the_way,
        a_dial_of_the_peer_s_is_not, options_do_not_remain, redialled_by_turns, quic_that_cannot, by_address,
        told_where_it_is, bound_by_somebody_else, relayed_ones_are_not_bound,
        a_path_lives, a_path_is_dead, answers_that_are_none, lost_once, nobody_listens, no_path_to_probe,
        an_inbound_one_is_probed, many_probes, too_many_probes, probed_while_it_migrates, quic_that_is_silent
    ].

settings(relayed_ones_are_not_bound) ->
    Relays = #{<<"eu">> => {?LOCALHOST, 9}},
    Peers = #{?B => #{id => <<"alpha-bravo">>, via => <<"direct">>}},
    [{relay, {pathdog_relay_reg, #{relays => Relays, peers => Peers, doors => []}}}];
settings(redialled_by_turns) -> [{dial_timeout, 10}];
settings(not_where_quic_loses_data) -> [];
settings(_) -> [{prefer, migrate}].

init_per_testcase(Case, Config) -> bridge:start(settings(Case), Config).

end_per_testcase(_, Config) ->
    bridge:stop(Config),
    _ = application:stop(quic),
    _ = application:unload(quic),
    [standin_listener:stop(P) || P <- processes(), is_listener(P)],
    ok.

is_listener(Pid) ->
    {current_function, {standin_listener, loop, 3}} =:= process_info(Pid, current_function).

up(Role, Config) ->
    standin_net:up(?B, Role),
    {Client, Peers} = bridge:subscribed(Config),
    {Client, bridge:conns(Peers, ?BRAVO), standin_net:quic(?B)}.

%% A peer that listens, and a connection to it as quic makes them: its socket is bound to nothing.
real(Role, Config) ->
    {Listener, Where} = standin_listener:start(?LOCALHOST, 0),
    standin_net:listens(?B, Where),
    {Client, Conn, Quic} = up(Role, Config),
    {Client, Conn, Quic, Listener}.

ask(Client, Method, Conn, More) -> ask(Client, Method, Conn, 30000, More).

ask(Client, Method, Conn, Ms, More) ->
    Params = io_lib:format("{\"conn\":~b,\"timeout_ms\":~b~ts}", [Conn, Ms, More]),
    bridge:ask(Client, Method, Params).

on(Interface) -> [",\"interface\":\"", Interface, "\""].
at(Local) -> [",\"local\":\"", Local, "\""].

-define(REFUSED(Code, Answer), ?assertMatch(#{<<"error">> := #{<<"code">> := Code}}, Answer)).

%% What was said, behind the word.
no_path(Answer) ->
    #{<<"error">> := #{<<"code">> := -32007, <<"message">> := <<"no_path: ", Text/binary>>}} = Answer,
    Text.

socket(Quic) ->
    {ok, Socket} = pathdog_bridge_conn:socket(Quic),
    Socket.

port(Quic) ->
    {ok, Port} = inet:port(socket(Quic)),
    Port.

device(Quic) -> pathdog_bridge_bind:device(socket(Quic)).

%% ---- migrate ----

%% The socket stays: there is no moment in which it is bound to nothing.
migrated_to_an_interface(Config) ->
    {Client, Conn, Quic, Listener} = real(client, Config),
    Port = port(Quic),
    ?assertEqual(undefined, device(Quic)),
    #{<<"result">> := Result} = ask(Client, migrate_peer, Conn, on("lo")),
    Local = iolist_to_binary(["127.0.0.1:", integer_to_list(Port)]),
    ?assertEqual(#{<<"local">> => Local, <<"validated">> => true}, Result),
    ?assertEqual(?LO, device(Quic)),
    ?assertMatch(#{<<"local">> := Local, <<"interface">> := ?LO}, bridge:note(Client, peer_path)),
    ?assertMatch(#{migrations := 0, pings := 1}, quic_connection:info(Quic)),
    ?assertEqual([{?LOCALHOST, 4}], standin_listener:seen(Listener)),
    %% and away again, to wherever the routes lead
    ?assertMatch(#{<<"result">> := #{<<"validated">> := true}}, ask(Client, migrate_peer, Conn, "")),
    ?assertEqual(undefined, device(Quic)),
    %% another address, and no interface: bound to none
    #{<<"local">> := New} = Path = bridge:note(Client, peer_path),
    ?assertEqual({iolist_to_binary(["127.0.0.1:", integer_to_list(port(Quic))]), false},
        {New, maps:is_key(<<"interface">>, Path)}).

migrated_to_the_same_again(Config) ->
    {Client, Conn, Quic, _} = real(client, Config),
    #{<<"result">> := _} = ask(Client, migrate_peer, Conn, on("lo")),
    Port = port(Quic),
    #{<<"result">> := #{<<"validated">> := true}} = ask(Client, migrate_peer, Conn, on("lo")),
    ?assertNotEqual(Port, port(Quic)),
    ?assertEqual(?LO, device(Quic)),
    ?assertMatch(#{migrations := 1}, quic_connection:info(Quic)).

migrated_to_an_address(Config) ->
    {Client, Conn, Quic, _} = real(client, Config),
    #{<<"result">> := #{<<"local">> := <<"127.0.0.1:", _/binary>>}} =
        ask(Client, migrate_peer, Conn, at("127.0.0.1")),
    ?assertEqual(?LO, device(Quic)).

%% The bridge does not go behind quic's back here.
not_where_it_is_forbidden(Config) ->
    {Client, Conn, Quic, _} = real(client, Config),
    quic_connection:set(Quic, #{forbidden => true}),
    ?REFUSED(-32003, ask(Client, migrate_peer, Conn, on("lo"))),
    ?assertEqual(undefined, device(Quic)).

%% quic 1.8.1: the accepting side forgets what was not acknowledged when the address changes. A reconnect
%% over the interface is what remains.
not_where_quic_loses_data(Config) ->
    {Client, Conn, Quic, _} = real(client, Config),
    Port = port(Quic),
    #{<<"error">> := #{<<"code">> := -32005, <<"message">> := Message}} =
        ask(Client, migrate_peer, Conn, on("lo")),
    ?assertMatch(<<"not_migratable: with this version of quic a move to another address loses data", _/binary>>, Message),
    ?assertEqual({Port, undefined}, {port(Quic), device(Quic)}),
    %% a new port is none
    ?assertMatch(#{<<"result">> := #{<<"validated">> := true}}, ask(Client, migrate_peer, Conn, "")),
    ?assertMatch(#{<<"result">> := #{<<"conn">> := _}}, ask(Client, reconnect_peer, Conn, on("lo"))),
    %% with a quic that does not
    _ = application:stop(quic),
    ok = application:unload(quic),
    ok = application:load({application, quic, [{vsn, "1.8.2"}, {applications, [kernel, stdlib]}]}),
    ?assertMatch(
        #{<<"result">> := #{<<"validated">> := true}},
        ask(Client, migrate_peer, bridge:note(Client, peer_up, <<"conn">>), on("lo"))
    ).

a_black_hole(Config) ->
    {Client, Conn, _, Listener} = real(client, Config),
    standin_listener:set(Listener, silent),
    ?REFUSED(-32004, ask(Client, migrate_peer, Conn, 400, on("lo"))).

no_path_and_nothing_is_touched(Config) ->
    {Client, Conn, Quic, _} = real(client, Config),
    Port = port(Quic),
    Wrong = [
        {on("up9"), <<"there is no interface up9">>},
        {on("a_name_that_is_far_too_long_for_one"), <<"there is no interface a_name_that_is_far_too_long_for_one">>},
        {[on("lo"), at("10.255.255.1")], <<"10.255.255.1 is not an address of lo">>},
        {[on("lo"), at("::1")], <<"::1 is not an IPv4 address, which the peer's is">>}
    ],
    [
        ?assertEqual({Method, Expected}, {Method, no_path(ask(Client, Method, Conn, More))})
     || Method <- [migrate_peer, reconnect_peer, probe_path], {More, Expected} <- Wrong
    ],
    [
        ?assertMatch(<<"::1 is not an IPv4 address", _/binary>>, no_path(ask(Client, Method, Conn, at("::1"))))
     || Method <- [migrate_peer, reconnect_peer, probe_path]
    ],
    ?assertMatch(
        <<"10.255.255.1 is not an address of this host">>,
        no_path(ask(Client, migrate_peer, Conn, at("10.255.255.1")))
    ),
    ?assertMatch(
        <<"127.0.0.1 cannot be reached from 10.255.255.1: ", _/binary>>,
        no_path(ask(Client, reconnect_peer, Conn, at("10.255.255.1")))
    ),
    [?REFUSED(-32602, ask(Client, M, Conn, on(""))) || M <- [migrate_peer, reconnect_peer, probe_path]],
    bridge:quiet(Client),
    ?assertEqual({Port, undefined}, {port(Quic), device(Quic)}),
    ?assertEqual([], standin_net:dialled()).

%% As with quic's other socket backend.
no_socket_to_bind(Config) ->
    {Client, Conn, Quic, _} = real(client, Config),
    gen_udp:close(socket(Quic)),
    ?assertMatch(<<"its socket is not one of gen_udp", _/binary>>, no_path(ask(Client, migrate_peer, Conn, on("lo")))).

not_an_inbound_one(Config) ->
    {Client, Conn, _, _} = real(server, Config),
    ?REFUSED(-32005, ask(Client, migrate_peer, Conn, on("lo"))),
    ?assert(standin_net:is_listener_open()).

%% ---- reconnect ----

reconnected_from_an_interface(Config) ->
    {Client, Conn, _, _} = real(client, Config),
    #{<<"result">> := #{<<"conn">> := New}} = ask(Client, reconnect_peer, Conn, on("lo")),
    #{<<"conn">> := New, <<"local">> := <<"127.0.0.1:", _/binary>>, <<"interface">> := ?LO} = bridge:note(Client, peer_up),
    ?assertEqual(?LO, device(standin_net:quic(?B))),
    %% and it is told to the next client
    {_, #{?BRAVO := Again}} = bridge:subscribed(Config),
    ?assertMatch(#{<<"conn">> := New, <<"interface">> := ?LO}, Again),
    ?assertEqual(?BY_LO, lists:last(standin_net:dialled_with())).

reconnected_from_an_address(Config) ->
    {Client, Conn, _, _} = real(client, Config),
    #{<<"result">> := _} = ask(Client, reconnect_peer, Conn, at("127.0.0.1")),
    ?assertEqual([{ip, ?LOCALHOST}], lists:last(standin_net:dialled_with())),
    #{<<"conn">> := Second} = Up = bridge:note(Client, peer_up),
    ?assertNot(is_map_key(<<"interface">>, Up)), % an address is no interface
    #{<<"result">> := _} = ask(Client, reconnect_peer, Second, [on("lo"), at("127.0.0.1")]),
    ?assertEqual(?BY_LO ++ [{ip, ?LOCALHOST}], lists:last(standin_net:dialled_with())).

inbound_and_its_address_is_known(Config) ->
    {Client, Conn, _, _} = real(server, Config),
    #{<<"result">> := #{<<"conn">> := _}} = ask(Client, reconnect_peer, Conn, on("lo")),
    ?assertEqual(?BY_LO, lists:last(standin_net:dialled_with())).

every_attempt_is_bound(Config) ->
    {Client, Conn, _} = up(client, Config),
    standin_net:dial(?B, false),
    bridge:post(Client, 5, reconnect_peer, io_lib:format("{\"conn\":~b,\"timeout_ms\":30000~ts}", [Conn, on("lo")])),
    bridge:wait(fun() -> length(standin_net:dialled()) >= 4 end),
    standin_net:dial(?B, ok),
    ?assertMatch(#{<<"result">> := _}, bridge:answer(Client, 5)),
    [[] | Dials] = standin_net:dialled_with(), % the first is that of up/2
    ?assertEqual([?BY_LO], lists:usort(Dials)).

%% As a message begins it, by the routes: it would be waited for, and none were made from there.
another_dial_is_in_the_way(Config) ->
    {Client, Conn, _, _} = real(client, Config),
    Self = self(),
    Setup = spawn(fun() ->
        {ok, _} = quic_connection:start_link(client, {?LOCALHOST, 1}, self()),
        Self ! {self(), dials},
        receive stop -> ok end
    end),
    receive {Setup, dials} -> ok end,
    Monitor = monitor(process, Setup),
    standin_net:dialling(?B, Setup),
    #{<<"result">> := #{<<"conn">> := _}} = ask(Client, reconnect_peer, Conn, on("lo")),
    receive {'DOWN', Monitor, process, Setup, Reason} -> ?assertEqual(killed, Reason) after 60000 -> error(not_ended) end,
    ?assertEqual(?BY_LO, lists:last(standin_net:dialled_with())).

%% It has made no connection: it came in, and will be the new one.
a_dial_of_the_peer_s_is_not(Config) ->
    {Client, Conn, _, _} = real(client, Config),
    Accepts = spawn(fun() -> receive stop -> ok end end),
    standin_net:dialling(?B, Accepts),
    #{<<"result">> := #{<<"conn">> := _}} = ask(Client, reconnect_peer, Conn, on("lo")),
    ?assert(is_process_alive(Accepts)),
    Accepts ! stop.

%% A dial that finds the peer connected, or hangs, does not use them. The next one would.
options_do_not_remain(Config) ->
    {Client, Conn, _} = up(client, Config),
    standin_net:dial(?B, hang),
    ?REFUSED(-32009, ask(Client, reconnect_peer, Conn, 2000, on("lo"))),
    bridge:wait(fun() -> quic_dist:get_connect_options(?B) =:= #{} end).

%% Nobody can say which way is right: from where it was, by the routes, and from where it was to be.
redialled_by_turns(Config) ->
    {Client, Conn, Quic, _} = real(client, Config),
    ok = pathdog_bridge_bind:set_device(socket(Quic), ?LO),
    standin_net:dial(?B, false),
    ?REFUSED(-32009, ask(Client, reconnect_peer, Conn, 300, at("127.0.0.1"))),
    %% a redial may come before the answer is read
    Turns = [?BY_LO, [], [{ip, ?LOCALHOST}], ?BY_LO],
    bridge:wait(fun() -> has_part(Turns, standin_net:dialled_with()) end).

has_part(_, []) -> false;
has_part(Part, [_ | Rest] = List) -> lists:prefix(Part, List) orelse has_part(Part, Rest).

%% With a quic that lacks a function the feature is not there, and what is asked for is not heeded.
quic_that_cannot(Config) ->
    {Client, Conn, Quic, _} = real(client, Config),
    {ok, quic_dist, Code} = compile:forms([
        {attribute, 1, module, quic_dist},
        {attribute, 1, export, [{set_connect_options, 2}]},
        {function, 1, set_connect_options, 2, [{clause, 1, [{var, 1, '_'}, {var, 1, '_'}], [], [{atom, 1, ok}]}]}
    ]),
    {module, quic_dist} = code:load_binary(quic_dist, "none", Code),
    try
        cannot(Client, Conn, Quic)
    after
        code:purge(quic_dist),
        {module, quic_dist} = code:load_file(quic_dist)
    end.

cannot(Client, Conn, Quic) ->
    ?assertEqual(
        [<<"quic_dist:get_connect_options/1">>, <<"quic_dist:clear_connect_options/1">>],
        pathdog_bridge_bind:missing()
    ),
    #{<<"features">> := Features} = bridge:hello(Client),
    ?assertEqual([<<"reconnect">>, <<"make_before_break">>, <<"probe">>, <<"probe_path">>, <<"push">>], Features),
    Port = port(Quic),
    ?assertMatch(#{<<"result">> := _}, ask(Client, migrate_peer, Conn, on("up9"))),
    ?assertNotEqual(Port, port(Quic)),
    ?assertEqual(undefined, device(Quic)).

%% Where sockets may not be bound to an interface (before Linux 5.7).
by_address(_Config) ->
    Remote = {?LOCALHOST, 9},
    Way = fun(Interface, Local, To) ->
        pathdog_bridge_bind:way(#{interface => Interface, local => Local}, To, address)
    end,
    ?assertMatch(
        {ok, #{options := [{ip, ?LOCALHOST}], device := undefined, source := ?LOCALHOST}},
        Way(?LO, undefined, Remote)
    ),
    ?assertMatch({ok, #{options := [{ip, ?LOCALHOST}]}}, Way(?LO, ?LOCALHOST, Remote)),
    ?assertMatch({error, {no_path, _}}, Way(?LO, {10, 255, 255, 1}, Remote)),
    ?assertMatch({error, {no_path, <<"there is no interface up9">>}}, Way(<<"up9">>, undefined, Remote)).

%% The kernel's choice, since the socket is bound to no address; and not at each look again.
told_where_it_is(Config) ->
    {_, Where} = standin_listener:start(?LOCALHOST, 0),
    standin_net:listens(?B, Where),
    standin_net:up(?B, client),
    {Client, #{?BRAVO := #{<<"local">> := Told}}} = bridge:subscribed(Config),
    Quic = standin_net:quic(?B),
    ?assertEqual(iolist_to_binary(["127.0.0.1:", integer_to_list(port(Quic))]), Told),
    ?assertEqual({{0, 0, 0, 0}, port(Quic)}, pathdog_bridge_conn:local(Quic)),
    ?assertMatch(#{<<"result">> := _}, bridge:ask(Client, summary, "{}")),
    _ = bridge:note(Client, summaries),
    bridge:quiet(Client),
    %% a new socket is another path, whoever made it
    ok = quic:migrate(Quic, #{}),
    ?assertMatch(#{<<"result">> := _}, bridge:ask(Client, summary, "{}")),
    Port = iolist_to_binary(["0.0.0.0:", integer_to_list(port(Quic))]),
    ?assertEqual(Port, bridge:note(Client, peer_path, <<"local">>)).

%% As it is seen at a look, and told once.
bound_by_somebody_else(Config) ->
    {Client, Conn, Quic, _} = real(client, Config),
    Port = port(Quic),
    ok = pathdog_bridge_bind:set_device(socket(Quic), ?LO),
    ?assertMatch(#{<<"result">> := _}, bridge:ask(Client, summary, "{}")),
    Local = iolist_to_binary(["127.0.0.1:", integer_to_list(Port)]),
    ?assertMatch(#{<<"conn">> := Conn, <<"local">> := Local, <<"interface">> := ?LO}, bridge:note(Client, peer_path)),
    _ = bridge:note(Client, summaries),
    ?assertMatch(#{<<"result">> := _}, bridge:ask(Client, summary, "{}")),
    _ = bridge:note(Client, summaries),
    bridge:quiet(Client).

relayed_ones_are_not_bound(Config) ->
    {Client, Conn, _} = up(client, Config),
    [
        ?assertNotEqual(nomatch, string:find(no_path(ask(Client, Method, Conn, on("lo"))), "relay"))
     || Method <- [migrate_peer, reconnect_peer, probe_path]
    ],
    #{<<"relays">> := [_]} = bridge:note(Client, relays),
    bridge:quiet(Client).

%% ---- probe_path ----

a_path_lives(Config) ->
    {Client, Conn, Quic, Listener} = real(client, Config),
    [
        begin
            #{<<"result">> := #{<<"rtt_us">> := Rtt}} = ask(Client, probe_path, Conn, More),
            ?assert(is_integer(Rtt) andalso Rtt >= 0 andalso Rtt < 30000000),
            ?assertMatch([{?LOCALHOST, 1452} | _], standin_listener:seen(Listener))
        end
     || More <- ["", on("lo"), at("127.0.0.1"), [on("lo"), at("127.0.0.1")]]
    ],
    %% the connection knows nothing of it
    ?assertMatch(#{migrations := 0, pings := 0}, quic_connection:info(Quic)),
    ?assertEqual(undefined, device(Quic)),
    bridge:quiet(Client).

%% Four packets, evenly over the time, and an answer within it.
a_path_is_dead(Config) ->
    {Client, Conn, _, Listener} = real(client, Config),
    standin_listener:set(Listener, silent),
    Begin = erlang:monotonic_time(millisecond),
    ?REFUSED(-32004, ask(Client, probe_path, Conn, 400, on("lo"))),
    ?assert(erlang:monotonic_time(millisecond) - Begin >= 300),
    ?assert(length(standin_listener:seen(Listener)) =< 4).

answers_that_are_none(Config) ->
    {Client, Conn, _, Listener} = real(client, Config),
    [
        begin
            standin_listener:set(Listener, {answer, Answer}),
            ?REFUSED(-32004, ask(Client, probe_path, Conn, 200, ""))
        end
     || Answer <- [
            fun(Data) -> Data end,
            fun(_) -> <<>> end,
            fun(_) -> <<2#01000000, 0:(19 * 8)>> end,
            fun(_) -> <<2#11000000, 0:(39 * 8)>> end,
            fun(_) -> <<2#00000000, 0:(39 * 8)>> end
        ]
    ],
    ?assert(pathdog_bridge_probe:is_answer(<<2#01000000, 0:(20 * 8)>>)).

%% The time is that of the packet that was answered.
lost_once(Config) ->
    {Client, Conn, _, Listener} = real(client, Config),
    standin_listener:set(Listener, silent),
    bridge:post(Client, 5, probe_path, io_lib:format("{\"conn\":~b,\"timeout_ms\":4000}", [Conn])),
    bridge:wait(fun() -> standin_listener:seen(Listener) =/= [] end),
    standin_listener:set(Listener, reset),
    #{<<"result">> := #{<<"rtt_us">> := Rtt}} = bridge:answer(Client, 5),
    ?assert(Rtt < 900000). % the tries are a second apart

nobody_listens(Config) ->
    {Client, Conn, _, Listener} = real(client, Config),
    Monitor = monitor(process, Listener),
    standin_listener:stop(Listener),
    receive {'DOWN', Monitor, process, _, _} -> ok end,
    ?assertMatch(<<"econnrefused">>, no_path(ask(Client, probe_path, Conn, ""))).

no_path_to_probe(Config) ->
    {Client, Conn, _} = up(server, Config),
    ?assertMatch(<<"where the peer listens is not known">>, no_path(ask(Client, probe_path, Conn, ""))),
    ?REFUSED(-32001, ask(Client, probe_path, Conn + 1000, "")),
    #{<<"result">> := _} = ask(Client, reconnect_peer, Conn, ""),
    ?REFUSED(-32002, ask(Client, probe_path, Conn, "")).

an_inbound_one_is_probed(Config) ->
    {Client, Conn, _, _} = real(server, Config),
    ?assertMatch(#{<<"result">> := #{<<"rtt_us">> := _}}, ask(Client, probe_path, Conn, on("lo"))).

many_probes(Config) ->
    {Client, Conn, _, _} = real(client, Config),
    Ids = lists:seq(100, 139),
    Params = io_lib:format("{\"conn\":~b,\"timeout_ms\":30000,\"interface\":\"lo\"}", [Conn]),
    [bridge:post(Client, Id, probe_path, Params) || Id <- Ids],
    [?assertMatch(#{<<"result">> := #{<<"rtt_us">> := _}}, bridge:answer(Client, Id)) || Id <- Ids].

too_many_probes(Config) ->
    {Client, Conn, _, Listener} = real(client, Config),
    standin_listener:set(Listener, silent),
    Params = io_lib:format("{\"conn\":~b,\"timeout_ms\":60000}", [Conn]),
    [bridge:post(Client, Id, probe_path, Params) || Id <- lists:seq(100, 164)],
    ?REFUSED(-32006, bridge:answer(Client, 164)).

probed_while_it_migrates(Config) ->
    {Client, Conn, Quic, _} = real(client, Config),
    quic_connection:set(Quic, #{on_migrate => hang}),
    bridge:post(Client, 5, migrate_peer, io_lib:format("{\"conn\":~b,\"timeout_ms\":60000}", [Conn])),
    bridge:wait(fun() -> maps:size(maps:get(busy, sys:get_state(pathdog_bridge_moves))) =:= 1 end),
    ?assertMatch(#{<<"result">> := #{<<"rtt_us">> := _}}, ask(Client, probe_path, Conn, on("lo"))),
    ?REFUSED(-32006, ask(Client, migrate_peer, Conn, on("lo"))).

%% Before 1.7.0 a listener does not answer.
quic_that_is_silent(Config) ->
    _ = application:stop(quic), % started as what the bridge depends on
    ok = application:unload(quic),
    ok = application:load({application, quic, [{vsn, "1.6.5"}, {applications, [kernel, stdlib]}]}),
    {Client, Conn, _, _} = real(client, Config),
    #{<<"features">> := Features} = bridge:hello(Client),
    ?assertEqual([<<"reconnect">>, <<"make_before_break">>, <<"bind">>, <<"probe">>, <<"push">>], Features),
    ?REFUSED(-32601, ask(Client, probe_path, Conn, "")).
