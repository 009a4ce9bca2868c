%% SPDX-License-Identifier: Apache-2.0
%% hello, subscribe, and what becomes of connections.
-module(peers_SUITE).
-include_lib("stdlib/include/assert.hrl").
-compile([export_all, nowarn_export_all]).

-define(B, 'bravo@127.0.0.1').
-define(C, 'charlie@127.0.0.1').
-define(BRAVO, <<"bravo@127.0.0.1">>).
-define(CHARLIE, <<"charlie@127.0.0.1">>).

all() ->
    [
        hello_comes_first, no_common_version, all_are_told_before_the_answer, roles_and_addresses,
        the_same_numbers_for_the_next_client, a_new_one_is_told, one_that_goes_is_told,
        faster_than_it_was_seen, told_twice_is_told_once, events_that_never_come,
        out_of_the_view_and_back, outside_of_the_view, all_connections, barrel_p2p_begins_anew,
        barrel_p2p_comes_later, a_wedged_controller, a_wedged_view, a_restart_of_the_application,
        a_crash_of_each_process, the_core_gives_up, a_moved_peer_is_told, a_newer_client_replaces,
        two_subscriptions, bad_settings
    ].

settings(events_that_never_come) -> [{refresh_interval, 20}];
settings(a_wedged_controller) -> [{refresh_interval, 50}, {call_timeout, 2000}];
settings(a_wedged_view) -> [{call_timeout, 2000}];
settings(all_connections) -> [{connections, all}];
settings(barrel_p2p_begins_anew) -> [{retry_interval, 20}, {refresh_interval, 3600000}];
settings(barrel_p2p_comes_later) -> [{retry_interval, 20}, {refresh_interval, 20}];
settings(_) -> [].

init_per_testcase(Case, Config) -> bridge:start(settings(Case), Config).
end_per_testcase(_, Config) -> bridge:stop(Config).

