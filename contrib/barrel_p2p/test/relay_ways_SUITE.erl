%% SPDX-License-Identifier: Apache-2.0
%% pathdog_relay_reg where relays die, refuse and change: with a small relay, and with the real one of contrib/udp-relay
%% ($UDP_RELAY; without it only the small one). Two relays, eu and us, a peer behind doors of both, and a listener that
%% says to whom it answers.
-module(relay_ways_SUITE).
-include_lib("stdlib/include/assert.hrl").
-compile([export_all, nowarn_export_all]).

-define(B, 'bravo@127.0.0.1').
-define(BRAVO, <<"bravo@127.0.0.1">>).
-define(LOCALHOST, {127, 0, 0, 1}).
-define(ID, <<"alpha-bravo">>).
-define(DEAD_AFTER, 500).

all() -> small() ++ real().

small() ->
    [
        from_relay_to_relay, a_relay_dies, all_relays_die, the_first_one_is_dead, direct_is_dead, a_reconnect,
        to_a_dead_one_by_request, one_that_was_left_is_where_the_next_begins, acknowledgements_are_no_tries,
        a_reconnect_waits_for_another_way, a_hole_of_before_is_no_reason, relays_are_told, refused_is_left_at_once,
        another_address_has_another_id, all_relays_die_and_there_is_a_door, strangers_at_the_door_for_direct,
        a_used_id_is_left_alone, the_door_has_another_address, a_number_that_was_another_address_s, a_path_that_died,
        one_that_was_left_lives, no_way_out_of_our_address
    ].

real() ->
    case udp_relay() of
        none -> [];
        _ ->
            [
                real_from_relay_to_relay, real_a_relay_dies, real_all_relays_die, real_the_first_one_is_dead,
                real_direct_is_dead, real_a_reconnect, real_to_a_dead_one_by_request, real_a_full_session,
                real_an_id_that_is_taken, real_all_relays_die_and_there_is_a_door, real_another_address_has_another_id,
                real_a_relay_that_forgets
            ]
    end.

udp_relay() ->
    case os:getenv("UDP_RELAY", "") of
        "" -> none;
        Program -> Program
    end.

real_from_relay_to_relay(Config) -> from_relay_to_relay(Config).
real_a_relay_dies(Config) -> a_relay_dies(Config).
real_all_relays_die(Config) -> all_relays_die(Config).
real_the_first_one_is_dead(Config) -> the_first_one_is_dead(Config).
real_direct_is_dead(Config) -> direct_is_dead(Config).
real_a_reconnect(Config) -> a_reconnect(Config).
real_to_a_dead_one_by_request(Config) -> to_a_dead_one_by_request(Config).

real_all_relays_die_and_there_is_a_door(Config) -> all_relays_die_and_there_is_a_door(Config).
real_another_address_has_another_id(Config) -> another_address_has_another_id(Config).

via(direct_is_dead) -> <<"direct">>;
via(real_direct_is_dead) -> <<"direct">>;
via(_) -> <<"eu">>.

