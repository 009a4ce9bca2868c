%% SPDX-License-Identifier: Apache-2.0
-module(pathdog_bridge_summary_tests).
-include_lib("eunit/include/eunit.hrl").

path() ->
    #{srtt => 48000, latest_rtt => 51000, min_rtt => 40000, rtt_var => 3000, cwnd => 65536,
      bytes_in_flight => 1200, in_recovery => false, congested => true}.

stats() -> #{packets_received => 10, packets_sent => 11, data_received => 500, data_sent => 700}.

row(Path, Stats) ->
    Row = pathdog_bridge_summary:row(7, #{path => Path, stats => Stats, place => #{local => undefined, remote => undefined, interface => undefined}}),
    ?assertEqual(length(pathdog_bridge_summary:columns()), length(Row)),
    maps:from_list(lists:zip(pathdog_bridge_summary:columns(), Row)).

a_row_test() ->
    ?assertEqual(
        #{<<"conn">> => 7, <<"srtt_us">> => 48000, <<"latest_rtt_us">> => 51000,
          <<"min_rtt_us">> => 40000, <<"rttvar_us">> => 3000, <<"cwnd_bytes">> => 65536,
          <<"in_flight_bytes">> => 1200, <<"congested">> => 1, <<"in_recovery">> => 0,
          <<"bytes_sent">> => 700, <<"bytes_received">> => 780, <<"packets_sent">> => 11,
          <<"silent_ms">> => null, <<"pto_us">> => null, <<"pto_count">> => null,
          <<"unacked_ms">> => null, <<"unacked_bytes">> => null, <<"acked_bytes">> => null},
        row(path(), stats())
    ).

%% What the connection's state shows beside.
inside(State, Books) ->
    Look = #{path => path(), stats => stats(), place => #{local => undefined, remote => undefined, interface => undefined}, state => State, books => Books},
    Row = maps:from_list(lists:zip(pathdog_bridge_summary:columns(), pathdog_bridge_summary:row(7, Look))),
    [maps:get(C, Row) || C <- [<<"silent_ms">>, <<"pto_us">>, <<"pto_count">>, <<"unacked_ms">>, <<"unacked_bytes">>, <<"acked_bytes">>]].

inside_test_() ->
    State = #{at => 1000, holes => [], received_ms => 950, pto_us => 85000, pto_count => 2},
    Books = #{since => 400, unacked => 20, acked => 30},
    [
        ?_assertEqual([50, 85000, 2, 600, 20, 30], inside(State, Books)),
        {"nothing is outstanding", ?_assertEqual([50, 85000, 2, 0, 0, 30], inside(State, #{since => none, unacked => 0, acked => 30}))},
        {"sent in this millisecond", ?_assertEqual([50, 85000, 2, 1, 20, 30], inside(State, Books#{since := 1000}))},
        {"not known", ?_assertEqual([null, null, null, 600, 20, 30], inside(#{at => 1000, holes => []}, Books))}
    ].

%% An acknowledgement has no bytes of a stream, and is progress.
a_packet_alone_counts_test() ->
    #{<<"bytes_received">> := Before} = row(path(), stats()),
    #{<<"bytes_received">> := After} = row(path(), (stats())#{packets_received := 11}),
    ?assert(After > Before).

%% What we acknowledge is owed by nobody.
packets_sent_are_no_debt_test() ->
    ?assertEqual(
        maps:get(<<"bytes_sent">>, row(path(), stats())),
        maps:get(<<"bytes_sent">>, row(path(), (stats())#{packets_sent := 99}))
    ).

never_measured_is_null_test() ->
    Row = row((path())#{srtt := 100000, latest_rtt := 0, min_rtt := 0, rtt_var := 50000}, stats()),
    [?assertEqual(null, maps:get(C, Row)) || C <- [<<"srtt_us">>, <<"latest_rtt_us">>, <<"min_rtt_us">>, <<"rttvar_us">>]],
    ?assertEqual(65536, maps:get(<<"cwnd_bytes">>, Row)).

%% On a LAN, whole milliseconds: 0 is a time.
zero_is_a_time_test() ->
    Row = row((path())#{srtt := 0, latest_rtt := 0, min_rtt := 0, rtt_var := 0}, stats()),
    ?assertEqual(0, maps:get(<<"srtt_us">>, Row)).

a_hundred_milliseconds_can_be_measured_test() ->
    Row = row((path())#{srtt := 100000, latest_rtt := 100000, min_rtt := 90000}, stats()),
    ?assertEqual(100000, maps:get(<<"srtt_us">>, Row)).

without_stats_test() ->
    Row = row(path(), #{}),
    ?assertEqual({null, null}, {maps:get(<<"bytes_sent">>, Row), maps:get(<<"bytes_received">>, Row)}).

strange_values_are_null_test() ->
    Row = row(#{srtt => -1, latest_rtt => 1.5, min_rtt => infinity, rtt_var => 1 bsl 53, congested => maybe_so}, stats()),
    [?assertEqual(null, maps:get(C, Row))
     || C <- [<<"srtt_us">>, <<"latest_rtt_us">>, <<"min_rtt_us">>, <<"rttvar_us">>, <<"cwnd_bytes">>, <<"congested">>]].

draining_has_no_row_test() ->
    {ok, Conn} = quic_connection:start_link(client, {{127, 0, 0, 1}, 1}, undefined),
    ?assertMatch({ok, _}, pathdog_bridge_summary:look(Conn)),
    quic:close(Conn, normal),
    ?assertEqual({error, not_connected}, pathdog_bridge_summary:look(Conn)).
