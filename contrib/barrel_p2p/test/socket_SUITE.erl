%% SPDX-License-Identifier: Apache-2.0
%% The socket's file.
-module(socket_SUITE).
-include_lib("stdlib/include/assert.hrl").
-include_lib("kernel/include/file.hrl").
-compile([export_all, nowarn_export_all]).

all() ->
    [
        mode_and_group, group_by_name, an_unknown_group, another_mode, appears_by_rename, goes_at_the_stop,
        a_stale_one_is_removed, not_a_file, not_a_directory, not_a_link, not_a_fifo,
        not_one_that_is_served, taken_over_when_it_is_free, not_anothers_at_the_stop,
        the_directory_comes_later, a_path_too_long, after_a_crash
    ].

init_per_testcase(_, Config) ->
    {ok, _} = standin_net:start(),
    Dir = string:trim(os:cmd("mktemp -d -t brXXXXXX")),
    [{dir, Dir}, {path, filename:join(Dir, "s")} | Config].

end_per_testcase(_, Config) -> bridge:stop(Config).

begin_with(Settings, Config) ->
    _ = application:load(pathdog_bridge),
    [application:unset_env(pathdog_bridge, Key) || {Key, _} <- application:get_all_env(pathdog_bridge)],
    All = [{socket, bridge:path(Config)}, {dist, standin_net}, {retry_interval, 20} | Settings],
    [application:set_env(pathdog_bridge, Key, Value) || {Key, Value} <- All],
    {ok, _} = application:ensure_all_started(pathdog_bridge).

serves(Config) ->
    bridge:hello(bridge:connect(Config)),
    true.

info(Config) ->
    {ok, Info} = file:read_link_info(bridge:path(Config)),
    Info.

%% It has tried, and it does not serve: what it said is what is asserted.
refuses(Config, Reason) ->
    begin_with([], Config),
    said(Reason),
    ?assertMatch({ok, _}, file:read_link_info(bridge:path(Config))).

said(Reason) ->
    bridge:wait(fun() ->
        case maps:get(said, sys:get_state(pathdog_bridge_listener)) of
            undefined -> false;
            Said -> element(1, Said) =:= Reason orelse error({said, Said})
        end
    end).

mode_and_group(Config) ->
    Gid = case os:cmd("id -u") of "0\n" -> 4321; _ -> (info_of(proplists:get_value(dir, Config)))#file_info.gid end,
    begin_with([{group, Gid}], Config),
    serves(Config),
    ?assertMatch(#file_info{gid = Gid}, info(Config)),
    ?assertEqual(8#660, (info(Config))#file_info.mode band 8#7777).

info_of(Path) ->
    {ok, Info} = file:read_file_info(Path),
    Info.

group_by_name(Config) ->
    Gid = list_to_integer(string:trim(os:cmd("id -g"))),
    Name = string:trim(os:cmd("id -gn")),
    begin_with([{group, Name}], Config),
    serves(Config),
    ?assertMatch(#file_info{gid = Gid}, info(Config)).

%% Not served with the wrong rights.
an_unknown_group(Config) ->
    begin_with([{group, "no_such_group_here"}], Config),
    said(unknown_group),
    %% what it makes while it tries again it takes away
    bridge:wait(fun() -> file:list_dir(proplists:get_value(dir, Config)) =:= {ok, []} end).

another_mode(Config) ->
    begin_with([{mode, 8#600}], Config),
    serves(Config),
    ?assertEqual(8#600, (info(Config))#file_info.mode band 8#7777).

appears_by_rename(Config) ->
    begin_with([], Config),
    serves(Config),
    ?assertEqual({ok, ["s"]}, file:list_dir(proplists:get_value(dir, Config))).

goes_at_the_stop(Config) ->
    begin_with([], Config),
    serves(Config),
    application:stop(pathdog_bridge),
    ?assertEqual({ok, []}, file:list_dir(proplists:get_value(dir, Config))).

a_stale_one_is_removed(Config) ->
    {ok, Socket} = gen_tcp:listen(0, [{ifaddr, {local, bridge:path(Config)}}]),
    gen_tcp:close(Socket),
    ?assertMatch({ok, _}, file:read_link_info(bridge:path(Config))),
    begin_with([], Config),
    serves(Config).

not_a_file(Config) ->
    ok = file:write_file(bridge:path(Config), "precious"),
    refuses(Config, not_a_socket),
    ?assertEqual({ok, <<"precious">>}, file:read_file(bridge:path(Config))).

not_a_directory(Config) ->
    ok = file:make_dir(bridge:path(Config)),
    refuses(Config, not_a_socket).

%% Not even to a socket: it is not ours.
not_a_link(Config) ->
    ok = file:make_symlink("elsewhere", bridge:path(Config)),
    refuses(Config, not_a_socket).

not_a_fifo(Config) ->
    os:cmd("mkfifo " ++ bridge:path(Config)),
    refuses(Config, not_a_socket).

not_one_that_is_served(Config) ->
    {ok, Socket} = gen_tcp:listen(0, [{ifaddr, {local, bridge:path(Config)}}, {backlog, 100}]),
    Before = (info(Config))#file_info.inode,
    refuses(Config, in_use),
    ?assertEqual(Before, (info(Config))#file_info.inode),
    gen_tcp:close(Socket).

taken_over_when_it_is_free(Config) ->
    {ok, Socket} = gen_tcp:listen(0, [{ifaddr, {local, bridge:path(Config)}}, {backlog, 100}]),
    refuses(Config, in_use),
    gen_tcp:close(Socket),
    bridge:wait(fun() -> maps:get(opened, sys:get_state(pathdog_bridge_listener)) =/= undefined end),
    serves(Config).

not_anothers_at_the_stop(Config) ->
    begin_with([], Config),
    serves(Config),
    ok = file:rename(bridge:path(Config), bridge:path(Config) ++ ".old"),
    {ok, Socket} = gen_tcp:listen(0, [{ifaddr, {local, bridge:path(Config)}}]),
    application:stop(pathdog_bridge),
    ?assertMatch(#file_info{}, info(Config)),
    gen_tcp:close(Socket).

the_directory_comes_later(Config) ->
    Path = filename:join([proplists:get_value(dir, Config), "sub", "s"]),
    Later = [{path, Path} | proplists:delete(path, Config)],
    begin_with([], Later),
    said(listen),
    ok = file:make_dir(filename:dirname(Path)),
    serves(Later).

a_path_too_long(Config) ->
    begin_with([{socket, "/tmp/" ++ lists:duplicate(120, $x)}], Config),
    said(path_too_long).

after_a_crash(Config) ->
    begin_with([], Config),
    serves(Config),
    Listener = whereis(pathdog_bridge_listener),
    exit(Listener, kill),
    bridge:wait(fun() -> not lists:member(whereis(pathdog_bridge_listener), [Listener, undefined]) end),
    bridge:wait(fun() ->
        Now = whereis(pathdog_bridge_listener),
        Now =/= undefined andalso maps:get(opened, sys:get_state(Now)) =/= undefined
    end),
    serves(Config).
