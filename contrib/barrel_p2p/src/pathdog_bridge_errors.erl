%% SPDX-License-Identifier: Apache-2.0
%% What quic, barrel_p2p and the calls to them answer, as one of the protocol's words and a text for
%% people. Pure. A final word (peer_disable_migration, not_migratable) only for what is final: pathdog
%% never asks again after it.
-module(pathdog_bridge_errors).

-export([word/1, explain/1, text/1]).

-define(TEXT_MAX, 200).

%% Term: what stood in {error, Term}, or a failure of pathdog_bridge_call.
-spec word(term()) -> pathdog_bridge_protocol:word().
word(not_connected) -> not_connected;
word(not_quic_connection) -> not_migratable;
word(no_conn) -> no_conn;
word(unknown_shape) -> no_conn;
word({invalid_state, draining}) -> no_conn;
word({invalid_state, closed}) -> no_conn;
word(closed) -> no_conn;
word(migration_disabled) -> peer_disable_migration; % quic 1.8
word(peer_disable_migration) -> peer_disable_migration; % what barrel_p2p documents
word(not_supported_on_adapter) -> not_migratable;
word(not_migratable) -> not_migratable;
word({not_migratable, _}) -> not_migratable;
word(inbound) -> not_migratable;
word(timeout) -> timeout;
word(busy) -> busy;
word(old_lives) -> old_lives;
word(cancelled) -> cancelled;
word(unknown_via) -> unknown_via;
word(dial_failed) -> dial_failed;
word({dial_failed, _}) -> dial_failed;
word(no_path) -> no_path;
word({no_path, _}) -> no_path;
%% no address, no route, no interface to bind or send on
word(eaddrnotavail) -> no_path;
word(eaddrinuse) -> no_path;
word(enetunreach) -> no_path;
word(enetdown) -> no_path;
word(ehostunreach) -> no_path;
word(ehostdown) -> no_path;
word(enodev) -> no_path;
word(enonet) -> no_path;
word(econnrefused) -> no_path; % nobody listens there
%% exits of a call: {Reason, {gen_statem, call, …}}
word({exit, Reason}) -> exit_word(Reason);
word({error, undef}) -> failed;
word({error, Reason}) when is_atom(Reason) -> failed;
word(_) -> failed.

exit_word({Reason, {Module, call, _}}) when is_atom(Module) -> exit_word(Reason);
exit_word(timeout) -> timeout;
exit_word(noproc) -> no_conn;
exit_word(normal) -> no_conn;
exit_word(shutdown) -> no_conn;
exit_word({shutdown, _}) -> no_conn;
exit_word(killed) -> no_conn;
exit_word({connection_closed, _}) -> no_conn;
exit_word({transport_error, _, _}) -> no_conn;
exit_word({nodedown, _}) -> not_connected;
exit_word(_) -> failed.

%% The message beside the code: the word, and what was really said if that tells more.
-spec explain(term()) -> binary().
explain(Term) ->
    Word = atom_to_binary(word(Term)),
    case text(Term) of
        Word -> Word;
        Text -> <<Word/binary, ": ", Text/binary>>
    end.

%% Any term as a short line of UTF-8 without control characters.
-spec text(term()) -> binary().
text({Word, Text}) when is_binary(Text), Word =:= no_path orelse Word =:= not_migratable ->
    text(Text);
text(Atom) when is_atom(Atom) ->
    clean(atom_to_list(Atom));
text(Text) when is_binary(Text), byte_size(Text) =< 4 * ?TEXT_MAX ->
    case unicode:characters_to_list(Text) of
        Characters when is_list(Characters) -> clean(Characters);
        _ -> <<"unprintable">>
    end;
text(Term) ->
    %% chars_limit bounds the work as well as the length
    clean(lists:flatten(io_lib:format("~0tp", [Term], [{chars_limit, ?TEXT_MAX}]))).

clean(Characters) ->
    Visible = [visible(C) || C <- lists:sublist(Characters, 2 * ?TEXT_MAX)],
    case unicode:characters_to_binary(Visible) of
        Text when is_binary(Text) -> Text;
        _ -> <<"unprintable">>
    end.

visible(C) when C < 32; C >= 127, C < 160 -> $\s;
visible(C) -> C.
