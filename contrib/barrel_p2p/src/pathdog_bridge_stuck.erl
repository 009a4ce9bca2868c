%% SPDX-License-Identifier: Apache-2.0
%% Judges whether a connection has streams that stand still, from looks at the holes in what came in.
%% Pure; it must not look at a connection itself.
%%
%% Why: up to 1.8.1, quic's accepting side forgets what was not acknowledged when it has validated a
%% new path. What was lost then is never sent again: the other side waits in the middle of a stream for
%% ever, while packets, acknowledgements and the other streams go on. Nothing that is counted shows it;
%% only the hole does, at which the stream stands.
-module(pathdog_bridge_stuck).

-export([new/0, seen/4, age_ms/2, limit_ms/2]).
-export_type([holes/0, memory/0]).

-type hole() :: {Stream :: non_neg_integer(), Offset :: non_neg_integer()}.
-type holes() :: [hole()].
-opaque memory() :: #{hole() => integer()}. % since when, in milliseconds

-spec new() -> memory().
new() ->
    #{}.

%% A hole that is filled is forgotten; one at a later place of the stream is another one.
-spec seen(holes(), integer(), pos_integer(), memory()) -> {boolean(), memory()}.
seen(Holes, NowMs, LimitMs, Memory) ->
    Since = maps:from_list([{Hole, maps:get(Hole, Memory, NowMs)} || Hole <- Holes]),
    {lists:any(fun(Ms) -> NowMs - Ms >= LimitMs end, maps:values(Since)), Since}.

%% For how long the oldest of the holes has been there.
-spec age_ms(integer(), memory()) -> non_neg_integer().
age_ms(NowMs, Memory) ->
    lists:max([0 | [NowMs - Ms || Ms <- maps:values(Memory)]]).

%% What is only lost is sent again after a probe time-out or two. Where that takes long, so do we.
-spec limit_ms(pos_integer(), map()) -> pos_integer().
limit_ms(AtLeastMs, Path) ->
    Srtt = number(maps:get(srtt, Path, 0)),
    Var = number(maps:get(rtt_var, Path, 0)),
    max(AtLeastMs, 4 * (Srtt + max(4 * Var, 1000) + 25000) div 1000).

number(Value) when is_integer(Value), Value >= 0 -> Value;
number(_) -> 0.
