%% SPDX-License-Identifier: Apache-2.0
%% The node protocol, version 1: lines to requests, answers and notifications to lines. Pure: it
%% knows neither sockets nor peers, and it never makes an atom, nor a big number, of what it reads.
-module(pathdog_bridge_protocol).

-export([decode/1, result/2, refusal/2, refusal/3, notification/2, summaries/2, code/1]).
-export_type([id/0, request/0, word/0]).

-type id() :: integer() | binary() | null.
-type conns() :: all | [pos_integer()].
-type move() :: #{
    conn := pos_integer(),
    timeout_ms := pos_integer(),
    reason := binary(),
    via := binary() | undefined,
    interface := binary() | undefined,
    local := inet:ip_address() | undefined
}.
-type request() ::
    {hello, [term()]}
    | subscribe
    | {summary, conns()}
    | {migrate_peer, move()}
    | {reconnect_peer, move()}
    | {probe_path, move()}
    | {probe, conns()}.
-type word() ::
    not_connected | no_conn | peer_disable_migration | timeout | not_migratable | busy
    | no_path | unknown_via | dial_failed | unsupported_protocol
    | old_lives | cancelled | failed | invalid_request | method_not_found | invalid_params.

-define(CONN_MAX, 9007199254740991).
-define(CONNS_MAX, 4096).
-define(TIMEOUT_DEFAULT, 5000).
-define(TIMEOUT_MAX, 600000).
-define(DIGITS_MAX, 20).
-define(ID_MAX, 1024).
-define(HOST_MAX, 64).

%% ---- reading ----

%% fatal: the connection is to be closed. ignore: nothing is to be answered.
-spec decode(binary()) ->
    {request, id(), request()} | {refuse, id(), word()} | {cancel, id()} | ignore | {fatal, not_json | not_an_object}.
decode(Line) ->
    case parse(Line) of
        {ok, Message} when is_map(Message) -> message(Message);
        {ok, _} -> {fatal, not_an_object};
        error -> {fatal, not_json}
    end.

%% Numbers that could not be of use stay what they are not: the word `number`. So a million digits
%% cost no more than a million letters.
parse(Line) ->
    Decoders = #{integer => fun integer/1, float => fun(_) -> number end},
    try json:decode(Line, ok, Decoders) of
        {Value, ok, Rest} ->
            case blank(Rest) of
                true -> {ok, Value};
                false -> error
            end
    catch
        error:_ -> error
    end.

integer(Digits) when byte_size(Digits) =< ?DIGITS_MAX -> binary_to_integer(Digits);
integer(_) -> number.

blank(<<C, Rest/binary>>) when C =:= $\s; C =:= $\t; C =:= $\r; C =:= $\n -> blank(Rest);
blank(Rest) -> Rest =:= <<>>.

