%% SPDX-License-Identifier: Apache-2.0
%% What is found in a state as quic has it, and what is made of anything else.
-module(pathdog_bridge_state_tests).
-include_lib("eunit/include/eunit.hrl").

stream(Id, Handed, Offset, Buffer) ->
    {stream_state, Id, open, Handed, 1, false, [], false, Offset, 9, false, Buffer, false, undefined, 3, false}.

stream(Id, Offset, Buffer) -> stream(Id, 0, Offset, Buffer).

space(Ms) -> {pn_space, 1, 0, 0, Ms, [], 0, undefined, #{}}.

queues(Entries) ->
    setelement(3, erlang:make_tuple(8, queue:new()), queue:from_list(Entries)).

%% A record of many elements, in it a map of streams among other maps.
state(Streams) -> state(Streams, []).
state(Streams, More) ->
    {connected, list_to_tuple([state, <<"scid">>, #{initial => #{}}, Streams, #{local => [{0, 1}]}, 7 | More])}.

sent(Packets) -> quic_loss:with([{Ms, 100, Frames} || {Ms, Frames} <- Packets], quic_loss:new()).

data(Stream, Offset, Bytes) -> {stream, Stream, Offset, binary:copy(<<0>>, Bytes), false}.

sending(Packets, Entries, Streams) ->
    Map = maps:from_list([{element(2, S), S} || S <- Streams]),
    #{sending := Sending} = pathdog_bridge_state:parts(state(Map, [sent(Packets), queues(Entries)])),
    Sending.

holes_test_() ->
    Holes = fun(State) ->
        #{holes := Found, unknown := Unknown} = pathdog_bridge_state:parts(State),
        {lists:sort(Found), lists:member(streams, Unknown)}
    end,
    [
        {"none", ?_assertEqual({[], false}, Holes(state(#{1 => stream(1, 10, #{}), 13 => stream(13, 42, #{})})))},
        {"one", ?_assertEqual({[{13, 42}], false},
            Holes(state(#{1 => stream(1, 10, #{}), 13 => stream(13, 42, #{50 => <<"x">>})})))},
        {"what was delivered came again", ?_assertEqual({[], false},
            Holes(state(#{1 => stream(1, 10, #{}), 13 => stream(13, 42, #{0 => <<"x">>, 41 => <<"x">>})})))},
        {"no streams", ?_assertEqual({[], true}, Holes(state(#{})))},
        {"one of another shape: none is judged", ?_assertEqual({[], true},
            Holes(state(#{1 => {stream_state, 1, open}, 13 => stream(13, 42, #{50 => <<"x">>})})))},
        {"a buffer of another kind", ?_assertEqual({[], true}, Holes(state(#{1 => stream(1, 10, [])})))}
    ].

another_state_test_() ->
    [
        ?_assertEqual(#{holes => [], unknown => [state]}, pathdog_bridge_state:parts(State))
     || State <- [{connected, #{streams => #{}}}, {connected, {conn_state, #{1 => stream(1, 1, #{2 => <<"x">>})}}},
            {connected, {}}, hello]
    ].

sending_test_() ->
    [
        {"all is acknowledged", ?_assertEqual(
            #{4 => #{acked => 1000, unacked => 0, first => none, oldest => none}},
            sending([], [], [stream(4, 1000, 0, #{})]))},
        {"some is under way", ?_assertEqual(
            #{4 => #{acked => 700, unacked => 300, first => {700, 50}, oldest => 50}},
            sending([{50, [data(4, 700, 100)]}, {60, [data(4, 800, 200)]}], [], [stream(4, 1000, 0, #{})]))},
        {"no application data", ?_assertEqual(
            #{4 => #{acked => 1000, unacked => 0, first => none, oldest => none}},
            sending([{50, [ping]}, {51, [{ack, [], 0, undefined}, {max_data, 7}]}, {52, [padding]}], [],
                [stream(4, 1000, 0, #{})]))},
        {"a probe repeats it: its first time, its bytes once", ?_assertEqual(
            #{4 => #{acked => 900, unacked => 100, first => {900, 50}, oldest => 50}},
            sending([{50, [data(4, 900, 100)]}, {80, [data(4, 900, 100)]}], [], [stream(4, 1000, 0, #{})]))},
        {"what waits to be sent is neither", ?_assertEqual(
            #{4 => #{acked => 600, unacked => 100, first => {600, 50}, oldest => 50}},
            sending([{50, [data(4, 600, 100)]}], [{stream_data, 4, 700, <<>>, false, 300}],
                [stream(4, 1000, 0, #{})]))},
        {"what was lost and waits to be sent again is unacknowledged", ?_assertEqual(
            #{4 => #{acked => 600, unacked => 400, first => {600, undefined}, oldest => 50}},
            sending([{50, [data(4, 700, 300)]}], [{retransmit_stream, 4, 600, <<>>, false, 100}],
                [stream(4, 1000, 0, #{})]))},
        {"several in one packet", ?_assertEqual(
            #{4 => #{acked => 0, unacked => 10, first => {0, 50}, oldest => 50},
              8 => #{acked => 90, unacked => 10, first => {90, 50}, oldest => 50}},
            sending([{50, [data(4, 0, 10), data(8, 90, 10)]}], [], [stream(4, 10, 0, #{}), stream(8, 100, 0, #{})]))},
        {"of a stream that is closed already", ?_assertMatch(
            #{4 := #{unacked := 10, first := {0, 50}, oldest := 50} = Closed} when not is_map_key(acked, Closed),
            sending([{50, [data(4, 0, 10)]}], [], [stream(0, 0, 0, #{})]))}
    ].

%% What is not as it is known is left out: a guess would be worse.
parts_test_() ->
    Parts = fun(More) ->
        #{unknown := Unknown} = Parts = pathdog_bridge_state:parts(state(#{1 => stream(1, 0, #{})}, More)),
        {maps:without([holes, unknown, sending], Parts), lists:sort(Unknown)}
    end,
    Loss = quic_loss:backed_off(3, sent([])),
    Spaces = [space(undefined), space(5), space(77)],
    Came = #{received_ms => 77},
    [
        {"all", ?_assertEqual(
            {#{pto_us => 49000, pto_count => 3, received_ms => 77}, []}, Parts(Spaces ++ [Loss, queues([])]))},
        {"nothing came yet", ?_assertMatch({#{pto_count := 3}, []},
            Parts([space(1), space(2), space(undefined), Loss, queues([])]))},
        {"two number spaces", ?_assertMatch({#{pto_count := 3}, [received]},
            Parts([space(1), space(2), Loss, queues([])]))},
        {"a number space of another shape", ?_assertMatch({#{pto_count := 3}, [received]},
            Parts([space(1), space(2), {pn_space, 1}, Loss, queues([])]))},
        {"no send queue", ?_assertEqual({Came, [sent]}, Parts(Spaces ++ [Loss]))},
        {"two send queues", ?_assertEqual({Came, [sent]}, Parts(Spaces ++ [Loss, queues([]), queues([])]))},
        {"another loss state", ?_assertEqual({Came, [sent]}, Parts(Spaces ++ [{loss_state, 1, 2}, queues([])]))},
        {"a stream frame of another shape", ?_assertEqual({Came, [sent]}, Parts(Spaces ++ [
            sent([{50, [{stream, 4, 700, <<"x">>, false, more}]}]), queues([])]))},
        {"what waits in the queue is of another shape", ?_assertEqual({Came, [sent]}, Parts(Spaces ++ [
            sent([]), queues([{stream_data, 4, 700, <<"x">>, false}])]))},
        {"what waits is of another kind", ?_assertEqual({Came, [sent]}, Parts(Spaces ++ [
            sent([]), queues([{stream_run, 4, 700, <<"x">>, false, 1}])]))},
        {"packets of another shape", ?_assertEqual({Came, [sent]}, Parts(Spaces ++ [
            setelement(2, sent([]), queue:from_list([{sent_packet, 1, 2}])), queues([])]))}
    ].

readable_test() -> ?assert(pathdog_bridge_state:readable()).

%% A process that does not answer, and one that is gone.
read_nobody_test() ->
    Silent = spawn(fun() -> receive stop -> ok end end),
    ?assertEqual(none, pathdog_bridge_state:read(Silent, 10)),
    exit(Silent, kill),
    ?assertEqual(none, pathdog_bridge_state:read(Silent, 10)).

read_a_connection_test() ->
    {ok, Conn} = quic_connection:start_link(client, {{127, 0, 0, 1}, 1}, undefined),
    quic_connection:set(Conn, #{unacked => [{100, 50, 300}], handed => 150}),
    #{at := At, received_ms := Received, sending := #{17 := Stream}} = pathdog_bridge_state:read(Conn, 5000),
    ?assert(Received =< At),
    ?assertMatch(#{acked := 100, unacked := 50, first := {100, Ms}} when At - Ms >= 300, Stream),
    quic:close(Conn, normal).
