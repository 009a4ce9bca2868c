%% SPDX-License-Identifier: Apache-2.0
-module(pathdog_bridge_protocol_tests).
-include_lib("eunit/include/eunit.hrl").

decode(Text) -> pathdog_bridge_protocol:decode(iolist_to_binary(Text)).

call(Method, Params) ->
    decode(["{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"", Method, "\",\"params\":", Params, "}"]).

-define(WELL(Request, Method, Params), ?_assertEqual({request, 7, Request}, call(Method, Params))).
-define(BAD(Word, Method, Params), ?_assertEqual({refuse, 7, Word}, call(Method, Params))).

move(Conn, Ms, Reason, Via) ->
    move(Conn, Ms, Reason, Via, undefined, undefined).

move(Conn, Ms, Reason, Via, Interface, Local) ->
    #{
        conn => Conn, timeout_ms => Ms, reason => Reason, via => Via,
        interface => Interface, local => Local, keep_old => false
    }.

requests_test_() ->
    [
        ?WELL({hello, [1]}, "hello", "{\"protocol\":[1],\"client\":\"x\",\"more\":{}}"),
        ?WELL({hello, [2, null, number]}, "hello", "{\"protocol\":[2,null,1.5]}"),
        ?WELL(subscribe, "subscribe", "null"),
        ?WELL(subscribe, "subscribe", "{\"unknown\":[1,2]}"),
        ?WELL({summary, all}, "summary", "{}"),
        ?WELL({summary, all}, "summary", "{\"conns\":null}"),
        ?WELL({summary, []}, "summary", "{\"conns\":[]}"),
        ?WELL({summary, [17, 18]}, "summary", "{\"conns\":[17,18]}"),
        ?WELL({summary, [9007199254740991]}, "summary", "{\"conns\":[9007199254740991]}"),
        ?WELL({probe, [1]}, "probe", "{\"conns\":[1]}"),
        ?WELL(
            {migrate_peer, move(17, 5000, <<"flip">>, undefined)},
            "migrate_peer",
            "{\"conn\":17,\"timeout_ms\":5000,\"reason\":\"flip\"}"
        ),
        ?WELL({migrate_peer, move(17, 5000, <<>>, undefined)}, "migrate_peer", "{\"conn\":17}"),
        ?WELL(
            {migrate_peer, move(17, 600000, <<>>, <<"eu">>, <<"up1">>, undefined)},
            "migrate_peer",
            "{\"conn\":17,\"timeout_ms\":99999999999,\"via\":\"eu\",\"interface\":\"up1\"}"
        ),
        ?WELL(
            {reconnect_peer, move(1, 1, <<>>, undefined)},
            "reconnect_peer",
            "{\"conn\":1,\"timeout_ms\":1,\"reason\":null}"
        ),
        ?WELL(
            {reconnect_peer, move(1, 5000, <<>>, undefined, <<"up1">>, {10, 0, 1, 1})},
            "reconnect_peer",
            "{\"conn\":1,\"interface\":\"up1\",\"local\":\"10.0.1.1\"}"
        ),
        ?WELL(
            {probe_path, move(1, 300, <<>>, undefined, undefined, {8193, 3512, 0, 0, 0, 0, 0, 1})},
            "probe_path",
            "{\"conn\":1,\"timeout_ms\":300,\"interface\":null,\"local\":\"2001:db8::1\"}"
        )
    ].

