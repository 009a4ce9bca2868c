%% SPDX-License-Identifier: Apache-2.0
%% When a row is pushed, and when a connection is looked at again.
-module(pathdog_bridge_history_tests).
-include_lib("eunit/include/eunit.hrl").

-define(SETTINGS, #{stuck_after => 500}).

%% At: now. Since: none, or when the data was sent that is unacknowledged.
look(At, Since) -> look(At, Since, 50000).

look(At, Since, PtoUs) ->
    Streams =
        case Since of
            none -> #{4 => #{acked => 10, unacked => 0, first => none, oldest => none}};
            _ -> #{4 => #{acked => Since, unacked => 5, first => {Since, Since}, oldest => Since}}
        end,
    #{
        path => #{congested => false}, stats => #{}, place => #{local => undefined, remote => undefined, interface => undefined},
        state => #{at => At, holes => [], pto_us => PtoUs, pto_count => 0, sending => Streams}
    }.

congested(#{path := Path} = Look, Is) -> Look#{path := Path#{congested := Is}}.

%% What comes of looks, each of which nobody asked for: [{push, again}].
unasked(Looks) -> looks([{overdue, Look} || Look <- Looks]).

looks(Looks) ->
    {Verdicts, _} = lists:mapfoldl(
        fun({How, #{state := #{at := At}} = Look}, History) ->
            {Row, #{push := Push, again := Again}, Next} =
                pathdog_bridge_history:seen(7, Look, At, How, {History, ?SETTINGS}),
            ?assertEqual(length(pathdog_bridge_summary:columns()), length(Row)),
            {{Push, Again}, Next}
        end,
        pathdog_bridge_history:new(),
        Looks
    ),
    Verdicts.

push_test_() ->
    [
        {"nothing is outstanding: not looked at again", ?_assertEqual([{false, none}], unasked([look(1000, none)]))},
        {"looked at again when it will be overdue", ?_assertEqual([{false, 500}], unasked([look(1000, 1000)]))},
        {"not before half a second", ?_assertEqual([{false, 1}, {true, none}],
            [case V of {false, 20} -> {false, 1}; _ -> V end || V <- unasked([look(1499, 1000), look(1500, 1000)])])},
        {"nor before four probe timeouts", ?_assertEqual([{false, 300}, {true, none}],
            unasked([look(1500, 1000, 200000), look(1800, 1000, 200000)]))},
        {"never in less than 20 ms", ?_assertEqual([{false, 20}], unasked([look(1499, 1000)]))},
        {"once for what is the same data", ?_assertEqual([{true, none}, {false, none}, {false, none}],
            unasked([look(1500, 1000), look(2000, 1000), look(9000, 1000)]))},
        {"again for other data", ?_assertEqual([{true, none}, {false, 400}, {true, none}],
            unasked([look(1500, 1000), look(2000, 1900), look(2400, 1900)]))},
        {"what pathdog asked for is not pushed as well", ?_assertEqual([{true, none}, {false, none}],
            looks([{asked, look(1500, 1000)}, {overdue, look(1600, 1000)}]))},
        {"the first that shows it", ?_assertEqual([{true, 500}, {true, none}],
            looks([{asked, look(1000, 1000)}, {overdue, look(1500, 1000)}]))},
        {"after a failed validation in any case", ?_assertEqual([{true, none}], looks([{failed, look(1000, none)}]))},
        {"congested, and no more", ?_assertEqual([{false, none}, {true, none}, {false, none}, {true, none}],
            unasked([look(1, none), congested(look(2, none), true), congested(look(3, none), true), look(4, none)]))},
        {"whether it is congested is not known", ?_assertEqual([{false, none}, {false, none}, {false, none}],
            unasked([look(1, none), congested(look(2, none), unknown), look(3, none)]))},
        {"a state that could not be read", ?_assertEqual([{false, none}],
            unasked([(look(1, none))#{state := #{at => 1, holes => []}}]))}
    ].

%% A row that was not sent is not the one before, by which a stream that stands still is told.
stuck_test() ->
    Seen = fun(How, Ms, Bytes, History) ->
        #{state := State} = Look = look(Ms, none),
        With = Look#{
            stats := #{packets_received => Bytes, data_received => 0},
            state := State#{holes := [{13, 42}]}
        },
        {Row, _, Next} = pathdog_bridge_history:seen(7, With, Ms, How, {History, ?SETTINGS}),
        Columns = maps:from_list(lists:zip(pathdog_bridge_summary:columns(), Row)),
        {maps:with([<<"bytes_received">>, <<"unacked_ms">>], Columns), Next}
    end,
    {#{<<"bytes_received">> := Told}, A} = Seen(asked, 0, 1, pathdog_bridge_history:new()),
    {_, B} = Seen(overdue, 400, 2, A),
    {Row, _} = Seen(asked, 600, 3, B),
    ?assertEqual(#{<<"bytes_received">> => Told, <<"unacked_ms">> => 600}, Row).

%% While nothing comes no hole is filled: how long that was does not count.
dead_is_not_stuck_test() ->
    Seen = fun(Ms, Received, History) ->
        #{state := State} = Look = look(Ms, 100),
        With = Look#{state := State#{holes => [{13, 42}], received_ms => Received}},
        {_, #{stuck := Stuck}, Next} = pathdog_bridge_history:seen(7, With, Ms, asked, {History, ?SETTINGS}),
        {Stuck, Next}
    end,
    {0, A} = Seen(100, 100, pathdog_bridge_history:new()),
    {0, B} = Seen(700, 100, A), % dead
    {0, C} = Seen(1300, 100, B),
    {0, D} = Seen(1400, 1399, C), % it is not any more
    {0, E} = Seen(1700, 1699, D),
    {1, _} = Seen(1900, 1899, E).