init_per_testcase(Case, Config) ->
    Start = case atom_to_list(Case) of "real_" ++ _ -> fun real_relay/0; _ -> fun small_relay/0 end,
    {Eu, EuPort} = Start(),
    {Us, UsPort} = Start(),
    {Listener, ListenerPort} = start_udp(fun listener/1),
    Relays = case Case of real_a_full_session -> [<<"us">>]; one_that_was_left_lives -> [<<"eu">>]; _ -> [<<"eu">>, <<"us">>] end,
    Direct = free_port(),
    {ToDirect, ForDirect} =
        case has_door(Case) of
            true -> {#{direct => {?LOCALHOST, Direct}}, #{direct => Direct}};
            false -> {#{}, #{}}
        end,
    Args = #{
        relays => [{<<"eu">>, {?LOCALHOST, EuPort}}, {<<"us">>, {?LOCALHOST, UsPort}}],
        peers => #{?B => ToDirect#{id => ?ID, via => via(Case)}},
        doors => [ForDirect#{id => ?ID, relays => Relays, port => ListenerPort}],
        dead_after => dead_after(Case)
    },
    lists:member(Case, [real_a_full_session, real_an_id_that_is_taken]) andalso fill(EuPort),
    [{eu, Eu}, {us, Us}, {eu_port, EuPort}, {us_port, UsPort}, {port, ListenerPort}, {helpers, [Eu, Us, Listener]},
     {direct, Direct} | bridge:start([{relay, {pathdog_relay_reg, Args}}, {relay_interval, 10} | settings(Case)], Config)].

settings(a_hole_of_before_is_no_reason) -> [{stuck_after, 2000}];
settings(_) -> [].

has_door(Case) -> lists:suffix("door_for_direct", atom_to_list(Case)) orelse lists:suffix("there_is_a_door", atom_to_list(Case)).

free_port() ->
    {ok, Socket} = gen_udp:open(0, []),
    {ok, Port} = inet:port(Socket),
    gen_udp:close(Socket),
    Port.

dead_after(real_a_relay_that_forgets) -> 600000;
dead_after(refused_is_left_at_once) -> 600000;
dead_after(a_hole_of_before_is_no_reason) -> 600000;
dead_after(another_address_has_another_id) -> 600000;
dead_after(no_way_out_of_our_address) -> 600000;
dead_after(real_another_address_has_another_id) -> 600000;
dead_after(real_an_id_that_is_taken) -> 600000;
dead_after(a_reconnect_waits_for_another_way) -> 600000;
dead_after(one_that_was_left_lives) -> 6 * ?DEAD_AFTER;
dead_after(_) -> ?DEAD_AFTER.

end_per_testcase(_, Config) ->
    bridge:stop(Config),
    [exit(Pid, kill) || Pid <- proplists:get_value(helpers, Config)].

%% ---- relays, and a listener ----

start_udp(Loop) ->
    Self = self(),
    Pid = spawn(fun() ->
        {ok, Socket} = gen_udp:open(0, [binary, {ip, ?LOCALHOST}, {active, true}]),
        {ok, Port} = inet:port(Socket),
        Self ! {self(), Port},
        Loop(Socket)
    end),
    receive {Pid, Port} -> {Pid, Port} end.

small_relay() -> start_udp(fun(Socket) -> relay(Socket, #{}) end).

relay(Socket, Sessions) ->
    receive
        {udp, Socket, Ip, Port, <<"REG:", Id/binary>>} ->
            gen_udp:send(Socket, Ip, Port, <<"ACK\n">>),
            relay(Socket, Sessions#{Id => lists:usort([{Ip, Port} | maps:get(Id, Sessions, [])])});
        {udp, Socket, Ip, Port, Data} ->
            [
                gen_udp:send(Socket, Member, Data)
             || Members <- maps:values(Sessions), lists:member({Ip, Port}, Members), Member <- Members -- [{Ip, Port}]
            ],
            relay(Socket, Sessions);
        {hold, From} ->
            From ! {self(), held},
            receive {go_on, From} -> relay(Socket, Sessions) end;
        {die, From} ->
            gen_udp:close(Socket),
            From ! {self(), ended}
    end.

%% It ends with the process that it belongs to.
real_relay() -> real_relay("0").

real_relay(Wanted) ->
    Self = self(),
    Pid = spawn(fun() ->
        Script = "\"$0\" \"$@\" & pid=$!; read line; kill -9 $pid; wait $pid 2>/dev/null",
        Port = open_port({spawn_executable, "/bin/sh"}, [
            {args, ["-c", Script, udp_relay(), "--port", Wanted, "--control", "none", "--log", "text"]},
            stderr_to_stdout, binary, {line, 4096}, exit_status
        ]),
        real_relay_runs(Port, Self)
    end),
    receive
        {Pid, Port} when is_integer(Port) -> {Pid, Port};
        {Pid, ended} -> error(the_relay_does_not_start)
    end.

real_relay_runs(Port, Starter) ->
    receive
        {Port, {data, {_, Line}}} ->
            case re:run(Line, "relays at .*:([0-9]+),", [{capture, [1], list}]) of
                {match, [Number]} -> Starter ! {self(), list_to_integer(Number)};
                nomatch -> ok
            end,
            real_relay_runs(Port, Starter);
        {Port, {exit_status, _}} ->
            Starter ! {self(), ended};
        {die, From} ->
            port_command(Port, "die\n"),
            real_relay_runs(Port, From)
    end.

listener(Socket) ->
    receive
        {udp, Socket, Ip, Port, Data} ->
            gen_udp:send(Socket, Ip, Port, [Data, " from ", integer_to_binary(Port)]),
            listener(Socket)
    end.

%% Somebody else's session of the same name.
fill(Port) ->
    [
        begin
            {ok, Socket} = gen_udp:open(0, [binary, {ip, ?LOCALHOST}, {active, false}]),
            ok = registered(Socket, Port)
        end
     || _ <- [1, 2]
    ].

registered(Socket, Port) ->
    ok = gen_udp:send(Socket, ?LOCALHOST, Port, [<<"REG:">>, ?ID, <<"\n">>]),
    case gen_udp:recv(Socket, 0, 1000) of
        {ok, {_, _, <<"ACK\n">>}} -> ok;
        {error, timeout} -> registered(Socket, Port)
    end.

%% ---- a connection's part ----

options() ->
    bridge:wait(fun() ->
        case quic_dist:take_connect_options(?B) of
            #{socket_adapter := Adapter} -> Adapter;
            _ -> false
        end
    end).

%% Over and over, as QUIC does, until the answer is there; from which port the listener got it.
talk(Adapter, Text, Config) -> talk_to(Adapter, Text, proplists:get_value(port, Config)).

talk_to(#{send_fun := Send, socket_ref := Ref}, Text, Port) ->
    Size = byte_size(Text),
    Try = fun() ->
        ok = Send(?LOCALHOST, Port, [Text]),
        receive
            {udp, Ref, ?LOCALHOST, Port, <<Text:Size/binary, " from ", From/binary>>} -> binary_to_integer(From)
        after 50 -> false
        end
    end,
    bridge:wait(Try, Text).

%% Until it is reached over Via.
talk_until(Adapter, Via, Config) ->
    bridge:wait(fun() ->
        _ = talk(Adapter, <<"again">>, Config),
        pathdog_bridge_relay:via(?B) =:= Via
    end).

path() ->
    {_, #{table := Table}} = ets:lookup_element(pathdog_bridge_relay, module, 2),
    [{_, Path}] = ets:lookup(Table, {path, ?B}),
    Path.

in_use() -> pathdog_relay_reg_ways:via(maps:get(ways, sys:get_state(path()))).

came(Via) -> pathdog_relay_reg_path:received(path(), Via).

die(Relay, Config) ->
    Pid = proplists:get_value(Relay, Config),
    Pid ! {die, self()},
    receive {Pid, ended} -> ok end.

%% ---- the cases ----

%% The listener sees one address, whichever relay it comes over: to quic nothing has changed.
from_relay_to_relay(Config) ->
    Adapter = options(),
    From = talk(Adapter, <<"one">>, Config),
    {ok, <<"us">>} = pathdog_bridge_relay:switch(?B, <<"us">>, pathdog_bridge_call:now_ms() + 60000),
    bridge:wait(fun() -> talk(Adapter, <<"two">>, Config) =:= From andalso came(<<"us">>) > 0 end),
    ok = pathdog_bridge_relay:settled(?B, <<"us">>),
    Count = came(<<"eu">>),
    From = talk(Adapter, <<"three">>, Config),
    ?assertEqual(Count, came(<<"eu">>)).

a_relay_dies(Config) ->
    Adapter = options(),
    From = talk(Adapter, <<"one">>, Config),
    ?assert(came(<<"eu">>) > 0),
    die(eu, Config),
    talk_until(Adapter, <<"us">>, Config),
    ?assertEqual(From, talk(Adapter, <<"two">>, Config)).

all_relays_die(Config) ->
    Adapter = options(),
    Door = talk(Adapter, <<"one">>, Config),
    die(us, Config),
    die(eu, Config),
    talk_until(Adapter, <<"direct">>, Config),
    ?assertNotEqual(Door, talk(Adapter, <<"two">>, Config)).

%% A first dial, that nobody else could help.
the_first_one_is_dead(Config) ->
    die(eu, Config),
    talk_until(options(), <<"us">>, Config).

direct_is_dead(_Config) ->
    {ok, Nobody} = gen_udp:open(0, [binary, {ip, ?LOCALHOST}, {active, false}]),
    {ok, Port} = inet:port(Nobody),
    _ = talk_to(options(), <<"one">>, Port),
    bridge:wait(fun() -> pathdog_bridge_relay:via(?B) =:= <<"eu">> end),
    gen_udp:close(Nobody).

%% Both connections of a reconnect over the same relay; then only the new one.
a_reconnect(Config) ->
    Self = self(),
    Old = spawn(fun() ->
        Adapter = options(),
        _ = talk(Adapter, <<"old">>, Config),
        Self ! {self(), Adapter},
        receive stop -> ok end
    end),
    #{socket_ref := Ref} = receive {Old, Adapter} -> Adapter end,
    New = options(),
    ?assertNotEqual(Ref, maps:get(socket_ref, New)),
    _ = talk(New, <<"new">>, Config),
    Old ! stop,
    bridge:wait(fun() -> maps:size(maps:get(conns, sys:get_state(path()))) =:= 1 end),
    Before = came(<<"eu">>),
    _ = talk(New, <<"newer">>, Config),
    ?assert(came(<<"eu">>) > Before),
    ?assertEqual(0, came(<<"direct">>) + came(<<"us">>)).

%% Asked to go where nothing comes from, it goes back to where it was, not on.
to_a_dead_one_by_request(Config) ->
    Adapter = options(),
    _ = talk(Adapter, <<"one">>, Config),
    die(us, Config),
    {error, no_path} = pathdog_bridge_relay:switch(?B, <<"us">>, pathdog_bridge_call:now_ms() + 300),
    _ = talk(Adapter, <<"two">>, Config),
    bridge:wait(fun() -> in_use() =:= <<"eu">> end),
    ?assertEqual(0, came(<<"direct">>)),
    ?assertEqual(<<"eu">>, pathdog_bridge_relay:via(?B)).

%% The peer was away, and nothing came over any way. It is not the way's fault.
one_that_was_left_is_where_the_next_begins(Config) ->
    Self = self(),
    [_, _, Listener] = proplists:get_value(helpers, Config),
    Old = spawn(fun() ->
        Adapter = #{send_fun := Send} = options(),
        _ = talk(Adapter, <<"old">>, Config),
        exit(Listener, kill),
        bridge:wait(fun() ->
            ok = Send(?LOCALHOST, proplists:get_value(port, Config), <<"x">>),
            in_use() =/= <<"eu">>
        end),
        Self ! {self(), left}
    end),
    receive {Old, left} -> ok end,
    bridge:wait(fun() -> maps:size(maps:get(conns, sys:get_state(path()))) =:= 0 end),
    #{send_fun := Send} = options(),
    ok = Send(?LOCALHOST, proplists:get_value(port, Config), <<"x">>),
    ?assertEqual(<<"eu">>, in_use()),
    ?assertEqual(<<"eu">>, pathdog_bridge_relay:via(?B)).

%% What is sent together is one try, and so is what is sent once and needs no answer.
acknowledgements_are_no_tries(Config) ->
    Adapter = #{send_fun := Send} = options(),
    _ = talk(Adapter, <<"one">>, Config),
    {Nobody, Port} = start_udp(fun(_) -> receive stop -> ok end end),
    [ok = Send(?LOCALHOST, Port, <<"x">>) || _ <- lists:seq(1, 100)],
    ?assertMatch(#{ways := #{tries := {1, _}, via := <<"eu">>}}, sys:get_state(path())),
    Nobody ! stop.

%% As long as that may take, and no 100 ms: with keep_old nothing is closed that lives over the next relay.
a_reconnect_waits_for_another_way(Config) ->
    standin_net:up(?B, client),
    Quic = standin_net:quic(?B),
    {Client, #{?BRAVO := #{<<"conn">> := Conn}}} = bridge:subscribed(Config),
    quic_connection:set(Quic, #{alive => false}),
    bridge:post(Client, 5, reconnect_peer, io_lib:format(
        "{\"conn\":~b,\"timeout_ms\":120000,\"reason\":\"test\",\"keep_old\":true}", [Conn])),
    bridge:wait(fun() -> maps:get(pings, quic_connection:info(Quic)) > 0 end),
    receive after 500 -> ok end, % five times what one without relays has
    quic_connection:set(Quic, #{alive => true}),
    ?assertMatch(#{<<"error">> := #{<<"code">> := -32011}}, bridge:answer(Client, 5)),
    ?assert(is_process_alive(Quic)).

%% What was lost while nothing came is sent again when it does: until then there are holes.
a_hole_of_before_is_no_reason(Config) ->
    standin_net:up(?B, client),
    Quic = standin_net:quic(?B),
    {Client, #{?BRAVO := #{<<"conn">> := Conn}}} = bridge:subscribed(Config),
    quic_connection:set(Quic, #{alive => false, hole => 4212}),
    bridge:post(Client, 5, reconnect_peer, io_lib:format(
        "{\"conn\":~b,\"timeout_ms\":120000,\"reason\":\"test\",\"keep_old\":true}", [Conn])),
    bridge:wait(fun() -> maps:get(pings, quic_connection:info(Quic)) > 0 end),
    receive after 2500 -> ok end, % longer than stuck_after
    quic_connection:set(Quic, #{alive => true}),
    quic_connection:set(Quic, #{unacked => []}), % the PING is acknowledged
    receive after 100 -> ok end, % some looks
    quic_connection:set(Quic, #{hole => undefined}),
    ?assertMatch(#{<<"error">> := #{<<"code">> := -32011}}, bridge:answer(Client, 5)),
    ?assert(is_process_alive(Quic)).

relays_are_told(Config) ->
    standin_net:up(?B, client),
    {Client, _} = bridge:subscribed(Config),
    Address = fun(Key) -> iolist_to_binary(io_lib:format("127.0.0.1:~b", [proplists:get_value(Key, Config)])) end,
    ?assertEqual(
        [
            #{<<"relay">> => <<"eu">>, <<"address">> => Address(eu_port), <<"speaks">> => <<"reg-ack">>},
            #{<<"relay">> => <<"us">>, <<"address">> => Address(us_port), <<"speaks">> => <<"reg-ack">>}
        ],
        maps:get(<<"relays">>, bridge:note(Client, relays))
    ).

%% Nobody is at its port, and the kernel says so: that need not be waited for.
refused_is_left_at_once(Config) ->
    Adapter = options(),
    _ = talk(Adapter, <<"one">>, Config),
    die(eu, Config),
    talk_until(Adapter, <<"us">>, Config).

%% With the number 0 it was another address: what goes out there is lost.
another_address_has_another_id(Config) ->
    Adapter = options(),
    From = talk(Adapter, <<"one">>, Config),
    Before = came(<<"eu">>),
    lose_address(),
    ?assertEqual(From, talk(Adapter, <<"two">>, Config)),
    ?assert(came(<<"eu">>) > Before),
    ?assertMatch(#{places := #{<<"eu">> := {0, 1, [{1, ?LOCALHOST}, {0, {192, 0, 2, 1}}]}}}, sys:get_state(path())),
    ?assertEqual({0, 0}, {came(<<"us">>), came(<<"direct">>)}).

%% Its socket was another address', and is closed.
lose_address() ->
    sys:replace_state(path(), fun(#{places := Places, sockets := #{{<<"eu">>, 0} := {Socket, _}}} = State) ->
        gen_udp:close(Socket),
        #{<<"eu">> := {Half, 0, [{0, ?LOCALHOST}]}} = Places,
        State#{places := Places#{<<"eu">> := {Half, 0, [{0, {192, 0, 2, 1}}]}}}
    end).

%% What cannot be sent is reason enough to look, before the next one.
no_way_out_of_our_address(Config) ->
    #{send_fun := Send} = Adapter = options(),
    Port = proplists:get_value(port, Config),
    _ = talk(Adapter, <<"one">>, Config),
    lose_address(),
    ok = sys:suspend(path()),
    [ok = Send(?LOCALHOST, Port, [<<"two">>]) || _ <- [1, 2]],
    ok = sys:resume(path()),
    ?assertMatch(#{no_way := false, places := #{<<"eu">> := {0, 1, _}}}, sys:get_state(path())),
    _ = talk(Adapter, <<"three">>, Config),
    {ok, Socket} = gen_udp:open(0, [binary, {ip, ?LOCALHOST}]),
    ?assertEqual(no_way, pathdog_relay_reg_socket:send(Socket, {{192, 0, 2, 1}, 9}, <<"four">>)),
    gen_udp:close(Socket).

%% All have been used: it is the oldest one, with a socket of its own.
a_number_that_was_another_address_s(Config) ->
    Adapter = options(),
    From = talk(Adapter, <<"one">>, Config),
    {ok, Stale} = gen_udp:open(0, [binary, {ip, {127, 0, 0, 2}}, {active, true}]),
    ok = gen_udp:controlling_process(Stale, path()),
    sys:replace_state(path(), fun(#{places := Places, sockets := #{{<<"eu">>, 0} := {Socket, _}} = Sockets} = State) ->
        gen_udp:close(Socket),
        #{<<"eu">> := {Half, 0, _}} = Places,
        State#{
            places := Places#{<<"eu">> := {Half, 0, [{0, {192, 0, 2, 1}}, {1, {192, 0, 2, 2}}, {2, {192, 0, 2, 3}}]}},
            sockets := Sockets#{{<<"eu">>, 2} => {Stale, idle}}
        }
    end),
    ?assertEqual(From, talk(Adapter, <<"two">>, Config)),
    #{sockets := #{{<<"eu">>, 2} := {Socket, _}}} = sys:get_state(path()),
    ?assertMatch({ok, {?LOCALHOST, _}}, inet:sockname(Socket)),
    ?assertMatch({error, _}, inet:port(Stale)),
    ?assertEqual({0, 0}, {came(<<"us">>), came(<<"direct">>)}).

%% The next dial but one finds another: one may have its options already.
a_path_that_died(Config) ->
    _ = talk(options(), <<"one">>, Config),
    Path = path(),
    Gone = monitor(process, Path),
    exit(Path, kill),
    receive {'DOWN', Gone, process, Path, _} -> ok end,
    _ = options(),
    _ = talk(options(), <<"two">>, Config),
    ?assertNotEqual(Path, path()).

%% To the listener nothing changes, also when the connection goes on without a relay.
all_relays_die_and_there_is_a_door(Config) ->
    Adapter = options(),
    Door = talk(Adapter, <<"one">>, Config),
    die(us, Config),
    die(eu, Config),
    talk_until(Adapter, <<"direct">>, Config),
    ?assertEqual(Door, talk(Adapter, <<"two">>, Config)).

strangers_at_the_door_for_direct(Config) ->
    Adapter = options(),
    _ = talk(Adapter, <<"one">>, Config),
    Direct = proplists:get_value(direct, Config),
    {ok, Stranger} = gen_udp:open(0, [binary, {ip, ?LOCALHOST}, {active, false}]),
    [
        ok = gen_udp:send(Stranger, ?LOCALHOST, Direct, Data)
     || Data <- [<<"data">>, <<"REG:another\n">>, <<"REG:\n">>, <<"REG:">>, <<>>, <<"more data">>]
    ],
    %% it has all of that behind it
    _ = talk(Adapter, <<"two">>, Config),
    {ok, <<"direct">>} = pathdog_bridge_relay:switch(?B, <<"direct">>, pathdog_bridge_call:now_ms() + 60000),
    bridge:wait(fun() -> _ = talk(Adapter, <<"three">>, Config), came(<<"direct">>) > 0 end),
    ?assertEqual({error, timeout}, gen_udp:recv(Stranger, 0, 0)),
    gen_udp:close(Stranger).

%% A door at a relay that is played here.
door(Numbers) ->
    {ok, Relay} = gen_udp:open(0, [binary, {ip, ?LOCALHOST}, {active, false}]),
    {ok, Port} = inet:port(Relay),
    Door = pathdog_relay_reg_door:start_link(?ID, [{?LOCALHOST, Port}], Numbers, 9, none),
    Asked = [begin {ok, {_, From, <<"REG:", Id/binary>>}} = gen_udp:recv(Relay, 0, 60000), {Id, From} end || _ <- lists:seq(1, Numbers)],
    {Door, Relay, Port, lists:sort(Asked)}.

reg(Number) -> <<(pathdog_relay_reg_ids:id(?ID, Number))/binary, "\n">>.

%% While data come it is registered on; then not, until the relay has forgotten the other end.
a_used_id_is_left_alone(_Config) ->
    {Door, Relay, _, [{_, From}]} = door(1),
    ok = gen_udp:send(Relay, ?LOCALHOST, From, <<"data">>),
    [Socket] = bridge:wait(fun() ->
        case maps:to_list(maps:get(ends, sys:get_state(Door))) of
            [{One, #{heard := Ms}}] when is_integer(Ms) -> [One];
            _ -> false
        end
    end),
    Again = fun(AgoMs) ->
        sys:replace_state(Door, fun(#{ends := #{Socket := End} = Ends} = State) ->
            State#{ends := Ends#{Socket := End#{heard := erlang:monotonic_time(millisecond) - AgoMs}}}
        end),
        Door ! {again, Socket},
        _ = sys:get_state(Door),
        case gen_udp:recv(Relay, 0, 0) of
            {ok, {_, From, <<"REG:", _/binary>>}} -> again;
            {error, timeout} -> never
        end
    end,
    ?assertEqual([again, never, never, again], [Again(Ms) || Ms <- [10000, 100000, 360000, 600000]]),
    unlink(Door),
    exit(Door, kill),
    gen_udp:close(Relay).

the_door_has_another_address(_Config) ->
    {Door, Relay, Port, Before} = door(2),
    ?assertEqual(lists:sort([reg(0), reg(1)]), [Id || {Id, _} <- Before]),
    sys:replace_state(Door, fun(State) -> State#{places := #{{?LOCALHOST, Port} => {0, {192, 0, 2, 1}}}} end),
    Next = fun Next(Seen) ->
        {ok, {_, From, <<"REG:", Id/binary>>}} = gen_udp:recv(Relay, 0, 60000),
        case lists:member({Id, From}, Before) of
            true -> Next(Seen); % from before it has looked
            false when length(Seen) =:= 1 -> [Id | Seen];
            false -> Next([Id | Seen])
        end
    end,
    ?assertEqual(lists:sort([reg(2), reg(3)]), lists:sort(Next([]))),
    ?assertMatch(#{places := #{{?LOCALHOST, Port} := {1, ?LOCALHOST}}}, sys:get_state(Door)),
    ?assertEqual(2, maps:size(maps:get(ends, sys:get_state(Door)))),
    unlink(Door),
    exit(Door, kill),
    gen_udp:close(Relay).

%% Somebody has the first id at eu: there are others, at both ends.
real_an_id_that_is_taken(Config) ->
    Adapter = options(),
    _ = talk(Adapter, <<"one">>, Config),
    ?assert(came(<<"eu">>) > 0),
    ?assertEqual({0, 0}, {came(<<"us">>), came(<<"direct">>)}).

%% Two others have the session at eu: the relay says so, and us is as good.
real_a_full_session(Config) ->
    talk_until(options(), <<"us">>, Config).

%% It was restarted at the same port, and says that it does not know us: we register again at once.
real_a_relay_that_forgets(Config) ->
    Adapter = #{send_fun := Send} = options(),
    _ = talk(Adapter, <<"one">>, Config),
    die(eu, Config),
    Port = proplists:get_value(eu_port, Config),
    {Again, Port} = real_relay(integer_to_list(Port)),
    {ok, Other} = gen_udp:open(0, [binary, {ip, ?LOCALHOST}, {active, false}]),
    ok = registered(Other, Port),
    %% as long as a packet of QUIC is: a relay's refusal is never longer than what it answers
    Text = <<"two, in a datagram of some length">>,
    bridge:wait(fun() ->
        ok = Send(?LOCALHOST, proplists:get_value(port, Config), Text),
        case gen_udp:recv(Other, 0, 50) of
            {ok, {_, _, Text}} -> true;
            _ -> false
        end
    end),
    gen_udp:close(Other),
    exit(Again, kill).

%% Nothing comes over eu for a while, as where a neighbour has to be found first. At us nobody is. What was sent over eu arrives there:
%% it is in use again, before direct is tried.
one_that_was_left_lives(Config) ->
    Adapter = #{send_fun := Send, socket_ref := Ref} = options(),
    Port = proplists:get_value(port, Config),
    Eu = proplists:get_value(eu, Config),
    _ = talk(Adapter, <<"one">>, Config),
    Eu ! {hold, self()},
    receive {Eu, held} -> ok end,
    Sent = fun() -> ok = Send(?LOCALHOST, Port, [<<"two">>]) end,
    bridge:wait(fun() -> Sent(), in_use() =:= <<"us">> end),
    %% a try of which nothing came
    bridge:wait(fun() -> Sent(), maps:get(suspect, sys:get_state(path())) andalso tries() >= 2 end),
    ?assertEqual(<<"us">>, in_use()),
    Eu ! {go_on, self()},
    bridge:wait(fun() -> in_use() =:= <<"eu">> end),
    receive {udp, Ref, ?LOCALHOST, Port, <<"two", _/binary>>} -> ok end,
    _ = talk(Adapter, <<"three">>, Config),
    ?assertEqual({<<"eu">>, 0, 0}, {pathdog_bridge_relay:via(?B), came(<<"us">>), came(<<"direct">>)}).

tries() ->
    #{tries := {Count, _}} = maps:get(ways, sys:get_state(path())),
    Count.