refused_test_() ->
    [
        ?BAD(method_not_found, "nix", "{}"),
        ?BAD(method_not_found, "", "{}"),
        ?BAD(invalid_params, "hello", "{}"),
        ?BAD(invalid_params, "hello", "{\"protocol\":1}"),
        ?BAD(invalid_params, "subscribe", "[]"),
        ?BAD(invalid_params, "subscribe", "7"),
        ?BAD(invalid_params, "subscribe", "\"x\""),
        ?BAD(invalid_params, "summary", "{\"conns\":17}"),
        ?BAD(invalid_params, "summary", "{\"conns\":[0]}"),
        ?BAD(invalid_params, "summary", "{\"conns\":[-1]}"),
        ?BAD(invalid_params, "summary", "{\"conns\":[1.0]}"),
        ?BAD(invalid_params, "summary", "{\"conns\":[\"1\"]}"),
        ?BAD(invalid_params, "summary", "{\"conns\":[9007199254740992]}"),
        ?BAD(invalid_params, "summary", "{\"conns\":[123456789012345678901234567890]}"),
        ?BAD(invalid_params, "probe", "{}"),
        ?BAD(invalid_params, "migrate_peer", "{}"),
        ?BAD(invalid_params, "migrate_peer", "{\"conn\":\"17\"}"),
        ?BAD(invalid_params, "migrate_peer", "{\"conn\":1,\"timeout_ms\":0}"),
        ?BAD(invalid_params, "migrate_peer", "{\"conn\":1,\"timeout_ms\":\"5000\"}"),
        ?BAD(invalid_params, "migrate_peer", "{\"conn\":1,\"timeout_ms\":1e3}"),
        ?BAD(invalid_params, "migrate_peer", "{\"conn\":1,\"reason\":5}"),
        ?BAD(invalid_params, "migrate_peer", "{\"conn\":1,\"interface\":5}"),
        ?BAD(invalid_params, "migrate_peer", "{\"conn\":1,\"interface\":\"\"}"),
        ?BAD(invalid_params, "migrate_peer", "{\"conn\":1,\"local\":5}"),
        ?BAD(invalid_params, "reconnect_peer", "{\"conn\":1,\"local\":\"\"}"),
        ?BAD(invalid_params, "reconnect_peer", "{\"conn\":1,\"local\":\"up1\"}"),
        ?BAD(invalid_params, "reconnect_peer", "{\"conn\":1,\"local\":\"10.1\"}"),
        ?BAD(invalid_params, "reconnect_peer", "{\"conn\":1,\"local\":\"10.0.0.1:7\"}"),
        ?BAD(invalid_params, "probe_path", ["{\"conn\":1,\"local\":\"", lists:duplicate(65, $1), "\"}"]),
        ?BAD(invalid_params, "probe_path", "{\"interface\":\"up1\"}"),
        ?BAD(invalid_params, "reconnect_peer", "{\"conn\":1,\"via\":[]}")
    ].

conns_limit_test() ->
    List = fun(N) -> ["{\"conns\":[", lists:join($,, [integer_to_list(I) || I <- lists:seq(1, N)]), "]}"] end,
    ?assertMatch({request, 7, {summary, [1 | _]}}, call("summary", List(4096))),
    ?assertEqual({refuse, 7, invalid_params}, call("summary", List(4097))).

ids_test_() ->
    Ask = fun(Id) -> decode(["{\"jsonrpc\":\"2.0\",\"method\":\"subscribe\",\"id\":", Id, "}"]) end,
    [
        ?_assertEqual({request, 1, subscribe}, Ask("1")),
        ?_assertEqual({request, -1, subscribe}, Ask("-1")),
        ?_assertEqual({request, 0, subscribe}, Ask("0")),
        ?_assertEqual({request, 9223372036854775807, subscribe}, Ask("9223372036854775807")),
        ?_assertEqual({request, <<"a">>, subscribe}, Ask("\"a\"")),
        ?_assertEqual({request, <<"ü"/utf8>>, subscribe}, Ask(<<"\"ü\""/utf8>>)),
        ?_assertEqual({refuse, null, invalid_request}, Ask("null")),
        ?_assertEqual({refuse, null, invalid_request}, Ask("1.5")),
        ?_assertEqual({refuse, null, invalid_request}, Ask("true")),
        ?_assertEqual({refuse, null, invalid_request}, Ask("[1]")),
        ?_assertEqual({refuse, null, invalid_request}, Ask("{}")),
        ?_assertEqual({refuse, null, invalid_request}, Ask("123456789012345678901")),
        ?_assertEqual({refuse, null, invalid_request}, Ask(["\"", lists:duplicate(1025, $x), "\""]))
    ].

not_requests_test_() ->
    [
        ?_assertEqual({cancel, 5}, decode("{\"jsonrpc\":\"2.0\",\"method\":\"cancel\",\"params\":{\"id\":5}}")),
        ?_assertEqual(ignore, decode("{\"jsonrpc\":\"2.0\",\"method\":\"cancel\",\"params\":{\"id\":null}}")),
        ?_assertEqual(ignore, decode("{\"jsonrpc\":\"2.0\",\"method\":\"cancel\",\"params\":[5]}")),
        ?_assertEqual(ignore, decode("{\"jsonrpc\":\"2.0\",\"method\":\"cancel\"}")),
        ?_assertEqual(ignore, decode("{\"jsonrpc\":\"2.0\",\"method\":\"subscribe\"}")),
        ?_assertEqual(ignore, decode("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}")),
        ?_assertEqual(ignore, decode("{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{}}")),
        ?_assertEqual({refuse, null, invalid_request}, decode("{}")),
        ?_assertEqual({refuse, 1, invalid_request}, decode("{\"id\":1}")),
        ?_assertEqual({refuse, 1, invalid_request}, decode("{\"id\":1,\"method\":\"hello\"}")),
        ?_assertEqual(
            {refuse, 1, invalid_request}, decode("{\"jsonrpc\":2.0,\"id\":1,\"method\":\"hello\"}")
        ),
        ?_assertEqual(
            {refuse, 1, invalid_request}, decode("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}")
        )
    ].

