%% SPDX-License-Identifier: Apache-2.0
%% The application's environment as one map that never changes afterwards. Every setting has its
%% default and its check here, in one table; docs/barrel_p2p.md has the same table in words.
-module(pathdog_bridge_settings).

-export([read/0, check/1, defaults/0]).
-export_type([settings/0]).

-type settings() :: #{atom() => term()}.

-spec read() -> {ok, settings()} | {error, [{atom(), term()}]}.
read() ->
    %% included_applications is put there by the application controller
    check(proplists:delete(included_applications, application:get_all_env(pathdog_bridge))).

-spec check([{atom(), term()}]) -> {ok, settings()} | {error, [{atom(), term()}]}.
check(Given) ->
    Known = maps:from_list([{Key, Check} || {Key, _, Check} <- table()]),
    Bad = [
        {Key, Value}
     || {Key, Value} <- Given, not good(maps:get(Key, Known, unknown), Value)
    ],
    case Bad of
        [] -> {ok, normal(maps:merge(defaults(), maps:from_list(Given)))};
        _ -> {error, Bad}
    end.

-spec defaults() -> settings().
defaults() ->
    maps:from_list([{Key, Default} || {Key, Default, _} <- table()]).

table() ->
    [
        {socket, "/run/barrel/pathdog.sock", path},
        {mode, 8#660, {integer, 0, 8#777}},
        {group, undefined, group},
        {connections, active_view, {one_of, [active_view, all]}},
        {prefer, auto, {one_of, [auto, migrate, reconnect]}},
        {reconnectable, all, {one_of, [all, client, none]}},
        {max_in_flight, undefined, {optional, {integer, 1, 1000000}}},
        {call_timeout, 1000, {integer, 10, 60000}},
        {sample_timeout, 250, {integer, 10, 10000}},
        {summary_timeout, 2000, {integer, 10, 9000}},
        {stuck_after, 500, {integer, 0, 3600000}}, % 0: streams are not looked at
        {push, true, {one_of, [true, false]}},
        {summary_parallel, 32, {integer, 1, 10000}},
        {refresh_interval, 5000, {integer, 10, 3600000}},
        {retry_interval, 2000, {integer, 10, 3600000}},
        {close_timeout, 1000, {integer, 10, 60000}},
        {dial_timeout, 300, {integer, 10, 60000}},
        {hold_for, 1000, {integer, 0, 60000}}, % 0: nobody is held
        {redial_for, 600000, {integer, 0, 86400000}},
        {output_buffer, 4 * 1024 * 1024, {integer, 1024 * 1024, 1024 * 1024 * 1024}},
        {send_timeout, 30000, {integer, 100, 600000}},
        {relay, undefined, {optional, relay}},
        {relay_interval, 500, {integer, 10, 60000}},
        %% the seam to the VM; the tests put another module there
        {dist, pathdog_bridge_dist, module}
    ].

good(unknown, _) -> false;
good({optional, _}, undefined) -> true;
good({optional, Check}, Value) -> good(Check, Value);
good({integer, Min, Max}, Value) -> is_integer(Value) andalso Value >= Min andalso Value =< Max;
good({one_of, Words}, Value) -> lists:member(Value, Words);
good(module, Value) -> is_atom(Value);
good(relay, {Module, _Args}) -> is_atom(Module);
good(relay, _) -> false;
good(group, undefined) -> true;
good(group, Value) when is_integer(Value) -> Value >= 0;
good(group, Value) -> text(Value);
good(path, Value) -> text(Value) andalso hd(unicode:characters_to_list(Value)) =:= $/.

text(Value) when is_binary(Value) -> Value =/= <<>> andalso is_list(unicode:characters_to_list(Value));
text(Value) -> is_list(Value) andalso Value =/= [] andalso io_lib:char_list(Value).

normal(#{socket := Path, group := Group} = Settings) ->
    Settings#{socket := unicode:characters_to_list(Path), group := group(Group)}.

group(Group) when is_binary(Group); is_list(Group) -> unicode:characters_to_binary(Group);
group(Group) -> Group.
