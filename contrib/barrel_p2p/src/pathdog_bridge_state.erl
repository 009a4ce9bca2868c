%% SPDX-License-Identifier: Apache-2.0
%% Reads what quic's functions do not report from a copy of a connection's state: which stream data was sent and
%% is not acknowledged, when the last packet came, the probe timeout, and the holes in what came in. The copy is one
%% message from the connection's process; all the work on it is done by the caller.
%%
%% The state is a record of many elements, whose places change from version to version. So the parts are
%% found by their own tags, which are the same in quic 1.6.0 to 1.8.1:
%%   #loss_state{}    the packets that were sent; only quic_loss looks into it
%%   #sent_packet{}   {_, PacketNumber, SentMs, AckEliciting, InFlight, Size, Frames}
%%   #stream_state{}  element 2 the stream, 4 the offset behind what was handed in to be sent, 9 the offset up to
%%                    which all came in, 12 a map of what came in beyond
%%   #pn_space{}      three of them, 1-RTT last; element 5 is when the last packet came
%%   the send queue   a tuple of eight queues, of {stream_data | retransmit_stream, Stream, Offset, Data, Fin, Size}
%% What does not look so is not known, and is left out.
-module(pathdog_bridge_state).

-export([read/2, parts/1, readable/0]).
-export_type([parts/0, sending/0]).

-define(QUEUES, 8).

%% acked: bytes of the stream that are neither waiting to be sent nor unacknowledged; absent for a stream that
%% quic has closed. first: the lowest place that is unacknowledged, and when that was last sent; undefined: it
%% was lost and waits to be sent again. oldest: when the oldest packet with data of the stream was sent.
-type stream() :: #{
    acked => non_neg_integer(),
    unacked := non_neg_integer(),
    first := none | {Offset :: non_neg_integer(), integer() | undefined},
    oldest := none | integer()
}.
-type sending() :: #{Stream :: non_neg_integer() => stream()}.
%% Times are those of the VM's monotonic clock, in milliseconds, as quic's are.
-type parts() :: #{
    at => integer(),
    holes := pathdog_bridge_stuck:holes(),
    sending => sending(),
    received_ms => integer(),
    pto_us => non_neg_integer(),
    pto_count => non_neg_integer()
}.
-type place() :: {Stream :: non_neg_integer(), Offset :: non_neg_integer()}.

%% Waits for the connection's process, up to the limit.
-spec read(pid(), timeout()) -> parts() | none.
read(Conn, Limit) ->
    try
        State = sys:get_state(Conn, Limit),
        At = pathdog_bridge_call:now_ms(),
        (parts(State))#{at => At}
    catch
        _:_ -> none
    end.

-spec parts(term()) -> parts().
parts({StateName, Data}) when is_atom(StateName), is_tuple(Data) ->
    Elements = tuple_to_list(Data),
    Streams = lists:append([maps:values(E) || E <- Elements, is_map(E)]),
    Holes = #{holes => [hole(Stream) || Stream <- Streams, has_hole(Stream)]},
    maps:merge(maps:merge(Holes, received(Elements)), sent(Elements, Streams));
parts(_) ->
    #{holes => []}.

%% Does this version of quic keep what was sent as it is known here? Its own functions say so.
-spec readable() -> boolean().
readable() ->
    Frames = [{stream, 4, 10, <<"data">>, false}],
    try
        Loss = quic_loss:on_packet_sent(quic_loss:new(), 7, 100, true, Frames, 1000),
        is_integer(pto_us(Loss)) andalso places(Loss) =:= #{{4, 10} => {1000, 4}}
    catch
        error:_ -> false
    end.

%% ---- what came in ----

has_hole(Stream) when is_tuple(Stream), tuple_size(Stream) >= 12 ->
    element(1, Stream) =:= stream_state andalso is_integer(element(9, Stream)) andalso
        is_map(element(12, Stream)) andalso map_size(element(12, Stream)) > 0;
has_hole(_) ->
    false.

hole(Stream) ->
    {element(2, Stream), element(9, Stream)}.

