%% SPDX-License-Identifier: Apache-2.0
%% summary and probe: bounded whatever a connection does, and nobody waits for another.
-module(summary_SUITE).
-include_lib("stdlib/include/assert.hrl").
-compile([export_all, nowarn_export_all]).

-define(B, 'bravo@127.0.0.1').
-define(C, 'charlie@127.0.0.1').
-define(BRAVO, <<"bravo@127.0.0.1">>).
-define(CHARLIE, <<"charlie@127.0.0.1">>).

all() ->
    [
        rows_of_all, rows_of_some, no_rows, many_rows, never_measured, one_wedged_delays_nobody,
        a_wedged_one_costs_two_messages, more_wedged_than_places, it_wakes_up, one_that_drains,
        one_that_dies, one_at_a_time, probe, probe_and_ask, two_clients_at_once, probe_a_wedged_one, a_flood_of_probes,
        a_stream_that_stands_still, a_hole_that_moves, delivered_once_more, streams_of_an_unknown_shape,
        streams_not_looked_at
    ].

settings(more_wedged_than_places) -> [{summary_parallel, 2}, {sample_timeout, 50}];
settings(a_wedged_one_costs_two_messages) -> [{sample_timeout, 100}];
settings(it_wakes_up) -> [{sample_timeout, 100}];
settings(a_stream_that_stands_still) -> [{stuck_after, 1}];
settings(delivered_once_more) -> [{stuck_after, 1}];
settings(streams_of_an_unknown_shape) -> [{stuck_after, 1}];
settings(a_hole_that_moves) -> [{stuck_after, 1}];
settings(streams_not_looked_at) -> [{stuck_after, 0}];
settings(_) -> [].

init_per_testcase(Case, Config) -> bridge:start(settings(Case), Config).
end_per_testcase(_, Config) -> bridge:stop(Config).

