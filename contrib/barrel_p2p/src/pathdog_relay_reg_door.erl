%% SPDX-License-Identifier: Apache-2.0
%% The accepting end of a session on REG/ACK relays: what comes over one of them is handed to this
%% node's own listener on loopback, and back over the one that the other end used last. All of them share the
%% socket towards the listener: so to quic nothing changes when the other end changes relays, and nothing is lost for
%% that (with quic up to 1.8.1 the accepting side forgets what was not acknowledged when it has validated a new address).
%% It must not look into the datagrams.
%%
%% At each relay it is registered with each of the ids that the other end may come with (pathdog_relay_reg_ids). One that was used and
%% is not any more is left alone until the relay has forgotten it: each registration would keep the other end's old address in it. When
%% this node's own address at a relay is another one, the ids are those of the other half.
%%
%% It may have a port of its own for the direct path, where it speaks as a relay does.
-module(pathdog_relay_reg_door).
-behaviour(gen_server).

-export([start_link/5]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-define(AGAIN_MS, 1000). % until the next REG, while there is no answer; doubling after an ACK
%% Sessions end after 300 s without activity; a member may register again from the same port.
-define(REFRESH_MS, 60000).
-define(FORGOTTEN_MS, 370000). % and one that is not used was registered again for a minute at most
-define(LOOK_MS, 1000). % at our own address
-define(MEMBERS_MAX, 8).

-type address() :: {inet:ip_address(), inet:port_number()}.

%% Direct: the socket for the direct path, which becomes its own.
-spec start_link(binary(), [address(), ...], pos_integer(), inet:port_number(), gen_udp:socket() | none) -> pid().
start_link(Id, Relays, Numbers, Port, Direct) ->
    {ok, Door} = gen_server:start_link(?MODULE, {Id, Relays, Numbers, Port, Direct}, []),
    Direct =:= none orelse begin
        ok = gen_udp:controlling_process(Direct, Door),
        ok = inet:setopts(Direct, [{active, true}])
    end,
    Door.

-spec init({binary(), [address(), ...], pos_integer(), inet:port_number(), gen_udp:socket() | none}) -> {ok, map()}.
init({Id, Relays, Numbers, Port, Direct}) ->
    {ok, Inside} = gen_udp:open(0, [{ip, {127, 0, 0, 1}} | pathdog_relay_reg_socket:options()]),
    erlang:send_after(?LOOK_MS, self(), look),
    erlang:send_after(pathdog_relay_reg_pulse:ms(), self(), pulse),
    {ok,
        lists:foldl(fun opened/2, #{
            id => Id,
            numbers => Numbers,
            listener => {{127, 0, 0, 1}, Port},
            inside => Inside,
            places => maps:from_list([{Relay, {0, pathdog_relay_reg_socket:local(Relay)}} || Relay <- Relays]), % {half, our address there}
            ends => #{}, % the socket towards a relay => what is known of it
            pulse => pathdog_relay_reg_pulse:new(),
            direct => Direct,
            %% all that one may register there with
            ids => [
                pathdog_relay_reg_ids:id(Id, Number)
             || Half <- [0, 1], Number <- pathdog_relay_reg_ids:numbers(Half, Numbers)
            ],
            members => [], % who registered there, the latest first
            latest => none % {socket, address} that data came over last
        }, Relays)}.

