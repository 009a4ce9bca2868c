%% SPDX-License-Identifier: Apache-2.0
%% Stand-in for quic_dist_controller of erlang_quic 1.8.1: a gen_statem whose record begins with the
%% connection and the role, and which ends with {connection_closed, Reason} when that closes.
-module(quic_dist_controller).
-behaviour(gen_statem).

-export([start/2, init/1, callback_mode/0, connected/3, terminate/3]).

-record(state, {
    conn, role, control_stream = 0, data_streams = [4, 8], recv_buffer = <<>>,
    recv_queue = queue:new(), supervisor, kernel, node, input_handler
}).

start(Start, _Role) when element(1, Start) =:= start -> gen_statem:start(?MODULE, Start, []);
start(Conn, Role) -> gen_statem:start(?MODULE, {Conn, Role}, []).

callback_mode() -> [state_functions, state_enter].

%% other pids in the record, as in the real one
init({start, Role, Remote}) ->
    init({start, Role, Remote, default});
init({start, Role, Remote, Options}) ->
    {ok, Conn} = quic_connection:start_link(Role, Remote, self(), Options),
    %% it lives on when its controller is killed, as the real one does
    unlink(Conn),
    monitor(process, Conn),
    init({Conn, Role});
init({Conn, Role}) ->
    Input = spawn_link(fun() -> receive stop -> ok end end),
    {ok, connected, #state{
        conn = Conn, role = Role, supervisor = whereis(kernel_sup), kernel = whereis(kernel_sup),
        input_handler = Input
    }}.

connected(enter, _, _) -> keep_state_and_data;
connected(info, {quic, Conn, {closed, Reason}}, #state{conn = Conn}) ->
    {stop, {shutdown, {connection_closed, Reason}}};
connected(info, {'DOWN', _, process, Conn, Reason}, #state{conn = Conn}) ->
    {stop, Reason};
connected(info, {quic, Conn, listener_closed}, #state{conn = Conn}) ->
    standin_net:listener_closed(),
    keep_state_and_data;
connected(_, _, _) -> keep_state_and_data.

terminate(_, _, #state{conn = Conn}) ->
    quic:close(Conn, normal).
