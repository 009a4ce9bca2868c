%% SPDX-License-Identifier: Apache-2.0
%% probe_path: does another path to the peer live? From sockets of its own, so the connection stays where
%% it is and knows nothing of it.
%%
%% erlang_quic's listener does not answer an unknown version (RFC 9000 §6.1), it begins a connection for
%% it. But since 1.7.0 it answers a packet with a short header and an unknown connection id with a
%% stateless reset (§10.3), which costs it no state. The id is random, and as long as the listener takes
%% it to be. An answer repeats nothing of its question; so each try has a socket and a port of its own,
%% connected to the peer's address: what comes in there is the answer to that one packet.
-module(pathdog_bridge_probe).

-export([run/3, ask/3, is_answer/1]).

-define(TRIES, 4). % evenly over the time
-define(BYTES, 1452). % what quic_dist sends at most
-define(RESET_MIN, 21).

-spec run(map(), integer(), pathdog_bridge_settings:settings()) -> pathdog_bridge_moves:answer().
run(#{conn := Id} = Request, Deadline, Settings) ->
    case pathdog_bridge_peers:lookup(Id) of
        {ok, #{node := Node} = Conn} ->
            case pathdog_bridge_relay:is_relayed(Node) of
                true -> {error, {no_path, <<"the peer is reached over a relay">>}};
                false -> from(Request, where(Conn, Deadline, Settings), Deadline)
            end;
        {replaced, _} ->
            {error, no_conn};
        {error, Reason} ->
            {error, Reason}
    end.

%% Where the peer listens.
where(Conn, Deadline, #{dist := Dist, call_timeout := Timeout}) ->
    Limit = min(Timeout, pathdog_bridge_call:left(Deadline)),
    case pathdog_bridge_call:run(fun() -> pathdog_bridge_view:address(Dist, Conn) end, Limit) of
        {ok, {ok, Remote}} -> {ok, Remote};
        {ok, {error, not_known}} -> {error, {no_path, <<"where the peer listens is not known">>}};
        {error, Reason} -> {error, Reason}
    end.

from(_, {error, Reason}, _) ->
    {error, Reason};
from(Request, {ok, Remote}, Deadline) ->
    case pathdog_bridge_bind:wanted(Request) of
        none ->
            begin_tries([], Remote, Deadline);
        Wanted ->
            case pathdog_bridge_bind:way(Wanted, Remote) of
                {ok, #{options := Options}} -> begin_tries(Options, Remote, Deadline);
                {error, Reason} -> {error, Reason}
            end
    end.

%% Does the listener there answer, from a socket with these options? Within the limit.
-spec ask([gen_udp:open_option()], {inet:ip_address(), inet:port_number()}, non_neg_integer()) ->
    pathdog_bridge_moves:answer().
ask(Options, Remote, Limit) ->
    Ask = fun() -> begin_tries(Options, Remote, pathdog_bridge_call:now_ms() + Limit) end,
    case pathdog_bridge_call:run(Ask, Limit + 100) of
        {ok, Answer} -> Answer;
        {error, Reason} -> {error, Reason}
    end.

begin_tries(Options, {Ip, _} = Remote, Deadline) ->
    Family = case tuple_size(Ip) of 4 -> inet; 8 -> inet6 end,
    try_once(#{}, #{
        options => [binary, Family, {active, true} | Options],
        remote => Remote,
        pause => max(1, pathdog_bridge_call:left(Deadline) div ?TRIES),
        deadline => Deadline
    }).

%% Sent: socket => when, in microseconds.
try_once(Sent, #{options := Options, remote := Remote} = Probe) ->
    case gen_udp:open(0, Options) of
        {ok, Socket} ->
            Now = erlang:monotonic_time(microsecond),
            case question(Socket, Remote) of
                ok -> wait(Sent#{Socket => Now}, Probe);
                {error, Reason} -> {error, Reason}
            end;
        {error, Reason} ->
            {error, Reason}
    end.

question(Socket, {Ip, Port}) ->
    case gen_udp:connect(Socket, Ip, Port) of
        ok -> gen_udp:send(Socket, question());
        {error, Reason} -> {error, Reason}
    end.

wait(Sent, #{pause := Pause, deadline := Deadline} = Probe) ->
    case map_size(Sent) < ?TRIES of
        true -> wait(Sent, Probe, min(Deadline, pathdog_bridge_call:now_ms() + Pause));
        false -> wait(Sent, Probe, Deadline)
    end.

wait(Sent, #{deadline := Deadline} = Probe, End) ->
    receive
        {udp, Socket, _, _, Data} ->
            case {Sent, is_answer(Data)} of
                {#{Socket := Begin}, true} ->
                    {ok, [{rtt_us, max(0, erlang:monotonic_time(microsecond) - Begin)}]};
                _ ->
                    wait(Sent, Probe, End)
            end;
        %% the kernel says that nothing gets through
        {udp_error, _, Reason} ->
            {error, Reason}
    after pathdog_bridge_call:left(End) ->
        case End < Deadline of
            true -> try_once(Sent, Probe);
            false -> {error, timeout}
        end
    end.

%% A short header, with the fixed bit, and random bytes for all that would be encrypted.
question() ->
    <<_:2, Rest/bitstring>> = rand:bytes(?BYTES),
    <<2#01:2, Rest/bitstring>>.

%% A stateless reset looks like a packet with a short header, and is shorter than what it answers.
-spec is_answer(binary()) -> boolean().
is_answer(<<2#01:2, _:6, _/binary>> = Data) ->
    byte_size(Data) >= ?RESET_MIN andalso byte_size(Data) < ?BYTES;
is_answer(_) ->
    false.
