%% SPDX-License-Identifier: Apache-2.0
%% Stand-in for quic_loss of erlang_quic 1.10, by packet number space, as far as the bridge asks it. Put in the place
%% of quic_loss by pathdog_bridge_shapes_tests.
-module(quic_loss_spaces).

-export([new/0, on_packet_sent/6, on_packet_sent/7, sent_packets/2, get_pto/2, persistent_congestion_pto/1, pto_count/1]).
-export([backed_off/2]).

-record(pn_loss, {sent_q = queue:new(), loss_time, largest_acked, last_ae_sent, ae_in_flight = 0}).
-record(loss_state, {
    initial = #pn_loss{}, handshake = #pn_loss{}, app = #pn_loss{}, rtt = {rtt_state, 20, 20, 1, 20},
    time_of_last_ack, outstanding_since, pto_count = 0, bytes_in_flight = 0, max_ack_delay = 25
}).

new() -> #loss_state{}.

on_packet_sent(Space, State, Number, Size, AckEliciting, Frames) ->
    on_packet_sent(Space, State, Number, Size, AckEliciting, Frames, erlang:monotonic_time(millisecond)).

on_packet_sent(app, #loss_state{app = #pn_loss{sent_q = Q} = App} = State, Number, Size, AckEliciting, Frames, Now) ->
    Packet = {sent_packet, Number, Now, AckEliciting, true, Size, Frames},
    State#loss_state{app = App#pn_loss{sent_q = queue:in(Packet, Q)}}.

sent_packets(app, #loss_state{app = #pn_loss{sent_q = Q}}) ->
    maps:from_list([{element(2, P), P} || P <- queue:to_list(Q)]).

pto_count(#loss_state{pto_count = N}) -> N.

persistent_congestion_pto(#loss_state{rtt = {rtt_state, _, Srtt, Var, _}, max_ack_delay = Delay}) ->
    Srtt + max(4 * Var, 1) + Delay.

get_pto(State, app) -> min(persistent_congestion_pto(State) bsl State#loss_state.pto_count, 5000).

backed_off(N, State) -> State#loss_state{pto_count = N}.