fatal_test_() ->
    [?_assertEqual({fatal, not_an_object}, decode(T)) || T <- ["[]", "1", "\"x\"", "null", " true "]] ++
    [?_assertEqual({fatal, not_json}, decode(T))
     || T <- ["{", "}", "{\"a\":}", "{\"a\" 1}", "hello", "{} {}", "{}x", <<0>>, <<255, 254>>,
              <<"{\"a\":\"", 255, "\"}">>, <<"{\"a\":\"", 16#ED, 16#A0, 16#80, "\"}">>, "{\"a\":01}",
              "{'a':1}", "{\"a\":\"\n\"}", "[1,]", "{\"a\":1,}"]].

numbers_are_never_made_that_are_too_big_test_() ->
    Huge = binary:copy(<<"9">>, 1000000),
    {timeout, 60, [
        ?_assertEqual({refuse, null, invalid_request}, decode(["{\"id\":", Huge, "}"])),
        ?_assertEqual({refuse, null, invalid_request}, decode(["{\"id\":1.", Huge, "}"])),
        ?_assertEqual({refuse, null, invalid_request}, decode("{\"id\":1e99999}"))
    ]}.

depth_test_() ->
    Deep = fun(Open, Close) ->
        decode([binary:copy(Open, 30000), "1", binary:copy(Close, 30000)])
    end,
    {timeout, 60, [
        ?_assertEqual({fatal, not_an_object}, Deep(<<"[">>, <<"]">>)),
        ?_assertEqual({fatal, not_json}, Deep(<<"[">>, <<>>)),
        ?_assertMatch({refuse, null, _}, Deep(<<"{\"a\":">>, <<"}">>) )
    ]}.

%% Only whole numbers, words and lists are made of what is read.
no_atoms_test_() -> {timeout, 60, fun no_atoms/0}.

no_atoms() ->
    decode("{\"warm\":\"up\"}"),
    Before = erlang:system_info(atom_count),
    [decode(io_lib:format("{\"key_~b\":\"value_~b\",\"method\":\"m_~b\",\"id\":\"i_~b\"}", [N, N, N, N]))
     || N <- lists:seq(1, 2000)],
    ?assert(erlang:system_info(atom_count) - Before < 100).

%% ---- writing ----

text(Line) -> iolist_to_binary(Line).

writing_test_() ->
    [
        ?_assertEqual(
            <<"{\"jsonrpc\":\"2.0\",\"id\":4,\"result\":{\"local\":\"1.2.3.4:5\",\"validated\":true}}\n">>,
            text(pathdog_bridge_protocol:result(4, [{local, <<"1.2.3.4:5">>}, {validated, true}]))
        ),
        ?_assertEqual(
            <<"{\"jsonrpc\":\"2.0\",\"id\":\"x\\\"y\",\"result\":{}}\n">>,
            text(pathdog_bridge_protocol:result(<<"x\"y">>, {object, []}))
        ),
        ?_assertEqual(
            <<"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32006,\"message\":\"busy\"}}\n">>,
            text(pathdog_bridge_protocol:refusal(null, busy))
        ),
        %% what is not known is left out
        ?_assertEqual(
            <<"{\"jsonrpc\":\"2.0\",\"method\":\"peer_down\",\"params\":{\"conn\":3}}\n">>,
            text(pathdog_bridge_protocol:notification(<<"peer_down">>, [{conn, 3}, {reason, undefined}]))
        ),
        ?_assertEqual(
            <<"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"features\":[\"reconnect\",\"probe\"]}}\n">>,
            text(pathdog_bridge_protocol:result(1, [{features, [<<"reconnect">>, <<"probe">>]}]))
        ),
        %% the form of pathdog's quick scanner
        ?_assertEqual(
            <<"{\"jsonrpc\":\"2.0\",\"method\":\"summaries\",\"params\":{\"columns\":[\"conn\",\"srtt_us\"],"
              "\"rows\":[[17,48210],[18,null]]}}\n">>,
            text(pathdog_bridge_protocol:summaries([<<"conn">>, <<"srtt_us">>], [[17, 48210], [18, null]]))
        )
    ].

codes_test() ->
    Words = [not_connected, no_conn, peer_disable_migration, timeout, not_migratable, busy, no_path,
             unknown_via, dial_failed, unsupported_protocol],
    ?assertEqual(lists:seq(-32001, -32010, -1), [pathdog_bridge_protocol:code(W) || W <- Words]),
    ?assertEqual(-32600, pathdog_bridge_protocol:code(invalid_request)),
    ?assertEqual(-32601, pathdog_bridge_protocol:code(method_not_found)),
    ?assertEqual(-32602, pathdog_bridge_protocol:code(invalid_params)),
    ?assertEqual(-32000, pathdog_bridge_protocol:code(failed)).
