%% SPDX-License-Identifier: Apache-2.0
%% Books on what a connection sent, from looks at its streams: since when something is unacknowledged, how much,
%% and how much was acknowledged. Pure.
%%
%% Why books: quic counts nothing of this. What is lost is sent again in a new packet, and the time of the
%% first is gone; so the lowest unacknowledged place of each stream is remembered with its first time. And the
%% streams that are there know only their own bytes.
-module(pathdog_bridge_unacked).

-export([new/0, seen/3]).
-export_type([memory/0, books/0]).

-opaque memory() :: #{
    acked := non_neg_integer(),
    streams := #{non_neg_integer() => {Acked :: non_neg_integer(), none | {non_neg_integer(), integer()}}}
}.
%% since: none if nothing is unacknowledged.
-type books() :: #{since := none | integer(), unacked := non_neg_integer(), acked := non_neg_integer()}.

-spec new() -> memory().
new() ->
    #{acked => 0, streams => #{}}.

-spec seen(pathdog_bridge_state:sending(), integer(), memory()) -> {books(), memory()}.
seen(Sending, NowMs, #{acked := Total, streams := Before}) ->
    Empty = {#{since => none, unacked => 0, acked => Total}, #{}},
    {Books, Streams} = maps:fold(
        fun(Id, Stream, {Sums, Kept}) ->
            {Known, Place} = maps:get(Id, Before, {0, none}),
            First = first(maps:get(first, Stream), Place, NowMs),
            %% what counted as acknowledged and is sent again counts once
            Acked = max(Known, maps:get(acked, Stream, 0)),
            {add(Stream, First, Acked - Known, Sums), Kept#{Id => {Acked, First}}}
        end,
        Empty,
        Sending
    ),
    {Books, #{acked => maps:get(acked, Books), streams => Streams}}.

%% The same place as before was sent then for the first time.
first(none, _, _) -> none;
first({Offset, Ms}, {Offset, Before}, _) when Ms =:= undefined; Before < Ms -> {Offset, Before};
first({Offset, undefined}, _, NowMs) -> {Offset, NowMs};
first({Offset, Ms}, _, _) -> {Offset, Ms}.

add(#{unacked := Bytes, oldest := Oldest}, First, Acked, #{since := Since, unacked := Sum, acked := Total}) ->
    #{since => since(First, earlier(Oldest, Since)), unacked => Sum + Bytes, acked => Total + Acked}.

since(none, Since) -> Since;
since({_, Ms}, Since) -> earlier(Ms, Since).

earlier(none, Since) -> Since;
earlier(Ms, none) -> Ms;
earlier(Ms, Since) -> min(Ms, Since).
