%% SPDX-License-Identifier: Apache-2.0
%% Sockets towards relays. They are connected: so nobody else's datagrams come in, the kernel says when nobody is at the relay's port
%% ({udp_error, Socket, econnrefused}), and what is sent comes from the address with which the relay knows it, or not at all.
-module(pathdog_relay_reg_socket).

-export([open/1, send/3, options/0, local/1, family/1]).

-define(ROOM, 4194304). % the kernel gives as much of it as net.core.rmem_max allows
-define(AT_A_TIME, 64).

-type address() :: {inet:ip_address(), inet:port_number()}.

%% Where there is no route now it is not connected, and follows the routes.
-spec open(address()) -> gen_udp:socket().
open({Ip, Port}) ->
    {ok, Socket} = gen_udp:open(0, [family(Ip) | options()]),
    _ = gen_udp:connect(Socket, Ip, Port),
    Socket.

%% The kernel says that nobody is there either by a message or here: then it is a message, too. no_way: from its address nothing
%% can be sent there now.
-spec send(gen_udp:socket(), address(), iodata()) -> ok | no_way.
send(Socket, To, Data) ->
    case gen_udp:send(Socket, To, Data) of
        {error, econnrefused} ->
            self() ! {udp_error, Socket, econnrefused},
            ok;
        {error, Reason} when
            Reason =:= enetunreach; Reason =:= ehostunreach; Reason =:= enetdown; Reason =:= einval;
            Reason =:= eaddrnotavail; Reason =:= closed
        ->
            no_way;
        _ ->
            ok
    end.

%% On a busy machine nobody reads for a while: what has no room then is lost.
-spec options() -> [gen_udp:option()].
options() ->
    [binary, {active, true}, {recbuf, ?ROOM}, {read_packets, ?AT_A_TIME}].

%% The address that packets to it come from. unknown: there is no route now.
-spec local(address()) -> inet:ip_address() | unknown.
local({Ip, Port}) ->
    {ok, Socket} = gen_udp:open(0, [binary, {active, false}, family(Ip)]),
    Named = case gen_udp:connect(Socket, Ip, Port) of ok -> inet:sockname(Socket); Error -> Error end,
    gen_udp:close(Socket),
    case Named of
        {ok, {Local, _}} -> Local;
        {error, _} -> unknown
    end.

-spec family(inet:ip_address()) -> inet | inet6.
family(Ip) when tuple_size(Ip) =:= 4 -> inet;
family(_) -> inet6.
