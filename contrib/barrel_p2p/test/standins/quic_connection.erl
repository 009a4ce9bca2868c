%% SPDX-License-Identifier: Apache-2.0
%% Stand-in for quic_connection of erlang_quic 1.8.1: a gen_statem with a real UDP socket when it is
%% the client, which answers as the real one does, also where that is a pity. What the network does
%% to it is set with set/2:
%%   alive      true: packets come in (what was asked for is answered). wire: those that really do; pings are
%%              sent to the peer's address, and what comes from there counts
%%   on_migrate ok | black_hole | {error, Term} | hang | {exit, Reason}
%%   loses      a migration leaves stream 13 waiting for what was lost, as with a peer whose quic is 1.8.1 or older
%%   measured   an RTT sample was taken
%%   on_close   normal | hang
%%   forbidden  the peer forbids migration
%%   hole       undefined | where stream 13 waits for what is missing
%%   again      what was delivered of stream 13 came once more, and is kept; it waits for nothing
%%   streams    #{stream => record}, whatever that is
%%   unacked    what is sent and not acknowledged of stream 17: [{offset, bytes, ms ago}]
%%   lost       what of it was lost and waits to be sent again: [{offset, bytes}]
%%   handed     bytes of stream 17 that were handed in; what is neither sent nor waits is acknowledged
%%   backoff    consecutive probe timeouts
%%   in_flight  the same as unacked, from now on, and what is counted
%%   answered   false: nothing has come in yet
%%   received_ago  when the last packet came, in ms; nothing comes any more
-module(quic_connection).
-behaviour(gen_statem).

-export([start_link/3, start_link/4, set/2, received/2, info/1, move_peer/2]).
-export([init/1, callback_mode/0, connected/3, draining/3, terminate/3]).

%% As in 1.8.1 as far as it goes: three packet number spaces, the eight send queues, the loss state.
-record(state, {
    scid = <<"scid">>, next = 1000000, pn_initial = space(undefined), pn_handshake = space(undefined), pn_app = space(now_ms()),
    loss_state = quic_loss:new(), send_queue = erlang:make_tuple(8, queue:new()), congested = false, role, socket, local_addr, remote_addr, owner,
    packets_received = 10, packets_sent = 10, data_received = 1000, data_sent = 1000,
    alive = true, on_migrate = ok, measured = true, on_close = normal,
    srtt = 20000, latest = 21000, min = 19000, var = 1000, in_flight = 0,
    migrations = 0, pings = 0, looks = 0, streams = #{13 => stream(#{})}, forbidden = false, loses = false
}).

%% Options: for the socket, which is bound to nothing without any; default: that of a test without a network.
start_link(Role, Remote, Owner) -> start_link(Role, Remote, Owner, default).

start_link(Role, Remote, Owner, Options) ->
    gen_statem:start_link(?MODULE, {Role, Remote, Owner, Options}, []).

set(Conn, Changes) -> gen_statem:call(Conn, {set, Changes}).
received(Conn, Packets) -> gen_statem:call(Conn, {received, Packets}).
info(Conn) -> gen_statem:call(Conn, info).
move_peer(Conn, Remote) -> gen_statem:call(Conn, {move_peer, Remote}).

callback_mode() -> state_functions.

init({Role, Remote, Owner, Options}) ->
    {Socket, Local} =
        case Role of
            client when Options =:= default -> open();
            client -> open(Options, Remote);
            server -> {listener, {{127, 0, 0, 1}, 9100}}
        end,
    {ok, connected, #state{
        role = Role, socket = Socket, local_addr = Local, remote_addr = Remote, owner = Owner,
        alive = case Options of default -> true; _ -> wire end
    }}.

open() ->
    open([{ip, {127, 0, 0, 1}}], {{127, 0, 0, 1}, 1}).

open(Options, {Ip, _}) ->
    Family = case tuple_size(Ip) of 4 -> inet; 8 -> inet6 end,
    {ok, Socket} = gen_udp:open(0, [binary, Family, {active, true} | Options]),
    {ok, Local} = inet:sockname(Socket),
    {Socket, Local}.

terminate(_, _, _) -> ok.

connected({call, From}, {set, Changes}, State) ->
    {keep_state, maps:fold(fun change/3, State, Changes), [{reply, From, ok}]};
connected({call, From}, {received, N}, State) ->
    {keep_state, came(N, State), [{reply, From, ok}]};
