%% SPDX-License-Identifier: Apache-2.0
%% The accepting end of a session on a REG/ACK relay: what comes over the relay is handed to this
%% node's own listener on loopback, and back. It must not look into the datagrams.
-module(pathdog_relay_reg_door).
-behaviour(gen_server).

-export([start_link/3]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-define(AGAIN_MS, 1000). % until the next REG, while there is no answer; doubling after an ACK
%% Sessions end after 300 s without activity; a member may register again from the same port.
-define(REFRESH_MS, 60000).

-spec start_link(binary(), {inet:ip_address(), inet:port_number()}, inet:port_number()) -> pid().
start_link(Id, Relay, Port) ->
    {ok, Door} = gen_server:start_link(?MODULE, {Id, Relay, Port}, []),
    Door.

-spec init({binary(), {inet:ip_address(), inet:port_number()}, inet:port_number()}) -> {ok, map()}.
init({Id, Relay, Port}) ->
    {ok, Outside} = gen_udp:open(0, [binary, {active, true}]),
    {ok, Inside} = gen_udp:open(0, [binary, {active, true}, {ip, {127, 0, 0, 1}}]),
    self() ! again,
    {ok, #{
        id => Id,
        relay => Relay,
        listener => {{127, 0, 0, 1}, Port},
        outside => Outside,
        inside => Inside,
        pause => ?AGAIN_MS,
        acknowledged => false % since the last REG
    }}.

-spec handle_call(term(), gen_server:from(), map()) -> {reply, term(), map()}.
handle_call(_Request, _From, State) ->
    {reply, {error, unknown_request}, State}.

-spec handle_cast(term(), map()) -> {noreply, map()}.
handle_cast(_Message, State) ->
    {noreply, State}.

-spec handle_info(term(), map()) -> {noreply, map()}.
handle_info(again, #{id := Id, relay := Relay, outside := Outside, pause := Pause} = State) ->
    _ = gen_udp:send(Outside, Relay, [<<"REG:">>, Id, <<"\n">>]),
    erlang:send_after(Pause, self(), again),
    {noreply, State#{acknowledged := false}};
%% An ACK is no proof, it may be forged: so the next REG comes soon, and later ones less and less so.
handle_info({udp, Outside, Ip, Port, <<"ACK\n">>}, #{outside := Outside, relay := {Ip, Port}} = State) ->
    case State of
        #{acknowledged := true} ->
            {noreply, State};
        #{pause := Pause} ->
            {noreply, State#{acknowledged := true, pause := min(2 * Pause, ?REFRESH_MS)}}
    end;
handle_info({udp, Outside, Ip, Port, Data}, #{outside := Outside, relay := {Ip, Port}} = State) ->
    #{inside := Inside, listener := Listener} = State,
    _ = gen_udp:send(Inside, Listener, Data),
    {noreply, State#{pause := ?REFRESH_MS}};
handle_info({udp, Inside, Ip, Port, Data}, #{inside := Inside, listener := {Ip, Port}} = State) ->
    #{outside := Outside, relay := Relay} = State,
    _ = gen_udp:send(Outside, Relay, Data),
    {noreply, State};
handle_info(_Message, State) ->
    {noreply, State}.
