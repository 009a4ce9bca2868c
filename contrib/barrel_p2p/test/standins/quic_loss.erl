%% SPDX-License-Identifier: Apache-2.0
%% Stand-in for quic_loss of erlang_quic 1.8.1, as far as the bridge asks it: what was sent, the probe timeout.
-module(quic_loss).

-export([new/0, on_packet_sent/6, sent_packets/1, get_pto/1, pto_count/1, smoothed_rtt/1, rtt_var/1]).
-export([with/2, backed_off/2, capped/1, without_pings/1]).

-record(loss_state, {sent_q = queue:new(), smoothed_rtt = 100, rtt_var = 50, max_ack_delay = 25, pto_count = 0, pto_max = infinity}).

new() -> #loss_state{}.

on_packet_sent(#loss_state{sent_q = Q} = State, Number, Size, AckEliciting, Frames, Now) ->
    State#loss_state{sent_q = queue:in({sent_packet, Number, Now, AckEliciting, true, Size, Frames}, Q)}.

sent_packets(#loss_state{sent_q = Q}) -> maps:from_list([{element(2, P), P} || P <- queue:to_list(Q)]).

pto_count(#loss_state{pto_count = N}) -> N.

%% With the back-off.
get_pto(#loss_state{smoothed_rtt = Srtt, rtt_var = Var, max_ack_delay = Delay, pto_count = N, pto_max = Max}) ->
    min(Max, (Srtt + max(4 * Var, 1) + Delay) bsl N). % a number is less than an atom

smoothed_rtt(#loss_state{smoothed_rtt = Srtt}) -> Srtt.

rtt_var(#loss_state{rtt_var = Var}) -> Var.

%% For tests: with exactly these packets, {ms, size, frames}; after so many probe timeouts.
with(Packets, State) ->
    Numbered = lists:zip(lists:seq(1, length(Packets)), Packets),
    lists:foldl(
        fun({N, {Ms, Size, Frames}}, To) -> on_packet_sent(To, N, Size, true, Frames, Ms) end,
        State#loss_state{sent_q = queue:new(), smoothed_rtt = 20, rtt_var = 1},
        Numbered
    ).

%% Those of the test itself, which have been acknowledged.
without_pings(#loss_state{sent_q = Q} = State) ->
    State#loss_state{sent_q = queue:filter(fun(P) -> element(2, P) < 1000000 end, Q)}.

backed_off(N, State) -> State#loss_state{pto_count = N}.

%% As 1.8.2 and later.
capped(State) -> State#loss_state{pto_max = 5000}.
