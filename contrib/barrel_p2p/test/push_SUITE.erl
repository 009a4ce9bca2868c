%% SPDX-License-Identifier: Apache-2.0
%% What is told of what was sent, and the rows that nobody asked for (feature push).
-module(push_SUITE).
-include_lib("stdlib/include/assert.hrl").
-compile([export_all, nowarn_export_all]).

-define(B, 'bravo@127.0.0.1').
-define(C, 'charlie@127.0.0.1').
-define(BRAVO, <<"bravo@127.0.0.1">>).
-define(CHARLIE, <<"charlie@127.0.0.1">>).
-define(AN_HOUR, 3600000).

all() ->
    [
        the_columns, columns_without_the_state, an_unknown_quic, overdue, one_row_for_all, acknowledged_in_time,
        overdue_when_asked, again_for_other_data, congested, a_failed_migration, nothing_is_outstanding, push_is_off,
        not_before_subscribe, the_newest_client, nobody_listens, a_wedged_one, one_that_goes, it_does_not_read
    ].

settings(columns_without_the_state) -> [{stuck_after, 0}, {push, false}];
settings(push_is_off) -> [{push, false}];
settings(a_failed_migration) -> [{prefer, migrate}];
settings(a_wedged_one) -> [{sample_timeout, 100}];
settings(_) -> [].

%% Nobody is held, so that round trips are not asked for: what looks at a connection is counted.
init_per_testcase(Case, Config) -> bridge:start([{hold_for, 0} | settings(Case)], Config).
end_per_testcase(_, Config) -> bridge:stop(Config).

up(Config) ->
    standin_net:up(?B, client),
    {Client, Peers} = bridge:subscribed(Config),
    {Client, bridge:conns(Peers, ?BRAVO), standin_net:quic(?B)}.

%% One row, that of the only connection.
row(Client) ->
    Id = erlang:unique_integer([positive]),
    bridge:post(Client, Id, summary, "{}"),
    Row = pushed(Client),
    #{<<"result">> := #{<<"rows">> := 1}} = bridge:answer(Client, Id),
    Row.

pushed(Client) ->
    [Row] = rows(Client),
    Row.

rows(Client) ->
    #{<<"columns">> := Columns, <<"rows">> := Rows} = bridge:note(Client, summaries),
    [maps:from_list(lists:zip(Columns, Row)) || Row <- Rows].

looks(Quic) -> maps:get(looks, quic_connection:info(Quic)).

