%% SPDX-License-Identifier: Apache-2.0
%% How quic keeps what its functions do not report, by version, and what of it can be read. Pure. Nobody else knows
%% where something stands in a record of quic.
%%
%%   from     a stream's record                                   what was sent
%%   1.6.0    {stream_state, Id, _, Handed, _, Fin, _, Done,      quic_loss: sent_packets/1, get_pto/1
%%            Delivered, _, Fin, Buffer, Done, …}; Buffer: a map
%%   1.8.2    the same                                            the same; get_pto/1 is at most 5 s
%%   1.9.0    the same; Buffer: a tree of gb_trees, and a sum     the same
%%            of its bytes may stand behind it
%%   1.10.0   the same                                            by packet number space: sent_packets/2,
%%                                                                persistent_congestion_pto/1
%% In all of them a packet number space is {pn_space, Next, Acked, Highest, ReceivedMs, Ranges, …}, what waits to be
%% sent is in eight queues, and a packet is {sent_packet, Number, SentMs, AckEliciting, InFlight, Size, Frames}.
%%
%% Compared with the sources of 1.6.0, 1.6.5, 1.7.1, 1.8.0 and 1.8.1, which are the same in all of this, and run on
%% 1.7.1 and 1.8.1; of 1.8.2 and of the time shortly after 1.10.0 with quic_loss, the state's record and the reassembly buffer.
%% The stream's record from 1.9.0 on was not to be had, hence both forms of it; nothing was of 2.0 to 3.1.
%%
%% A version alone proves nothing: a record counts as known if each of its elements is what it should be, and
%% quic_loss if it gives back what it was given. What is not so is unknown, and nothing is read from it: a stream
%% that does not stand still must never be taken for one that does, since its connection would be closed.
%%
%% Handed: the offset behind what was handed in to be sent. Delivered: up to there all came in. What came again
%% after it was delivered stays in the buffer of quic up to 1.8.1: only what lies beyond Delivered waits for
%% something that is missing.
-module(pathdog_bridge_shapes).

-export([streams/1, spaces/1, space/1, packets/1, pto_ms/1, loss/0]).
-export_type([stream/0]).

-type stream() :: #{
    id := non_neg_integer(),
    handed := non_neg_integer(),
    delivered := non_neg_integer(),
    waits := boolean() % something came in beyond what was delivered
}.
-type space() :: #{next := non_neg_integer(), received => integer()}.
-type loss() :: whole | spaces.

-define(PTO_MAX_MS, 5000). % of quic from 1.8.2 on, with the back-off
-define(ACK_DELAY_MS, 25).

%% Of all terms those that are streams; unknown if one of them is of an unknown shape, or if there is none: the
%% distribution always has some.
-spec streams([term()]) -> [stream()] | unknown.
streams(Terms) ->
    Streams = [stream(Term) || Term <- Terms, is_tuple(Term), tuple_size(Term) > 0, element(1, Term) =:= stream_state],
    case Streams =:= [] orelse lists:member(unknown, Streams) of
        true -> unknown;
        false -> Streams
    end.

-spec stream(tuple()) -> stream() | unknown.
stream(Stream) when tuple_size(Stream) >= 14 ->
    [_, Id, Name, Handed, Limit, SentFin, _, SentAll, Delivered, Window, Fin, Buffer | Rest] = tuple_to_list(Stream),
    Fits =
        is_atom(Name) andalso
            lists:all(fun is_offset/1, [Id, Handed, Limit, Delivered, Window]) andalso
            lists:all(fun is_boolean/1, [SentFin, SentAll, Fin]),
    case Fits andalso {done(Rest), beyond(Buffer, Delivered)} of
        {{ok, Done}, {ok, Beyond}} ->
            #{id => Id, handed => Handed, delivered => Delivered, waits => Beyond andalso not Done};
        _ ->
            unknown
    end;
stream(_) ->
    unknown.

is_offset(Term) -> is_integer(Term) andalso Term >= 0.

%% Is nothing expected any more? Behind the buffer, or behind the sum of its bytes.
done([Done | _]) when is_boolean(Done) -> {ok, Done};
done([Bytes, Done | _]) when is_integer(Bytes), Bytes >= 0, is_boolean(Done) -> {ok, Done};
done(_) -> unknown.

beyond(Map, Delivered) when is_map(Map) ->
    beyond(maps:to_list(Map), Delivered, false);
beyond({Size, _} = Tree, Delivered) when is_integer(Size), Size >= 0 ->
    try gb_trees:to_list(Tree) of
        List when length(List) =:= Size -> beyond(List, Delivered, false);
        _ -> unknown
    catch
        error:_ -> unknown
    end;
