%% SPDX-License-Identifier: Apache-2.0
%% What a relay module does for the bridge: it knows over which relay a peer is reached, and can
%% change that underneath a running connection. Optional; see docs/barrel_p2p.md. The callbacks are
%% called in whatever process needs them, so State is what init/1 gave and never changes: names,
%% pids of processes that the module started. Processes linked in init/1 and connect_options/2 live
%% with the bridge's keeper of relays. A module that has changed the way by itself says so when it is proven, with
%% pathdog_bridge_relay:settled/2, from a process that may wait.
-module(pathdog_relay).

-type via() :: binary().
%% speaks: how it is asked whether it lives, see docs/node-protocol.md.
-type relay() :: #{relay := via(), address := {inet:ip_address(), inet:port_number()}, speaks => binary()}.
-export_type([via/0, relay/0]).

-callback init(Args :: term()) -> {ok, State :: term()} | {error, term()}.

%% The peers whose connections are made with connect_options/2. They do not migrate: their adapter
%% switches.
-callback relayed(State :: term()) -> [node()].

%% A map for quic_dist:set_connect_options/2, good for one connect attempt. Must not wait.
-callback connect_options(node(), State :: term()) -> {ok, map()} | {error, term()}.

%% Over what the peer is reached now, `<<"direct">>` or a relay's name. Must not wait.
-callback via(node(), State :: term()) -> via().

%% The relays that there are, at most 64, in the order in which they are to be tried. Told to pathdog, once.
-callback relays(State :: term()) -> [relay()].

%% How many datagrams of the peer came over Via so far. A switch is proven by them only; without this function by
%% packets of whatever way.
-callback received(node(), via(), State :: term()) -> non_neg_integer().

%% The switch to Via was proven: from now on via/2 is to say it. (Without this function switch/4 has to see to it.)
-callback proven(node(), via(), State :: term()) -> ok.

%% How many ms the module may need until it has left a dead way for one that lives, by itself. So long an old connection is
%% waited for before a reconnect that may keep it.
-callback patience(State :: term()) -> non_neg_integer().

-optional_callbacks([received/3, proven/3, relays/1, patience/1]).

%% Go over Via from now on; `undefined`: stay there, on a fresh local port. May wait for Limit ms.
-callback switch(node(), via() | undefined, Limit :: non_neg_integer(), State :: term()) ->
    {ok, via()} | {error, unknown_via | not_connected | no_path | term()}.
