%% SPDX-License-Identifier: Apache-2.0
%% The datagrams to one peer: out over the direct path or over a relay, in from whichever they
%% come. It changes between them while the connection runs; the far end sees an ordinary change of
%% address and validates it.
%%
%% A relay's member that registers again from another port is acknowledged and then forgotten: so a
%% socket that is registered is kept for as long as the relay module lives, for all connections to that peer, one
%% after the other and, in a reconnect, two at once; and a fresh port sends data without registering. What comes in
%% goes to each connection that there is: QUIC knows its own packets.
%%
%% Only what comes from the relay's own address counts, and an ACK may be forged even so: after it data
%% is sent, and the registration is repeated, seldom when data has come in over the relay, which is
%% the only proof. So a forged ACK costs a second, and a relay that was restarted a minute.
%%
%% A way that is dead is left by itself, since nobody else can while a dial is under way: for the next one in the
%% list, and that is told when something came over it. Dead is: three tries, and nothing since. Tries are at least
%% TRY_MS from each other (what is sent together counts once, acknowledgements at the end of a burst too).
-module(pathdog_relay_reg_path).
-behaviour(gen_server).

-export([start/1, send/5, close/2, switch/4, received/2, kind/1, family/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-define(AGAIN_MS, 200). % until the next REG, while there is no answer
-define(UNPROVEN_MS, 1000). % after the ACK, doubling
%% Sessions end after 300 s without activity; a member may register again from the same port.
-define(REFRESH_MS, 60000).
-define(TRY_MS, 100).
-define(TRIES, 3).
-define(DIRECT_TIMES, 4). % direct is left so many times later than a relay: pathdog may know better
-define(ERR_MAX, 20). % bytes of a relay's refusal; a packet of QUIC is longer
-define(HELD_MAX, 32). % datagrams kept while a relay has not answered; QUIC sends the rest again
-define(DIRECT, <<"direct">>).

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

-spec family(inet:ip_address()) -> inet | inet6.
family(Ip) when tuple_size(Ip) =:= 4 -> inet;
family(_) -> inet6.

%% ---- the process ----

-spec init(map()) -> {ok, map()}.
init(#{via := Via, keeper := Keeper} = Args) ->
    _ = monitor(process, Keeper),
    {ok,
        use(Via, kept, Args#{
            %% via => {socket, direct | {registering, timer} | {registered, timer, pause} | ported}
            %% ported: from a fresh port, where data comes first
            sockets => #{},
            conns => #{}, % ref => the connection's process
            received => #{}, % via => datagrams
            settled => Via, % the last one in use over which something came
            left => others(Via, maps:get(ways, Args)), % where to go from here, if it is dead
            by_itself => false, % it was left for another one
            tries => none, % since something came: {how many, last, timer}
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
handle_call({switch, Via, Port}, From, #{waiting := Waiting} = State0) ->
    #{settled := Settled, ways := Ways} = State0,
    %% if nothing comes over it: back, first of all
    Left = [Settled || Settled =/= Via] ++ others(Via, Ways) -- [Settled],
    State1 = use(Via, Port, fresh_tries(State0#{via := Via, left := Left, by_itself := false})),
    case ready(Via, State1) of
        true -> {reply, ok, State1};
        false -> {noreply, State1#{waiting := [{From, Via} | Waiting]}}
    end.

-spec handle_cast(term(), map()) -> {noreply, map()}.
handle_cast({send, Conn, Ref, Peer, Data}, State) ->
    {noreply, out(Data, tried(known(Conn, Ref, State#{peer := Peer})))};
handle_cast({close, Ref}, #{conns := Conns} = State) ->
    {noreply, State#{conns := maps:remove(Ref, Conns)}}.

-spec handle_info(term(), map()) -> {noreply, map()} | {stop, normal, map()}.
handle_info({udp, Socket, Ip, Port, Data}, #{sockets := Sockets} = State) ->
    case [Via || {Via, {S, _}} <- maps:to_list(Sockets), S =:= Socket] of
        [?DIRECT] -> {noreply, in(Ip, Port, Data, counted(?DIRECT, State))};
        [Via] -> {noreply, from_relay(Via, {Ip, Port}, Data, State)};
        [] -> {noreply, State}
    end;
handle_info({again, Via, Timer}, #{sockets := Sockets} = State) ->
    case Sockets of
        #{Via := {Socket, {registering, Timer}}} ->
            case is_wanted(Via, State) of
                true -> {noreply, register_at(Via, Socket, State)};
                false -> {noreply, State} % when it is used again
            end;
        #{Via := {Socket, {registered, Timer, Pause}}} ->
            reg(Via, Socket, State),
            {noreply, registered(Via, Socket, min(2 * Pause, ?REFRESH_MS), State)};
        _ -> {noreply, State}
    end;
handle_info({dead, Timer}, #{tries := {Count, _, Timer}} = State) when Count >= ?TRIES ->
    {noreply, next_way(State)};
%% It is waited for the third one.
handle_info({dead, Timer}, #{tries := {Count, Last, Timer}} = State) ->
    {noreply, State#{tries := {Count, Last, over}}};
handle_info({'DOWN', _, process, Keeper, _}, #{keeper := Keeper} = State) ->
    {stop, normal, State};
handle_info({'DOWN', _, process, Conn, _}, #{conns := Conns} = State) ->
    {noreply, State#{conns := maps:filter(fun(_, Pid) -> Pid =/= Conn end, Conns)}};
handle_info(_Message, State) ->
    {noreply, State}.

known(Conn, Ref, #{conns := Conns} = State) when is_map_key(Ref, Conns) ->
    #{Ref := Conn} = Conns,
    State;
known(Conn, Ref, #{conns := Conns} = State) when map_size(Conns) =:= 0 ->
    #{settled := Settled, via := Via, ways := Ways} = State,
    _ = monitor(process, Conn),
    First = State#{conns := #{Ref => Conn}},
    %% the first one after none begins where the last one was
    case Via of
        Settled -> fresh_tries(First);
        _ -> use(Settled, kept, fresh_tries(First#{via := Settled, left := others(Settled, Ways), by_itself := false}))
    end;
known(Conn, Ref, #{conns := Conns} = State) ->
    _ = monitor(process, Conn),
    State#{conns := Conns#{Ref => Conn}}.

counted(Via, #{received := Received} = State) ->
    came(Via, State#{received := Received#{Via => maps:get(Via, Received, 0) + 1}}).

%% ---- which way ----

%% In the order of the list, from the one behind Via on.
others(Via, Ways) ->
    {Before, From} = lists:splitwith(fun(Way) -> Way =/= Via end, Ways),
    (From -- [Via]) ++ Before.

fresh_tries(State) ->
    State#{tries := none}.

tried(#{tries := Tries, via := Via} = State) ->
    Now = erlang:monotonic_time(millisecond),
    case Tries of
        none -> State#{tries := {1, Now, none}};
        {_, Last, _} when Now - Last < ?TRY_MS -> State;
        {1, _, _} ->
            Timer = make_ref(),
            erlang:send_after(dead_after(Via, State), self(), {dead, Timer}),
            State#{tries := {2, Now, Timer}};
        {_, _, over} -> next_way(State);
        {Count, _, Timer} -> State#{tries := {Count + 1, Now, Timer}}
    end.

dead_after(?DIRECT, #{dead_after := Ms}) -> ?DIRECT_TIMES * Ms;
dead_after(_, #{dead_after := Ms}) -> Ms.

next_way(#{left := [], via := Via, ways := Ways} = State) ->
    case others(Via, Ways) of
        [] -> fresh_tries(State);
        Left -> next_way(State#{left := Left})
    end;
next_way(#{left := [Next | Left], via := Via, node := Node} = State) ->
    logger:notice("pathdog_bridge: nothing comes from ~ts over ~ts, now over ~ts", [Node, Via, Next]),
    Moved = use(Next, kept, fresh_tries(State#{via := Next, left := Left, by_itself := true})),
    %% what waited for the old one's answer
    case ready(Next, Moved) of
        true -> flushed(Moved);
        false -> Moved
    end.

%% Over the one in use: it lives.
came(Via, #{via := Via, ways := Ways, by_itself := Moved, node := Node} = State) ->
    %% not from here: it asks this module
    Moved andalso spawn(fun() -> pathdog_bridge_relay:settled(Node, Via) end),
    fresh_tries(State#{settled := Via, left := others(Via, Ways), by_itself := false});
came(_, State) ->
    State.

%% ---- sockets ----

use(Via, Port, #{sockets := Sockets} = State) ->
    case {Sockets, Port} of
        {#{Via := {Socket, {registering, _}}}, kept} -> register_at(Via, Socket, State);
        {#{Via := _}, kept} -> State;
        {#{Via := {Old, How}}, fresh} ->
            Socket = open(Via, State),
            gen_udp:close(Old),
            State#{sockets := Sockets#{Via := {Socket, fresh(How)}}};
        {_, _} when Via =:= ?DIRECT ->
            State#{sockets := Sockets#{Via => {open(Via, State), direct}}};
        {_, _} ->
            register_at(Via, open(Via, State), State)
    end.

is_wanted(Via, #{via := Via}) -> true;
is_wanted(Via, #{waiting := Waiting}) -> lists:keymember(Via, 2, Waiting).

fresh({registered, _, _}) -> ported;
fresh(How) -> How.

%% Bound to no address, so that it follows the host's routes.
open(Via, #{relays := Relays}) ->
    Family = case Relays of #{Via := {Ip, _}} -> family(Ip); _ -> inet end,
    {ok, Socket} = gen_udp:open(0, [binary, {active, true}, Family]),
    Socket.

register_at(Via, Socket, #{sockets := Sockets} = State) ->
    reg(Via, Socket, State),
    Timer = again(Via, ?AGAIN_MS),
    State#{sockets := Sockets#{Via => {Socket, {registering, Timer}}}}.

reg(Via, Socket, #{relays := Relays, id := Id}) ->
    #{Via := {Ip, Port}} = Relays,
    _ = gen_udp:send(Socket, Ip, Port, [<<"REG:">>, Id, <<"\n">>]),
    ok.

registered(Via, Socket, Pause, #{sockets := Sockets} = State) ->
    Timer = again(Via, Pause),
    State#{sockets := Sockets#{Via := {Socket, {registered, Timer, Pause}}}}.

again(Via, Pause) ->
    Timer = make_ref(),
    erlang:send_after(Pause, self(), {again, Via, Timer}),
    Timer.

ready(Via, #{sockets := Sockets}) ->
    case Sockets of
        #{Via := {_, {registering, _}}} -> false;
        #{Via := _} -> true
    end.

%% ---- datagrams ----

out(Data, #{via := Via, sockets := Sockets, held := Held, peer := Peer, relays := Relays} = State) ->
    #{Via := {Socket, How}} = Sockets,
    case {Via, How} of
        {?DIRECT, _} ->
            {Ip, Port} = Peer,
            _ = gen_udp:send(Socket, Ip, Port, Data),
            State;
        {_, {registering, _}} when length(Held) < ?HELD_MAX ->
            State#{held := [Data | Held]};
        {_, {registering, _}} ->
            State;
        {_, _} ->
            #{Via := {Ip, Port}} = Relays,
            _ = gen_udp:send(Socket, Ip, Port, Data),
            State
    end.

from_relay(Via, From, Data, #{relays := Relays, sockets := Sockets} = State) ->
    case {Relays, Sockets} of
        {#{Via := From}, #{Via := {Socket, How}}} -> heard(Via, Socket, How, kind(Data), Data, State);
        _ -> State % somebody else knows our port
    end.

heard(Via, Socket, {registering, _}, ack, _, State) ->
    acknowledged(Via, registered(Via, Socket, ?UNPROVEN_MS, State));
heard(_, _, _, ack, _, State) ->
    State;
%% It does not know us any more, or does not want us: the registration is repeated, as long as that may take.
heard(_, _, {registering, _}, refusal, _, State) ->
    State;
heard(Via, Socket, _, refusal, _, State) ->
    register_at(Via, Socket, State);
heard(Via, Socket, How, data, Data, #{peer := Peer} = State) ->
    Proven = counted(Via, proven(Via, Socket, How, State)),
    case Peer of
        {Ip, Port} -> in(Ip, Port, Data, Proven);
        undefined -> Proven
    end.

%% The other end's data came over it: we are registered, from this port.
proven(_, _, {registered, _, ?REFRESH_MS}, State) ->
    State;
proven(Via, Socket, {registering, _}, State) ->
    acknowledged(Via, registered(Via, Socket, ?REFRESH_MS, State));
proven(Via, Socket, _, State) ->
    registered(Via, Socket, ?REFRESH_MS, State).

acknowledged(Via, #{waiting := Waiting} = State) ->
    {Here, Others} = lists:partition(fun({_, For}) -> For =:= Via end, Waiting),
    [gen_server:reply(From, ok) || {From, _} <- Here],
    Open = State#{waiting := Others},
    case Open of
        #{via := Via} -> flushed(Open);
        _ -> Open
    end.

flushed(#{held := Held} = State) ->
    lists:foldr(fun out/2, State#{held := []}, Held).

%% As a socket of its own would give it.
in(Ip, Port, Data, #{conns := Conns} = State) ->
    maps:foreach(fun(Ref, Conn) -> Conn ! {udp, Ref, Ip, Port, Data} end, Conns),
    State.