connected({call, From}, info, #state{migrations = M, pings = P, looks = L, role = R} = State) ->
    {keep_state, State, [{reply, From, #{migrations => M, pings => P, looks => L, role => R}}]};
connected({call, From}, {move_peer, Remote}, State) ->
    {keep_state, State#state{remote_addr = Remote}, [{reply, From, ok}]};
connected({call, From}, get_path_stats, #state{looks = L} = State) ->
    {keep_state, State#state{looks = L + 1}, [{reply, From, {ok, path_stats(State)}}]};
connected({call, From}, get_stats, #state{packets_received = P, alive = Alive} = State) ->
    Stats = #{
        packets_received => P, packets_sent => State#state.packets_sent,
        data_received => State#state.data_received, data_sent => State#state.data_sent,
        ack_sent => 3, retransmits => 0, batch_flushes => 0, packets_coalesced => 0
    },
    %% a living peer goes on talking
    Next = case Alive of true -> came(1, State); _ -> State end,
    {keep_state, Next, [{reply, From, {ok, Stats}}]};
connected({call, From}, get_peer_transport_params, #state{forbidden = Forbidden} = State) ->
    Params = #{max_idle_timeout => 30000},
    Given = case Forbidden of true -> Params#{disable_active_migration => true}; false -> Params end,
    {keep_state, State, [{reply, From, {ok, Given}}]};
connected({call, From}, send_ping, #state{pings = N, alive = wire} = State) ->
    #state{socket = Socket, remote_addr = {Ip, Port}} = State,
    _ = gen_udp:send(Socket, Ip, Port, <<"ping">>),
    {keep_state, asked(State#state{pings = N + 1}), [{reply, From, ok}]};
connected(info, {udp, Socket, _, _, _}, #state{socket = Socket} = State) ->
    {keep_state, came(1, State)};
connected({call, From}, send_ping, #state{pings = N, alive = Alive} = State) ->
    Next = case Alive of true -> came(1, asked(State)); false -> asked(State) end,
    {keep_state, Next#state{pings = N + 1}, [{reply, From, ok}]};
connected({call, From}, sockname, #state{local_addr = Local} = State) ->
    {keep_state, State, [{reply, From, {ok, Local}}]}; % the one from before a migration
connected({call, From}, peername, #state{remote_addr = Remote} = State) ->
    {keep_state, State, [{reply, From, {ok, Remote}}]};
connected({call, From}, {migrate, _}, State) ->
    migrate(State#state.on_migrate, From, State);
connected(cast, {close, _}, #state{on_close = hang}) ->
    keep_state_and_data;
connected(cast, {close, Reason}, #state{owner = Owner} = State) ->
    is_pid(Owner) andalso (Owner ! {quic, self(), {closed, Reason}}),
    {next_state, draining, State, [{state_timeout, 100, drained}]};
connected({call, From}, _, State) ->
    {keep_state, State, [{reply, From, {error, {invalid_state, connected}}}]};
connected(_, _, _) ->
    keep_state_and_data.

draining(state_timeout, drained, _) -> {stop, normal};
draining({call, From}, get_path_stats, State) ->
    {keep_state, State, [{reply, From, {error, not_connected}}]};
draining({call, From}, _, State) ->
    {keep_state, State, [{reply, From, {error, {invalid_state, draining}}}]};
draining(_, _, _) -> keep_state_and_data.

%% A packet with a PING, which waits to be acknowledged; came/2 does that.
asked(#state{next = Number, loss_state = Loss, pn_app = Space} = State) ->
    State#state{
        next = Number + 1,
        pn_app = setelement(2, Space, Number + 1),
        loss_state = try quic_loss:on_packet_sent(Loss, Number, 30, true, [ping], now_ms()) catch error:undef -> Loss end
    }.

came(N, #state{packets_received = P, loss_state = Loss, next = Next} = State) ->
    State#state{
        packets_received = P + N,
        pn_app = setelement(2, space(now_ms()), Next),
        %% a test may have another quic_loss, of which nothing is known
        loss_state = try quic_loss:without_pings(Loss) catch error:undef -> Loss end
    }.

%% An inbound connection shares the listener's socket: the real one closes it, and says ok.
migrate(_, From, #state{role = server, owner = Owner} = State) ->
    is_pid(Owner) andalso (Owner ! {quic, self(), listener_closed}),
    {keep_state, State#state{migrations = State#state.migrations + 1}, [{reply, From, ok}]};
migrate({error, _} = Error, From, State) ->
    {keep_state, State, [{reply, From, Error}]};
migrate(hang, _, State) ->
    {keep_state, State};
migrate({exit, Reason}, _, _) ->
    {stop, Reason};
migrate(How, From, #state{socket = Old, migrations = N, alive = Alive} = State) ->
    %% bound to nothing, whatever the old one was
    {Socket, _} = case Alive of wire -> open([], State#state.remote_addr); _ -> open() end,
    gen_udp:close(Old),
    Next = case How of ok when Alive =:= wire -> wire; _ -> How =:= ok end,
    Moved = State#state{socket = Socket, migrations = N + 1, alive = Next},
    After = case Moved of #state{loses = true} -> change(hole, 1000 + N, Moved); _ -> Moved end,
    {keep_state, After, [{reply, From, ok}]}.

path_stats(#state{measured = false}) ->
    (path_stats(#state{}))#{srtt => 100000, latest_rtt => 0, min_rtt => 0, rtt_var => 50000};
path_stats(#state{srtt = S, latest = L, min = M, var = V, in_flight = I, packets_received = P, congested = C}) ->
    #{
        %% no two samples are alike, else nobody could tell a new one
        srtt => S, latest_rtt => L + 1000 * (P rem 2), min_rtt => M, rtt_var => V, cwnd => 65536,
        bytes_in_flight => I, in_recovery => false, congested => C
    }.

change(alive, true, S) -> came(0, S#state{alive = true});
change(alive, V, S) -> S#state{alive = V};
change(on_migrate, V, S) -> S#state{on_migrate = V};
change(on_close, V, S) -> S#state{on_close = V};
change(forbidden, V, S) -> S#state{forbidden = V};
change(loses, V, S) -> S#state{loses = V};
change(measured, V, S) -> S#state{measured = V};
change(srtt, V, S) -> S#state{srtt = V, latest = V, min = min(V, S#state.min)};
change(in_flight, 0, S) -> change(unacked, [], S#state{in_flight = 0});
change(in_flight, V, S) -> change(unacked, [{0, V, 0}], S#state{in_flight = V});
change(data_sent, V, S) -> S#state{data_sent = V};
change(congested, V, S) -> S#state{congested = V};
change(received_ago, Ms, S) -> S#state{pn_app = space(now_ms() - Ms), alive = false};
change(answered, false, S) -> S#state{pn_app = space(undefined), alive = false};
change(backoff, N, S) -> S#state{loss_state = quic_loss:backed_off(N, S#state.loss_state)};
change(unacked, Sent, S) ->
    Now = now_ms(),
    Packets = [{Now - Ago, 100, [{stream, 17, Offset, binary:copy(<<0>>, Bytes), false}]} || {Offset, Bytes, Ago} <- Sent],
    %% an acknowledgement and a ping are no application data
    Others = [{Now - 9000, 30, [{ack, [{1, 2}], 0, undefined}]}, {Now - 8000, 30, [ping]}],
    S#state{loss_state = quic_loss:with(Others ++ Packets, S#state.loss_state)};
change(lost, Lost, S) ->
    Entries = [{retransmit_stream, 17, Offset, <<>>, false, Bytes} || {Offset, Bytes} <- Lost],
    S#state{send_queue = setelement(4, S#state.send_queue, queue:from_list(Entries))};
change(handed, Bytes, #state{streams = Streams} = S) ->
    S#state{streams = Streams#{17 => setelement(2, setelement(4, stream(#{}), Bytes), 17)}};
change(hole, undefined, S) -> S#state{streams = #{13 => stream(#{})}};
change(again, Delivered, S) ->
    Buffer = maps:from_keys(lists:seq(0, Delivered, 100), <<"twice">>),
    S#state{streams = #{13 => setelement(9, stream(Buffer), Delivered + 5)}};
change(streams, Streams, S) -> S#state{streams = Streams};
change(hole, Offset, S) -> S#state{streams = #{13 => setelement(9, stream(#{Offset + 9 => <<"late">>}), Offset)}}.

now_ms() -> erlang:monotonic_time(millisecond).

space(ReceivedMs) -> {pn_space, 1000000, undefined, undefined, ReceivedMs, [], 0, undefined, #{}}.

%% As #stream_state{} of 1.8.1 begins.
stream(Buffer) ->
    {stream_state, 13, open, 0, 1000, false, [], false, 0, 1000, false, Buffer, false, undefined, 3, false}.