received(Elements) ->
    case [Space || Space <- Elements, is_tuple(Space), tuple_size(Space) >= 5, element(1, Space) =:= pn_space] of
        [_, _, Application] when is_integer(element(5, Application)) ->
            #{received_ms => element(5, Application)};
        _ ->
            #{}
    end.

%% ---- what was sent ----

sent(Elements, Streams) ->
    case {[Loss || Loss <- Elements, is_tagged(Loss, loss_state)], [Q || Q <- Elements, is_send_queue(Q)]} of
        {[Loss], [Queue]} ->
            try
                #{
                    pto_us => pto_us(Loss),
                    pto_count => quic_loss:pto_count(Loss),
                    sending => sending(places(Loss), entries(Queue), Streams)
                }
            catch
                error:_ -> #{}
            end;
        _ ->
            #{}
    end.

is_tagged(Term, Tag) ->
    is_tuple(Term) andalso tuple_size(Term) > 0 andalso element(1, Term) =:= Tag.

is_send_queue(Term) ->
    is_tuple(Term) andalso tuple_size(Term) =:= ?QUEUES andalso
        lists:all(fun queue:is_queue/1, tuple_to_list(Term)).

%% Of the stack's timer without its back-off.
pto_us(Loss) ->
    1000 * (quic_loss:get_pto(Loss) bsr quic_loss:pto_count(Loss)).

%% A probe repeats the oldest data in a packet of its own: the earlier one counts, and each byte once.
-spec places(term()) -> #{place() => {integer(), non_neg_integer()}}.
places(Loss) ->
    lists:foldl(
        fun({sent_packet, _, Ms, _, _, _, Frames}, Places) when is_integer(Ms) ->
            lists:foldl(fun(Frame, Into) -> place(Frame, Ms, Into) end, Places, Frames)
        end,
        #{},
        maps:values(quic_loss:sent_packets(Loss))
    ).

place({stream, Stream, Offset, Data, _Fin}, Ms, Places) ->
    Place = {Stream, Offset},
    case Places of
        #{Place := {Earlier, _}} when Earlier =< Ms -> Places;
        _ -> Places#{Place => {Ms, iolist_size(Data)}}
    end;
place(_, _, Places) ->
    Places.

entries(Queue) ->
    lists:append([queue:to_list(Q) || Q <- tuple_to_list(Queue)]).

sending(Places, Entries, Streams) ->
    Lost = maps:from_list([
        {{Stream, Offset}, {undefined, Size}}
     || {retransmit_stream, Stream, Offset, _, _, Size} <- Entries
    ]),
    Unacked = maps:fold(fun unacked/3, #{}, maps:merge(Lost, Places)),
    Unsent = lists:foldl(
        fun
            ({stream_data, Stream, _, _, _, Size}, Sum) ->
                Sum#{Stream => maps:get(Stream, Sum, 0) + Size};
            (_, Sum) ->
                Sum
        end,
        #{},
        Entries
    ),
    lists:foldl(fun(Stream, Into) -> acked(Stream, Unsent, Into) end, Unacked, Streams).

unacked({Stream, Offset}, {Ms, Size}, Into) ->
    #{unacked := Bytes, first := First, oldest := Oldest} = Before = maps:get(Stream, Into, idle()),
    Into#{Stream => Before#{
        unacked := Bytes + Size,
        first := lower(First, {Offset, Ms}),
        oldest := older(Oldest, Ms)
    }}.

idle() ->
    #{unacked => 0, first => none, oldest => none}.

lower({Offset, _} = First, {Other, _}) when Offset < Other -> First;
lower(_, Place) -> Place.

older(Oldest, undefined) -> Oldest;
older(none, Ms) -> Ms;
older(Oldest, Ms) -> min(Oldest, Ms).

acked(Stream, Unsent, Into) when is_tuple(Stream), tuple_size(Stream) >= 12 ->
    case {element(1, Stream), element(2, Stream), element(4, Stream)} of
        {stream_state, Id, Handed} when is_integer(Handed) ->
            #{unacked := Bytes} = Before = maps:get(Id, Into, idle()),
            Into#{Id => Before#{acked => max(0, Handed - maps:get(Id, Unsent, 0) - Bytes)}};
        _ ->
            Into
    end;
acked(_, _, Into) ->
    Into.
