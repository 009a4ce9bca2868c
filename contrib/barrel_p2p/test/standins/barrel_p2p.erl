%% SPDX-License-Identifier: Apache-2.0
%% Stand-in for the part of barrel_p2p that the bridge uses: calls to two named processes.
-module(barrel_p2p).

-export([active_view/0, subscribe/1, join/1]).

active_view() -> gen_server:call(barrel_p2p_hyparview, active_view).
subscribe(Pid) -> gen_server:call(barrel_p2p_hyparview_events, {subscribe, Pid}).
join(Node) -> gen_server:call(barrel_p2p_hyparview, {join, Node}).
