%% SPDX-License-Identifier: Apache-2.0
%% Settings, hello, bounded calls, groups, the boot word.
-module(pathdog_bridge_small_tests).
-include_lib("eunit/include/eunit.hrl").

%% ---- settings ----

check(Given) -> pathdog_bridge_settings:check(Given).

settings_test_() ->
    [
        ?_assertMatch({ok, #{connections := active_view, mode := 8#660, prefer := auto}}, check([])),
        ?_assertMatch({ok, #{socket := "/run/x"}}, check([{socket, <<"/run/x">>}])),
        ?_assertMatch({ok, #{group := <<"pathdog">>}}, check([{group, "pathdog"}])),
        ?_assertMatch({ok, #{group := 990}}, check([{group, 990}])),
        ?_assertMatch({ok, #{relay := {a, b}}}, check([{relay, {a, b}}]))
    ] ++ [
        {iolist_to_binary(io_lib:format("refused: ~tp", [Pair])), ?_assertEqual({error, [Pair]}, check([Pair]))}
     || Pair <- [
            {sockte, "/x"}, {socket, "relative"}, {socket, ""}, {socket, 7}, {mode, 8#1000}, {mode, "0660"},
            {group, -1}, {group, ''}, {group, ""}, {connections, none}, {prefer, yes}, {call_timeout, 0}, {call_timeout, infinity},
            {output_buffer, 1000}, {max_in_flight, 0}, {relay, pathdog_relay_reg}, {summary_parallel, 0}
        ]
    ].

all_bad_ones_are_said_test() ->
    ?assertEqual({error, [{mode, x}, {nix, 1}]}, check([{mode, x}, {prefer, auto}, {nix, 1}])).

%% ---- hello ----

prefer_test_() ->
    P = fun pathdog_bridge_hello:prefer/2,
    [
        ?_assertEqual(reconnect, P(auto, "1.8.1")),
        ?_assertEqual(reconnect, P(auto, "1.8.1-rc.2")),
        ?_assertEqual(reconnect, P(auto, "1.4.2")),
        ?_assertEqual(reconnect, P(auto, "0.10.0")),
        ?_assertEqual(reconnect, P(auto, "git")),
        ?_assertEqual(reconnect, P(auto, undefined)),
        ?_assertEqual(migrate, P(auto, "1.8.2")),
        ?_assertEqual(migrate, P(auto, "1.10.0")),
        ?_assertEqual(migrate, P(auto, "2.0.0")),
        ?_assertEqual(migrate, P(migrate, "1.8.1")),
        ?_assertEqual(reconnect, P(reconnect, "9.0.0"))
    ].

hello_test() ->
    pathdog_bridge_boot:ensure(),
    {ok, Settings} = check([{dist, standin_net}, {max_in_flight, 64}]),
    Hello = maps:from_list(pathdog_bridge_hello:answer(Settings)),
    {ok, Target} = file:read_link("/proc/self/ns/net"),
    ?assertMatch(
        #{protocol := 1, node := <<"alpha@127.0.0.1">>, features := [<<"reconnect">>, <<"make_before_break">>, <<"bind">>, <<"probe">>, <<"push">>],
          prefer := <<"reconnect">>, max_in_flight := 64}, Hello),
    ?assertEqual(Target, "net:[" ++ integer_to_list(maps:get(netns, Hello)) ++ "]"),
    ?assert(is_binary(maps:get(boot, Hello))).

features_test() ->
    pathdog_bridge_boot:ensure(),
    Features = fun(Given) ->
        {ok, Settings} = check([{dist, standin_net} | Given]),
        proplists:get_value(features, pathdog_bridge_hello:answer(Settings))
    end,
    ?assertEqual([<<"bind">>, <<"probe">>, <<"push">>], Features([{reconnectable, none}])),
    ?assertEqual([<<"bind">>, <<"probe">>], Features([{reconnectable, none}, {push, false}])),
    ?assertEqual([<<"reconnect">>, <<"make_before_break">>, <<"bind">>, <<"relay">>, <<"probe">>, <<"push">>], Features([{relay, {x, y}}])).

%% ---- boot ----

ids_grow_and_the_boot_stays_test() ->
    pathdog_bridge_boot:ensure(),
    Word = pathdog_bridge_boot:word(),
    A = pathdog_bridge_boot:next_id(),
    pathdog_bridge_boot:ensure(), % as at a restart of the application
    ?assertEqual(Word, pathdog_bridge_boot:word()),
    ?assertEqual(A + 1, pathdog_bridge_boot:next_id()).

%% ---- calls ----

call_test_() ->
    Run = fun pathdog_bridge_call:run/2,
    [
        ?_assertEqual({ok, 7}, Run(fun() -> 7 end, 5000)),
        ?_assertEqual({error, {error, badarg}}, Run(fun() -> error(badarg) end, 5000)),
        ?_assertEqual({error, {exit, x}}, Run(fun() -> exit(x) end, 5000)),
        ?_assertEqual({error, {throw, x}}, Run(fun() -> throw(x) end, 5000)),
        ?_assertEqual({error, timeout}, Run(fun() -> receive never -> ok end end, 20)),
        ?_assertMatch({error, {exit, {noproc, _}}}, Run(fun() -> gen_server:call(no_such_process, x) end, 5000))
    ].

nothing_is_left_behind_test_() ->
    Try = fun() ->
        pathdog_bridge_call:run(fun() -> ok end, 5000),
        pathdog_bridge_call:run(fun() -> receive never -> ok end end, 10),
        ?assertEqual({messages, []}, process_info(self(), messages)),
        ?assertEqual({monitors, []}, process_info(self(), monitors))
    end,
    [
        {"of a call", {spawn, Try}},
        {"of a call where exits are trapped", {spawn, fun() -> process_flag(trap_exit, true), Try() end}}
    ].

%% A caller that is killed takes its helper with it.
no_helper_is_left_test() ->
    Self = self(),
    Caller = spawn(fun() ->
        pathdog_bridge_call:run(fun() -> Self ! {helper, self()}, receive never -> ok end end, 60000)
    end),
    Helper = receive {helper, Pid} -> Pid after 30000 -> error(no_helper) end,
    Monitor = monitor(process, Helper),
    exit(Caller, kill),
    receive {'DOWN', Monitor, process, Helper, _} -> ok after 30000 -> error(left_behind) end.

%% ---- groups ----

group_test_() ->
    Text = <<"root:x:0:\nstaff:x:50:alice,bob\n\nbad\nodd:x:nothing:\nlast:x:7">>,
    G = fun(Name) -> pathdog_bridge_socket:group_id(Name, Text) end,
    [
        ?_assertEqual({ok, 0}, G(<<"root">>)),
        ?_assertEqual({ok, 50}, G(<<"staff">>)),
        ?_assertEqual({ok, 7}, G(<<"last">>)),
        ?_assertEqual(error, G(<<"nobody">>)),
        ?_assertEqual(error, G(<<"odd">>)),
        ?_assertEqual(error, G(<<"alice">>))
    ].