beyond(_, _) ->
    unknown.

beyond([], _, Beyond) ->
    {ok, Beyond};
beyond([{Offset, Data} | More], Delivered, Beyond) when is_integer(Offset), Offset >= 0, is_binary(Data) ->
    beyond(More, Delivered, Beyond orelse Offset > Delivered);
beyond(_, _, _) ->
    unknown.

%% ---- packet numbers ----

%% Of the elements of a state, the three packet number spaces, 1-RTT last: the number of the next packet, and when the last one
%% came, if one did.
-spec spaces([term()]) -> [space()] | unknown.
spaces(Elements) ->
    Spaces = [one_space(Term) || Term <- Elements, is_tuple(Term), tuple_size(Term) > 0, element(1, Term) =:= pn_space],
    case length(Spaces) =:= 3 andalso not lists:member(unknown, Spaces) of
        true -> Spaces;
        false -> unknown
    end.

%% That of 1-RTT.
-spec space([term()]) -> space() | unknown.
space(Elements) ->
    case spaces(Elements) of
        unknown -> unknown;
        Spaces -> lists:last(Spaces)
    end.

one_space(Space) when tuple_size(Space) >= 6 ->
    {pn_space, Next, Acked, Highest, Ms, Ranges} = list_to_tuple(lists:sublist(tuple_to_list(Space), 6)),
    Fits =
        is_offset(Next) andalso is_none_or(fun is_offset/1, Acked) andalso is_none_or(fun is_offset/1, Highest) andalso
            is_list(Ranges) andalso lists:all(fun is_range/1, Ranges),
    case Ms of
        _ when not Fits -> unknown;
        undefined -> #{next => Next};
        _ when is_integer(Ms) -> #{next => Next, received => Ms};
        _ -> unknown
    end;
one_space(_) ->
    unknown.

is_none_or(_, undefined) -> true;
is_none_or(Is, Term) -> Is(Term).

is_range({From, To}) -> is_offset(From) andalso is_offset(To);
is_range(_) -> false.

%% ---- what was sent ----

%% How quic_loss of this node keeps it; none: in no way that is known.
-spec loss() -> loss() | none.
loss() ->
    case code:ensure_loaded(quic_loss) of
        {module, quic_loss} ->
            case [How || How <- [spaces, whole], gives_back(How)] of
                [How | _] -> How;
                [] -> none
            end;
        {error, _} ->
            none
    end.

gives_back(How) ->
    Frames = [{stream, 4, 10, <<"data">>, false}],
    try
        Loss = sent(How, quic_loss:new(), 7, 100, true, Frames, 1000),
        [{sent_packet, 7, 1000, true, true, 100, Frames}] =:= packets(How, Loss) andalso is_integer(pto_ms(How, Loss))
    catch
        error:_ -> false
    end.

sent(whole, Loss, Number, Size, AckEliciting, Frames, Ms) ->
    quic_loss:on_packet_sent(Loss, Number, Size, AckEliciting, Frames, Ms);
sent(spaces, Loss, Number, Size, AckEliciting, Frames, Ms) ->
    quic_loss:on_packet_sent(app, Loss, Number, Size, AckEliciting, Frames, Ms).

%% The 1-RTT packets that were sent and are not acknowledged: {sent_packet, Number, SentMs, AckEliciting, InFlight,
%% Size, Frames}. An error where it is not known.
-spec packets(term()) -> [tuple()].
packets(Loss) ->
    packets(exported(), Loss).

packets(whole, Loss) -> maps:values(quic_loss:sent_packets(Loss));
packets(spaces, Loss) -> maps:values(quic_loss:sent_packets(app, Loss)).

%% Of the stack's timer without its back-off.
-spec pto_ms(term()) -> non_neg_integer().
pto_ms(Loss) ->
    pto_ms(exported(), Loss).

pto_ms(spaces, Loss) ->
    quic_loss:persistent_congestion_pto(Loss);
pto_ms(whole, Loss) ->
    case {quic_loss:get_pto(Loss), quic_loss:pto_count(Loss)} of
        {?PTO_MAX_MS, Count} when Count > 0 ->
            quic_loss:smoothed_rtt(Loss) + max(4 * quic_loss:rtt_var(Loss), 1) + ?ACK_DELAY_MS;
        {Pto, Count} ->
            Pto bsr Count
    end.

exported() ->
    case erlang:function_exported(quic_loss, sent_packets, 2) of
        true -> spaces;
        false -> whole
    end.