hello_comes_first(Config) ->
    Client = bridge:connect(Config),
    [
        ?assertMatch(#{<<"error">> := #{<<"code">> := -32600}}, bridge:ask(Client, Method, "{\"conns\":[]}"))
     || Method <- [subscribe, summary, probe]
    ],
    ?assertMatch(
        #{<<"protocol">> := 1, <<"boot">> := _, <<"features">> := [<<"reconnect">>, <<"make_before_break">>, <<"bind">>, <<"probe">>, <<"probe_path">>, <<"push">>]},
        bridge:hello(Client)
    ),
    ?assertMatch(#{<<"result">> := #{<<"peers">> := 0}}, bridge:ask(Client, subscribe, "{}")).

no_common_version(Config) ->
    Client = bridge:connect(Config),
    ?assertMatch(
        #{<<"error">> := #{<<"code">> := -32010}}, bridge:ask(Client, hello, "{\"protocol\":[2,3]}")
    ),
    ?assertMatch(
        #{<<"error">> := #{<<"code">> := -32600}}, bridge:ask(Client, subscribe, "{}")
    ).

all_are_told_before_the_answer(Config) ->
    Nodes = bridge:nodes(50),
    [standin_net:up(Node, server) || Node <- Nodes],
    {Client, Peers} = bridge:subscribed(Config),
    ?assertEqual(lists:sort([atom_to_binary(N) || N <- Nodes]), lists:sort(maps:keys(Peers))),
    Conns = [maps:get(<<"conn">>, P) || P <- maps:values(Peers)],
    ?assertEqual(length(Nodes), length(lists:usort(Conns))),
    bridge:quiet(Client).

roles_and_addresses(Config) ->
    standin_net:up(?B, client),
    standin_net:up(?C, server),
    {_, #{?BRAVO := Bravo, ?CHARLIE := Charlie}} = bridge:subscribed(Config),
    Local = pathdog_bridge_conn:address(pathdog_bridge_conn:local(standin_net:quic(?B))),
    Remote = pathdog_bridge_conn:address(pathdog_bridge_conn:remote(standin_net:quic(?B))),
    ?assertMatch(
        #{<<"role">> := <<"client">>, <<"local">> := Local, <<"remote">> := Remote,
          <<"migratable">> := true, <<"reconnectable">> := true}, Bravo),
    ?assertMatch(
        #{<<"role">> := <<"server">>, <<"local">> := <<"127.0.0.1:9100">>, <<"migratable">> := false,
          <<"reconnectable">> := true}, Charlie),
    ?assertNot(is_map_key(<<"via">>, Bravo)).

the_same_numbers_for_the_next_client(Config) ->
    [standin_net:up(Node, client) || Node <- [?B, ?C]],
    {First, Peers} = bridge:subscribed(Config),
    bridge:close(First),
    {_, Again} = bridge:subscribed(Config),
    ?assertEqual(Peers, Again).

a_new_one_is_told(Config) ->
    {Client, Peers} = bridge:subscribed(Config),
    ?assertEqual(#{}, Peers),
    standin_net:up(?B, client),
    ?assertMatch(#{<<"peer">> := ?BRAVO, <<"conn">> := _}, bridge:note(Client, peer_up)).

one_that_goes_is_told(Config) ->
    standin_net:up(?B, client),
    {Client, Peers} = bridge:subscribed(Config),
    quic:close(standin_net:quic(?B), idle_timeout),
    Conn = bridge:conns(Peers, ?BRAVO),
    ?assertEqual(
        #{<<"conn">> => Conn, <<"reason">> => <<"idle_timeout">>}, bridge:note(Client, peer_down)
    ).

%% Everything about the old and the new connection waits in one mailbox.
faster_than_it_was_seen(Config) ->
    standin_net:up(?B, client),
    {Client, Peers} = bridge:subscribed(Config),
    Old = bridge:conns(Peers, ?BRAVO),
    sys:suspend(pathdog_bridge_peers),
    Ctrl = standin_net:ctrl(?B),
    standin_net:down(?B),
    bridge:wait(fun() -> standin_net:ctrl(?B) =:= undefined end),
    standin_net:up(?B, server),
    ?assertNotEqual(Ctrl, standin_net:ctrl(?B)),
    sys:resume(pathdog_bridge_peers),
    ?assertEqual(Old, bridge:note(Client, peer_down, <<"conn">>)),
    #{<<"conn">> := New, <<"role">> := <<"server">>} = bridge:note(Client, peer_up),
    ?assert(New > Old),
    bridge:quiet(Client).

told_twice_is_told_once(Config) ->
    standin_net:up(?B, client),
    {Client, _} = bridge:subscribed(Config),
    [standin_net:hint({peer_up, ?B}) || _ <- lists:seq(1, 20)],
    standin_net:hint({peer_down, 'stranger@h', graceful}),
    standin_net:hint({something, new}),
    standin_net:up(?C, client),
    ?assertEqual(?CHARLIE, bridge:note(Client, peer_up, <<"peer">>)),
    bridge:quiet(Client).

events_that_never_come(Config) ->
    {Client, _} = bridge:subscribed(Config),
    standin_net:silent(true),
    standin_net:up(?B, server, false),
    standin_net:set_view(?B, true),
    ?assertEqual(?BRAVO, bridge:note(Client, peer_up, <<"peer">>)),
    standin_net:set_view(?B, false),
    ?assertEqual(<<"left the active view">>, bridge:note(Client, peer_down, <<"reason">>)).

out_of_the_view_and_back(Config) ->
    standin_net:up(?B, client),
    {Client, Peers} = bridge:subscribed(Config),
    standin_net:set_view(?B, false),
    Old = bridge:conns(Peers, ?BRAVO),
    ?assertEqual(Old, bridge:note(Client, peer_down, <<"conn">>)),
    standin_net:set_view(?B, true),
    ?assert(bridge:note(Client, peer_up, <<"conn">>) > Old).

outside_of_the_view(Config) ->
    standin_net:up(?B, client, false),
    standin_net:up(?C, client),
    {Client, Peers} = bridge:subscribed(Config),
    ?assertEqual([?CHARLIE], maps:keys(Peers)),
    bridge:quiet(Client).

all_connections(Config) ->
    standin_net:up(?B, client, false),
    {Client, Peers} = bridge:subscribed(Config),
    ?assertEqual([?BRAVO], maps:keys(Peers)),
    standin_net:up(?C, client, false),
    ?assertEqual(?CHARLIE, bridge:note(Client, peer_up, <<"peer">>)).

%% Its processes are started again, and know nobody who had subscribed.
barrel_p2p_begins_anew(Config) ->
    {Client, _} = bridge:subscribed(Config),
    exit(whereis(barrel_p2p_hyparview_events), kill),
    {ok, _} = bridge:wait(fun() ->
        case gen_server:start({local, barrel_p2p_hyparview_events}, standin_net, events, []) of
            {ok, _} = Ok -> Ok;
            _ -> false
        end
    end),
    bridge:wait(fun() -> sys:get_state(barrel_p2p_hyparview_events) =/= #{subscribers => [], silent => false} end),
    standin_net:up(?B, client, false),
    standin_net:set_view(?B, true), % no nodeup after this: only the event tells
    ?assertEqual(?BRAVO, bridge:note(Client, peer_up, <<"peer">>)).

barrel_p2p_comes_later(Config) ->
    [gen_server:stop(P) || P <- [barrel_p2p_hyparview, barrel_p2p_hyparview_events]],
    {Client, Peers} = bridge:subscribed(Config),
    ?assertEqual(#{}, Peers),
    [
        {ok, _} = gen_server:start({local, Name}, standin_net, What, [])
     || {Name, What} <- [{barrel_p2p_hyparview, view}, {barrel_p2p_hyparview_events, events}]
    ],
    standin_net:up(?B, client),
    ?assertEqual(?BRAVO, bridge:note(Client, peer_up, <<"peer">>)).

%% The others are told in time; it is told as one that nobody can migrate, and again when it woke up.
a_wedged_controller(Config) ->
    standin_net:up(?C, client),
    Ctrl = bridge:wedged(?B, client),
    {Client, Peers} = bridge:subscribed(Config),
    ?assertMatch(
        #{?CHARLIE := #{<<"migratable">> := true}, ?BRAVO := #{<<"migratable">> := false}}, Peers
    ),
    Conn = bridge:conns(Peers, ?BRAVO),
    erlang:resume_process(Ctrl),
    ?assertMatch(
        #{<<"conn">> := Conn, <<"role">> := <<"client">>, <<"migratable">> := true},
        bridge:note(Client, peer_up)
    ).

a_wedged_view(Config) ->
    standin_net:up(?B, client),
    {First, Peers} = bridge:subscribed(Config),
    bridge:close(First),
    sys:suspend(barrel_p2p_hyparview),
    {Client, Again} = bridge:subscribed(Config),
    ?assertEqual(Peers, Again),
    quic:close(standin_net:quic(?B), normal),
    ?assertEqual(bridge:conns(Peers, ?BRAVO), bridge:note(Client, peer_down, <<"conn">>)),
    sys:resume(barrel_p2p_hyparview).

a_restart_of_the_application(Config) ->
    standin_net:up(?B, client),
    {First, Peers} = bridge:subscribed(Config),
    #{<<"boot">> := Boot} = bridge:hello(First),
    ok = application:stop(pathdog_bridge),
    bridge:closed(First),
    ok = application:start(pathdog_bridge),
    {Second, Again} = bridge:subscribed(Config),
    ?assertMatch(#{<<"boot">> := Boot}, bridge:hello(Second)),
    ?assert(bridge:conns(Again, ?BRAVO) > bridge:conns(Peers, ?BRAVO)).

a_crash_of_each_process(Config) ->
    standin_net:up(?B, client),
    [
        begin
            Listener = bridge:wait(fun() -> pid_of(pathdog_bridge_listener) end),
            {Client, #{?BRAVO := _}} = bridge:subscribed(Config),
            exit(whereis(Name), kill),
            bridge:closed(Client),
            another_listener(Listener)
        end
     || Name <- [pathdog_bridge_listener, pathdog_bridge_moves, pathdog_bridge_sampler,
                    pathdog_bridge_redial, pathdog_bridge_peers]
    ],
    ?assertMatch({_, #{?BRAVO := _}}, bridge:subscribed(Config)).

%% More crashes than its supervisor takes: the application goes on, and so does the service.
the_core_gives_up(Config) ->
    Top = whereis(pathdog_bridge_sup),
    [
        begin
            Listener = bridge:wait(fun() -> pid_of(pathdog_bridge_listener) end),
            exit(whereis(pathdog_bridge_core), kill),
            another_listener(Listener)
        end
     || _ <- [1, 2]
    ],
    {_, #{}} = bridge:subscribed(Config),
    ?assertEqual(Top, whereis(pathdog_bridge_sup)).

%% Who connects before it serves may meet the old one, whose socket ends a moment after itself.
another_listener(Old) ->
    bridge:wait(fun() -> serving(whereis(pathdog_bridge_listener), Old) end).

serving(New, Old) when New =:= undefined; New =:= Old ->
    false;
serving(New, _) ->
    try sys:get_state(New) of
        #{opened := Opened} -> Opened =/= undefined
    catch
        exit:_ -> false
    end.

pid_of(Name) ->
    case whereis(Name) of
        undefined -> false;
        Pid -> Pid
    end.

a_moved_peer_is_told(Config) ->
    standin_net:up(?B, server),
    {Client, Peers} = bridge:subscribed(Config),
    quic_connection:move_peer(standin_net:quic(?B), {{192, 0, 2, 7}, 5000}),
    bridge:ask(Client, summary, "{}"),
    Conn = bridge:conns(Peers, ?BRAVO),
    ?assertMatch(
        #{<<"conn">> := Conn, <<"remote">> := <<"192.0.2.7:5000">>}, bridge:note(Client, peer_path)
    ),
    bridge:ask(Client, summary, "{}"),
    bridge:note(Client, summaries),
    bridge:note(Client, summaries),
    bridge:quiet(Client).

a_newer_client_replaces(Config) ->
    standin_net:up(?B, client),
    {First, Peers} = bridge:subscribed(Config),
    quic_connection:set(standin_net:quic(?B), #{on_migrate => black_hole}),
    Conn = integer_to_list(bridge:conns(Peers, ?BRAVO)),
    bridge:post(First, 9, migrate_peer, ["{\"conn\":", Conn, ",\"timeout_ms\":300}"]),
    {Second, Peers} = bridge:subscribed(Config),
    bridge:closed(First),
    %% one at a time also for the second client, and what is answered is its own
    bridge:wait(fun() ->
        case bridge:ask(Second, migrate_peer, ["{\"conn\":", Conn, ",\"timeout_ms\":300}"]) of
            #{<<"error">> := #{<<"code">> := -32006}} -> false;
            #{<<"error">> := #{<<"code">> := -32004}} -> true
        end
    end).

two_subscriptions(Config) ->
    standin_net:up(?B, client),
    {Client, Peers} = bridge:subscribed(Config),
    bridge:post(Client, 2, subscribe, "{}"),
    ?assertMatch(#{<<"result">> := #{<<"peers">> := 1}}, bridge:answer(Client, 2)),
    ?assertEqual(maps:get(?BRAVO, Peers), bridge:note(Client, peer_up)),
    bridge:quiet(Client).

bad_settings(_Config) ->
    ok = application:stop(pathdog_bridge),
    application:set_env(pathdog_bridge, sokcet, "/x"),
    ?assertMatch({error, {{bad_settings, [{sokcet, "/x"}]}, _}}, application:start(pathdog_bridge)).
