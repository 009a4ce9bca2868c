%% SPDX-License-Identifier: Apache-2.0
%% The accepting end of a session on REG/ACK relays: what comes over one of them is handed to this
%% node's own listener on loopback, and back over the one that the other end used last. All of them share the
%% socket towards the listener: so to quic nothing changes when the other end changes relays, and nothing is lost for
%% that (with quic up to 1.8.1 the accepting side forgets what was not acknowledged when it has validated a new address).
%% It must not look into the datagrams.
-module(pathdog_relay_reg_door).
-behaviour(gen_server).

-export([start_link/3]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-define(AGAIN_MS, 1000). % until the next REG, while there is no answer; doubling after an ACK
%% Sessions end after 300 s without activity; a member may register again from the same port.
-define(REFRESH_MS, 60000).

-spec start_link(binary(), [{inet:ip_address(), inet:port_number()}, ...], inet:port_number()) -> pid().
start_link(Id, Relays, Port) ->
    {ok, Door} = gen_server:start_link(?MODULE, {Id, Relays, Port}, []),
    Door.

-spec init({binary(), [{inet:ip_address(), inet:port_number()}, ...], inet:port_number()}) -> {ok, map()}.
init({Id, Relays, Port}) ->
    {ok, Inside} = gen_udp:open(0, [binary, {active, true}, {ip, {127, 0, 0, 1}}]),
    Ends = maps:from_list([{open(Relay), end_at(Relay)} || Relay <- Relays]),
    [self() ! {again, Socket} || Socket <- maps:keys(Ends)],
    {ok, #{
        id => Id,
        listener => {{127, 0, 0, 1}, Port},
        inside => Inside,
        ends => Ends, % the socket towards a relay => what is known of it
        latest => undefined % the one that data came over last
    }}.

open({Ip, _}) ->
    {ok, Socket} = gen_udp:open(0, [binary, {active, true}, pathdog_relay_reg_path:family(Ip)]),
    Socket.

%% acknowledged: since the last REG
end_at(Relay) ->
    #{relay => Relay, pause => ?AGAIN_MS, acknowledged => false}.

-spec handle_call(term(), gen_server:from(), map()) -> {reply, term(), map()}.
handle_call(_Request, _From, State) ->
    {reply, {error, unknown_request}, State}.

-spec handle_cast(term(), map()) -> {noreply, map()}.
handle_cast(_Message, State) ->
    {noreply, State}.

-spec handle_info(term(), map()) -> {noreply, map()}.
handle_info({again, Socket}, #{id := Id, ends := Ends} = State) ->
    #{Socket := #{relay := Relay, pause := Pause} = End} = Ends,
    _ = gen_udp:send(Socket, Relay, [<<"REG:">>, Id, <<"\n">>]),
    erlang:send_after(Pause, self(), {again, Socket}),
    {noreply, State#{ends := Ends#{Socket := End#{acknowledged := false}}}};
handle_info({udp, Inside, Ip, Port, Data}, #{inside := Inside, listener := {Ip, Port}} = State) ->
    ok = out(Data, State),
    {noreply, State};
handle_info({udp, Socket, Ip, Port, Data}, #{ends := Ends} = State) ->
    case Ends of
        #{Socket := #{relay := {Ip, Port}} = End} -> {noreply, heard(Socket, End, Data, State)};
        _ -> {noreply, State}
    end;
handle_info(_Message, State) ->
    {noreply, State}.

%% An ACK is no proof, it may be forged: so the next REG comes soon, and later ones less and less so.
heard(Socket, #{acknowledged := false, pause := Pause} = End, <<"ACK\n">>, #{ends := Ends} = State) ->
    State#{ends := Ends#{Socket := End#{acknowledged := true, pause := min(2 * Pause, ?REFRESH_MS)}}};
heard(Socket, End, Data, #{ends := Ends, inside := Inside, listener := Listener} = State) ->
    case pathdog_relay_reg_path:kind(Data) of
        data ->
            _ = gen_udp:send(Inside, Listener, Data),
            State#{ends := Ends#{Socket := End#{pause := ?REFRESH_MS}}, latest := Socket};
        _ ->
            State
    end.

out(_, #{latest := undefined}) ->
    ok;
out(Data, #{latest := Socket, ends := Ends}) ->
    #{Socket := #{relay := Relay}} = Ends,
    _ = gen_udp:send(Socket, Relay, Data),
    ok.
