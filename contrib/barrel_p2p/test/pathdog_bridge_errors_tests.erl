%% SPDX-License-Identifier: Apache-2.0
-module(pathdog_bridge_errors_tests).
-include_lib("eunit/include/eunit.hrl").

words_test_() ->
    Call = {gen_statem, call, [self(), get_stats]},
    [
        {iolist_to_binary(io_lib:format("~tp", [Term])),
            ?_assertEqual(Word, pathdog_bridge_errors:word(Term))}
     || {Word, Term} <- [
            {not_connected, not_connected},
            {not_connected, {exit, {{nodedown, a@b}, Call}}},
            {no_conn, no_conn},
            {no_conn, unknown_shape},
            {no_conn, {invalid_state, draining}},
            {no_conn, {invalid_state, closed}},
            {no_conn, {exit, {noproc, Call}}},
            {no_conn, {exit, {normal, Call}}},
            {no_conn, {exit, {shutdown, Call}}},
            {no_conn, {exit, {{shutdown, owner_down}, Call}}},
            {no_conn, {exit, {killed, Call}}},
            {no_conn, {exit, noproc}},
            {no_conn, {exit, {{connection_closed, idle_timeout}, Call}}},
            {peer_disable_migration, migration_disabled},
            {peer_disable_migration, peer_disable_migration},
            {timeout, timeout},
            {timeout, {exit, {timeout, Call}}},
            {not_migratable, not_supported_on_adapter},
            {not_migratable, inbound},
            {not_migratable, not_quic_connection},
            {busy, busy},
            {no_path, eaddrnotavail},
            {no_path, enetunreach},
            {no_path, enetdown},
            {no_path, ehostunreach},
            {no_path, no_path},
            {unknown_via, unknown_via},
            {dial_failed, {dial_failed, {ok, false}}},
            %% not final, and not known: failed
            {failed, {invalid_state, handshaking}},
            {failed, {invalid_state, idle}},
            {failed, emfile},
            {failed, eperm},
            {failed, {error, undef}},
            {failed, {error, function_clause}},
            {failed, {exit, {{badmatch, x}, Call}}},
            {failed, {unexpected, something}},
            {failed, <<"text">>},
            {failed, {very, strange, [1, 2, 3]}}
        ]
    ].

text_test_() ->
    Text = fun pathdog_bridge_errors:text/1,
    [
        ?_assertEqual(<<"nodedown">>, Text(nodedown)),
        ?_assertEqual(<<"{a,1}">>, Text({a, 1})),
        ?_assertEqual(<<"ü x"/utf8>>, Text(<<"ü\nx"/utf8>>)),
        ?_assertEqual(<<"unprintable">>, Text(<<255, 1, 2>>)),
        ?_assert(byte_size(Text(lists:seq(1, 100000))) < 1000),
        ?_assert(byte_size(Text(binary:copy(<<"x">>, 1000000))) < 1000),
        ?_assertEqual(<<"busy">>, pathdog_bridge_errors:explain(busy)),
        ?_assertEqual(
            <<"peer_disable_migration: migration_disabled">>,
            pathdog_bridge_errors:explain(migration_disabled)
        )
    ].
