%% SPDX-License-Identifier: Apache-2.0
%% What is remembered of a connection between two looks, and what its row becomes by it: streams that stand still,
%% what is unacknowledged. And, for the feature `push`, whether the row is to be sent unasked, and when the connection
%% is to be looked at again. Pure.
-module(pathdog_bridge_history).

-export([new/0, seen/5, is_stuck/1]).
-export_type([history/0, verdict/0]).

%% pathdog wants to be told after four probe timeouts, and not before half a second.
-define(PUSH_PTOS, 4).
-define(PUSH_MIN_MS, 500).
-define(SILENT_MIN_MS, 100).
-define(AGAIN_MIN_MS, 20). % so that nothing that is just not due yet is looked at in a circle

-opaque history() :: #{
    row := pathdog_bridge_summary:row() | none, % as it was told
    stuck := boolean(),
    holes := pathdog_bridge_stuck:memory(),
    unacked := pathdog_bridge_unacked:memory(),
    told := none | integer(), % of what is unacknowledged since then, the row was told
    congested := boolean() | unknown
}.
%% push: is the row to be sent though nobody asked? again: after so many milliseconds. stuck: how many streams began
%% to stand still.
-type verdict() :: #{push := boolean(), again := none | pos_integer(), stuck := non_neg_integer()}.

-spec new() -> history().
new() ->
    #{
        row => none,
        stuck => false,
        holes => pathdog_bridge_stuck:new(),
        unacked => pathdog_bridge_unacked:new(),
        told => none,
        congested => unknown
    }.

-spec is_stuck(history()) -> boolean().
is_stuck(#{stuck := Stuck}) ->
    Stuck.

%% How: asked if the row is sent in any case, else whether it must be pushed.
-spec seen(pos_integer(), pathdog_bridge_summary:look(), integer(), asked | overdue | failed, {history(), pathdog_bridge_settings:settings()}) ->
    {pathdog_bridge_summary:row(), verdict(), history()}.
seen(Id, Look, NowMs, How, {#{stuck := WasStuck} = History0, Settings}) ->
    {Booked, History1} = book(Look, History0),
    {Stuck, History2} = holes(Booked, NowMs, Settings, History1),
    Row = row(pathdog_bridge_summary:row(Id, Booked), NowMs, History2),
    {Push, Again, History3} = push(Booked, History2),
    Sent = How =:= asked orelse How =:= failed orelse Push,
    Began = case maps:get(stuck, History2) andalso not WasStuck of true -> Stuck; false -> 0 end,
    History4 = case Sent of true -> History3#{row := Row}; false -> History3 end,
    {Row, #{push => Sent, again => Again, stuck => Began}, History4}.

book(#{state := #{at := At, sending := Sending}} = Look, #{unacked := Memory} = History) ->
    {Books, Next} = pathdog_bridge_unacked:seen(Sending, At, Memory),
    {Look#{books => Books}, History#{unacked := Next}};
book(Look, History) ->
    {Look, History}.

%% ---- streams that stand still ----

holes(#{path := Path} = Look, NowMs, #{stuck_after := After}, #{stuck := WasStuck, holes := Memory} = History) ->
    %% what stands still goes on doing so however the RTT changes, until it moves
    Limit =
        case WasStuck of
            true -> 1;
            false -> pathdog_bridge_stuck:limit_ms(max(1, After), Path)
        end,
    Holes = case Look of #{state := #{holes := Seen}} when After > 0 -> Seen; _ -> [] end,
    Before = case is_silent(Look) of true -> pathdog_bridge_stuck:new(); false -> Memory end,
    {Stuck, Next} = pathdog_bridge_stuck:seen(Holes, NowMs, Limit, Before),
    {length(Holes), History#{stuck := Stuck, holes := Next}}.

%% While nothing comes at all no hole is filled either: the path is what is dead.
is_silent(#{state := #{at := At, received_ms := Last, pto_us := Pto}, books := #{since := Since}}) when
    is_integer(Last), is_integer(Pto), is_integer(Since)
->
    At - max(Last, Since) >= max(?SILENT_MIN_MS, ?PUSH_PTOS * Pto div 1000);
is_silent(_) ->
    false.

row(Row, NowMs, #{stuck := true, row := Before, holes := Holes}) when is_list(Before) ->
    pathdog_bridge_summary:stuck_row(Before, Row, pathdog_bridge_stuck:age_ms(NowMs, Holes));
row(Row, _, _) ->
    Row.

%% ---- push ----

push(#{path := Path} = Look, #{congested := Before} = History) ->
    Congested = case Path of #{congested := Is} when is_boolean(Is) -> Is; _ -> unknown end,
    Changed = Congested =/= Before andalso Before =/= unknown andalso Congested =/= unknown,
    {Overdue, Again, Next} = overdue(Look, History#{congested := Congested}),
    {Overdue orelse Changed, Again, Next}.

overdue(#{state := #{at := At, pto_us := Pto}, books := #{since := Since}}, #{told := Told} = History) when
    is_integer(Since), Since =/= Told
->
    Left = Since + max(?PUSH_MIN_MS, (?PUSH_PTOS * Pto + 999) div 1000) - At,
    case Left > 0 of
        true -> {false, max(?AGAIN_MIN_MS, Left), History#{told := none}};
        false -> {true, none, History#{told := Since}}
    end;
%% nothing is, or that was told: when it will be acknowledged, pathdog asks
overdue(#{books := #{since := none}}, History) ->
    {false, none, History#{told := none}};
overdue(_, History) ->
    {false, none, History}.
