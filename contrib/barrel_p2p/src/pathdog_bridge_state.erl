%% SPDX-License-Identifier: Apache-2.0
%% Reads what quic's functions do not report from a copy of a connection's state: which stream data was sent and
%% is not acknowledged, when the last packet came, the probe timeout, and the holes in what came in. The copy is one
%% message from the connection's process; all the work on it is done by the caller.
%%
%% The state is a record of many elements, whose places change from version to version. So the parts are
%% found by their own tags:
%%   #loss_state{}    the packets that were sent; only quic_loss looks into it
%%   #stream_state{}  in one of the maps; only pathdog_bridge_shapes looks into it
%%   #pn_space{}      three of them, 1-RTT last; only pathdog_bridge_shapes looks into them
%%   the send queue   a tuple of eight queues, of {stream_data | retransmit_stream, Stream, Offset, Data, Fin, Size}
%% What does not look so is not known: it is left out, and named among what is unknown.
-module(pathdog_bridge_state).

-export([read/2, outstanding/2, answered/2, parts/1, readable/0]).
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
    pto_count => non_neg_integer(),
    unknown := [pathdog_bridge_notice:what()]
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

%% The numbers of the packets that are not acknowledged, whatever is in them; the next number; and where streams stand. none: it is not known. Waits as read/2.
-spec outstanding(pid(), timeout()) ->
    #{packets := [non_neg_integer()], next := non_neg_integer(), holes := pathdog_bridge_stuck:holes(), pto_ms := non_neg_integer()} | none.
outstanding(Conn, Limit) ->
    try
        {_, Data} = State = sys:get_state(Conn, Limit),
        [Loss] = [Element || Element <- tuple_to_list(Data), is_tagged(Element, loss_state)],
        #{next := Next} = pathdog_bridge_shapes:space(tuple_to_list(Data)),
        #{
            next => Next,
            packets => [element(2, Packet) || Packet <- pathdog_bridge_shapes:packets(Loss)],
            pto_ms => pathdog_bridge_shapes:pto_ms(Loss),
            holes => maps:get(holes, parts(State))
        }
    catch
        _:_ -> none
    end.

%% Has anything come in yet, of whatever packet number space? unknown: that is not known.
-spec answered(pid(), timeout()) -> boolean() | unknown.
answered(Conn, Limit) ->
    try
        {_, Data} = sys:get_state(Conn, Limit),
        case pathdog_bridge_shapes:spaces(tuple_to_list(Data)) of
            unknown -> unknown;
            Spaces -> lists:any(fun(Space) -> is_map_key(received, Space) end, Spaces)
        end
    catch
        _:_ -> unknown
    end.

-spec parts(term()) -> parts().
parts({StateName, Data}) when is_atom(StateName), is_tuple(Data), tuple_size(Data) > 0, element(1, Data) =:= state ->
    Elements = tuple_to_list(Data),
    Streams = pathdog_bridge_shapes:streams(lists:append([maps:values(E) || E <- Elements, is_map(E)])),
    All = [holes(Streams), received(Elements), sent(Elements, Streams)],
    Unknown = [What || {unknown, What} <- All],
    lists:foldl(
        fun(Part, Parts) -> maps:merge(Parts, Part) end,
        #{holes => [], unknown => Unknown},
        [Part || Part <- All, is_map(Part)]
    );
parts(_) ->
    #{holes => [], unknown => [state]}.

%% Does this version of quic keep what was sent as it is known here? Its own functions say so.
-spec readable() -> boolean().
readable() ->
    pathdog_bridge_shapes:loss() =/= none.

%% ---- what came in ----

%% Where a stream stands, and something beyond is there.
holes(unknown) ->
    {unknown, streams};
holes(Streams) ->
    #{holes => [{Id, Delivered} || #{id := Id, delivered := Delivered, waits := true} <- Streams]}.

received(Elements) ->
    case pathdog_bridge_shapes:space(Elements) of
        #{received := Ms} -> #{received_ms => Ms};
        #{next := _} -> #{};
        unknown -> {unknown, received}
    end.

%% ---- what was sent ----

sent(_, unknown) ->
    {unknown, sent};
sent(Elements, Streams) ->
    case {[Loss || Loss <- Elements, is_tagged(Loss, loss_state)], [Q || Q <- Elements, is_send_queue(Q)]} of
        {[Loss], [Queue]} ->
            try
                #{
                    pto_us => 1000 * pathdog_bridge_shapes:pto_ms(Loss),
                    pto_count => quic_loss:pto_count(Loss),
                    sending => sending(places(Loss), entries(Queue), Streams)
                }
            catch
                error:_ -> {unknown, sent}
            end;
        _ ->
            {unknown, sent}
    end.

is_tagged(Term, Tag) ->
    is_tuple(Term) andalso tuple_size(Term) > 0 andalso element(1, Term) =:= Tag.

is_send_queue(Term) ->
    is_tuple(Term) andalso tuple_size(Term) =:= ?QUEUES andalso
        lists:all(fun queue:is_queue/1, tuple_to_list(Term)).

%% A probe repeats the oldest data in a packet of its own: the earlier one counts, and each byte once.
-spec places(term()) -> #{place() => {integer(), non_neg_integer()}}.
places(Loss) ->
    lists:foldl(
        fun({sent_packet, _, Ms, _, _, _, Frames}, Places) when is_integer(Ms) ->
            lists:foldl(fun(Frame, Into) -> place(Frame, Ms, Into) end, Places, Frames)
        end,
        #{},
        pathdog_bridge_shapes:packets(Loss)
    ).

place({stream, Stream, Offset, Data, _Fin}, Ms, Places) ->
    Place = {Stream, Offset},
    case Places of
        #{Place := {Earlier, _}} when Earlier =< Ms -> Places;
        _ -> Places#{Place => {Ms, iolist_size(Data)}}
    end;
place(Frame, _, Places) when element(1, Frame) =/= stream ->
    Places;
place(Frame, _, Places) when not is_tuple(Frame) ->
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
            ({retransmit_stream, _, _, _, _, _}, Sum) ->
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

acked(#{id := Id, handed := Handed}, Unsent, Into) ->
    #{unacked := Bytes} = Before = maps:get(Id, Into, idle()),
    Into#{Id => Before#{acked => max(0, Handed - maps:get(Id, Unsent, 0) - Bytes)}}.
