%% SPDX-License-Identifier: Apache-2.0
%% What the bridge uses of OTP 27's json, for tests on an older OTP. Not part of the application.
-module(json).

-export([decode/3, encode_binary/1]).

decode(Bin, Acc, Decoders) ->
    {Value, Rest} = value(skip(Bin), Decoders),
    {Value, Acc, Rest}.

encode_binary(Bin) ->
    true = is_list(unicode:characters_to_list(Bin)),
    [$", escape(Bin), $"].

escape(<<>>) -> [];
escape(<<$", R/binary>>) -> [<<"\\\"">> | escape(R)];
escape(<<$\\, R/binary>>) -> [<<"\\\\">> | escape(R)];
escape(<<$\n, R/binary>>) -> [<<"\\n">> | escape(R)];
escape(<<C, R/binary>>) when C < 32 -> [io_lib:format("\\u~4.16.0b", [C]) | escape(R)];
escape(<<C, R/binary>>) -> [C | escape(R)].

value(<<"null", R/binary>>, _) -> {null, R};
value(<<"true", R/binary>>, _) -> {true, R};
value(<<"false", R/binary>>, _) -> {false, R};
value(<<$", R/binary>>, _) -> string(R, []);
value(<<$[, R/binary>>, D) -> array(skip(R), D);
value(<<${, R/binary>>, D) -> object(skip(R), D);
value(<<C, _/binary>> = B, D) when C =:= $-; C >= $0, C =< $9 -> number(B, D);
value(<<>>, _) -> error(unexpected_end);
value(<<C, _/binary>>, _) -> error({invalid_byte, C}).

array(<<$], R/binary>>, _) -> {[], R};
array(B, D) -> elements(B, D, []).

elements(B, D, Acc) ->
    {V, R} = value(skip(B), D),
    case skip(R) of
        <<$,, More/binary>> -> elements(More, D, [V | Acc]);
        <<$], More/binary>> -> {lists:reverse(Acc, [V]), More};
        <<C, _/binary>> -> error({invalid_byte, C});
        <<>> -> error(unexpected_end)
    end.

object(<<$}, R/binary>>, _) -> {#{}, R};
object(B, D) -> members(B, D, #{}).

members(B, D, Acc) ->
    {K, R} = case skip(B) of <<$", More0/binary>> -> string(More0, []); _ -> error({invalid_byte, 0}) end,
    <<$:, R1/binary>> = case skip(R) of <<$:, _/binary>> = Good -> Good; _ -> error({invalid_byte, 0}) end,
    {V, R2} = value(skip(R1), D),
    case skip(R2) of
        <<$,, More/binary>> -> members(More, D, Acc#{K => V});
        <<$}, More/binary>> -> {Acc#{K => V}, More};
        <<C, _/binary>> -> error({invalid_byte, C});
        <<>> -> error(unexpected_end)
    end.

string(<<$", R/binary>>, Acc) -> {iolist_to_binary(lists:reverse(Acc)), R};
string(<<$\\, $u, H:4/binary, R/binary>>, Acc) ->
    case {binary_to_integer(H, 16), R} of
        {Hi, <<$\\, $u, L:4/binary, R2/binary>>} when Hi >= 16#D800, Hi < 16#DC00 ->
            Lo = binary_to_integer(L, 16),
            true = Lo >= 16#DC00 andalso Lo < 16#E000,
            Code = 16#10000 + ((Hi - 16#D800) bsl 10) + (Lo - 16#DC00),
            string(R2, [<<Code/utf8>> | Acc]);
        {Code, _} ->
            string(R, [<<Code/utf8>> | Acc])
    end;
string(<<$\\, C, R/binary>>, Acc) ->
    E = case C of
        $" -> $"; $\\ -> $\\; $/ -> $/; $b -> $\b; $f -> $\f; $n -> $\n; $r -> $\r; $t -> $\t;
        _ -> error({invalid_byte, C})
    end,
    string(R, [E | Acc]);
string(<<C/utf8, R/binary>>, Acc) when C >= 32 -> string(R, [<<C/utf8>> | Acc]);
string(<<>>, _) -> error(unexpected_end);
string(<<C, _/binary>>, _) -> error({invalid_byte, C}).

number(B, D) ->
    case re:run(B, "^-?(?:0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?", [{capture, all, index}]) of
        {match, [{0, N}]} ->
            <<Text:N/binary, R/binary>> = B,
            {(maps:get(integer, D, fun binary_to_integer/1))(Text), R};
        {match, [{0, N} | _]} ->
            <<Text:N/binary, R/binary>> = B,
            {(maps:get(float, D, fun binary_to_float/1))(Text), R};
        nomatch ->
            error({invalid_byte, $-})
    end.

skip(<<C, R/binary>>) when C =:= $\s; C =:= $\t; C =:= $\n; C =:= $\r -> skip(R);
skip(R) -> R.
