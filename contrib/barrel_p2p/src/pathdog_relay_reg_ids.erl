%% SPDX-License-Identifier: Apache-2.0
%% The ids of one peer's sessions at a relay. Pure.
%%
%% A relay knows a member by its address. Where that is another one, it refuses the session's id (or, as older ones do,
%% acknowledges and passes nothing on), until the session has ended: half an hour, if the other end registers on. So there
%% are several ids for the same two ends, and the other end is registered with all that may come. They are made from the id
%% that both have, and a number; number 0 is that id itself, which is all that another program needs. To agree upon
%% anything else the ends would have to reach each other first.
%%
%% Who dials takes for each address that it has had a number of its own, so that it may also go back to the one before. When the
%% accepting end's address is another one, it registers with the other half of the numbers; who dials goes there when the relay
%% lives and nothing comes. Where there is one number only, it is always that.
-module(pathdog_relay_reg_ids).

-export([id/2, numbers/2, place/4, is_full/2, full/2, other/1]).
-export_type([half/0, places/0]).

-define(BYTES, 16).

-type half() :: 0 | 1.
%% Most recent first: with which number from which address. full: the relay said so.
-type places() :: [{non_neg_integer(), inet:ip_address() | full}].

-spec id(binary(), non_neg_integer()) -> binary().
id(Id, 0) ->
    Id;
id(Id, Number) ->
    Text = ["pathdog_relay_reg\n", integer_to_binary(Number)],
    string:lowercase(binary:encode_hex(binary:part(crypto:mac(hmac, sha256, Id, Text), 0, ?BYTES))).

%% So many at a time.
-spec numbers(half(), pos_integer()) -> [non_neg_integer(), ...].
numbers(_, 1) -> [0];
numbers(Half, Count) -> lists:seq(Half * Count, Half * Count + Count - 1).

-spec other(half()) -> half().
other(Half) -> 1 - Half.

%% The number for that address: the one that it has had, or one that none has had, or the one of which that is longest ago.
-spec place(inet:ip_address(), half(), pos_integer(), places()) -> {non_neg_integer(), places()}.
place(Local, Half, Count, Places) ->
    Numbers = numbers(Half, Count),
    Had = [Number || {Number, Address} <- Places, Address =:= Local, lists:member(Number, Numbers)],
    New = Numbers -- [Number || {Number, _} <- Places],
    Old = [Number || {Number, _} <- lists:reverse(Places), lists:member(Number, Numbers)],
    [Number | _] = Had ++ New ++ Old,
    {Number, [{Number, Local} | lists:keydelete(Number, 1, Places)]}.

%% The relay refused that number: it is not taken again before the others.
-spec full(non_neg_integer(), places()) -> places().
full(Number, Places) ->
    [{Number, full} | lists:keydelete(Number, 1, Places)].

-spec is_full(non_neg_integer(), places()) -> boolean().
is_full(Number, Places) ->
    lists:member({Number, full}, Places).