opened(Relay, #{id := Id, numbers := Count, places := Places, ends := Ends} = State) ->
    #{Relay := {Half, _}} = Places,
    New = maps:from_list([
        {pathdog_relay_reg_socket:open(Relay), end_at(Relay, pathdog_relay_reg_ids:id(Id, Number))}
     || Number <- pathdog_relay_reg_ids:numbers(Half, Count)
    ]),
    [self() ! {again, Socket} || Socket <- maps:keys(New)],
    State#{ends := maps:merge(Ends, New)}.

%% acknowledged: since the last REG; heard: when data came
end_at(Relay, Id) ->
    #{relay => Relay, id => Id, pause => ?AGAIN_MS, acknowledged => false, heard => never}.

-spec handle_call(term(), gen_server:from(), map()) -> {reply, term(), map()}.
handle_call(_Request, _From, State) ->
    {reply, {error, unknown_request}, State}.

-spec handle_cast(term(), map()) -> {noreply, map()}.
handle_cast(_Message, State) ->
    {noreply, State}.

-spec handle_info(term(), map()) -> {noreply, map()}.
handle_info({again, Socket}, #{ends := Ends} = State) ->
    case Ends of
        #{Socket := End} -> {noreply, State#{ends := Ends#{Socket := again(Socket, End, now_ms())}}};
        _ -> {noreply, State}
    end;
handle_info(look, #{places := Places} = State) ->
    erlang:send_after(?LOOK_MS, self(), look),
    {noreply, lists:foldl(fun looked/2, State, maps:to_list(Places))};
handle_info(pulse, #{pulse := Pulse, inside := Inside} = State) ->
    erlang:send_after(pathdog_relay_reg_pulse:ms(), self(), pulse),
    {Is, Next} = pathdog_relay_reg_pulse:tick(Pulse),
    Is =:= ping andalso woken(Inside),
    {noreply, State#{pulse := Next}};
handle_info({udp, Inside, Ip, Port, Data}, #{inside := Inside, listener := {Ip, Port}, pulse := Pulse} = State) ->
    ok = out(Data, State),
    {noreply, State#{pulse := pathdog_relay_reg_pulse:sent(Pulse)}};
handle_info({udp, Direct, Ip, Port, Data}, #{direct := Direct} = State) ->
    {noreply, directly({Ip, Port}, Data, State)};
handle_info({udp, Socket, Ip, Port, Data}, #{ends := Ends} = State) ->
    case Ends of
        #{Socket := #{relay := {Ip, Port}} = End} -> {noreply, heard(Socket, End, Data, State)};
        _ -> {noreply, State}
    end;
handle_info(_Message, State) ->
    {noreply, State}.

again(Socket, #{relay := Relay, id := Id, pause := Pause} = End, Now) ->
    erlang:send_after(Pause, self(), {again, Socket}),
    case is_asked(End, Now) of
        true ->
            _ = gen_udp:send(Socket, Relay, [<<"REG:">>, Id, <<"\n">>]),
            End#{acknowledged := false};
        false ->
            End
    end.

is_asked(#{heard := never}, _) -> true;
is_asked(#{heard := Heard, pause := Pause}, Now) -> Now - Heard =< Pause orelse Now - Heard >= ?FORGOTTEN_MS.

%% Of one relay.
looked({Relay, {Half, Known}}, #{places := Places, ends := Ends} = State) ->
    case pathdog_relay_reg_socket:local(Relay) of
        unknown ->
            State;
        Known ->
            State;
        Local when Known =:= unknown ->
            State#{places := Places#{Relay := {Half, Local}}};
        Local ->
            {Here, Others} = lists:partition(fun({_, #{relay := At}}) -> At =:= Relay end, maps:to_list(Ends)),
            [gen_udp:close(Socket) || {Socket, _} <- Here],
            Other = pathdog_relay_reg_ids:other(Half),
            opened(Relay, State#{places := Places#{Relay := {Other, Local}}, ends := maps:from_list(Others)})
    end.

%% An ACK is no proof, it may be forged: so the next REG comes soon, and later ones less and less so.
heard(Socket, #{acknowledged := false, pause := Pause} = End, <<"ACK\n">>, #{ends := Ends} = State) ->
    State#{ends := Ends#{Socket := End#{acknowledged := true, pause := min(2 * Pause, ?REFRESH_MS)}}};
heard(Socket, #{relay := Relay} = End, Data, #{ends := Ends} = State) ->
    case pathdog_relay_reg_path:kind(Data) of
        data -> came({Socket, Relay}, Data, State#{ends := Ends#{Socket := End#{pause := ?REFRESH_MS, heard := now_ms()}}});
        _ -> State
    end.

%% As a relay would take it: who knows an id is a member. Others are not heard, so that nobody else gets what goes out.
directly(From, <<"REG:", Given/binary>>, #{direct := Direct, ids := Ids, members := Members} = State) ->
    case lists:member(string:trim(Given, trailing, "\n"), Ids) of
        true ->
            _ = gen_udp:send(Direct, From, <<"ACK\n">>),
            State#{members := lists:sublist([From | lists:delete(From, Members)], ?MEMBERS_MAX)};
        false ->
            State
    end;
directly(From, Data, #{direct := Direct, members := Members} = State) ->
    case lists:member(From, Members) of
        true -> came({Direct, From}, Data, State);
        false -> State
    end.

came(Way, Data, #{inside := Inside, listener := Listener, latest := Latest} = State) ->
    _ = gen_udp:send(Inside, Listener, Data),
    Latest =:= Way orelse woken(Inside), % what was under way may be lost
    State#{latest := Way}.

%% This node's connections that come in here.
woken(Inside) ->
    {ok, {_, Port}} = inet:sockname(Inside),
    pathdog_bridge_relay:wake_from({{127, 0, 0, 1}, Port}).

out(_, #{latest := none}) ->
    ok;
out(Data, #{latest := {Socket, Address}}) ->
    _ = gen_udp:send(Socket, Address, Data),
    ok.

now_ms() -> erlang:monotonic_time(millisecond).
