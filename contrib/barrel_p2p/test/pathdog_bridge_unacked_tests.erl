%% SPDX-License-Identifier: Apache-2.0
-module(pathdog_bridge_unacked_tests).
-include_lib("eunit/include/eunit.hrl").

%% What comes of looks at [{Ms, Streams}]: since when, how much, how much was acknowledged.
looks(Looks) ->
    {Books, _} = lists:mapfoldl(
        fun({Ms, Streams}, Memory) ->
            {#{since := Since, unacked := Bytes, acked := Acked}, Next} =
                pathdog_bridge_unacked:seen(maps:from_list(Streams), Ms, Memory),
            {{Since, Bytes, Acked}, Next}
        end,
        pathdog_bridge_unacked:new(),
        Looks
    ),
    Books.

idle(Acked) -> #{acked => Acked, unacked => 0, first => none, oldest => none}.
owed(Acked, Bytes, Ms) -> #{acked => Acked, unacked => Bytes, first => {Acked, Ms}, oldest => Ms}.

books_test_() ->
    [
        {"no streams", ?_assertEqual([{none, 0, 0}], looks([{9, []}]))},
        {"nothing is outstanding", ?_assertEqual([{none, 0, 150}], looks([{9, [{4, idle(100)}, {8, idle(50)}]}]))},
        {"the oldest of all streams", ?_assertEqual([{5, 30, 0}], looks([{9, [{4, owed(0, 10, 7)}, {8, owed(0, 20, 5)}]}]))},
        {"a packet that is older than the lowest place",
            ?_assertEqual([{3, 20, 0}],
                looks([{9, [{4, #{acked => 0, unacked => 20, first => {0, 8}, oldest => 3}}]}]))},
        {"lost and sent again: its first time counts",
            ?_assertEqual([{100, 10, 0}, {100, 10, 0}, {100, 10, 0}],
                looks([{101, [{4, owed(0, 10, 100)}]}, {600, [{4, owed(0, 10, 500)}]}, {900, [{4, owed(0, 10, 800)}]}]))},
        {"lost, and waits to be sent again",
            ?_assertEqual([{100, 10, 0}, {100, 10, 0}],
                looks([{101, [{4, owed(0, 10, 100)}]}, {600, [{4, owed(0, 10, undefined)}]}]))},
        {"lost before it was seen: from now on",
            ?_assertEqual([{600, 10, 0}, {600, 10, 0}],
                looks([{600, [{4, #{acked => 0, unacked => 10, first => {0, undefined}, oldest => none}}]},
                       {700, [{4, owed(0, 10, 650)}]}]))},
        {"another place: another time",
            ?_assertEqual([{100, 10, 0}, {500, 10, 10}],
                looks([{101, [{4, owed(0, 10, 100)}]}, {600, [{4, owed(10, 10, 500)}]}]))},
        {"one stream goes on, the other does not",
            ?_assertEqual([{100, 20, 0}, {100, 20, 90}],
                looks([{101, [{4, owed(0, 10, 100)}, {8, owed(0, 10, 101)}]},
                       {600, [{4, owed(0, 10, 550)}, {8, owed(90, 10, 599)}]}]))},
        {"a stream that is closed takes nothing away",
            ?_assertEqual([{none, 0, 150}, {none, 0, 170}],
                looks([{1, [{4, idle(100)}, {8, idle(50)}]}, {2, [{4, idle(120)}]}]))},
        {"what is counted twice counts once",
            ?_assertEqual([{none, 0, 100}, {50, 60, 100}, {none, 0, 110}],
                looks([{1, [{4, idle(100)}]}, {51, [{4, owed(40, 60, 50)}]}, {60, [{4, idle(110)}]}]))},
        {"a stream that is not known any more has bytes that are owed",
            ?_assertEqual([{50, 10, 0}], looks([{60, [{4, #{unacked => 10, first => {0, 50}, oldest => 50}}]}]))}
    ].
