%% SPDX-License-Identifier: Apache-2.0
%% The relay seam, with the REG/ACK example against a small relay.
-module(relay_SUITE).
-include_lib("stdlib/include/assert.hrl").
-compile([export_all, nowarn_export_all]).

-define(B, 'bravo@127.0.0.1').
-define(C, 'charlie@127.0.0.1').
-define(BRAVO, <<"bravo@127.0.0.1">>).
-define(LOCALHOST, {127, 0, 0, 1}).

all() ->
    [
        options_are_there_before_the_first_dial, again_after_a_failed_dial, again_after_a_connection,
        owned_by_who_stays, only_for_relayed_peers, told, unknown_via, over_the_relay, there_and_back,
        a_relay_that_is_silent, a_relay_that_wakes_up, an_ack_of_somebody_else, data_of_somebody_else,
        no_connection_and_nothing_is_asked, an_ack_is_no_proof, data_is_a_proof, a_door_and_its_acks, a_fresh_port, a_fresh_port_at_a_relay, registered_once, the_path_stays_for_the_next_connection,
        an_unused_path_ends_with_its_keeper, migrate_peer_switches, a_switch_into_a_black_hole,
        a_relay_that_forwards_nothing,
        not_connected_yet, an_inbound_one_does_not_switch, bad_arguments
    ].

init_per_testcase(Case, Config) ->
    {Relay, Port} = start_relay(),
    {Listener, ListenerPort} = start_echo(),
    {ok, Deaf} = gen_udp:open(0, [binary, {ip, ?LOCALHOST}, {active, false}]),
    {ok, DeafPort} = inet:port(Deaf),
    Args = #{
        relays => #{<<"eu">> => {?LOCALHOST, Port}, <<"us">> => {?LOCALHOST, DeafPort}},
        peers => #{?B => #{id => <<"alpha-bravo">>, via => via(Case)}},
        doors => [#{id => <<"alpha-bravo">>, relay => <<"eu">>, port => ListenerPort}],
        dead_after => 600000
    },
    Settings = [{relay, {pathdog_relay_reg, Args}}, {relay_interval, 10}],
    [{relay, Relay}, {echo, ListenerPort}, {helpers, [Relay, Listener]}, {deaf, Deaf}, {args, Args}
     | bridge:start(Settings, Config)].

via(over_the_relay) -> <<"eu">>;
via(told) -> <<"eu">>;
via(the_path_stays_for_the_next_connection) -> <<"eu">>;
via(registered_once) -> <<"eu">>;
via(a_relay_that_is_silent) -> <<"us">>;
via(no_connection_and_nothing_is_asked) -> <<"us">>;
via(a_relay_that_wakes_up) -> <<"us">>;
via(an_ack_of_somebody_else) -> <<"us">>;
via(data_of_somebody_else) -> <<"us">>;
via(an_ack_is_no_proof) -> <<"us">>;
via(data_is_a_proof) -> <<"us">>;
via(a_fresh_port_at_a_relay) -> <<"us">>;
via(_) -> <<"direct">>.

end_per_testcase(_, Config) ->
    bridge:stop(Config),
    [exit(Pid, kill) || Pid <- proplists:get_value(helpers, Config)],
    gen_udp:close(proplists:get_value(deaf, Config)).

%% ---- a small relay, and a listener that answers with what it got ----

