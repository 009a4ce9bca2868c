%% SPDX-License-Identifier: Apache-2.0
%% Stand-in for quic_listener of erlang_quic 1.8.1, as far as strangers see it: a packet with a short header
%% and an unknown connection id is answered with a stateless reset, 22 to 41 bytes; anything else is not. What
%% is no such packet is echoed, for connections of the stand-in. It remembers from where packets came.
-module(standin_listener).

-export([start/2, stop/1, seen/1, set/2]).

%% How: reset | silent | {deaf_to, Ip} (only those from there are dropped) | {answer, Fun} (of the packet)
start(Ip, Port) ->
    Self = self(),
    Pid = spawn(fun() ->
        Family = case tuple_size(Ip) of 4 -> inet; 8 -> inet6 end,
        %% room for what a hundred peers ask at once: else a busy machine drops most, each time they ask again
        {ok, Socket} = gen_udp:open(Port, [binary, Family, {ip, Ip}, {active, true}, {recbuf, 1024 * 1024}]),
        {ok, Where} = inet:sockname(Socket),
        Self ! {self(), Where},
        loop(Socket, reset, [])
    end),
    receive {Pid, Where} -> {Pid, Where} end.

stop(Pid) -> exit(Pid, kill).
set(Pid, How) -> ask(Pid, {set, How}).
%% Of all packets since the last question: {from, size}.
seen(Pid) -> ask(Pid, seen).

ask(Pid, Question) ->
    Pid ! {Question, self()},
    receive {Pid, Answer} -> Answer after 30000 -> error(no_answer) end.

loop(Socket, How, Seen) ->
    receive
        {{set, Next}, From} ->
            From ! {self(), ok},
            loop(Socket, Next, Seen);
        {seen, From} ->
            From ! {self(), lists:reverse(Seen)},
            loop(Socket, How, []);
        {udp, Socket, Ip, Port, Data} ->
            case answer(How, Ip, Data) of
                none -> ok;
                Answer -> gen_udp:send(Socket, Ip, Port, Answer)
            end,
            loop(Socket, How, [{Ip, byte_size(Data)} | Seen])
    end.

answer(silent, _, _) -> none;
answer({deaf_to, Ip}, Ip, _) -> none;
answer({answer, Fun}, _, Data) -> Fun(Data);
answer(_, _, <<0:1, _:7, _:8/binary, _/binary>> = Data) when byte_size(Data) > 41 ->
    Random = rand:bytes(21 + rand:uniform(20)),
    <<_:2, Rest/bitstring>> = Random,
    <<2#01:2, Rest/bitstring>>;
answer(_, _, <<1:1, _/bitstring>>) -> none;
answer(_, _, Data) -> Data.