%% In the state that is set a probe timeout is 49 ms, so what is due is due after 500 ms.
owed(Quic, Offset, Ms) ->
    quic_connection:set(Quic, #{unacked => [{Offset, 10, Ms}], handed => Offset + 10}).

%% In a second and a half it will be due: time enough for a slow machine to ask before.
-define(SOON, -1000).

%% ---- columns ----

the_columns(Config) ->
    {Client, Conn, Quic} = up(Config),
    quic_connection:set(Quic, #{
        unacked => [{400, 30, ?AN_HOUR}, {430, 20, 5}], lost => [{480, 20}], handed => 500, received_ago => 90000,
        backoff => 4
    }),
    #{
        <<"conn">> := Conn, <<"unacked_ms">> := Unacked, <<"unacked_bytes">> := 70, <<"acked_bytes">> := 430,
        <<"packets_sent">> := 10, <<"pto_us">> := 49000, <<"pto_count">> := 4, <<"silent_ms">> := Silent
    } = row(Client),
    ?assert(Unacked >= ?AN_HOUR andalso Silent >= 90000),
    %% sent again: the first time still counts; acknowledged since: it shows
    quic_connection:set(Quic, #{unacked => [{400, 30, 7}], lost => []}),
    #{<<"unacked_ms">> := Still, <<"unacked_bytes">> := 30, <<"acked_bytes">> := 470} = row(Client),
    ?assert(Still >= Unacked),
    quic_connection:set(Quic, #{unacked => []}),
    ?assertMatch(#{<<"unacked_ms">> := 0, <<"unacked_bytes">> := 0, <<"acked_bytes">> := 500}, row(Client)).

columns_without_the_state(Config) ->
    {Client, _, Quic} = up(Config),
    owed(Quic, 0, ?AN_HOUR),
    ?assertMatch(
        #{<<"unacked_ms">> := null, <<"unacked_bytes">> := null, <<"acked_bytes">> := null, <<"pto_us">> := null,
          <<"pto_count">> := null, <<"silent_ms">> := null, <<"packets_sent">> := 10}, row(Client)).

%% Columns are null and the feature is not there, where what is sent is kept in another way.
an_unknown_quic(Config) ->
    {Client, _, Quic} = up(Config),
    {quic_loss, Binary, File} = code:get_object_code(quic_loss),
    {ok, _, Other} = compile:forms([
        {attribute, 1, module, quic_loss}, {attribute, 1, export, [{new, 0}]},
        {function, 1, new, 0, [{clause, 1, [], [], [{atom, 1, other}]}]}
    ]),
    {module, quic_loss} = code:load_binary(quic_loss, "other", Other),
    try
        #{<<"features">> := Features} = bridge:hello(Client),
        ?assertNot(lists:member(<<"push">>, Features)),
        ?assertMatch(#{<<"unacked_ms">> := null, <<"acked_bytes">> := null}, row(Client)),
        ?assertEqual(1, looks(Quic))
    after
        {module, quic_loss} = code:load_binary(quic_loss, File, Binary)
    end.

%% ---- push ----

overdue(Config) ->
    {Client, Conn, Quic} = up(Config),
    owed(Quic, 0, ?SOON),
    #{<<"unacked_ms">> := Asked} = row(Client),
    ?assert(Asked < 500),
    #{<<"conn">> := Conn, <<"unacked_ms">> := Ms, <<"unacked_bytes">> := 10} = pushed(Client),
    ?assert(Ms >= 500),
    ?assertEqual(2, looks(Quic)),
    bridge:quiet(Client).

one_row_for_all(Config) ->
    Nodes = bridge:nodes(300),
    [standin_net:up(Node, server) || Node <- Nodes],
    {Client, _} = bridge:subscribed(Config),
    [owed(standin_net:quic(Node), 0, ?SOON) || Node <- Nodes],
    bridge:post(Client, 5, summary, "{}"),
    bridge:answer(Client, 5),
    %% those that a slow machine was late to ask have been told so already
    InTime = [Conn || #{<<"conn">> := Conn, <<"unacked_ms">> := Ms} <- rows(Client, [], 300), Ms < 500],
    Pushed = [Conn || #{<<"conn">> := Conn} <- rows(Client, [], length(InTime))],
    ?assertEqual(lists:sort(InTime), lists:sort(Pushed)).

rows(_, Rows, 0) -> Rows;
rows(Client, Rows, N) ->
    More = rows(Client),
    rows(Client, More ++ Rows, N - length(More)).

acknowledged_in_time(Config) ->
    {Client, _, Quic} = up(Config),
    owed(Quic, 0, ?SOON),
    _ = row(Client),
    quic_connection:set(Quic, #{unacked => []}),
    bridge:wait(fun() -> looks(Quic) =:= 2 end),
    bridge:wait(fun() -> #{again := A, workers := W} = sys:get_state(pathdog_bridge_sampler), {A, W} =:= {#{}, #{}} end),
    bridge:quiet(Client),
    ?assertEqual(2, looks(Quic)).

overdue_when_asked(Config) ->
    {Client, _, Quic} = up(Config),
    owed(Quic, 0, 600),
    ?assertMatch(#{<<"unacked_bytes">> := 10}, row(Client)),
    #{again := Again} = sys:get_state(pathdog_bridge_sampler),
    ?assertEqual(#{}, Again),
    bridge:quiet(Client),
    ?assertEqual(1, looks(Quic)).

again_for_other_data(Config) ->
    {Client, _, Quic} = up(Config),
    owed(Quic, 0, ?SOON),
    _ = row(Client),
    ?assertMatch(#{<<"acked_bytes">> := 0}, pushed(Client)),
    owed(Quic, 10, ?SOON),
    ?assertMatch(#{<<"acked_bytes">> := 10}, row(Client)),
    ?assertMatch(#{<<"acked_bytes">> := 10, <<"unacked_ms">> := Ms} when Ms >= 500, pushed(Client)).

%% As seen at the looks that are taken while something is outstanding.
congested(Config) ->
    {Client, _, Quic} = up(Config),
    owed(Quic, 0, ?SOON),
    ?assertMatch(#{<<"congested">> := 0}, row(Client)),
    quic_connection:set(Quic, #{congested => true, unacked => [{10, 10, -?AN_HOUR}], handed => 20}),
    ?assertMatch(#{<<"congested">> := 1, <<"unacked_ms">> := 1}, pushed(Client)).

a_failed_migration(Config) ->
    {Client, Conn, Quic} = up(Config),
    quic_connection:set(Quic, #{on_migrate => black_hole}),
    Params = io_lib:format("{\"conn\":~b,\"timeout_ms\":100}", [Conn]),
    ?assertMatch(#{<<"error">> := #{<<"code">> := -32004}}, bridge:ask(Client, migrate_peer, Params)),
    ?assertMatch(#{<<"conn">> := Conn}, pushed(Client)).

%% A connection that is idle costs nothing between two questions.
nothing_is_outstanding(Config) ->
    {Client, _, Quic} = up(Config),
    quic_connection:set(Quic, #{unacked => [], handed => 100}),
    _ = row(Client),
    #{again := Again} = sys:get_state(pathdog_bridge_sampler),
    ?assertEqual({#{}, 1}, {Again, looks(Quic)}).

push_is_off(Config) ->
    {Client, _, Quic} = up(Config),
    owed(Quic, 0, 0),
    ?assertMatch(#{<<"unacked_bytes">> := 10}, row(Client)), % for the sake of streams that stand still
    #{again := Again, rounds := Rounds} = sys:get_state(pathdog_bridge_sampler),
    ?assertEqual({#{}, #{}}, {Again, Rounds}).

not_before_subscribe(Config) ->
    standin_net:up(?B, client),
    Quic = standin_net:quic(?B),
    bridge:close(element(1, bridge:subscribed(Config))), % so that it is known
    Client = bridge:connect(Config),
    bridge:hello(Client),
    bridge:wait(fun() -> maps:get(rounds, sys:get_state(pathdog_bridge_sampler)) =:= #{} end),
    owed(Quic, 0, 0),
    ?assertMatch(#{<<"unacked_bytes">> := 10}, row(Client)),
    ?assertMatch(#{again := Again} when map_size(Again) =:= 0, sys:get_state(pathdog_bridge_sampler)).

the_newest_client(Config) ->
    {First, _, Quic} = up(Config),
    owed(Quic, 0, ?SOON),
    _ = row(First),
    {Second, _} = bridge:subscribed(Config),
    _ = row(Second),
    ?assertMatch(#{<<"unacked_ms">> := Ms} when Ms >= 500, pushed(Second)),
    bridge:closed(First).

nobody_listens(Config) ->
    {Client, _, Quic} = up(Config),
    owed(Quic, 0, ?SOON),
    _ = row(Client),
    bridge:close(Client),
    bridge:wait(fun() ->
        #{again := Again, rounds := Rounds} = sys:get_state(pathdog_bridge_sampler),
        {Again, Rounds} =:= {#{}, #{}}
    end).

a_wedged_one(Config) ->
    {Client, _, Quic} = up(Config),
    owed(Quic, 0, ?SOON),
    _ = row(Client),
    sys:suspend(Quic),
    bridge:wait(fun() -> map_size(maps:get(busy, sys:get_state(pathdog_bridge_sampler))) =:= 1 end),
    bridge:wait(fun() -> maps:get(free, sys:get_state(pathdog_bridge_sampler)) =:= 32 end),
    sys:resume(Quic),
    ?assertMatch(#{<<"unacked_ms">> := Ms} when Ms >= 400, pushed(Client)).

one_that_goes(Config) ->
    {Client, Conn, Quic} = up(Config),
    owed(Quic, 0, ?SOON),
    _ = row(Client),
    quic:close(Quic, normal),
    ?assertEqual(Conn, bridge:note(Client, peer_down, <<"conn">>)),
    bridge:wait(fun() -> maps:get(again, sys:get_state(pathdog_bridge_sampler)) =:= #{} end),
    bridge:quiet(Client).

%% Nothing is looked at for a client that has no room; when it has, it gets what is overdue.
it_does_not_read(Config) ->
    {Client, _, Quic} = up(Config),
    owed(Quic, 0, ?SOON),
    _ = row(Client),
    sys:replace_state(pathdog_bridge_sampler, fun(#{unread := Unread} = S) -> S#{unread := Unread#{push => 8}} end),
    #{again := #{} = Before} = sys:get_state(pathdog_bridge_sampler),
    bridge:wait(fun() ->
        #{again := After} = sys:get_state(pathdog_bridge_sampler),
        map_size(After) =:= 1 andalso After =/= Before
    end),
    ?assertEqual(1, looks(Quic)),
    sys:replace_state(pathdog_bridge_sampler, fun(#{unread := Unread} = S) -> S#{unread := Unread#{push => 0}} end),
    ?assertMatch(#{<<"unacked_bytes">> := 10}, pushed(Client)).
