%% SPDX-License-Identifier: Apache-2.0
%% migrate_peer and reconnect_peer: proofs, limits, and each way in which they go wrong.
-module(moves_SUITE).
-include_lib("stdlib/include/assert.hrl").
-compile([export_all, nowarn_export_all]).

-define(B, 'bravo@127.0.0.1').
-define(C, 'charlie@127.0.0.1').
-define(BRAVO, <<"bravo@127.0.0.1">>).
-define(CHARLIE, <<"charlie@127.0.0.1">>).

all() ->
    [
        migrated_and_proven, the_path_is_told_first, never_an_inbound_one, ok_is_no_proof,
        old_packets_are_no_proof, every_error, a_call_that_never_returns, it_dies_meanwhile,
        it_closes_meanwhile, unknown_numbers, one_at_a_time, many_at_once, a_wedged_one,
        a_wedged_controller, via_without_relays,
        reconnected_in_order, the_old_one_is_kept_until_then, the_old_one_goes_when_dials_fail,
        reconnected_though_inbound, it_does_not_close, the_dial_fails, it_goes_on_dialling,
        the_dial_fails_at_first, the_dial_hangs, a_dial_that_hangs_is_ended,
        a_half_made_connection_is_closed, the_dial_is_slow, the_peer_is_far_away, the_peer_was_quicker, already_reconnected,
        the_view_takes_its_time, the_view_crashes, outside_of_the_view, reconnect_while_it_migrates, the_client_vanishes,
        ten_in_a_row, reconnect_is_off, only_those_dialled_from_here,
        the_old_one_lives, the_old_one_is_dead, one_that_lives_with_a_hole, one_that_stands_still_already,
        a_hole_that_is_filled, nobody_listens_there, taken_back, too_late_to_take_back,
        a_migration_is_taken_back, nothing_to_take_back
    ].

settings(outside_of_the_view) -> [{connections, all}];
settings(reconnect_is_off) -> [{reconnectable, none}];
settings(only_those_dialled_from_here) -> [{reconnectable, client}];
settings(a_wedged_controller) -> [{call_timeout, 2000}];
settings(reconnected_in_order) -> [{close_timeout, 60000}]; % else a pause has it killed
settings(the_old_one_is_kept_until_then) -> [{dial_timeout, 30000}];
settings(a_hole_that_is_filled) -> [{stuck_after, 60000}];
settings(taken_back) -> [{stuck_after, 60000}];
settings(the_old_one_goes_when_dials_fail) -> [{dial_timeout, 50}];
settings(a_dial_that_hangs_is_ended) -> [{dial_timeout, 10}];
settings(a_half_made_connection_is_closed) -> [{dial_timeout, 10}];
settings(the_peer_is_far_away) -> [{dial_timeout, 100}];
settings(one_that_stands_still_already) -> [{stuck_after, 1}];
settings(the_dial_fails) -> [{redial_for, 0}];
settings(_) -> [].

init_per_testcase(Case, Config) -> bridge:start(settings(Case), Config).
end_per_testcase(_, Config) -> bridge:stop(Config).

up(Role, Config) ->
    standin_net:up(?B, Role),
    {Client, Peers} = bridge:subscribed(Config),
    {Client, bridge:conns(Peers, ?BRAVO), standin_net:quic(?B)}.

params(Conn, Ms) ->
    io_lib:format("{\"conn\":~b,\"timeout_ms\":~b,\"reason\":\"test\"}", [Conn, Ms]).

migrate(Client, Conn) -> bridge:ask(Client, migrate_peer, params(Conn, 30000)).
migrate(Client, Conn, Ms) -> bridge:ask(Client, migrate_peer, params(Conn, Ms)).
reconnect(Client, Conn) -> bridge:ask(Client, reconnect_peer, params(Conn, 30000)).
reconnect(Client, Conn, Ms) -> bridge:ask(Client, reconnect_peer, params(Conn, Ms)).

