%% SPDX-License-Identifier: Apache-2.0
%% When a connection is to send a PING so that it does not stand still: while it is busy, and for a while after it. Pure.
%%
%% quic up to 1.8.1 sends no probe (RFC 9002, 6.2.4) while more than a window is under way, and begins its probe timeout anew with each
%% acknowledgement that it sends. Where so much is lost that the window shrinks below what is under way, nothing is sent any more, and both
%% ends wait. A PING is sent in any case, and its acknowledgement shows what was lost.
-module(pathdog_relay_reg_pulse).

-export([new/0, sent/1, tick/1, ms/0]).
-export_type([pulse/0]).

-define(TICK_MS, 500).
-define(SENT, 8). % more than the PINGs of both ends and their acknowledgements
-define(TICKS, 20).

-opaque pulse() :: {Sent :: non_neg_integer(), Left :: non_neg_integer()}.

-spec new() -> pulse().
new() -> {0, 0}.

%% How often tick/1 is to be called.
-spec ms() -> pos_integer().
ms() -> ?TICK_MS.

-spec sent(pulse()) -> pulse().
sent({Sent, Left}) -> {Sent + 1, Left}.

-spec tick(pulse()) -> {ping | quiet, pulse()}.
tick({Sent, _}) when Sent >= ?SENT -> {ping, {0, ?TICKS}};
tick({_, 0}) -> {quiet, new()};
tick({_, Left}) -> {ping, {0, Left - 1}}.
