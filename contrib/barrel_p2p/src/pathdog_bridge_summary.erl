%% SPDX-License-Identifier: Apache-2.0
%% One connection's numbers as a row of `summaries`. Pure but for look/1, which asks the connection
%% and may wait for ever: call it within a limit.
%%
%% What quic does not know is not among the columns: rtt_samples, packets_lost, send_errors. What it tells
%% before it has measured is null here: 100 ms is its guess, not a time.
-module(pathdog_bridge_summary).

-export([columns/0, look/1, look/2, row/2, stuck_row/3]).

%% Bytes of a short-header packet that carries next to nothing: header, connection id, packet number,
%% a frame, the AEAD's tag. quic counts packets, and only the bytes of streams; so an acknowledgement
%% alone would not show in its bytes, and would be no progress.
-define(PACKET_BYTES, 28).
-define(GUESS_US, 100000).

-define(STATE_MS, 100). % for the copy of the state, which is worth no more

-type look() :: #{
    path := map(), stats := map(), place := pathdog_bridge_conn:place(),
    state => pathdog_bridge_state:parts() | none,
    books => pathdog_bridge_unacked:books()
}.
-type row() :: [non_neg_integer() | null].
-export_type([look/0, row/0]).

-spec columns() -> [binary()].
columns() ->
    [
        <<"conn">>,
        <<"srtt_us">>,
        <<"latest_rtt_us">>,
        <<"min_rtt_us">>,
        <<"rttvar_us">>,
        <<"cwnd_bytes">>,
        <<"in_flight_bytes">>,
        <<"congested">>,
        <<"in_recovery">>,
        <<"bytes_sent">>,
        <<"bytes_received">>,
        <<"packets_sent">>,
        <<"silent_ms">>,
        <<"pto_us">>,
        <<"pto_count">>,
        <<"unacked_ms">>,
        <<"unacked_bytes">>,
        <<"acked_bytes">>
    ].

-spec look(pid()) -> {ok, look()} | {error, term()}.
look(Quic) ->
    case quic:get_path_stats(Quic) of
        {ok, Path} ->
            Stats =
                case quic:get_stats(Quic) of
                    {ok, S} when is_map(S) -> S;
                    _ -> #{}
                end,
            {ok, #{path => Path, stats => Stats, place => pathdog_bridge_conn:place(Quic)}};
        {error, Reason} ->
            {error, Reason}
    end.

%% With what only the connection's state shows; that copies it.
-spec look(pid(), boolean()) -> {ok, look()} | {error, term()}.
look(Quic, Inside) ->
    case look(Quic) of
        {ok, Look} when Inside ->
            {ok, Look#{state => pathdog_bridge_state:read(Quic, ?STATE_MS)}};
        Other ->
            Other
    end.

%% The row of a connection with streams that have stood still for so long. To the processes on them it is dead,
%% whatever else comes in: so nothing has come since the row Before, and something is owed.
-spec stuck_row(row(), row(), pos_integer()) -> row().
stuck_row(Before, Now, Ms) ->
    [stuck(Column, Old, New, Ms) || {Column, Old, New} <- lists:zip3(columns(), Before, Now)].

stuck(<<"srtt_us">>, Old, _, _) -> Old;
stuck(<<"latest_rtt_us">>, Old, _, _) -> Old;
stuck(<<"min_rtt_us">>, Old, _, _) -> Old;
stuck(<<"rttvar_us">>, Old, _, _) -> Old;
stuck(<<"bytes_received">>, Old, _, _) -> Old;
stuck(<<"acked_bytes">>, Old, _, _) -> Old;
stuck(<<"in_flight_bytes">>, _, 0, _) -> 1;
stuck(<<"unacked_bytes">>, _, 0, _) -> 1;
stuck(<<"unacked_ms">>, _, New, Ms) -> at_least(Ms, New);
stuck(<<"silent_ms">>, _, New, Ms) -> at_least(Ms, New);
stuck(_, _, New, _) -> New.

at_least(_, null) -> null;
at_least(Ms, New) -> max(Ms, New).

-spec row(pos_integer(), look()) -> row().
row(Id, #{path := Path, stats := Stats} = Look) ->
    Rtt = fun(Key) ->
        case measured(Path) of
            true -> number(maps:get(Key, Path, null));
            false -> null
        end
    end,
    [
        Id,
        Rtt(srtt),
        Rtt(latest_rtt),
        Rtt(min_rtt),
        Rtt(rtt_var),
        number(maps:get(cwnd, Path, null)),
        number(maps:get(bytes_in_flight, Path, null)),
        flag(maps:get(congested, Path, null)),
        flag(maps:get(in_recovery, Path, null)),
        %% only what has to be acknowledged: pathdog takes growth for a debt of the peer
        number(maps:get(data_sent, Stats, null)),
        received(Stats),
        number(maps:get(packets_sent, Stats, null))
    ] ++ inside(maps:get(state, Look, none)) ++ books(Look).

inside(#{at := At} = Parts) ->
    Silent = case Parts of #{received_ms := Ms} -> At - Ms; _ -> null end,
    [number(Value) || Value <- [Silent, maps:get(pto_us, Parts, null), maps:get(pto_count, Parts, null)]];
inside(_) ->
    [null, null, null].

%% Data that was sent in this millisecond is outstanding, too: 0 is the word for none.
books(#{state := #{at := At}, books := #{since := Since, unacked := Unacked, acked := Acked}}) ->
    Ms = case Since of none -> 0; _ -> max(1, At - Since) end,
    [number(Value) || Value <- [Ms, Unacked, Acked]];
books(_) ->
    [null, null, null].

%% The first sample sets all four at once; a first sample of 0 ms sets SRTT to 0.
measured(#{srtt := ?GUESS_US, latest_rtt := 0, min_rtt := 0}) -> false;
measured(_) -> true.

received(#{packets_received := Packets, data_received := Bytes}) when
    is_integer(Packets), is_integer(Bytes)
->
    number(Bytes + Packets * ?PACKET_BYTES);
received(_) ->
    null.

number(Value) when is_integer(Value), Value >= 0, Value < 1 bsl 53 -> Value;
number(_) -> null.

flag(true) -> 1;
flag(false) -> 0;
flag(_) -> null.
