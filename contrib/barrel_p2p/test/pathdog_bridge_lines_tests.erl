%% SPDX-License-Identifier: Apache-2.0
-module(pathdog_bridge_lines_tests).
-include_lib("eunit/include/eunit.hrl").

-define(MAX, 1048576).

add(Pieces) -> add(Pieces, pathdog_bridge_lines:new(), []).

add([], _, Lines) ->
    {ok, lists:append(lists:reverse(Lines))};
add([Piece | Rest], Buffer, Lines) ->
    case pathdog_bridge_lines:add(Piece, Buffer) of
        {ok, More, Next} -> add(Rest, Next, [More | Lines]);
        Error -> Error
    end.

bytes(N) -> binary:copy(<<"x">>, N).

one_line_test() -> ?assertEqual({ok, [<<"abc">>]}, add([<<"abc\n">>])).
two_in_one_packet_test() -> ?assertEqual({ok, [<<"a">>, <<"b">>]}, add([<<"a\nb\n">>])).
half_a_line_is_none_test() -> ?assertEqual({ok, []}, add([<<"abc">>])).
in_pieces_test() ->
    ?assertEqual({ok, [<<"abcdef">>, <<"g">>]}, add([<<"ab">>, <<>>, <<"cd">>, <<"ef\ng">>, <<"\n">>])).
byte_by_byte_test() ->
    Text = <<"{\"a\":1}\n{\"b\":2}\n">>,
    ?assertEqual(
        {ok, [<<"{\"a\":1}">>, <<"{\"b\":2}">>]}, add([<<C>> || <<C>> <= Text])
    ).
empty_lines_are_left_out_test() ->
    ?assertEqual({ok, [<<"a">>]}, add([<<"\n\n\r\na\n\n">>])).
the_longest_line_test() ->
    {ok, [Line]} = add([bytes(?MAX - 1), <<"\n">>]),
    ?assertEqual(?MAX - 1, byte_size(Line)).
one_byte_too_long_test() ->
    ?assertEqual({error, too_long}, add([bytes(?MAX), <<"\n">>])).
too_long_in_one_packet_test() ->
    ?assertEqual({error, too_long}, add([<<(bytes(?MAX))/binary, "\n">>])).
too_long_before_it_ends_test() ->
    ?assertEqual({error, too_long}, add([bytes(?MAX div 2) || _ <- lists:seq(1, 2)])).
a_long_one_after_a_short_one_test() ->
    ?assertEqual({error, too_long}, add([<<"a\n">>, bytes(?MAX)])).
