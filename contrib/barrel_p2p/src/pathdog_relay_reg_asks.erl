%% SPDX-License-Identifier: Apache-2.0
%% Asks whether somebody is at a relay's port: a connected socket for each is told by the kernel (ICMP) when there is nobody. What
%% is sent is the question for a lease: a relay that knows it answers that it knows no such session, and any other drops what is of no
%% member. Nothing is registered by it. And the address that packets to a relay come from.
-module(pathdog_relay_reg_asks).

-export([new/0, ask/3, of_socket/2, close/1, local/1]).
-export_type([asks/0]).

-define(BYTES, 64). % shorter ones are not answered

-type address() :: {inet:ip_address(), inet:port_number()}.
-opaque asks() :: #{gen_udp:socket() => pathdog_relay:via()}.

-spec new() -> asks().
new() -> #{}.

%% Its news come to the caller: {udp_error, Socket, econnrefused}.
-spec ask(pathdog_relay:via(), address(), asks()) -> asks().
ask(Via, Address, Asks) ->
    case lists:member(Via, maps:values(Asks)) of
        true -> Asks;
        false -> asked(connected(Address, true), Via, Asks)
    end.

asked({ok, Socket}, Via, Asks) ->
    Id = string:lowercase(binary:encode_hex(crypto:strong_rand_bytes(16))),
    case gen_udp:send(Socket, string:pad(<<"LEASE:", Id/binary>>, ?BYTES)) of
        ok ->
            Asks#{Socket => Via};
        {error, _} ->
            gen_udp:close(Socket),
            Asks
    end;
asked({error, _}, _, Asks) ->
    Asks.

-spec of_socket(gen_udp:socket(), asks()) -> {ok, pathdog_relay:via()} | error.
of_socket(Socket, Asks) ->
    maps:find(Socket, Asks).

-spec close(asks()) -> asks().
close(Asks) ->
    lists:foreach(fun gen_udp:close/1, maps:keys(Asks)),
    #{}.

%% unknown: there is no route now.
-spec local(address()) -> {ok, inet:ip_address()} | unknown.
local(Address) ->
    case connected(Address, false) of
        {ok, Socket} ->
            Named = inet:sockname(Socket),
            gen_udp:close(Socket),
            case Named of
                {ok, {Ip, _}} -> {ok, Ip};
                {error, _} -> unknown
            end;
        {error, _} ->
            unknown
    end.

connected({Ip, Port}, Active) ->
    Family = case tuple_size(Ip) of 4 -> inet; 8 -> inet6 end,
    case gen_udp:open(0, [binary, {active, Active}, Family]) of
        {ok, Socket} ->
            case gen_udp:connect(Socket, Ip, Port) of
                ok -> {ok, Socket};
                {error, Reason} -> gen_udp:close(Socket), {error, Reason}
            end;
        {error, Reason} ->
            {error, Reason}
    end.