%% All rows of one request, as maps by conn.
ask(Client, Params) ->
    Id = erlang:unique_integer([positive]),
    bridge:post(Client, Id, summary, Params),
    rows(Client, Id, #{}).

rows({_, Reader} = Client, Id, Rows) ->
    receive
        {line, Reader, #{<<"method">> := <<"summaries">>, <<"params">> := Params}} ->
            #{<<"columns">> := Columns, <<"rows">> := More} = Params,
            Maps = [maps:from_list(lists:zip(Columns, Row)) || Row <- More],
            ?assert(length(More) =< 256),
            rows(Client, Id, maps:merge(Rows, maps:from_list([{maps:get(<<"conn">>, M), M} || M <- Maps])));
        {line, Reader, #{<<"id">> := Id, <<"result">> := #{<<"rows">> := Count}}} ->
            ?assertEqual(Count, map_size(Rows)),
            Rows
    after 60000 -> error({no_summary, process_info(self(), messages)})
    end.

two(Config) ->
    standin_net:up(?B, client),
    standin_net:up(?C, server),
    {Client, Peers} = bridge:subscribed(Config),
    {Client, bridge:conns(Peers, ?BRAVO), bridge:conns(Peers, ?CHARLIE), standin_net:quic(?B)}.

rows_of_all(Config) ->
    {Client, B, C, Quic} = two(Config),
    quic_connection:set(Quic, #{srtt => 312000, in_flight => 1200, data_sent => 77}),
    Rows = ask(Client, "{}"),
    ?assertEqual(lists:sort([B, C]), lists:sort(maps:keys(Rows))),
    ?assertMatch(
        #{<<"srtt_us">> := 312000, <<"in_flight_bytes">> := 1200, <<"bytes_sent">> := 77, <<"congested">> := 0},
        maps:get(B, Rows)
    ),
    #{B := #{<<"bytes_received">> := Before}} = Rows,
    quic_connection:received(Quic, 3),
    #{B := #{<<"bytes_received">> := After}} = ask(Client, "{}"),
    ?assert(After > Before).

rows_of_some(Config) ->
    {Client, B, C, _} = two(Config),
    Ask = fun(Conns) -> lists:sort(maps:keys(ask(Client, io_lib:format("{\"conns\":~w}", [Conns])))) end,
    ?assertEqual([B], Ask([B])),
    ?assertEqual([C], Ask([C, C + 100, 9007199254740991])),
    ?assertEqual([B], Ask([B, B, B])),
    ?assertEqual([], Ask([])),
    ?assertEqual([], Ask([B + 100])).

no_rows(Config) ->
    {Client, _} = bridge:subscribed(Config),
    ?assertEqual(#{}, ask(Client, "{}")).

many_rows(Config) ->
    Nodes = bridge:nodes(600),
    [standin_net:up(Node, server) || Node <- Nodes],
    {Client, Peers} = bridge:subscribed(Config),
    Rows = ask(Client, "{}"),
    ?assertEqual(
        lists:sort([Conn || #{<<"conn">> := Conn} <- maps:values(Peers)]), lists:sort(maps:keys(Rows))
    ).

never_measured(Config) ->
    {Client, B, _, Quic} = two(Config),
    quic_connection:set(Quic, #{measured => false}),
    ?assertMatch(#{B := #{<<"srtt_us">> := null, <<"min_rtt_us">> := null}}, ask(Client, "{}")).

%% The rows of the others are there while the wedged one is still being waited for.
one_wedged_delays_nobody(Config) ->
    {Client, B, C, Quic} = two(Config),
    sys:suspend(Quic),
    bridge:post(Client, 5, summary, "{}"),
    #{<<"rows">> := [[C | _]]} = bridge:note(Client, summaries),
    sys:resume(Quic),
    #{<<"rows">> := [[B | _]]} = bridge:note(Client, summaries),
    ?assertMatch(#{<<"result">> := #{<<"rows">> := 2}}, bridge:answer(Client, 5)).

a_wedged_one_costs_two_messages(Config) ->
    {Client, _, C, Quic} = two(Config),
    sys:suspend(Quic),
    [ask(Client, "{}") || _ <- lists:seq(1, 50)],
    bridge:wait(fun() -> [C] =:= maps:keys(ask(Client, "{}")) end),
    ?assertMatch(#{<<"result">> := _}, bridge:ask(Client, probe, "{\"conns\":[1]}")),
    {message_queue_len, Length} = process_info(Quic, message_queue_len),
    ?assert(Length =< 2),
    sys:resume(Quic).

more_wedged_than_places(Config) ->
    Nodes = bridge:nodes(20),
    [standin_net:up(Node, server) || Node <- Nodes],
    {Client, Peers} = bridge:subscribed(Config),
    {Bad, Good} = lists:split(10, Nodes),
    [sys:suspend(standin_net:quic(Node)) || Node <- Bad],
    Wanted = lists:sort([bridge:conns(Peers, atom_to_binary(Node)) || Node <- Good]),
    bridge:wait(fun() -> lists:sort(maps:keys(ask(Client, "{}"))) =:= Wanted end),
    [sys:resume(standin_net:quic(Node)) || Node <- Bad].

it_wakes_up(Config) ->
    {Client, B, C, Quic} = two(Config),
    sys:suspend(Quic),
    bridge:wait(fun() -> [C] =:= maps:keys(ask(Client, "{}")) end),
    sys:resume(Quic),
    bridge:wait(fun() -> lists:sort(maps:keys(ask(Client, "{}"))) =:= lists:sort([B, C]) end).

one_that_drains(Config) ->
    {Client, _, C, Quic} = two(Config),
    sys:suspend(standin_net:ctrl(?B)), % so that its controller lives on
    quic:close(Quic, normal),
    ?assertEqual([C], maps:keys(ask(Client, "{}"))),
    sys:resume(standin_net:ctrl(?B)).

one_that_dies(Config) ->
    {Client, _, C, _} = two(Config),
    sys:suspend(pathdog_bridge_sampler),
    Id = 5,
    bridge:post(Client, Id, summary, "{}"),
    standin_net:down(?B),
    sys:resume(pathdog_bridge_sampler),
    ?assertMatch([C], maps:keys(rows(Client, Id, #{}))).

one_at_a_time(Config) ->
    {Client, _, _, Quic} = two(Config),
    sys:suspend(Quic),
    bridge:post(Client, 5, summary, "{}"),
    ?assertMatch(#{<<"error">> := #{<<"code">> := -32006}}, bridge:ask(Client, 6, summary, "{}")),
    sys:resume(Quic),
    ?assertMatch(#{<<"result">> := #{<<"rows">> := 2}}, bridge:answer(Client, 5)),
    ?assertMatch(#{<<"result">> := #{<<"rows">> := 2}}, bridge:ask(Client, 7, summary, "{}")).

probe(Config) ->
    {Client, B, C, Quic} = two(Config),
    Params = io_lib:format("{\"conns\":~w}", [[B, C, C + 100]]),
    ?assertEqual(#{}, maps:get(<<"result">>, bridge:ask(Client, probe, Params))),
    bridge:wait(fun() -> maps:get(pings, quic_connection:info(Quic)) =:= 1 end).

%% Neither takes the other's place.
probe_and_ask(Config) ->
    {Client, B, C, Quic} = two(Config),
    Params = io_lib:format("{\"conns\":~w}", [[B, C]]),
    [
        begin
            bridge:post(Client, 2 * N, probe, Params),
            bridge:post(Client, 2 * N + 1, summary, "{}"),
            ?assertMatch(#{<<"result">> := _}, bridge:answer(Client, 2 * N)),
            ?assertEqual(2, maps:size(rows(Client, 2 * N + 1, #{})))
        end
     || N <- lists:seq(10, 100)
    ],
    bridge:wait(fun() -> maps:get(pings, quic_connection:info(Quic)) >= 1 end).

%% The older one is gone, its round is not: the newer one gets its rows all the same.
two_clients_at_once(Config) ->
    {First, B, C, Quic} = two(Config),
    sys:suspend(Quic),
    bridge:post(First, 5, summary, "{}"),
    bridge:note(First, summaries),
    {Second, _} = bridge:subscribed(Config),
    bridge:post(Second, 6, summary, "{}"),
    bridge:note(Second, summaries), % of the other one
    sys:resume(Quic),
    #{<<"rows">> := [[B | _]]} = bridge:note(Second, summaries),
    ?assertMatch(#{<<"result">> := #{<<"rows">> := 2}}, bridge:answer(Second, 6)),
    ?assert(C =/= B).

probe_a_wedged_one(Config) ->
    {Client, B, C, Quic} = two(Config),
    sys:suspend(Quic),
    Params = io_lib:format("{\"conns\":~w}", [[B, C]]),
    [?assertMatch(#{<<"result">> := _}, bridge:ask(Client, probe, Params)) || _ <- lists:seq(1, 30)],
    bridge:wait(fun() -> maps:get(pings, quic_connection:info(standin_net:quic(?C))) >= 1 end),
    {message_queue_len, Length} = process_info(Quic, message_queue_len),
    ?assert(Length =< 2),
    sys:resume(Quic).

a_flood_of_probes(Config) ->
    {Client, B, _, Quic} = two(Config),
    sys:suspend(pathdog_bridge_sampler),
    Many = io_lib:format("{\"conns\":~w}", [lists:duplicate(4096, B)]),
    [?assertMatch(#{<<"result">> := _}, bridge:ask(Client, probe, Many)) || _ <- lists:seq(1, 20)],
    sys:resume(pathdog_bridge_sampler),
    ?assert(maps:size(ask(Client, "{}")) >= 1),
    ?assert(is_process_alive(Quic)).

%% ---- streams that stand still ----

received(Client, Conn) ->
    #{Conn := #{<<"bytes_received">> := Bytes} = Row} = ask(Client, "{}"),
    {Bytes, Row}.

%% Packets come in all the time (the stand-in counts one at each look), and there is no progress.
a_stream_that_stands_still(Config) ->
    {Client, B, C, Quic} = two(Config),
    quic_connection:set(Quic, #{hole => 4212}),
    bridge:wait(fun() ->
        {Before, _} = received(Client, B),
        {After, _} = received(Client, B),
        Before =:= After
    end),
    {Held, #{<<"in_flight_bytes">> := InFlight, <<"srtt_us">> := Srtt}} = received(Client, B),
    ?assertEqual(1, InFlight),
    quic_connection:set(Quic, #{srtt => 777000}),
    ?assertMatch({Held, #{<<"srtt_us">> := Srtt}}, received(Client, B)),
    {Others, _} = received(Client, C),
    {More, _} = received(Client, C),
    ?assert(More > Others),
    quic_connection:set(Quic, #{hole => undefined}), % it came after all
    {Again, #{<<"srtt_us">> := 777000}} = received(Client, B),
    ?assert(Again > Held).

a_hole_that_moves(Config) ->
    {Client, B, _, Quic} = two(Config),
    lists:foldl(
        fun(N, Before) ->
            quic_connection:set(Quic, #{hole => N}),
            {Bytes, _} = received(Client, B),
            ?assert(Bytes > Before),
            Bytes
        end,
        0,
        lists:seq(1, 20)
    ).

%% A healthy connection: it is not taken for one that stands still, however long that is in the buffer.
delivered_once_more(Config) ->
    {Client, B, _, Quic} = two(Config),
    quic_connection:set(Quic, #{again => 4212}),
    progress(Client, B).

%% As a later quic may have them: they are not judged, and that is said once.
streams_of_an_unknown_shape(Config) ->
    {Client, B, _, Quic} = two(Config),
    _ = persistent_term:erase({pathdog_bridge_notice, {unknown, streams}}),
    bridge:listen(),
    quic_connection:set(Quic, #{streams => #{13 => {stream_state, 13, #{4212 => <<"late">>}}}}),
    progress(Client, B),
    ?assertMatch([<<"pathdog_bridge: quic 1.8.1 keeps streams ", _/binary>>], bridge:said(<<"keeps streams">>)).

%% 20 looks, each with more than the one before.
progress(Client, Conn) ->
    lists:foldl(
        fun(_, Before) ->
            {Bytes, _} = received(Client, Conn),
            ?assert(Bytes > Before),
            Bytes
        end,
        0,
        lists:seq(1, 20)
    ).

streams_not_looked_at(Config) ->
    {Client, B, _, Quic} = two(Config),
    quic_connection:set(Quic, #{hole => 4212}),
    progress(Client, B).