-define(REFUSED(Code, Answer), ?assertMatch(#{<<"error">> := #{<<"code">> := Code}}, Answer)).

local(Quic) -> pathdog_bridge_conn:address(pathdog_bridge_conn:local(Quic)).

%% ---- migrate ----

migrated_and_proven(Config) ->
    {Client, Conn, Quic} = up(client, Config),
    Before = local(Quic),
    #{<<"result">> := Result} = migrate(Client, Conn),
    ?assertEqual(#{<<"local">> => local(Quic), <<"validated">> => true}, Result),
    ?assertNotEqual(Before, local(Quic)),
    ?assertMatch(#{migrations := 1}, quic_connection:info(Quic)).

the_path_is_told_first(Config) ->
    {{_, Reader} = Client, Conn, Quic} = up(client, Config),
    bridge:post(Client, 5, migrate_peer, params(Conn, 30000)),
    receive
        {line, Reader, First} ->
            Local = local(Quic),
            ?assertMatch(
                #{<<"method">> := <<"peer_path">>, <<"params">> := #{<<"local">> := Local}}, First
            )
    end,
    #{<<"result">> := _} = bridge:answer(Client, 5).

%% The stand-in does what the real one does: it says ok, and closes the node's listener.
never_an_inbound_one(Config) ->
    {Client, Conn, Quic} = up(server, Config),
    ?REFUSED(-32005, migrate(Client, Conn)),
    ?assertMatch(#{migrations := 0}, quic_connection:info(Quic)),
    ?assert(standin_net:is_listener_open()).

ok_is_no_proof(Config) ->
    {Client, Conn, Quic} = up(client, Config),
    quic_connection:set(Quic, #{on_migrate => black_hole}),
    ?REFUSED(-32004, migrate(Client, Conn, 500)),
    ?assertMatch(#{migrations := 1}, quic_connection:info(Quic)).

%% What came before the move says nothing of the new path.
old_packets_are_no_proof(Config) ->
    {Client, Conn, Quic} = up(client, Config),
    quic_connection:set(Quic, #{on_migrate => black_hole}),
    quic_connection:received(Quic, 1000),
    ?REFUSED(-32004, migrate(Client, Conn, 400)).

every_error(Config) ->
    {Client, Conn, Quic} = up(client, Config),
    [
        begin
            quic_connection:set(Quic, #{on_migrate => {error, Term}}),
            #{<<"error">> := #{<<"code">> := Got}} = migrate(Client, Conn),
            ?assertEqual({Term, Code}, {Term, Got})
        end
     || {Code, Term} <- [
            {-32001, not_connected},
            {-32002, no_conn},
            {-32002, {invalid_state, draining}},
            {-32003, migration_disabled},
            {-32003, peer_disable_migration},
            {-32004, timeout},
            {-32005, not_supported_on_adapter},
            {-32007, eaddrnotavail},
            {-32007, enetunreach},
            {-32000, {invalid_state, handshaking}},
            {-32000, emfile},
            {-32000, {strange, <<"term">>, [self(), make_ref()]}}
        ]
    ],
    ?assertMatch(#{migrations := 0}, quic_connection:info(Quic)).

a_call_that_never_returns(Config) ->
    {Client, Conn, Quic} = up(client, Config),
    quic_connection:set(Quic, #{on_migrate => hang}),
    Begin = erlang:monotonic_time(millisecond),
    ?REFUSED(-32004, migrate(Client, Conn, 300)),
    ?assert(erlang:monotonic_time(millisecond) - Begin >= 200),
    quic_connection:set(Quic, #{on_migrate => ok}),
    #{<<"result">> := _} = migrate(Client, Conn).

it_dies_meanwhile(Config) ->
    {Client, Conn, Quic} = up(client, Config),
    quic_connection:set(Quic, #{on_migrate => {exit, {shutdown, gone}}}),
    ?REFUSED(-32002, migrate(Client, Conn)),
    ?assertEqual(Conn, bridge:note(Client, peer_down, <<"conn">>)).

it_closes_meanwhile(Config) ->
    {Client, Conn, Quic} = up(client, Config),
    quic_connection:set(Quic, #{on_migrate => black_hole}),
    bridge:post(Client, 5, migrate_peer, params(Conn, 30000)),
    bridge:wait(fun() -> maps:get(pings, quic_connection:info(Quic)) > 0 end),
    quic:close(Quic, normal),
    ?REFUSED(-32002, bridge:answer(Client, 5)).

unknown_numbers(Config) ->
    {Client, Conn, _} = up(client, Config),
    ?REFUSED(-32001, migrate(Client, Conn + 1000)),
    ?REFUSED(-32001, reconnect(Client, Conn + 1000)),
    ?REFUSED(-32001, migrate(Client, 9007199254740991)),
    standin_net:down(?B),
    bridge:note(Client, peer_down),
    ?REFUSED(-32001, migrate(Client, Conn)),
    ?REFUSED(-32001, reconnect(Client, Conn)).

one_at_a_time(Config) ->
    {Client, Conn, Quic} = up(client, Config),
    quic_connection:set(Quic, #{on_migrate => black_hole}),
    bridge:post(Client, 5, migrate_peer, params(Conn, 30000)),
    bridge:wait(fun() -> maps:get(migrations, quic_connection:info(Quic)) =:= 1 end),
    [?REFUSED(-32006, migrate(Client, Conn)) || _ <- lists:seq(1, 20)],
    ?REFUSED(-32006, reconnect(Client, Conn)),
    quic_connection:set(Quic, #{alive => true}),
    #{<<"result">> := #{<<"validated">> := true}} = bridge:answer(Client, 5),
    ?assertMatch(#{migrations := 1}, quic_connection:info(Quic)).

many_at_once(Config) ->
    Nodes = bridge:nodes(100),
    [standin_net:up(Node, client) || Node <- Nodes],
    {Client, Peers} = bridge:subscribed(Config),
    Conns = [bridge:conns(Peers, atom_to_binary(Node)) || Node <- Nodes],
    [bridge:post(Client, Conn, migrate_peer, params(Conn, 60000)) || Conn <- Conns],
    [
        ?assertMatch(#{<<"result">> := #{<<"validated">> := true}}, bridge:answer(Client, Conn))
     || Conn <- Conns
    ].

a_wedged_one(Config) ->
    standin_net:up(?C, client),
    {Client, Conn, Quic} = up(client, Config),
    sys:suspend(Quic),
    bridge:post(Client, 5, migrate_peer, params(Conn, 3000)),
    {ok, #{id := Other}} = peer(?C),
    #{<<"result">> := #{<<"validated">> := true}} = migrate(Client, Other),
    ?REFUSED(-32004, bridge:answer(Client, 5)),
    sys:resume(Quic).

peer(Node) ->
    [Conn] = [C || #{node := N} = C <- pathdog_bridge_peers:connections(all), N =:= Node],
    {ok, Conn}.

%% Its role is not known, so nothing is risked.
a_wedged_controller(Config) ->
    Ctrl = bridge:wedged(?B, server),
    {Client, #{?BRAVO := #{<<"conn">> := Conn}}} = bridge:subscribed(Config),
    ?REFUSED(-32004, migrate(Client, Conn, 5000)),
    erlang:resume_process(Ctrl),
    ?REFUSED(-32005, migrate(Client, Conn)),
    ?assert(standin_net:is_listener_open()).

via_without_relays(Config) ->
    {Client, Conn, _} = up(client, Config),
    Ask = fun(Via) ->
        bridge:ask(Client, migrate_peer, io_lib:format("{\"conn\":~b,\"via\":\"~s\"}", [Conn, Via]))
    end,
    ?REFUSED(-32008, Ask("eu")),
    ?assertMatch(#{<<"result">> := _}, Ask("direct")).

%% ---- reconnect ----

reconnected_in_order(Config) ->
    {{_, Reader} = Client, Conn, Quic} = up(client, Config),
    Monitor = monitor(process, Quic),
    bridge:post(Client, 5, reconnect_peer, params(Conn, 30000)),
    [Down, Up, Answer] = [receive {line, Reader, Line} -> Line end || _ <- [1, 2, 3]],
    ?assertEqual(
        {<<"peer_down">>, #{<<"conn">> => Conn, <<"reason">> => <<"reconnect">>}},
        {maps:get(<<"method">>, Down), maps:get(<<"params">>, Down)}
    ),
    #{<<"method">> := <<"peer_up">>, <<"params">> := #{<<"conn">> := New, <<"peer">> := ?BRAVO}} = Up,
    ?assertMatch(#{<<"id">> := 5, <<"result">> := #{<<"conn">> := New}}, Answer),
    ?assert(New > Conn),
    %% the peer was told, the dial was one, and the view has it again
    receive
        {'DOWN', Monitor, process, _, Reason} -> ?assertEqual(normal, Reason)
    end,
    ?assertNotEqual(Quic, standin_net:quic(?B)),
    ?assertEqual([?B], lists:usort(standin_net:joined())).

%% Else the peer would dial this node at once, and refuse our own dial.
the_old_one_is_kept_until_then(Config) ->
    {Client, Conn, Quic} = up(client, Config),
    Setup = spawn(fun wait_for_ever/0),
    standin_net:dial(?B, {stuck, Setup}),
    bridge:post(Client, 5, reconnect_peer, params(Conn, 60000)),
    bridge:note(Client, peer_down),
    bridge:wait(fun() -> standin_net:dialled() =/= [] end),
    ?assertMatch(#{role := client}, quic_connection:info(Quic)),
    exit(Setup, kill), % the next dial is a good one
    ?assertMatch(#{<<"result">> := #{<<"conn">> := _}}, bridge:answer(Client, 5)),
    bridge:wait(fun() -> not is_process_alive(Quic) end).

the_old_one_goes_when_dials_fail(Config) ->
    {Client, Conn, Quic} = up(client, Config),
    standin_net:dial(?B, false),
    bridge:post(Client, 5, reconnect_peer, params(Conn, 60000)),
    bridge:wait(fun() -> not is_process_alive(Quic) end),
    ?assert(length(standin_net:dialled()) >= 3),
    standin_net:dial(?B, ok),
    ?assertMatch(#{<<"result">> := #{<<"conn">> := _}}, bridge:answer(Client, 5)).

reconnected_though_inbound(Config) ->
    {Client, Conn, _} = up(server, Config),
    #{<<"result">> := #{<<"conn">> := New}} = reconnect(Client, Conn),
    ?assertMatch(#{<<"conn">> := New, <<"role">> := <<"client">>}, bridge:note(Client, peer_up)),
    ?assertMatch(#{<<"result">> := _}, migrate(Client, New)).

it_does_not_close(Config) ->
    {Client, Conn, Quic} = up(client, Config),
    Monitor = monitor(process, Quic),
    sys:suspend(Quic),
    #{<<"result">> := #{<<"conn">> := New}} = reconnect(Client, Conn, 20000),
    ?assert(New > Conn),
    receive {'DOWN', Monitor, process, Quic, _} -> ok after 60000 -> error(left_behind) end.

the_dial_fails(Config) ->
    {Client, Conn, _} = up(client, Config),
    standin_net:dial(?B, false),
    ?REFUSED(-32009, reconnect(Client, Conn, 3000)),
    ?assertEqual(Conn, bridge:note(Client, peer_down, <<"conn">>)),
    bridge:quiet(Client),
    standin_net:up(?B, server),
    ?assert(bridge:note(Client, peer_up, <<"conn">>) > Conn).

%% The bridge closed it, so the bridge does not leave it at that.
it_goes_on_dialling(Config) ->
    {Client, Conn, _} = up(client, Config),
    standin_net:dial(?B, false),
    ?REFUSED(-32009, reconnect(Client, Conn, 3000)),
    Dials = length(standin_net:dialled()),
    bridge:wait(fun() -> length(standin_net:dialled()) > Dials end),
    standin_net:dial(?B, ok),
    ?assert(bridge:note(Client, peer_up, <<"conn">>) > Conn),
    bridge:wait(fun() -> lists:usort(standin_net:joined()) =:= [?B] end),
    bridge:wait(fun() -> #{nodes => #{}} =:= maps:with([nodes], sys:get_state(pathdog_bridge_redial)) end).

the_dial_fails_at_first(Config) ->
    {Client, Conn, _} = up(client, Config),
    standin_net:dial(?B, false),
    bridge:post(Client, 5, reconnect_peer, params(Conn, 30000)),
    bridge:wait(fun() -> length(standin_net:dialled()) >= 3 end),
    standin_net:dial(?B, ok),
    ?assertMatch(#{<<"result">> := #{<<"conn">> := _}}, bridge:answer(Client, 5)).

the_dial_hangs(Config) ->
    {Client, Conn, _} = up(client, Config),
    standin_net:dial(?B, hang),
    ?REFUSED(-32009, reconnect(Client, Conn, 3000)).

%% The process that dials traps exits, and takes its own time-out for a message.
a_dial_that_hangs_is_ended(Config) ->
    {Client, Conn, _} = up(client, Config),
    Setup = spawn(fun() -> process_flag(trap_exit, true), wait_for_ever() end),
    standin_net:dial(?B, {stuck, Setup}),
    ?assertMatch(#{<<"result">> := #{<<"conn">> := _}}, reconnect(Client, Conn, 60000)),
    ?assertNot(is_process_alive(Setup)).

%% What it has made of a connection is closed through quic, so that the peer hears of it; that ends it, too.
a_half_made_connection_is_closed(Config) ->
    {Client, Conn, _} = up(client, Config),
    Self = self(),
    Setup = spawn(fun() ->
        process_flag(trap_exit, true),
        {ok, Ctrl} = quic_dist_controller:start({start, client, {{127, 0, 0, 1}, 1}}, client),
        link(Ctrl),
        Self ! {controller, Ctrl},
        receive {'EXIT', Ctrl, _} -> ok end
    end),
    Ctrl = receive {controller, C} -> C after 60000 -> error(no_controller) end,
    Monitor = monitor(process, Ctrl),
    standin_net:dial(?B, {stuck, Setup}),
    ?assertMatch(#{<<"result">> := #{<<"conn">> := _}}, reconnect(Client, Conn, 60000)),
    receive
        {'DOWN', Monitor, process, Ctrl, Reason} ->
            ?assertEqual({shutdown, {connection_closed, normal}}, Reason)
    after 60000 -> error(not_closed)
    end.

wait_for_ever() ->
    receive _ -> wait_for_ever() end.

the_dial_is_slow(Config) ->
    {Client, Conn, _} = up(client, Config),
    standin_net:dial(?B, {wait, 300}),
    ?assertMatch(#{<<"result">> := #{<<"conn">> := _}}, reconnect(Client, Conn)).

%% Half a second away: a dial that takes its time there is not ended and begun again.
the_peer_is_far_away(Config) ->
    {Client, Conn, Quic} = up(client, Config),
    quic_connection:set(Quic, #{srtt => 500000}),
    standin_net:dial(?B, {wait, 500}),
    ?assertMatch(#{<<"result">> := #{<<"conn">> := _}}, reconnect(Client, Conn)),
    ?assertEqual([?B], standin_net:dialled()).

%% It dialled us while our own dial was refused: its connection is the answer.
the_peer_was_quicker(Config) ->
    {Client, Conn, _} = up(client, Config),
    standin_net:dial(?B, hang),
    bridge:post(Client, 5, reconnect_peer, params(Conn, 60000)),
    bridge:note(Client, peer_down),
    standin_net:up(?B, server),
    #{<<"conn">> := New} = bridge:note(Client, peer_up),
    %% a dial that hangs is waited for; the next one finds it connected
    case bridge:answer(Client, 5) of
        #{<<"result">> := #{<<"conn">> := Got}} -> ?assertEqual(New, Got);
        #{<<"error">> := Error} -> ct:fail(Error)
    end.

already_reconnected(Config) ->
    {Client, Conn, _} = up(client, Config),
    #{<<"result">> := #{<<"conn">> := Second}} = reconnect(Client, Conn),
    #{<<"result">> := #{<<"conn">> := Third}} = reconnect(Client, Second),
    Dials = standin_net:dialled(),
    ?assertMatch(#{<<"result">> := #{<<"conn">> := Third}}, reconnect(Client, Conn)),
    ?assertMatch(#{<<"result">> := #{<<"conn">> := Third}}, reconnect(Client, Second)),
    ?assertEqual(Dials, standin_net:dialled()),
    %% but what is gone cannot be migrated
    ?REFUSED(-32002, migrate(Client, Conn)).

the_view_takes_its_time(Config) ->
    {Client, Conn, _} = up(client, Config),
    sys:suspend(barrel_p2p_hyparview),
    bridge:post(Client, 5, reconnect_peer, params(Conn, 30000)),
    ?assertEqual(Conn, bridge:note(Client, peer_down, <<"conn">>)),
    bridge:wait(fun() -> standin_net:dialled() =/= [] end),
    sys:resume(barrel_p2p_hyparview),
    ?assertMatch(#{<<"result">> := #{<<"conn">> := _}}, bridge:answer(Client, 5)).

%% As barrel_p2p's does when it promotes a passive peer.
the_view_crashes(Config) ->
    {Client, Conn, _} = up(client, Config),
    exit(whereis(barrel_p2p_hyparview), kill),
    bridge:post(Client, 5, reconnect_peer, params(Conn, 60000)),
    bridge:wait(fun() -> standin_net:dialled() =/= [] end),
    {ok, _} = gen_server:start({local, barrel_p2p_hyparview}, standin_net, view, []),
    ?assertMatch(#{<<"result">> := #{<<"conn">> := _}}, bridge:answer(Client, 5)),
    ?assert(lists:member(?B, barrel_p2p:active_view())).

%% It was in nobody's active view, and is not brought into it.
outside_of_the_view(Config) ->
    standin_net:up(?B, client, false),
    {Client, #{?BRAVO := #{<<"conn">> := Conn}}} = bridge:subscribed(Config),
    ?assertMatch(#{<<"result">> := #{<<"conn">> := _}}, reconnect(Client, Conn)),
    ?assertEqual([], standin_net:joined()).

reconnect_while_it_migrates(Config) ->
    {Client, Conn, Quic} = up(client, Config),
    quic_connection:set(Quic, #{on_migrate => hang}),
    bridge:post(Client, 5, migrate_peer, params(Conn, 300)),
    bridge:wait(fun() ->
        case reconnect(Client, Conn) of
            #{<<"error">> := #{<<"code">> := -32006}} -> false;
            #{<<"result">> := #{<<"conn">> := _}} -> true
        end
    end),
    ?REFUSED(-32004, bridge:answer(Client, 5)).

the_client_vanishes(Config) ->
    {Client, Conn, _} = up(client, Config),
    standin_net:dial(?B, {wait, 50}),
    bridge:post(Client, 5, reconnect_peer, params(Conn, 30000)),
    bridge:note(Client, peer_down),
    bridge:close(Client),
    {_, Peers} = bridge:subscribed(Config),
    bridge:wait(fun() -> standin_net:ctrl(?B) =/= undefined end),
    ?assert(map_size(Peers) =< 1).

ten_in_a_row(Config) ->
    {Client, Conn, _} = up(client, Config),
    Last = lists:foldl(
        fun(_, Now) ->
            #{<<"result">> := #{<<"conn">> := Next}} = reconnect(Client, Now),
            ?assert(Next > Now),
            Next
        end,
        Conn,
        lists:seq(1, 10)
    ),
    bridge:close(Client),
    ?assertMatch({_, #{?BRAVO := #{<<"conn">> := Last}}}, bridge:subscribed(Config)).

reconnect_is_off(Config) ->
    {Client, Conn, _} = up(client, Config),
    ?REFUSED(-32601, reconnect(Client, Conn)),
    bridge:quiet(Client).

only_those_dialled_from_here(Config) ->
    standin_net:up(?B, client),
    standin_net:up(?C, server),
    {_, Peers} = bridge:subscribed(Config),
    ?assertMatch(
        #{?BRAVO := #{<<"reconnectable">> := true}, ?CHARLIE := #{<<"reconnectable">> := false}}, Peers
    ).

%% ---- keep_old: only where it is needed ----

keep(Conn, Ms) ->
    io_lib:format("{\"conn\":~b,\"timeout_ms\":~b,\"reason\":\"test\",\"keep_old\":true}", [Conn, Ms]).

keep_old(Client, Conn) -> bridge:ask(Client, reconnect_peer, keep(Conn, 30000)).

cancel(Client, Id) ->
    bridge:send_line(Client, io_lib:format("{\"jsonrpc\":\"2.0\",\"method\":\"cancel\",\"params\":{\"id\":~b}}", [Id])).

%% A flip that cost nothing: nothing is closed, nothing is dialled.
the_old_one_lives(Config) ->
    {Client, Conn, Quic} = up(client, Config),
    ?REFUSED(-32011, keep_old(Client, Conn)),
    ?assertEqual([], standin_net:dialled()),
    ?assert(is_process_alive(Quic)),
    bridge:quiet(Client).

%% It is dead, and the peer's listener answers.
dead(Config) ->
    {Client, Conn, Quic} = up(client, Config),
    {Listener, Where} = standin_listener:start({127, 0, 0, 1}, 0),
    quic_connection:move_peer(Quic, Where),
    quic_connection:set(Quic, #{alive => false}),
    {Client, Conn, Listener}.

the_old_one_is_dead(Config) ->
    {Client, Conn, Listener} = dead(Config),
    #{<<"result">> := #{<<"conn">> := New}} = keep_old(Client, Conn),
    ?assert(New > Conn),
    ?assert(length(standin_listener:seen(Listener)) > 0),
    standin_listener:stop(Listener).

%% Its packets are acknowledged, and one of its streams waits for what is lost.
one_that_lives_with_a_hole(Config) ->
    {Client, Conn, Quic} = up(client, Config),
    quic_connection:set(Quic, #{hole => 4212}),
    #{<<"result">> := #{<<"conn">> := New}} = keep_old(Client, Conn),
    ?assert(New > Conn).

one_that_stands_still_already(Config) ->
    {Client, Conn, Quic} = up(client, Config),
    quic_connection:set(Quic, #{hole => 4212}),
    bridge:wait(fun() ->
        bridge:post(Client, erlang:unique_integer([positive]), summary, "{}"),
        pathdog_bridge_sampler:is_stuck(Conn)
    end),
    Pings = maps:get(pings, quic_connection:info(Quic)),
    #{<<"result">> := _} = keep_old(Client, Conn),
    bridge:wait(fun() -> not is_process_alive(Quic) end),
    ?assertEqual(0, Pings).

a_hole_that_is_filled(Config) ->
    {Client, Conn, Quic} = up(client, Config),
    quic_connection:set(Quic, #{hole => 4212}),
    bridge:post(Client, 5, reconnect_peer, keep(Conn, 120000)), % half of it is for the look
    bridge:wait(fun() -> maps:get(pings, quic_connection:info(Quic)) > 0 end),
    quic_connection:set(Quic, #{hole => undefined}),
    ?REFUSED(-32011, bridge:answer(Client, 5)).

%% The kernel says so, or nobody answers: nothing is closed.
nobody_listens_there(Config) ->
    {Client, Conn, Quic} = up(client, Config),
    {Listener, Where} = standin_listener:start({127, 0, 0, 1}, 0),
    standin_listener:set(Listener, silent),
    quic_connection:move_peer(Quic, Where),
    quic_connection:set(Quic, #{alive => false}),
    ?REFUSED(-32009, keep_old(Client, Conn)),
    standin_listener:stop(Listener),
    ?REFUSED(-32009, keep_old(Client, Conn)),
    ?assertEqual([], standin_net:dialled()),
    ?assert(is_process_alive(Quic)),
    bridge:quiet(Client).

%% While it is looked at: a hole makes that last.
taken_back(Config) ->
    {Client, Conn, Quic} = up(client, Config),
    quic_connection:set(Quic, #{hole => 4212}),
    bridge:post(Client, 5, reconnect_peer, keep(Conn, 30000)),
    bridge:wait(fun() -> maps:get(pings, quic_connection:info(Quic)) > 0 end),
    cancel(Client, 5),
    ?REFUSED(-32012, bridge:answer(Client, 5)),
    ?assertMatch(#{<<"result">> := _}, migrate(Client, Conn)).

too_late_to_take_back(Config) ->
    {Client, Conn, Listener} = dead(Config),
    standin_net:dial(?B, {wait, 200}),
    bridge:post(Client, 5, reconnect_peer, keep(Conn, 30000)),
    bridge:note(Client, peer_down),
    cancel(Client, 5),
    ?assertMatch(#{<<"result">> := #{<<"conn">> := _}}, bridge:answer(Client, 5)),
    standin_listener:stop(Listener).

a_migration_is_taken_back(Config) ->
    {Client, Conn, Quic} = up(client, Config),
    quic_connection:set(Quic, #{on_migrate => black_hole}),
    bridge:post(Client, 5, migrate_peer, params(Conn, 60000)),
    bridge:wait(fun() -> maps:get(pings, quic_connection:info(Quic)) > 0 end),
    cancel(Client, 5),
    ?REFUSED(-32012, bridge:answer(Client, 5)),
    quic_connection:set(Quic, #{on_migrate => ok}),
    ?assertMatch(#{<<"result">> := _}, migrate(Client, Conn)).

%% Without keep_old, answered already, or of nobody.
nothing_to_take_back(Config) ->
    {Client, Conn, _} = up(client, Config),
    standin_net:dial(?B, {wait, 100}),
    bridge:post(Client, 5, reconnect_peer, params(Conn, 30000)),
    cancel(Client, 5),
    #{<<"result">> := #{<<"conn">> := New}} = bridge:answer(Client, 5),
    [cancel(Client, Id) || Id <- [5, 6, 9007199254740991]],
    ?assertMatch(#{<<"result">> := _}, migrate(Client, New)).
