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

age_test() ->
    {_, Memory} = pathdog_bridge_stuck:seen([{13, 42}], 100, 500, pathdog_bridge_stuck:new()),
    {_, Both} = pathdog_bridge_stuck:seen([{13, 42}, {17, 1}], 400, 500, Memory),
    ?assertEqual({900, 0}, {pathdog_bridge_stuck:age_ms(1000, Both), pathdog_bridge_stuck:age_ms(9, pathdog_bridge_stuck:new())}).

%% No progress, and something owed; what we send is told as it is.
row_test() ->
    Row = fun(Values) ->
        [maps:get(C, maps:from_list(Values), 5) || C <- pathdog_bridge_summary:columns()]
    end,
    Before = Row([{<<"bytes_sent">>, 100}, {<<"bytes_received">>, 100}, {<<"srtt_us">>, 7}]),
    Now = Row([{<<"bytes_sent">>, 200}, {<<"bytes_received">>, 300}, {<<"srtt_us">>, 9},
               {<<"in_flight_bytes">>, 0}, {<<"acked_bytes">>, 9}, {<<"unacked_bytes">>, 0},
               {<<"unacked_ms">>, 0}, {<<"silent_ms">>, null}]),
    ?assertEqual(
        Row([{<<"bytes_sent">>, 200}, {<<"bytes_received">>, 100}, {<<"srtt_us">>, 7},
             {<<"in_flight_bytes">>, 1}, {<<"unacked_bytes">>, 1}, {<<"unacked_ms">>, 700},
             {<<"silent_ms">>, null}]),
        pathdog_bridge_summary:stuck_row(Before, Now, 700)
    ).
