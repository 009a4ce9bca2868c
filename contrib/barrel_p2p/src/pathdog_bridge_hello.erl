%% SPDX-License-Identifier: Apache-2.0
%% What the node says about itself. It must not wait for anything.
-module(pathdog_bridge_hello).

-export([answer/1, prefer/2, loses/1, probes_paths/0]).

%% Up to this version of quic a move that changes the address loses what was not acknowledged: the
%% accepting side throws its loss state away when it has validated the new path, and the streams
%% stand still for ever. To be raised when a later version is known to be so as well.
-define(LOSES_UP_TO, [1, 8, 1]).

%% From this version of quic on a listener answers a stray packet with a stateless reset. The peer's is
%% what counts; it is likely to be the same.
-define(RESETS_FROM, [1, 7, 0]).

-spec answer(pathdog_bridge_settings:settings()) -> [{atom(), term()}].
answer(#{dist := Dist, prefer := Prefer, max_in_flight := Max} = Settings) ->
    [
        {protocol, 1},
        {node, atom_to_binary(Dist:name())},
        {implementation, implementation()},
        {boot, pathdog_bridge_boot:word()},
        {features, features(Settings)},
        {prefer, atom_to_binary(prefer(Prefer, version(quic)))},
        {max_in_flight, Max},
        {netns, netns()}
    ].

-spec prefer(auto | migrate | reconnect, string() | undefined) -> migrate | reconnect.
prefer(auto, Version) ->
    case is_losing(Version) orelse pathdog_bridge_effects:has_learned() of
        true -> reconnect;
        false -> migrate
    end;
prefer(Given, _) ->
    Given.

%% Is a migration that changes the address not to be made? Who prefers migrations has it so.
-spec loses(pathdog_bridge_settings:settings()) -> boolean().
loses(#{prefer := Prefer}) ->
    Prefer =/= migrate andalso (is_losing(version(quic)) orelse pathdog_bridge_effects:has_learned()).

is_losing(undefined) -> true;
is_losing(Version) -> numbers(Version) =< ?LOSES_UP_TO.

%% "1.8.1-rc.1" counts as 1.8.1; what is not a version counts as old.
numbers(Version) ->
    Release = hd(string:split(Version, "-")),
    [number(Part) || Part <- string:split(Release, ".", all)].

number(Part) ->
    case string:to_integer(Part) of
        {N, _} when is_integer(N) -> N;
        _ -> 0
    end.

features(#{reconnectable := Which} = Settings) ->
    [<<"reconnect">> || Which =/= none] ++
        [<<"make_before_break">> || Which =/= none] ++
        [<<"bind">> || pathdog_bridge_bind:missing() =:= []] ++
        [<<"relay">> || pathdog_bridge_relay:is_configured(Settings)] ++
        [<<"probe">>] ++
        [<<"probe_path">> || probes_paths()] ++
        [<<"push">> || maps:get(push, Settings) andalso pathdog_bridge_state:readable()].

-spec probes_paths() -> boolean().
probes_paths() ->
    case version(quic) of
        undefined -> false;
        Version -> numbers(Version) >= ?RESETS_FROM
    end.

implementation() ->
    Known = [
        [atom_to_list(App), $/, Version]
     || App <- [barrel_p2p, quic, pathdog_bridge], (Version = version(App)) =/= undefined
    ],
    unicode:characters_to_binary(lists:join($\s, Known)).

version(App) ->
    case application:get_key(App, vsn) of
        {ok, Version} -> Version;
        undefined -> undefined
    end.

%% The inode, out of "net:[4026531840]".
netns() ->
    case file:read_link("/proc/self/ns/net") of
        {ok, "net:[" ++ Rest} ->
            case string:to_integer(Rest) of
                {Inode, "]"} when is_integer(Inode) -> Inode;
                _ -> undefined
            end;
        _ ->
            undefined
    end.
