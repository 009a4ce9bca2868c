%% SPDX-License-Identifier: Apache-2.0
%% Dials that cannot end well are ended, and who cannot be reached gets its turn to dial.
-module(dials_SUITE).
-include_lib("stdlib/include/assert.hrl").
-compile([export_all, nowarn_export_all]).

%% this node is alpha
-define(LESSER, 'aaron@127.0.0.1').
-define(GREATER, 'bravo@127.0.0.1').
-define(REAL, {?LESSER, {{192, 0, 2, 1}, 9100}}).

all() ->
    [
        told_by_its_timer, told_by_net_kernel, it_ends_by_itself, refused, refused_for_a_moment,
        nobody_answers, it_is_held_and_let_go, held_ever_longer, it_comes_by_itself, somebody_dials_it_meanwhile,
        one_that_is_far_away, who_answers_is_not_held, who_never_answered_is_not_held, the_greater_one_is_not_held, what_is_not_known_is_not_held, holding_is_off,
        the_bridge_ends, it_is_killed, what_one_before_left, a_reconnect_waits, two_at_once, barred
    ].

settings(it_is_held_and_let_go) -> [{hold_for, 200}];
settings(held_ever_longer) -> [{hold_for, 20}];
settings(somebody_dials_it_meanwhile) -> [{hold_for, 5000}];
settings(a_reconnect_waits) -> [{hold_for, 300}, {dial_timeout, 60000}];
settings(holding_is_off) -> [{hold_for, 0}];
settings(_) -> [{hold_for, 60000}].


init_per_testcase(what_one_before_left, Config) ->
    known([{?LESSER, {{0, 0, 0, 0}, 0}}, ?REAL]),
    bridge:start([], Config);
init_per_testcase(Case, Config) ->
    known([?REAL]),
    bridge:start(settings(Case), Config).

end_per_testcase(_, Config) ->
    bridge:stop(Config),
    application:unset_env(quic, dist).

known(Nodes) -> application:set_env(quic, dist, [{nodes, Nodes}, {discovery_module, none}]).
nodes_known() -> proplists:get_value(nodes, application:get_env(quic, dist, [])).

is_held(Node) ->
    pathdog_bridge_dials:is_held(Node) andalso
        {Node, {{0, 0, 0, 0}, 0}} =:= lists:keyfind(Node, 1, nodes_known()).

%% Whoever is dialled here was connected before.
was_up(Node) ->
    is_up(Node),
    standin_net:down(Node),
    bridge:wait(fun() -> not lists:keymember(Node, 1, standin_net:controllers()) end).

is_up(Node) ->
    standin_net:up(Node, client),
    bridge:wait(fun() -> is_map_key(Node, maps:get(known, sys:get_state(pathdog_bridge_dials))) end).

%% A process that dials, as quic_dist's: it traps exits, and has the connection linked to it.
setup(Node, Changes) ->
    was_up(Node),
    first_setup(Node, Changes).

first_setup(Node, Changes) ->
    {Setup, _, _} = Dial = dialler(Changes),
    ok = standin_net:dialling(Node, Setup),
    Dial.

dialler(Changes) ->
    Self = self(),
    Setup = spawn(fun() ->
        process_flag(trap_exit, true),
        {ok, Quic} = quic_connection:start_link(client, {{127, 0, 0, 1}, 1}, self()),
        quic_connection:set(Quic, Changes),
        Self ! {self(), Quic},
        receive stop -> ok end
    end),
    Quic = receive {Setup, Q} -> Q after 60000 -> error(no_setup) end,
    {Setup, Quic, monitor(process, Setup)}.

ended({Setup, _, Monitor}) ->
    receive {'DOWN', Monitor, process, Setup, Reason} -> Reason after 60000 -> error(not_ended) end.

is_ended({Setup, _, _}) -> not is_process_alive(Setup).