start_relay() ->
    start_udp(fun(Socket) -> relay(Socket, #{}, []) end).

start_echo() ->
    start_udp(fun echo/1).

start_udp(Loop) ->
    Self = self(),
    Pid = spawn(fun() ->
        {ok, Socket} = gen_udp:open(0, [binary, {ip, ?LOCALHOST}, {active, true}]),
        {ok, Port} = inet:port(Socket),
        Self ! {self(), Port},
        Loop(Socket)
    end),
    receive {Pid, Port} -> {Pid, Port} end.

relay(Socket, Sessions, Log) ->
    receive
        {udp, Socket, Ip, Port, <<"REG:", Rest/binary>>} ->
            Id = string:trim(Rest),
            Members = lists:usort([{Ip, Port} | maps:get(Id, Sessions, [])]),
            gen_udp:send(Socket, Ip, Port, <<"ACK\n">>),
            relay(Socket, Sessions#{Id => Members}, [{reg, Id, Port} | Log]);
        {udp, Socket, Ip, Port, Data} ->
            [
                gen_udp:send(Socket, OtherIp, OtherPort, Data)
             || {_, Members} <- maps:to_list(Sessions),
                lists:member({Ip, Port}, Members),
                {OtherIp, OtherPort} <- Members -- [{Ip, Port}]
            ],
            relay(Socket, Sessions, [{data, Data, Port} | Log]);
        {log, From} ->
            From ! {log, lists:reverse(Log)},
            relay(Socket, Sessions, Log)
    end.

echo(Socket) ->
    receive
        {udp, Socket, Ip, Port, Data} ->
            gen_udp:send(Socket, Ip, Port, <<"echo ", Data/binary>>),
            echo(Socket)
    end.

log(Config) ->
    proplists:get_value(relay, Config) ! {log, self()},
    receive {log, Log} -> Log end.

relayed(Config) -> [Data || {data, Data, _} <- log(Config)].

%% ---- a connection's part: who sends is who receives ----

options() ->
    bridge:wait(fun() ->
        case quic_dist:take_connect_options(?B) of
            #{socket_adapter := Adapter} -> Adapter;
            _ -> false
        end
    end).

%% Over and over, as QUIC does, until the answer is there.
exchange(#{send_fun := Send, socket_ref := Ref}, Text, Config) ->
    Answer = <<"echo ", Text/binary>>,
    Port = proplists:get_value(echo, Config),
    Try = fun() ->
        ok = Send(?LOCALHOST, Port, [Text]),
        receive
            {udp, Ref, ?LOCALHOST, Port, Answer} -> ok
        after 200 -> false
        end
    end,
    bridge:wait(Try, Text).

%% Switched and proven, as far as the datagrams go.
switch(Via) ->
    case pathdog_bridge_relay:switch(?B, Via, pathdog_bridge_call:now_ms() + 60000) of
        {ok, Now} -> pathdog_bridge_relay:settled(?B, Now);
        Error -> Error
    end.

%% ---- connect options ----

is_registered() -> quic_dist:get_connect_options(?B) =/= #{}.

options_are_there_before_the_first_dial(_Config) ->
    bridge:wait(fun is_registered/0),
    ?assertMatch(
        #{socket_backend := adapter, socket_adapter := #{socket_ref := _, send_fun := _, close_fun := _}},
        quic_dist:get_connect_options(?B)
    ).

again_after_a_failed_dial(_Config) ->
    standin_net:dial(?B, false),
    [
        begin
            bridge:wait(fun is_registered/0),
            #{socket_adapter := #{socket_ref := Ref}} = quic_dist:get_connect_options(?B),
            false = standin_net:connect(?B),
            bridge:wait(fun() ->
                case quic_dist:get_connect_options(?B) of
                    #{socket_adapter := #{socket_ref := New}} -> New =/= Ref;
                    _ -> false
                end
            end)
        end
     || _ <- lists:seq(1, 5)
    ].

again_after_a_connection(Config) ->
    bridge:wait(fun is_registered/0),
    standin_net:up(?B, client),
    bridge:wait(fun is_registered/0),
    {Client, #{?BRAVO := #{<<"conn">> := Conn}}} = bridge:subscribed(Config),
    #{<<"result">> := _} =
        bridge:ask(Client, reconnect_peer, io_lib:format("{\"conn\":~b,\"timeout_ms\":60000}", [Conn])),
    bridge:wait(fun is_registered/0).

owned_by_who_stays(_Config) ->
    bridge:wait(fun is_registered/0),
    ?assertEqual(whereis(pathdog_bridge_relay), ets:info(quic_dist_connect_opts, owner)).

only_for_relayed_peers(_Config) ->
    bridge:wait(fun is_registered/0),
    ?assertEqual(#{}, quic_dist:get_connect_options(?C)),
    ?assertEqual(undefined, pathdog_bridge_relay:via(?C)).

told(Config) ->
    standin_net:up(?B, client),
    Client = bridge:connect(Config),
    #{<<"features">> := Features} = bridge:hello(Client),
    ?assert(lists:member(<<"relay">>, Features)),
    bridge:close(Client),
    ?assertMatch({_, #{?BRAVO := #{<<"via">> := <<"eu">>}}}, bridge:subscribed(Config)).

%% ---- datagrams ----

unknown_via(Config) ->
    exchange(options(), <<"one">>, Config),
    ?assertEqual({error, unknown_via}, switch(<<"mars">>)),
    ?assertEqual(<<"direct">>, pathdog_bridge_relay:via(?B)).

over_the_relay(Config) ->
    exchange(options(), <<"one">>, Config),
    ?assert(lists:member(<<"one">>, relayed(Config))).

there_and_back(Config) ->
    Adapter = options(),
    exchange(Adapter, <<"one">>, Config),
    ?assertNot(lists:member(<<"one">>, relayed(Config))),
    ok = switch(<<"eu">>),
    exchange(Adapter, <<"two">>, Config),
    ?assert(lists:member(<<"two">>, relayed(Config))),
    bridge:wait(fun() -> pathdog_bridge_relay:via(?B) =:= <<"eu">> end),
    ok = switch(<<"direct">>),
    exchange(Adapter, <<"three">>, Config),
    ?assertNot(lists:member(<<"three">>, relayed(Config))).

a_relay_that_is_silent(_Config) ->
    #{send_fun := Send} = options(),
    [ok = Send(?LOCALHOST, 9, <<"x">>) || _ <- lists:seq(1, 1000)],
    bridge:wait(fun path/0),
    {error, Reason} = pathdog_bridge_relay:switch(?B, <<"us">>, pathdog_bridge_call:now_ms() + 300),
    ?assert(Reason =:= no_path orelse Reason =:= timeout).

%% A peer that is gone for good must not keep the relays busy.
no_connection_and_nothing_is_asked(Config) ->
    Deaf = proplists:get_value(deaf, Config),
    Self = self(),
    Conn = spawn(fun() ->
        #{send_fun := Send} = options(),
        ok = Send(?LOCALHOST, 9, <<"held">>),
        Self ! {self(), sent},
        receive stop -> ok end
    end),
    receive {Conn, sent} -> ok end,
    Asks = fun() ->
        drain(Deaf),
        #{sockets := #{{<<"us">>, 0} := {_, {registering, Timer, _}}}} = sys:get_state(path()),
        path() ! {again, {<<"us">>, 0}, Timer},
        _ = sys:get_state(path()),
        case gen_udp:recv(Deaf, 0, 0) of
            {ok, {_, _, <<"REG:alpha-bravo\n">>}} -> yes;
            {error, timeout} -> no
        end
    end,
    bridge:wait(fun() -> maps:size(maps:get(conns, sys:get_state(path()))) =:= 1 end),
    ?assertEqual(yes, Asks()),
    Conn ! stop,
    bridge:wait(fun() -> maps:size(maps:get(conns, sys:get_state(path()))) =:= 0 end),
    ?assertEqual(no, Asks()).

drain(Socket) ->
    case gen_udp:recv(Socket, 0, 0) of
        {ok, _} -> drain(Socket);
        {error, timeout} -> ok
    end.

%% What was sent meanwhile is not lost.
a_relay_that_wakes_up(Config) ->
    #{send_fun := Send} = options(),
    ok = Send(?LOCALHOST, 9, <<"held">>),
    Deaf = proplists:get_value(deaf, Config),
    {ok, {Ip, Port, <<"REG:alpha-bravo\n">>}} = gen_udp:recv(Deaf, 0, 60000),
    ok = gen_udp:send(Deaf, Ip, Port, <<"ACK\n">>),
    ?assertEqual({Ip, Port, <<"held">>}, recv_data(Deaf)).

recv_data(Socket) ->
    case gen_udp:recv(Socket, 0, 60000) of
        {ok, {_, _, <<"REG:", _/binary>>}} -> recv_data(Socket);
        {ok, Data} -> Data
    end.

%% ---- who says so ----

-define(REG, <<"REG:alpha-bravo\n">>).

%% The test is the relay: a path that has registered, and the relay's side of it.
at_the_relay(Config) ->
    #{send_fun := Send} = Adapter = options(),
    ok = Send(?LOCALHOST, 9, <<"held">>),
    Deaf = proplists:get_value(deaf, Config),
    {ok, {Ip, Port, ?REG}} = gen_udp:recv(Deaf, 0, 60000),
    {Adapter, Deaf, {Ip, Port}}.

somebody_else() ->
    {ok, Socket} = gen_udp:open(0, [binary, {ip, ?LOCALHOST}, {active, false}]),
    Socket.

%% Registering goes on until the relay itself has answered.
an_ack_of_somebody_else(Config) ->
    {_, Deaf, {Ip, Port}} = at_the_relay(Config),
    Other = somebody_else(),
    [
        begin
            ok = gen_udp:send(Other, Ip, Port, <<"ACK\n">>),
            ?assertEqual(registered, reg_within(Deaf, Port, 60000))
        end
     || _ <- lists:seq(1, 5)
    ],
    ok = gen_udp:send(Deaf, Ip, Port, <<"ACK\n">>),
    ?assertEqual({Ip, Port, <<"held">>}, recv_data(Deaf)),
    gen_udp:close(Other).

%% It neither reaches the connection nor proves anything.
data_of_somebody_else(Config) ->
    {#{socket_ref := Ref}, Deaf, {Ip, Port}} = at_the_relay(Config),
    Other = somebody_else(),
    ok = gen_udp:send(Other, Ip, Port, <<"evil">>),
    ?assertEqual(registered, reg_within(Deaf, Port, 60000)),
    ok = gen_udp:send(Deaf, Ip, Port, <<"good">>),
    receive {udp, Ref, _, _, Data} -> ?assertEqual(<<"good">>, Data) end,
    gen_udp:close(Other).

%% A forged one comes from the relay's address: the relay never saw the registration, and gets it again.
an_ack_is_no_proof(Config) ->
    {_, Deaf, {Ip, Port}} = at_the_relay(Config),
    ok = gen_udp:send(Deaf, Ip, Port, <<"ACK\n">>),
    ?assertEqual({Ip, Port, <<"held">>}, recv_data(Deaf)),
    [?assertEqual(registered, reg_within(Deaf, Port, 60000)) || _ <- lists:seq(1, 2)].

%% Data over the relay is as good as an ACK, and better: what waited goes out, and the next REG is far.
data_is_a_proof(Config) ->
    {#{socket_ref := Ref}, Deaf, {Ip, Port}} = at_the_relay(Config),
    ok = gen_udp:send(Deaf, Ip, Port, <<"good">>),
    receive {udp, Ref, _, _, <<"good">>} -> ok end,
    ?assertEqual({Ip, Port, <<"held">>}, recv_data(Deaf)),
    ?assertEqual(never, reg_within(Deaf, Port, 3000)).

%% From that port: paths for connections to come register as well.
reg_within(Socket, Port, Ms) ->
    reg_until(Socket, Port, pathdog_bridge_call:now_ms() + Ms).

reg_until(Socket, Port, End) ->
    case gen_udp:recv(Socket, 0, max(0, End - pathdog_bridge_call:now_ms())) of
        {ok, {_, Port, ?REG}} -> registered;
        {ok, _} -> reg_until(Socket, Port, End);
        {error, timeout} -> never
    end.

a_door_and_its_acks(Config) ->
    Deaf = proplists:get_value(deaf, Config),
    {ok, DeafPort} = inet:port(Deaf),
    Door = pathdog_relay_reg_door:start_link(<<"alpha-bravo">>, [{?LOCALHOST, DeafPort}], 1, 9, none),
    {ok, {Ip, Port, ?REG}} = gen_udp:recv(Deaf, 0, 60000),
    Other = somebody_else(),
    Pause = fun() ->
        [#{pause := Ms}] = maps:values(maps:get(ends, sys:get_state(Door))),
        Ms
    end,
    ok = gen_udp:send(Other, Ip, Port, <<"ACK\n">>),
    {ok, {Ip, Port, ?REG}} = gen_udp:recv(Deaf, 0, 60000),
    ?assertEqual(1000, Pause()),
    ok = gen_udp:send(Deaf, Ip, Port, <<"ACK\n">>),
    ok = gen_udp:send(Deaf, Ip, Port, <<"ACK\n">>), % twice is not more
    {ok, {Ip, Port, ?REG}} = gen_udp:recv(Deaf, 0, 60000),
    ?assertEqual(2000, Pause()),
    {ok, {Ip, Port, ?REG}} = gen_udp:recv(Deaf, 0, 60000), % still asked for: that was no proof
    ok = gen_udp:send(Deaf, Ip, Port, <<"data">>),
    bridge:wait(fun() -> Pause() =:= 60000 end),
    unlink(Door),
    exit(Door, kill),
    gen_udp:close(Other).

%% No registration from there, until data has come: the relay would forget the member.
a_fresh_port_at_a_relay(Config) ->
    {#{send_fun := Send, socket_ref := Ref}, Deaf, {Ip, Port}} = at_the_relay(Config),
    ok = gen_udp:send(Deaf, Ip, Port, <<"ACK\n">>),
    ?assertEqual({Ip, Port, <<"held">>}, recv_data(Deaf)),
    bridge:wait(fun path/0),
    ok = switch(undefined),
    ok = Send(?LOCALHOST, 9, <<"two">>),
    {Ip, Fresh, <<"two">>} = recv_data(Deaf),
    ?assertNotEqual(Port, Fresh),
    ?assertEqual(never, reg_within(Deaf, Fresh, 2500)),
    ok = gen_udp:send(Deaf, Ip, Fresh, <<"good">>),
    receive {udp, Ref, _, _, <<"good">>} -> ok end.

a_fresh_port(Config) ->
    {ok, Far} = gen_udp:open(0, [binary, {ip, ?LOCALHOST}, {active, false}]),
    {ok, FarPort} = inet:port(Far),
    #{send_fun := Send} = options(),
    ok = Send(?LOCALHOST, FarPort, <<"one">>),
    {ok, {_, Before, <<"one">>}} = gen_udp:recv(Far, 0, 60000),
    ok = switch(undefined),
    ok = Send(?LOCALHOST, FarPort, <<"two">>),
    {ok, {_, After, <<"two">>}} = gen_udp:recv(Far, 0, 60000),
    ?assertNotEqual(Before, After),
    ?assertEqual([], [Port || {data, _, Port} <- log(Config)]),
    gen_udp:close(Far).

%% To register again from another port would end in nowhere.
registered_once(Config) ->
    Adapter = options(),
    exchange(Adapter, <<"one">>, Config),
    ok = switch(<<"direct">>),
    ok = switch(<<"eu">>),
    exchange(Adapter, <<"two">>, Config),
    [Port] = lists:usort([P || {data, Data, P} <- log(Config), Data =:= <<"one">> orelse Data =:= <<"two">>]),
    ?assert(lists:member({reg, <<"alpha-bravo">>, Port}, log(Config))).

path() ->
    {ok, {_, #{table := Table}}} = {ok, lookup(module)},
    case ets:lookup(Table, {path, ?B}) of
        [{_, Path}] -> Path;
        [] -> false
    end.

lookup(Key) -> ets:lookup_element(pathdog_bridge_relay, Key, 2).

%% A connection that ends leaves the socket, and with it the registration, to the next one.
the_path_stays_for_the_next_connection(Config) ->
    Self = self(),
    Talk = fun(Adapter, Text) ->
        Pid = spawn(fun() ->
            exchange(Adapter, Text, Config),
            Self ! {ready, self()},
            receive stop -> ok end
        end),
        receive {ready, Pid} -> Pid end
    end,
    First = Talk(options(), <<"one">>),
    Path = path(),
    Second = Talk(options(), <<"two">>),
    Monitor = monitor(process, First),
    First ! stop,
    receive {'DOWN', Monitor, process, _, _} -> ok end,
    bridge:wait(fun() -> [Second] =:= maps:values(maps:get(conns, sys:get_state(Path))) end),
    Third = Talk(options(), <<"three">>),
    ?assertEqual(Path, path()),
    Texts = [<<"one">>, <<"two">>, <<"three">>],
    ?assertMatch([_], lists:usort([Port || {data, Data, Port} <- log(Config), lists:member(Data, Texts)])),
    %% and nobody has registered from anywhere else but the door
    ?assertEqual(2, length(lists:usort([Port || {reg, <<"alpha-bravo">>, Port} <- log(Config)]))),
    [Pid ! stop || Pid <- [Second, Third]].

an_unused_path_ends_with_its_keeper(_Config) ->
    bridge:wait(fun is_registered/0),
    Before = paths(),
    ?assert(length(Before) >= 1),
    Monitors = [monitor(process, Path) || Path <- Before],
    ok = application:stop(pathdog_bridge),
    [receive {'DOWN', M, process, _, _} -> ok after 60000 -> ct:fail(left_behind) end || M <- Monitors].

paths() ->
    [
        Pid
     || Pid <- erlang:processes(),
        {dictionary, Dictionary} <- [process_info(Pid, dictionary)],
        {'$initial_call', {pathdog_relay_reg_path, init, 1}} <- Dictionary
    ].

%% ---- by request ----

connected(Role, Config) ->
    bridge:wait(fun is_registered/0),
    #{socket_adapter := Adapter} = quic_dist:get_connect_options(?B),
    standin_net:up(?B, Role),
    exchange(Adapter, <<"one">>, Config),
    {Client, #{?BRAVO := #{<<"conn">> := Conn, <<"via">> := <<"direct">>}}} = bridge:subscribed(Config),
    {Client, Conn, Adapter}.

migrate(Client, Conn, Via, Ms) ->
    bridge:ask(Client, migrate_peer, io_lib:format(
        "{\"conn\":~b,\"timeout_ms\":~b,\"via\":\"~s\"}", [Conn, Ms, Via])).

migrate_peer_switches(Config) ->
    {Client, Conn, Adapter} = connected(client, Config),
    bridge:post(Client, 5, migrate_peer, io_lib:format("{\"conn\":~b,\"timeout_ms\":60000,\"via\":\"eu\"}", [Conn])),
    %% what quic sends, and what its peer answers: only what comes over the relay counts
    bridge:wait(fun() ->
        exchange(Adapter, <<"two">>, Config),
        lists:member(<<"two">>, relayed(Config))
    end),
    #{<<"result">> := #{<<"validated">> := true}} = bridge:answer(Client, 5),
    bridge:wait(fun() -> maps:get(<<"via">>, bridge:note(Client, peer_path)) =:= <<"eu">> end),
    ?assert(lists:member(<<"two">>, relayed(Config))),
    ?assertMatch(#{migrations := 0}, quic_connection:info(standin_net:quic(?B))),
    ?assertMatch(#{<<"error">> := #{<<"code">> := -32008}}, migrate(Client, Conn, "mars", 60000)).

%% The relay acknowledges; that is no path.
a_switch_into_a_black_hole(Config) ->
    {Client, Conn, _} = connected(client, Config),
    quic_connection:set(standin_net:quic(?B), #{alive => false}),
    ?assertMatch(#{<<"error">> := #{<<"code">> := -32004}}, migrate(Client, Conn, "eu", 5000)).

%% It acknowledges. What still comes over the old way is no proof; the connection stays there, and so will the next one.
a_relay_that_forwards_nothing(Config) ->
    {Client, Conn, Adapter} = connected(client, Config),
    Deaf = proplists:get_value(deaf, Config),
    bridge:post(Client, 5, migrate_peer, io_lib:format("{\"conn\":~b,\"timeout_ms\":1500,\"via\":\"us\"}", [Conn])),
    {ok, {Ip, Port, ?REG}} = gen_udp:recv(Deaf, 0, 60000),
    ok = gen_udp:send(Deaf, Ip, Port, <<"ACK\n">>),
    ?assertMatch(#{<<"error">> := #{<<"code">> := -32004}}, bridge:answer(Client, 5)),
    ?assertEqual(<<"direct">>, pathdog_bridge_relay:via(?B)),
    {Module, State} = lookup(module),
    ?assertEqual(<<"direct">>, Module:via(?B, State)),
    exchange(Adapter, <<"two">>, Config).

not_connected_yet(Config) ->
    standin_net:up(?B, client),
    {Client, #{?BRAVO := #{<<"conn">> := Conn}}} = bridge:subscribed(Config),
    ?assertMatch(#{<<"error">> := #{<<"code">> := -32001}}, migrate(Client, Conn, "eu", 60000)).

an_inbound_one_does_not_switch(Config) ->
    {Client, Conn, _} = connected(server, Config),
    ?assertMatch(#{<<"error">> := #{<<"code">> := -32005}}, migrate(Client, Conn, "eu", 60000)).

bad_arguments(Config) ->
    Args = proplists:get_value(args, Config),
    Try = fun(Peer) -> pathdog_relay_reg:init(Args#{peers := #{?B => Peer}}) end,
    ?assertMatch({error, {bad_peers, [?B]}}, Try(#{id => <<>>, via => <<"eu">>})),
    ?assertMatch({error, {bad_peers, [?B]}}, Try(#{id => <<"x">>, via => <<"mars">>})),
    ?assertMatch({error, {bad_peers, [?B]}}, Try(#{id => "x", via => <<"eu">>})),
    Relay = fun(Name, Address) -> pathdog_relay_reg:init(Args#{relays := [{<<"eu">>, {?LOCALHOST, 9}}, {Name, Address}]}) end,
    [
        ?assertMatch({error, {bad_relays, [_]}}, Relay(Name, Address))
     || {Name, Address} <- [
            {<<"direct">>, {?LOCALHOST, 9}}, {<<>>, {?LOCALHOST, 9}}, {<<"a\n">>, {?LOCALHOST, 9}}, {<<255>>, {?LOCALHOST, 9}},
            {"us", {?LOCALHOST, 9}}, {binary:copy(<<"a">>, 256), {?LOCALHOST, 9}}, {<<"eu">>, {?LOCALHOST, 10}},
            {<<"us">>, {?LOCALHOST, 0}}, {<<"us">>, {?LOCALHOST, 65536}}, {<<"us">>, {{1, 2, 3}, 9}}, {<<"us">>, "host:9"}
        ]
    ],
    Many = [{integer_to_binary(N), {?LOCALHOST, N}} || N <- lists:seq(1, 65)],
    ?assertEqual({error, {too_many_relays, [65]}}, pathdog_relay_reg:init(Args#{relays := Many, peers := #{}, doors := []})),
    [
        ?assertEqual({error, {bad_doors, [Door]}}, pathdog_relay_reg:init(Args#{doors := [Door]}))
     || Door <- [
            #{id => <<"x">>, relays => [], port => 9}, #{id => <<"x">>, relays => [<<"mars">>], port => 9}, #{id => <<"x">>, port => 9},
            #{id => <<"x">>, relays => [<<"eu">>], port => 0}, #{id => <<>>, relays => [<<"eu">>], port => 9}, door
        ]
    ],
    [
        ?assertEqual({error, {bad_numbers, [Numbers]}}, pathdog_relay_reg:init(Args#{numbers => Numbers}))
     || Numbers <- [0, 9, -1, 1.5, three]
    ],
    Direct = fun(At) -> #{id => <<"x">>, relays => [<<"eu">>], port => 9, direct => At} end,
    [
        ?assertEqual({error, {bad_doors, [Direct(At)]}}, pathdog_relay_reg:init(Args#{doors := [Direct(At)]}))
     || At <- [0, 65536, "9101", {?LOCALHOST, 0}, {<<"127.0.0.1">>, 9101}, {1, 2, 3}]
    ],
    [
        ?assertMatch({error, {bad_peers, [_]}}, Try(#{id => <<"x">>, via => <<"eu">>, direct => At}))
     || At <- [9101, {?LOCALHOST, 0}, {"127.0.0.1", 9101}]
    ],
    {ok, Taken} = gen_udp:open(0, [{ip, ?LOCALHOST}]),
    {ok, Port} = inet:port(Taken),
    At = {?LOCALHOST, Port},
    ?assertEqual({error, {door, At, eaddrinuse}}, pathdog_relay_reg:init(Args#{doors := [Direct(At)]})),
    gen_udp:close(Taken),
    ?assertEqual({error, {bad_dead_after, [99]}}, pathdog_relay_reg:init(Args#{dead_after := 99})),
    ?assertEqual({error, badarg}, pathdog_relay_reg:init([])).
