%% SPDX-License-Identifier: Apache-2.0
%% Cuts a byte stream into lines, with the protocol's limit. Pure. It looks at each byte once, also
%% when a line comes in a thousand pieces.
-module(pathdog_bridge_lines).

-export([new/0, add/2]).
-export_type([buffer/0]).

-define(LINE_MAX, 1048576). % with its LF

-opaque buffer() :: {non_neg_integer(), [binary()]}.

-spec new() -> buffer().
new() ->
    {0, []}.

%% The whole lines in Data, without their ends; empty ones are left out.
-spec add(binary(), buffer()) -> {ok, [binary()], buffer()} | {error, too_long}.
add(Data, Buffer) ->
    add(Data, Buffer, []).

add(Data, {Size, Pieces}, Lines) ->
    case binary:match(Data, <<"\n">>) of
        {At, 1} when Size + At + 1 > ?LINE_MAX ->
            {error, too_long};
        {At, 1} ->
            <<End:At/binary, $\n, Rest/binary>> = Data,
            Line = iolist_to_binary(lists:reverse(Pieces, [End])),
            add(Rest, new(), keep(Line, Lines));
        nomatch when Size + byte_size(Data) >= ?LINE_MAX ->
            {error, too_long};
        nomatch when Data =:= <<>> ->
            {ok, lists:reverse(Lines), {Size, Pieces}};
        nomatch ->
            %% a copy: a short rest must not keep a long packet alive
            {ok, lists:reverse(Lines), {Size + byte_size(Data), [binary:copy(Data) | Pieces]}}
    end.

keep(<<>>, Lines) -> Lines;
keep(<<"\r">>, Lines) -> Lines;
keep(Line, Lines) -> [Line | Lines].
