%% SPDX-License-Identifier: Apache-2.0
%% The datagrams to one peer: out over the direct path or over a relay, in from whichever they
%% come. It changes between them while the connection runs; the far end sees an ordinary change of
%% address and validates it. pathdog_relay_reg_ways says when, pathdog_relay_reg_ids with which id.
%%
%% A relay's member that registers again from another port is acknowledged and then forgotten: so a
%% socket that is registered is kept for as long as the relay module lives, for all connections to that peer, one
%% after the other and, in a reconnect, two at once; and a fresh port sends data without registering. What comes in
%% goes to each connection that there is: QUIC knows its own packets.
%%
%% Only what comes from the relay's own address counts, and an ACK may be forged even so: after it data
%% is sent, and the registration is repeated, seldom when data has come in over the relay, which is
%% the only proof. So a forged ACK costs a second.
%%
%% A way that is dead is left by itself, since nobody else can while a dial is under way: for the next one in the
%% list, and that is told when something came over it. When it is suspect, this node registers with all relays at once,
%% so that those that are dead as well are left out.
-module(pathdog_relay_reg_path).
-behaviour(gen_server).

-export([start/1, send/5, close/2, switch/4, received/2, kind/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-define(HURRY_MS, 200). % until a relay that nobody is at is left, whatever is known of others
-define(ERR_MAX, 20). % bytes of a relay's refusal; a packet of QUIC is longer
-define(LOOK_MS, 25). % until our own address is looked at, when nothing comes
-define(HELD_MAX, 32). % datagrams kept while a relay has not answered; QUIC sends the rest again

-spec start(map()) -> pid().
start(Args) ->
    {ok, Path} = gen_server:start(?MODULE, Args, []),
    Path.

%% Called in the connection's process, by quic: this is how the path learns whose it is. Ref: as what its datagrams
%% come to it.
-spec send(pid(), reference(), inet:ip_address(), inet:port_number(), iodata()) -> ok.
send(Path, Ref, Ip, Port, Data) ->
    gen_server:cast(Path, {send, self(), Ref, {Ip, Port}, Data}).

-spec close(pid(), reference()) -> ok.
close(Path, Ref) ->
    gen_server:cast(Path, {close, Ref}).

%% How many datagrams of the other end came over Via.
-spec received(pid(), pathdog_relay:via()) -> non_neg_integer().
received(Path, Via) ->
    gen_server:call(Path, {received, Via}).

%% ok: the relay acknowledged. That is no proof of a path; only what comes in is.
-spec switch(pid(), pathdog_relay:via(), kept | fresh, non_neg_integer()) -> ok | {error, term()}.
switch(Path, Via, Port, Limit) ->
    try
        gen_server:call(Path, {switch, Via, Port}, Limit)
    catch
        exit:{timeout, _} -> {error, no_path};
        exit:_ -> {error, not_connected}
    end.

%% What a relay says itself, or of the other end's.
-spec kind(binary()) -> ack | refusal | data.
kind(<<"ACK\n">>) -> ack;
kind(<<"ERR:", _/binary>> = Data) when byte_size(Data) =< ?ERR_MAX -> refusal;
kind(_) -> data.

%% ---- the process ----

-spec init(map()) -> {ok, map()}.
init(#{via := Via, keeper := Keeper, ways := Ways, relays := Relays, dead_after := DeadAfter} = Args) ->
    _ = monitor(process, Keeper),
    erlang:send_after(pathdog_relay_reg_pulse:ms(), self(), pulse),
    Known = maps:with([id, numbers, relays, node, keeper], Args),
    {ok,
        pathdog_relay_reg_sockets:use(Via, kept, Known#{
            ways => pathdog_relay_reg_ways:new(Via, Ways, maps:keys(Relays), DeadAfter),
            %% relays: with direct, if the other end has a door for that, which speaks the same
            sockets => #{}, % see pathdog_relay_reg_sockets
            places => #{},
            suspect => false, % nothing comes: relays are asked
            no_way => false, % the last one could not be sent from our address
            pulse => pathdog_relay_reg_pulse:new(),
            conns => #{}, % ref => the connection's process
            received => #{}, % via => datagrams
            peer => undefined,
            held => [],
            waiting => []
        })}.

-spec handle_call(term(), gen_server:from(), map()) ->
    {reply, term(), map()} | {noreply, map()}.
handle_call({received, Via}, _From, #{received := Received} = State) ->
    {reply, maps:get(Via, Received, 0), State};
handle_call({switch, _, _}, _From, #{conns := Conns} = State) when map_size(Conns) =:= 0 ->
    {reply, {error, not_connected}, State};
handle_call({switch, Via, Port}, From, #{ways := Ways, waiting := Waiting} = State0) ->
    State1 = pathdog_relay_reg_sockets:use(Via, Port, State0#{ways := pathdog_relay_reg_ways:to(Via, Ways)}),
    case pathdog_relay_reg_sockets:is_ready(Via, State1) of
        true -> {reply, ok, State1};
        false -> {noreply, State1#{waiting := [{From, Via} | Waiting]}}
    end.

-spec handle_cast(term(), map()) -> {noreply, map()}.
handle_cast({send, Conn, Ref, Peer, Data}, #{pulse := Pulse} = State) ->
    Sent = State#{peer := Peer, pulse := pathdog_relay_reg_pulse:sent(Pulse)},
    {noreply, out(Data, tried(known(Conn, Ref, Sent)))};
handle_cast({close, Ref}, #{conns := Conns} = State) ->
    {noreply, State#{conns := maps:remove(Ref, Conns)}}.

-spec handle_info(term(), map()) -> {noreply, map()} | {stop, normal, map()}.
handle_info({udp, Socket, Ip, Port, Data}, #{relays := Relays} = State) ->
    case pathdog_relay_reg_sockets:key_of(Socket, State) of
        {Via, _} = Key when is_map_key(Via, Relays) -> {noreply, from_relay(Key, Via, {Ip, Port}, Data, State)};
        {Via, _} -> {noreply, in(Ip, Port, Data, counted(Via, State))};
        none -> {noreply, State}
    end;
handle_info({udp_error, Socket, econnrefused}, State) ->
    {noreply, refused(pathdog_relay_reg_sockets:key_of(Socket, State), State)};
handle_info({again, Key, Timer}, State) ->
    {noreply, pathdog_relay_reg_sockets:again(Key, Timer, is_wanted(Key, State), State)};
handle_info(pulse, #{pulse := Pulse} = State) ->
    erlang:send_after(pathdog_relay_reg_pulse:ms(), self(), pulse),
    case pathdog_relay_reg_pulse:tick(Pulse) of
        {ping, Next} -> {noreply, woken(State#{pulse := Next})};
        {quiet, Next} -> {noreply, State#{pulse := Next}}
    end;
%% What is asked of the ways.
handle_info({look, Episode}, #{ways := Ways} = State) ->
    case pathdog_relay_reg_ways:is_quiet(Episode, Ways) of
        true -> {noreply, looked(State)};
        false -> {noreply, State}
    end;
handle_info({half, Episode}, #{ways := Ways} = State) ->
    {noreply, dead(pathdog_relay_reg_ways:half(Episode, Ways), State)};
handle_info({late, Episode}, #{ways := Ways} = State) ->
    {noreply, dead(pathdog_relay_reg_ways:late(Episode, Ways), State)};
handle_info({hurry, Episode}, #{ways := Ways} = State) ->
    case pathdog_relay_reg_ways:hurry(Episode, Ways) of
        yes -> {noreply, next_way(State)};
        no -> {noreply, State}
    end;
handle_info({'DOWN', _, process, Keeper, _}, #{keeper := Keeper} = State) ->
    {stop, normal, State};
handle_info({'DOWN', _, process, Conn, _}, #{conns := Conns} = State) ->
    {noreply, State#{conns := maps:filter(fun(_, Pid) -> Pid =/= Conn end, Conns)}};
handle_info(_Message, State) ->
    {noreply, State}.

known(Conn, Ref, #{conns := Conns} = State) when is_map_key(Ref, Conns) ->
    #{Ref := Conn} = Conns,
    State;
known(Conn, Ref, #{conns := Conns, ways := Ways} = State) when map_size(Conns) =:= 0 ->
    _ = monitor(process, Conn),
    Begun = pathdog_relay_reg_ways:begun(Ways),
    pathdog_relay_reg_sockets:use(pathdog_relay_reg_ways:via(Begun), kept, State#{conns := #{Ref => Conn}, ways := Begun});
known(Conn, Ref, #{conns := Conns} = State) ->
    _ = monitor(process, Conn),
    State#{conns := Conns#{Ref => Conn}}.

counted(Via, #{received := Received} = State) ->
    came(Via, State#{received := Received#{Via => maps:get(Via, Received, 0) + 1}}).

%% ---- which way ----

tried(#{ways := Ways} = State) ->
    case pathdog_relay_reg_ways:tried(erlang:monotonic_time(millisecond), Ways) of
        {{first, Episode}, Next} ->
            erlang:send_after(?LOOK_MS, self(), {look, Episode}),
            State#{ways := Next};
        {{suspect, {Ms, Episode}}, Next} ->
            erlang:send_after(Ms div 2, self(), {half, Episode}),
            erlang:send_after(Ms, self(), {late, Episode}),
            suspect(State#{ways := Next});
        Tried ->
            dead(Tried, State)
    end.

dead({nothing, Ways}, State) -> State#{ways := Ways};
dead({leave, Ways}, State) -> next_way(State#{ways := Ways}).

%% Is our address at the relay another one? Then with another id.
looked(#{ways := Ways} = State) ->
    Via = pathdog_relay_reg_ways:via(Ways),
    case pathdog_relay_reg_sockets:is_moved(Via, State) of
        true -> woken(pathdog_relay_reg_sockets:use(Via, kept, State#{ways := pathdog_relay_reg_ways:again(Ways)}));
        false -> State
    end.

suspect(#{relays := Relays} = State) ->
    left(lists:foldl(fun(Relay, Next) -> pathdog_relay_reg_sockets:use(Relay, kept, Next) end, State#{suspect := true}, maps:keys(Relays))).

%% Its host says that nobody is there. The way in use is left when nothing has come for a while.
refused({Via, _} = Key, #{ways := Ways, relays := Relays} = State) when is_map_key(Via, Relays) ->
    case pathdog_relay_reg_sockets:is_current(Key, State) of
        true -> left(State#{ways := pathdog_relay_reg_ways:refused(Via, Ways)});
        false -> State
    end;
refused(_, State) ->
    State.

left(#{suspect := false} = State) ->
    State;
left(#{ways := Ways} = State) ->
    case pathdog_relay_reg_ways:leave(Ways) of
        yes ->
            next_way(State);
        {wait, Episode} ->
            erlang:send_after(?HURRY_MS, self(), {hurry, Episode}),
            State;
        no ->
            State
    end.

next_way(#{ways := Ways, node := Node} = State) ->
    case pathdog_relay_reg_ways:next(Ways) of
        none ->
            State#{ways := pathdog_relay_reg_ways:again(Ways)};
        {Was, Next} ->
            {Old, New} = {pathdog_relay_reg_ways:via(Ways), pathdog_relay_reg_ways:via(Next)},
            logger:notice("pathdog_bridge: nothing comes from ~ts over ~ts, now over ~ts", [Node, Old, New]),
            Turned = case Was of lives -> pathdog_relay_reg_sockets:turned(Old, State); silent -> State end,
            Moved = pathdog_relay_reg_sockets:use(New, kept, Turned#{ways := Next}),
            woken(ready(New, Moved))
    end.

%% What waited for the old one's answer goes out over the one in use, if it may.
ready(Via, State) ->
    case pathdog_relay_reg_sockets:is_ready(Via, State) of
        true -> flushed(State);
        false -> State
    end.

%% A connection whose window is full of what was lost sends nothing more by itself, and waits for its probe timeout, if it may
%% send even then. A PING is sent in any case, and its acknowledgement shows what was lost.
woken(#{conns := Conns} = State) ->
    pathdog_bridge_relay:wake(maps:values(Conns)),
    State.

%% Over the one in use: it lives.
came(Via, #{ways := Ways, node := Node} = State) ->
    {Moved, Next} = pathdog_relay_reg_ways:came(Via, Ways),
    %% not from here: it asks this module
    IsNews = Moved =/= nothing andalso Via =/= pathdog_relay_reg_ways:settled(Ways),
    IsNews andalso spawn(fun() -> pathdog_bridge_relay:settled(Node, Via) end),
    case pathdog_relay_reg_ways:via(Ways) of
        Via -> State#{ways := Next, suspect := false};
        Old when Moved =:= back ->
            logger:notice("pathdog_bridge: nothing comes from ~ts over ~ts, but over ~ts, now over that again", [Node, Old, Via]),
            woken(ready(Via, pathdog_relay_reg_sockets:use(Via, kept, State#{ways := Next, suspect := false})));
        _ -> State#{ways := Next}
    end.

%% In use, asked for, or to be known about.
is_wanted({Via, _} = Key, #{ways := Ways, waiting := Waiting, suspect := Suspect} = State) ->
    map_size(maps:get(conns, State)) > 0 andalso pathdog_relay_reg_sockets:is_current(Key, State) andalso
        (pathdog_relay_reg_ways:via(Ways) =:= Via orelse lists:keymember(Via, 2, Waiting) orelse Suspect).

%% ---- datagrams ----

%% The link has gone: the first one that can be sent again is to come from the new address, already. It is what the link's
%% other end learns that address from (ARP), and what would come from the old one is lost.
out(Data, #{no_way := true} = State) ->
    out(Data, looked(State#{no_way := false}));
out(Data, #{ways := Ways, sockets := Sockets, held := Held, peer := Peer, relays := Relays} = State) ->
    Via = pathdog_relay_reg_ways:via(Ways),
    Key = pathdog_relay_reg_sockets:key(Via, State),
    #{Key := {Socket, How}} = Sockets,
    case How of
        direct ->
            {Ip, Port} = Peer,
            _ = gen_udp:send(Socket, Ip, Port, Data),
            State;
        {registering, _, _} when length(Held) < ?HELD_MAX ->
            State#{held := [Data | Held]};
        {registering, _, _} ->
            State;
        _ ->
            #{Via := Relay} = Relays,
            State#{no_way := pathdog_relay_reg_socket:send(Socket, Relay, Data) =:= no_way}
    end.

from_relay(Key, Via, From, Data, #{relays := Relays, sockets := Sockets} = State) ->
    #{Key := {Socket, How}} = Sockets,
    case Relays of
        #{Via := From} -> heard(Key, Socket, How, kind(Data), Data, State);
        _ -> State % somebody else knows our port
    end.

heard(Key, Socket, {registering, _, _}, ack, _, State) ->
    said(Key, acknowledged(Key, pathdog_relay_reg_sockets:acknowledged(Key, Socket, State)));
heard(Key, _, _, ack, _, State) ->
    said(Key, State);
%% With another id, if the relay says that this one is taken; else the registration is repeated, as long as that may take.
heard(Key, _, {registering, _, _}, refusal, <<"ERR:full", _/binary>>, State) ->
    said(Key, case pathdog_relay_reg_sockets:is_current(Key, State) of true -> pathdog_relay_reg_sockets:full(Key, State); false -> State end);
heard(Key, _, {registering, _, _}, refusal, _, State) ->
    said(Key, State);
%% It does not know us any more, or does not want us.
heard(Key, Socket, _, refusal, _, State) ->
    said(Key, pathdog_relay_reg_sockets:register_at(Key, Socket, State));
heard({Via, _} = Key, Socket, How, data, Data, #{peer := Peer} = State) ->
    %% what comes with an id that was left is no proof of the one in use
    Proven =
        case pathdog_relay_reg_sockets:is_current(Key, State) of
            true -> counted(Via, proven(Key, Socket, How, State));
            false -> State
        end,
    case Peer of
        {Ip, Port} -> in(Ip, Port, Data, Proven);
        undefined -> Proven
    end.

%% The relay itself lives.
said({Via, _}, #{ways := Ways} = State) ->
    left(State#{ways := pathdog_relay_reg_ways:lives(Via, Ways)}).

proven(Key, Socket, How, State) ->
    Proven = pathdog_relay_reg_sockets:proven(Key, Socket, State),
    case How of
        {registering, _, _} -> acknowledged(Key, Proven);
        _ -> Proven
    end.

acknowledged({Via, _} = Key, #{waiting := Waiting, ways := Ways} = State) ->
    {Here, Others} = lists:partition(fun({_, For}) -> For =:= Via andalso pathdog_relay_reg_sockets:is_current(Key, State) end, Waiting),
    [gen_server:reply(From, ok) || {From, _} <- Here],
    Open = State#{waiting := Others},
    case pathdog_relay_reg_sockets:key(pathdog_relay_reg_ways:via(Ways), Open) of
        Key -> flushed(Open);
        _ -> Open
    end.

flushed(#{held := Held} = State) ->
    lists:foldr(fun out/2, State#{held := []}, Held).

%% As a socket of its own would give it.
in(Ip, Port, Data, #{conns := Conns} = State) ->
    maps:foreach(fun(Ref, Conn) -> Conn ! {udp, Ref, Ip, Port, Data} end, Conns),
    State.