message(#{<<"method">> := Method} = Message) ->
    case Message of
        #{<<"id">> := Id} -> request(id(Id), Method, Message);
        _ -> notified(Method, params(maps:get(<<"params">>, Message, null)))
    end;
message(#{<<"id">> := _} = Message) when
    is_map_key(<<"result">>, Message); is_map_key(<<"error">>, Message)
->
    ignore; % an answer: this side asks nothing
message(#{<<"id">> := Id}) ->
    {refuse, known(id(Id)), invalid_request};
message(_) ->
    {refuse, null, invalid_request}.

%% pathdog's only one
notified(<<"cancel">>, #{<<"id">> := Id}) when is_integer(Id); is_binary(Id) -> {cancel, Id};
notified(_, _) -> ignore.

id(Id) when is_integer(Id) -> Id;
id(Id) when is_binary(Id), byte_size(Id) =< ?ID_MAX -> Id;
id(_) -> bad.

known(bad) -> null;
known(Id) -> Id.

request(bad, _, _) ->
    {refuse, null, invalid_request};
request(Id, Method, Message) ->
    case Message of
        #{<<"jsonrpc">> := <<"2.0">>} when is_binary(Method) ->
            case params(maps:get(<<"params">>, Message, null)) of
                bad -> {refuse, Id, invalid_params};
                Params -> method(Id, Method, Params)
            end;
        _ ->
            {refuse, Id, invalid_request}
    end.

params(null) -> #{};
params(Params) when is_map(Params) -> Params;
params(_) -> bad.

method(Id, <<"hello">>, #{<<"protocol">> := Versions}) when is_list(Versions) ->
    {request, Id, {hello, Versions}};
method(Id, <<"hello">>, _) ->
    {refuse, Id, invalid_params};
method(Id, <<"subscribe">>, _) ->
    {request, Id, subscribe};
method(Id, <<"summary">>, Params) ->
    case conns(maps:get(<<"conns">>, Params, null)) of
        bad -> {refuse, Id, invalid_params};
        Conns -> {request, Id, {summary, Conns}}
    end;
method(Id, <<"probe">>, Params) ->
    case conns(maps:get(<<"conns">>, Params, null)) of
        bad -> {refuse, Id, invalid_params};
        all -> {refuse, Id, invalid_params};
        Conns -> {request, Id, {probe, Conns}}
    end;
method(Id, <<"migrate_peer">>, Params) ->
    move(Id, migrate_peer, Params);
method(Id, <<"reconnect_peer">>, Params) ->
    move(Id, reconnect_peer, Params);
method(Id, <<"probe_path">>, Params) ->
    move(Id, probe_path, Params);
method(Id, _, _) ->
    {refuse, Id, method_not_found}.

conns(null) ->
    all;
conns(List) when is_list(List), length(List) =< ?CONNS_MAX ->
    case lists:all(fun is_conn/1, List) of
        true -> List;
        false -> bad
    end;
conns(_) ->
    bad.

is_conn(Conn) -> is_integer(Conn) andalso Conn >= 1 andalso Conn =< ?CONN_MAX.

move(Id, Method, Params) ->
    Conn = maps:get(<<"conn">>, Params, null),
    Timeout = value(<<"timeout_ms">>, Params, ?TIMEOUT_DEFAULT),
    Reason = value(<<"reason">>, Params, <<>>),
    Via = value(<<"via">>, Params, undefined),
    Interface = value(<<"interface">>, Params, undefined),
    Local = host(value(<<"local">>, Params, undefined)),
    Keep = value(<<"keep_old">>, Params, false),
    Good =
        is_conn(Conn) andalso
            is_integer(Timeout) andalso Timeout >= 1 andalso
            is_binary(Reason) andalso
            (Via =:= undefined orelse is_binary(Via)) andalso
            (Interface =:= undefined orelse is_binary(Interface) andalso Interface =/= <<>>) andalso
            is_boolean(Keep) andalso
            Local =/= bad,
    case Good of
        true ->
            Move = #{
                conn => Conn,
                timeout_ms => min(Timeout, ?TIMEOUT_MAX),
                reason => Reason,
                via => Via,
                interface => Interface,
                local => Local,
                keep_old => Keep
            },
            {request, Id, {Method, Move}};
        false ->
            {refuse, Id, invalid_params}
    end.

%% An address without a port.
host(undefined) ->
    undefined;
host(Text) when is_binary(Text), byte_size(Text) =< ?HOST_MAX ->
    case inet:parse_strict_address(binary_to_list(Text)) of
        {ok, Ip} -> Ip;
        {error, _} -> bad
    end;
host(_) ->
    bad.

%% null counts as absent
value(Key, Params, Default) ->
    case maps:get(Key, Params, null) of
        null -> Default;
        Value -> Value
    end.

%% ---- writing ----

-spec result(id(), term()) -> iodata().
result(Id, Result) ->
    [<<"{\"jsonrpc\":\"2.0\",\"id\":">>, value(Id), <<",\"result\":">>, value(Result), <<"}\n">>].

-spec refusal(id(), word()) -> iodata().
refusal(Id, Word) ->
    refusal(Id, Word, atom_to_binary(Word)).

-spec refusal(id(), word(), binary()) -> iodata().
refusal(Id, Word, Text) ->
    [
        <<"{\"jsonrpc\":\"2.0\",\"id\":">>,
        value(Id),
        <<",\"error\":{\"code\":">>,
        integer_to_binary(code(Word)),
        <<",\"message\":">>,
        value(Text),
        <<"}}\n">>
    ].

%% Members in the order in which they are given; `undefined` ones are left out.
-spec notification(binary(), [{atom(), term()}]) -> iodata().
notification(Method, Params) ->
    [
        <<"{\"jsonrpc\":\"2.0\",\"method\":\"">>, Method, <<"\",\"params\":">>, value(Params), <<"}\n">>
    ].

%% Exactly the form that pathdog's quick scanner reads.
-spec summaries([binary()], [[non_neg_integer() | null]]) -> iodata().
summaries(Columns, Rows) ->
    [
        <<"{\"jsonrpc\":\"2.0\",\"method\":\"summaries\",\"params\":{\"columns\":[">>,
        lists:join($,, [[$", Column, $"] || Column <- Columns]),
        <<"],\"rows\":[">>,
        lists:join($,, [row(Row) || Row <- Rows]),
        <<"]}}\n">>
    ].

row(Row) ->
    [$[, lists:join($,, [value(Cell) || Cell <- Row]), $]].

%% A list of pairs is an object, any other list an array.
value(null) -> <<"null">>;
value(true) -> <<"true">>;
value(false) -> <<"false">>;
value(Value) when is_integer(Value) -> integer_to_binary(Value);
value(Value) when is_binary(Value) -> json:encode_binary(Value);
value([{Key, _} | _] = Members) when is_atom(Key) -> object(Members);
value({object, Members}) -> object(Members);
value(Values) when is_list(Values) -> [$[, lists:join($,, [value(V) || V <- Values]), $]].

object(Members) ->
    Written = [
        [$", atom_to_binary(Key), $", $:, value(Value)]
     || {Key, Value} <- Members, Value =/= undefined
    ],
    [${, lists:join($,, Written), $}].

-spec code(word()) -> integer().
code(not_connected) -> -32001;
code(no_conn) -> -32002;
code(peer_disable_migration) -> -32003;
code(timeout) -> -32004;
code(not_migratable) -> -32005;
code(busy) -> -32006;
code(no_path) -> -32007;
code(unknown_via) -> -32008;
code(dial_failed) -> -32009;
code(unsupported_protocol) -> -32010;
code(old_lives) -> -32011;
code(cancelled) -> -32012;
code(failed) -> -32000;
code(invalid_request) -> -32600;
code(method_not_found) -> -32601;
code(invalid_params) -> -32602.
