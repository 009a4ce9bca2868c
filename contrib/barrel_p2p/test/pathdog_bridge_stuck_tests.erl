%% SPDX-License-Identifier: Apache-2.0
-module(pathdog_bridge_stuck_tests).
-include_lib("eunit/include/eunit.hrl").

%% What comes of looks at [{Ms, Holes}], with a limit of 500 ms.
looks(Looks) ->
    {Verdicts, _} = lists:mapfoldl(
        fun({Ms, Holes}, Memory) -> pathdog_bridge_stuck:seen(Holes, Ms, 500, Memory) end,
        pathdog_bridge_stuck:new(),
        Looks
    ),
    Verdicts.

seen_test_() ->
    [
        {"no hole", ?_assertEqual([false, false], looks([{0, []}, {9000, []}]))},
        {"a hole, seen once", ?_assertEqual([false], looks([{9000, [{13, 42}]}]))},
        {"the same one, for long enough",
            ?_assertEqual([false, false, true, true], looks([{T, [{13, 42}]} || T <- [0, 499, 500, 501]]))},
        {"filled", ?_assertEqual([false, false, false], looks([{0, [{13, 42}]}, {499, []}, {999, [{13, 42}]}]))},
        {"each time another place of the stream: it goes on",
            ?_assertEqual([false, false, false], looks([{N * 1000, [{13, N}]} || N <- [1, 2, 3]]))},
        {"one stream stands, another goes on",
            ?_assertEqual([false, false, true],
                looks([{0, [{13, 42}, {17, 1}]}, {400, [{17, 2}, {13, 42}]}, {800, [{13, 42}]}]))},
        {"it stands no more", ?_assertEqual([false, true, false], looks([{0, [{1, 1}]}, {600, [{1, 1}]}, {700, []}]))}
    ].

limit_test_() ->
    Limit = fun(Path) -> pathdog_bridge_stuck:limit_ms(500, Path) end,
    [
        {"a LAN", ?_assertEqual(500, Limit(#{srtt => 0, rtt_var => 0}))},
        {"far away: four probe time-outs", ?_assertEqual(4 * 425, Limit(#{srtt => 300000, rtt_var => 25000}))},
        {"not known", ?_assertEqual(500, Limit(#{srtt => infinity}))},
        {"nothing", ?_assertEqual(500, Limit(#{}))}
    ].

%% As quic 1.8.1 has it: a record of many elements, in it a map of streams among other maps.
stream(Id, Offset, Buffer) ->
    {stream_state, Id, open, 0, 1, false, [], false, Offset, 9, false, Buffer, false, undefined}.

state(Streams) ->
    {connected, {state, <<"scid">>, #{initial => #{}}, Streams, #{local => [{0, 1}]}, 7}}.

holes_test_() ->
    Holes = fun(State) -> lists:sort(pathdog_bridge_conn:holes_in(State)) end,
    [
        {"none", ?_assertEqual([], Holes(state(#{1 => stream(1, 10, #{}), 13 => stream(13, 42, #{})})))},
        {"one", ?_assertEqual([{13, 42}],
            Holes(state(#{1 => stream(1, 10, #{}), 13 => stream(13, 42, #{50 => <<"x">>})})))},
        {"no streams", ?_assertEqual([], Holes(state(#{})))},
        {"another shape of stream", ?_assertEqual([], Holes(state(#{1 => {stream_state, 1, open}})))},
        {"a buffer that is no map", ?_assertEqual([], Holes(state(#{1 => stream(1, 10, [])})))},
        {"a state that is a map", ?_assertEqual([], Holes({connected, #{streams => #{}}}))},
        {"something else", ?_assertEqual([], Holes(hello))}
    ].

%% A process that does not answer, and one that is gone.
holes_of_nobody_test() ->
    Silent = spawn(fun() -> receive stop -> ok end end),
    ?assertEqual([], pathdog_bridge_conn:holes(Silent, 10)),
    exit(Silent, kill),
    ?assertEqual([], pathdog_bridge_conn:holes(Silent, 10)).

%% No progress, and something owed; what we send is told as it is.
row_test() ->
    Row = fun(Values) ->
        [maps:get(C, maps:from_list(Values), 5) || C <- pathdog_bridge_summary:columns()]
    end,
    Before = Row([{<<"bytes_sent">>, 100}, {<<"bytes_received">>, 100}, {<<"srtt_us">>, 7}]),
    Now = Row([{<<"bytes_sent">>, 200}, {<<"bytes_received">>, 300}, {<<"srtt_us">>, 9},
               {<<"in_flight_bytes">>, 0}]),
    ?assertEqual(
        Row([{<<"bytes_sent">>, 200}, {<<"bytes_received">>, 100}, {<<"srtt_us">>, 7},
             {<<"in_flight_bytes">>, 1}]),
        pathdog_bridge_summary:stuck_row(Before, Now)
    ).