%% It has been looked at for longer than anything here is waited for, or it is gone.
looked({Setup, _, _}) ->
    true = bridge:wait(fun() ->
        case maps:get(seen, sys:get_state(pathdog_bridge_dials)) of
            #{Setup := #{since := Since}} -> erlang:monotonic_time(millisecond) - Since >= 600;
            _ -> not is_process_alive(Setup)
        end
    end),
    ok.

%% ---- those that were told, and those that were refused ----

told_by_its_timer(_) ->
    {Setup, _, _} = Dial = setup(?GREATER, #{}),
    Setup ! {'EXIT', self(), setup_timer_timeout},
    ?assertEqual(killed, ended(Dial)).

told_by_net_kernel(_) ->
    {Setup, _, _} = Dial = setup(?GREATER, #{}),
    Made = whereis(net_kernel) =:= undefined andalso register(net_kernel, spawn(fun() -> receive stop -> ok end end)),
    Setup ! {'EXIT', whereis(net_kernel), remarked},
    ?assertEqual(killed, ended(Dial)),
    Made andalso (net_kernel ! stop).

it_ends_by_itself(_) ->
    bridge:listen(),
    {Setup, _, _} = Dial = setup(?GREATER, #{}),
    Setup ! stop,
    ?assertEqual(normal, ended(Dial)),
    looked(Dial),
    ?assertEqual([], bridge:said(<<"dial of">>)).

%% What it has made of a connection is closed through quic, so that the peer hears of it.
refused(_) ->
    Self = self(),
    Setup = spawn(fun() ->
        process_flag(trap_exit, true),
        {ok, Ctrl} = quic_dist_controller:start({start, client, {{127, 0, 0, 1}, 1}}, client),
        link(Ctrl),
        Self ! {controller, monitor(process, Ctrl), Ctrl},
        receive stop -> ok end
    end),
    Ctrl = receive {controller, _, C} -> C after 60000 -> error(no_controller) end,
    Gone = monitor(process, Ctrl),
    Dial = {Setup, none, monitor(process, Setup)},
    standin_net:dialling(?GREATER, Setup),
    standin_net:stands(Setup, refused),
    ?assertEqual(killed, ended(Dial)),
    receive
        {'DOWN', Gone, process, Ctrl, Reason} -> ?assertEqual({shutdown, {connection_closed, normal}}, Reason)
    after 60000 -> error(not_closed)
    end,
    ?assertNot(pathdog_bridge_dials:is_held(?GREATER)).

%% The peer's own dial came in, and took its place.
refused_for_a_moment(_) ->
    bridge:listen(),
    {Setup, _, _} = Dial = setup(?GREATER, #{}),
    %% it has taken long until it was refused, so it has time
    bridge:wait(fun() -> is_map_key(Setup, maps:get(seen, sys:get_state(pathdog_bridge_dials))) end),
    sys:replace_state(pathdog_bridge_dials, fun(#{seen := #{Setup := #{since := Since} = One} = Seen} = State) ->
        State#{seen := Seen#{Setup := One#{since := Since - 60000}}}
    end),
    standin_net:stands(Setup, refused),
    bridge:wait(fun() -> is_map_key(refused, maps:get(Setup, maps:get(seen, sys:get_state(pathdog_bridge_dials)))) end),
    Setup ! stop,
    ?assertEqual(normal, ended(Dial)),
    ?assertEqual([], bridge:said(<<"dial of">>)).

%% ---- those without an answer ----

nobody_answers(_) ->
    bridge:listen(),
    Dial = setup(?LESSER, #{answered => false}),
    ?assertEqual(killed, ended(Dial)),
    ?assert(bridge:wait(fun() -> is_held(?LESSER) end)),
    ?assert(bridge:wait(fun() -> standin_net:reserved() =:= [?LESSER] end)),
    %% where it listens is still known to those who ask for another reason
    ?assertEqual({ok, {{192, 0, 2, 1}, 9100}}, pathdog_bridge_dist:address(?LESSER)),
    ?assert(bridge:wait(fun() -> bridge:said(<<"had no answer">>) =/= [] end)).

it_is_held_and_let_go(_) ->
    ended(setup(?LESSER, #{answered => false})),
    bridge:wait(fun() -> pathdog_bridge_dials:is_held(?LESSER) orelse nodes_known() =:= [?REAL] end),
    ?assert(bridge:wait(fun() -> not pathdog_bridge_dials:is_held(?LESSER) end)),
    ?assert(bridge:wait(fun() -> standin_net:reserved() =:= [] end)),
    ?assertEqual([?REAL], nodes_known()),
    ?assertEqual({discovery_module, none}, lists:keyfind(discovery_module, 1, application:get_env(quic, dist, []))).

%% Each time it may take longer to answer, so that one that is far away is reached in the end.
held_ever_longer(_) ->
    was_up(?LESSER),
    Times = [
        begin
            Begin = erlang:monotonic_time(millisecond),
            ended(first_setup(?LESSER, #{answered => false})),
            Took = erlang:monotonic_time(millisecond) - Begin,
            bridge:wait(fun() -> not pathdog_bridge_dials:is_held(?LESSER) end),
            Took
        end
     || _ <- lists:seq(1, 3)
    ],
    [First, Second, Third] = Times,
    ?assert(First >= 300 andalso Second >= 600 andalso Third >= 1200).

%% Three of its round trips, as they were while it was connected, and not 300 ms.
one_that_is_far_away(_) ->
    standin_net:up(?LESSER, client),
    quic_connection:set(standin_net:quic(?LESSER), #{srtt => 500000}),
    bridge:wait(fun() ->
        pathdog_bridge_dials ! rtts,
        #{known := Known} = sys:get_state(pathdog_bridge_dials),
        maps:get(?LESSER, Known, 0) =:= 500
    end),
    standin_net:down(?LESSER),
    bridge:wait(fun() -> not lists:keymember(?LESSER, 1, standin_net:controllers()) end),
    Begin = erlang:monotonic_time(millisecond),
    ?assertEqual(killed, ended(first_setup(?LESSER, #{answered => false}))),
    ?assert(erlang:monotonic_time(millisecond) - Begin >= 1500).

%% Then nothing is taken back that the connection has taken over.
it_comes_by_itself(_) ->
    ended(setup(?LESSER, #{answered => false})),
    bridge:wait(fun() -> is_held(?LESSER) andalso standin_net:reserved() =:= [?LESSER] end),
    standin_net:up(?LESSER, server),
    ?assert(bridge:wait(fun() -> not pathdog_bridge_dials:is_held(?LESSER) end)),
    ?assertEqual([?REAL], nodes_known()),
    ?assertEqual([?LESSER], standin_net:reserved()).

somebody_dials_it_meanwhile(_) ->
    ended(setup(?LESSER, #{answered => false})),
    bridge:wait(fun() -> is_held(?LESSER) andalso standin_net:reserved() =:= [?LESSER] end),
    %% as one that came in does, while the handshake lasts
    Dial = first_setup(?LESSER, #{}),
    ?assert(bridge:wait(fun() -> not pathdog_bridge_dials:is_held(?LESSER) end)),
    ?assertEqual([?LESSER], standin_net:reserved()),
    ?assertNot(is_ended(Dial)).

who_answers_is_not_held(_) -> not_held(?LESSER, #{}).
%% Its own dial takes the place of ours.
the_greater_one_is_not_held(_) -> not_held(?GREATER, #{answered => false}).
holding_is_off(_) -> not_held(?LESSER, #{answered => false}).

not_held(Node, Changes) ->
    nobody_held(Node, setup(Node, Changes)).

%% Else a node that waits for its contact to be started would be in its own way.
who_never_answered_is_not_held(_) ->
    nobody_held(?LESSER, first_setup(?LESSER, #{answered => false})).

nobody_held(Node, Dial) ->
    looked(Dial),
    ?assertNot(is_ended(Dial)),
    ?assertNot(pathdog_bridge_dials:is_held(Node)),
    ?assertEqual([?REAL], nodes_known()).

%% No connection is there to be looked at.
what_is_not_known_is_not_held(_) ->
    was_up(?LESSER),
    Setup = spawn(fun() -> receive stop -> ok end end),
    standin_net:dialling(?LESSER, Setup),
    looked({Setup, none, none}),
    ?assert(is_process_alive(Setup)),
    ?assertNot(pathdog_bridge_dials:is_held(?LESSER)).

the_bridge_ends(_) ->
    ended(setup(?LESSER, #{answered => false})),
    bridge:wait(fun() -> is_held(?LESSER) end),
    application:stop(pathdog_bridge),
    ?assertEqual([?REAL], nodes_known()),
    ?assertNot(pathdog_bridge_dials:is_held(?LESSER)),
    ?assert(bridge:wait(fun() -> standin_net:reserved() =:= [] end)).

%% Not even then waits anybody for ever.
it_is_killed(_) ->
    ended(setup(?LESSER, #{answered => false})),
    bridge:wait(fun() -> is_held(?LESSER) andalso standin_net:reserved() =:= [?LESSER] end),
    exit(whereis(pathdog_bridge_dials), kill),
    ?assert(bridge:wait(fun() -> nodes_known() =:= [?REAL] end)),
    ?assert(bridge:wait(fun() -> standin_net:reserved() =:= [] end)).

what_one_before_left(_) ->
    ?assertEqual([?REAL], nodes_known()).

%% Its dial would fail at once, and lose what waits to be sent.
a_reconnect_waits(Config) ->
    is_up(?LESSER),
    {Client, Peers} = bridge:subscribed(Config),
    Conn = bridge:conns(Peers, atom_to_binary(?LESSER)),
    {Setup, _, _} = Dial = dialler(#{answered => false}),
    standin_net:dial(?LESSER, {stuck, Setup}),
    bridge:post(Client, 5, reconnect_peer, io_lib:format("{\"conn\":~b,\"timeout_ms\":60000,\"reason\":\"test\"}", [Conn])),
    ended(Dial),
    ?assertMatch(#{<<"result">> := #{<<"conn">> := _}}, bridge:answer(Client, 5)),
    ?assertEqual([?LESSER, ?LESSER], standin_net:dialled()),
    ?assert(bridge:wait(fun() -> nodes_known() =:= [?REAL] end)).

two_at_once(_) ->
    Other = 'adam@127.0.0.1',
    Dials = [setup(Node, #{answered => false}) || Node <- [?LESSER, Other]],
    [ended(Dial) || Dial <- Dials],
    ?assert(bridge:wait(fun() -> is_held(?LESSER) andalso is_held(Other) end)),
    standin_net:up(Other, server),
    ?assert(bridge:wait(fun() -> not pathdog_bridge_dials:is_held(Other) end)),
    ?assert(is_held(?LESSER)).

%% net_kernel notes whom it must not dial in the same table, in rows of another kind.
barred(_) ->
    Table =
        case ets:info(sys_dist) of
            undefined -> ets:new(sys_dist, [named_table, public, {keypos, 2}]);
            _ -> error(this_is_a_node)
        end,
    ets:insert(Table, {barred_connection, ?LESSER}),
    ets:insert(Table, {connection, ?GREATER, id, pending, self(), undefined, undefined, undefined, [], normal}),
    ets:insert(Table, {connection, 'charlie@127.0.0.1', id, up, self(), undefined, undefined, undefined, [], normal}),
    ?assertEqual([{?GREATER, self()}], pathdog_bridge_dist:dials()),
    ?assertEqual(undefined, pathdog_bridge_dist:pending(?LESSER)),
    ?assertEqual(self(), pathdog_bridge_dist:pending(?GREATER)),
    ets:delete(Table).
