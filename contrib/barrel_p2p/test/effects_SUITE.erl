%% SPDX-License-Identifier: Apache-2.0
%% What the node prefers: by the version of quic, and by what migrations do. Stand-ins that lose data and that do not.
-module(effects_SUITE).
-include_lib("stdlib/include/assert.hrl").
-compile([export_all, nowarn_export_all]).

-define(B, 'bravo@127.0.0.1').
-define(BRAVO, <<"bravo@127.0.0.1">>).
-define(WARNING, <<"after two migrations in a row">>).

all() ->
    [
        an_old_quic, a_newer_quic, nothing_is_lost, what_is_lost_twice, once_is_not_enough, not_by_something_else,
        a_good_one_between, one_that_wants_migrations
    ].

settings(one_that_wants_migrations) -> [{stuck_after, 1}, {prefer, migrate}];
settings(_) -> [{stuck_after, 1}].

version(an_old_quic) -> "1.8.1";
version(_) -> "1.8.2".

init_per_testcase(Case, Config) ->
    no_quic(),
    ok = application:load({application, quic, [{vsn, version(Case)}, {applications, [kernel, stdlib]}]}),
    Started = bridge:start(settings(Case), Config),
    bridge:listen(),
    Started.

end_per_testcase(_, Config) ->
    _ = persistent_term:erase(pathdog_bridge_effects),
    bridge:stop(Config),
    no_quic().

no_quic() ->
    _ = application:stop(quic),
    _ = application:unload(quic),
    ok.

up(Config) ->
    standin_net:up(?B, client),
    {Client, Peers} = bridge:subscribed(Config),
    {Client, bridge:conns(Peers, ?BRAVO), standin_net:quic(?B)}.

prefers(Config) ->
    Client = bridge:connect(Config),
    #{<<"prefer">> := Prefer} = bridge:hello(Client),
    Prefer.

migrate(Client, Conn) ->
    Params = io_lib:format("{\"conn\":~b,\"timeout_ms\":30000,\"reason\":\"test\"}", [Conn]),
    #{<<"result">> := #{<<"validated">> := true}} = bridge:ask(Client, migrate_peer, Params).

%% One look after the other, until it is said that streams stand still.
stands_still(Client) ->
    bridge:wait(fun() ->
        bridge:post(Client, erlang:unique_integer([positive]), summary, "{}"),
        bridge:said(<<"stand still">>) =/= []
    end).

an_old_quic(Config) ->
    ?assertEqual(<<"reconnect">>, prefers(Config)).

a_newer_quic(Config) ->
    ?assertEqual(<<"migrate">>, prefers(Config)).

nothing_is_lost(Config) ->
    {Client, Conn, _} = up(Config),
    [
        begin
            migrate(Client, Conn),
            bridge:ask(Client, probe, io_lib:format("{\"conns\":[~b]}", [Conn]))
        end
     || _ <- lists:seq(1, 5)
    ],
    ?assertEqual([], bridge:said(?WARNING)),
    ?assertNot(pathdog_bridge_effects:has_learned()).

%% The client is cut off, so that it asks anew what the node prefers.
what_is_lost_twice(Config) ->
    {Client, Conn, Quic} = up(Config),
    quic_connection:set(Quic, #{loses => true}),
    migrate(Client, Conn),
    stands_still(Client),
    quic_connection:set(Quic, #{hole => undefined}), % as after a reconnect
    moves_again(Client),
    ?assertNot(pathdog_bridge_effects:has_learned()),
    migrate(Client, Conn),
    bridge:post(Client, 1000, summary, "{}"),
    bridge:wait(fun() ->
        catch bridge:post(Client, erlang:unique_integer([positive]), summary, "{}"),
        pathdog_bridge_effects:has_learned()
    end),
    ok = bridge:closed(Client),
    ?assertMatch([<<"pathdog_bridge: after two", _/binary>>], bridge:said(?WARNING)),
    ?assertEqual(<<"reconnect">>, prefers(Config)).

moves_again(Client) ->
    bridge:wait(fun() ->
        bridge:post(Client, erlang:unique_integer([positive]), summary, "{}"),
        {_, #{seen := Seen}} = {ok, sys:get_state(pathdog_bridge_sampler)},
        lists:all(fun(#{stuck := Stuck}) -> not Stuck end, maps:values(Seen))
    end).

once_is_not_enough(Config) ->
    {Client, Conn, Quic} = up(Config),
    quic_connection:set(Quic, #{loses => true}),
    migrate(Client, Conn),
    stands_still(Client),
    #{bad := 1} = sys:get_state(pathdog_bridge_effects),
    ?assertEqual(<<"migrate">>, prefers(Config)).

%% A stream that stands still says nothing of migrations where there was none.
not_by_something_else(Config) ->
    {Client, _, Quic} = up(Config),
    quic_connection:set(Quic, #{hole => 4212}),
    stands_still(Client),
    #{bad := 0} = sys:get_state(pathdog_bridge_effects).

%% Its time is over, and nothing stood still.
a_good_one_between(_) ->
    pathdog_bridge_effects:migrated(1),
    pathdog_bridge_effects:stuck(1),
    pathdog_bridge_effects:migrated(2),
    #{bad := 1, watched := #{2 := Timer}} = sys:get_state(pathdog_bridge_effects),
    pathdog_bridge_effects ! {timeout, Timer, 2},
    pathdog_bridge_effects:stuck(2),
    pathdog_bridge_effects:migrated(3),
    pathdog_bridge_effects:stuck(3),
    #{bad := 1, watched := Watched} = sys:get_state(pathdog_bridge_effects),
    ?assertEqual(#{}, Watched),
    ?assertNot(pathdog_bridge_effects:has_learned()).

one_that_wants_migrations(Config) ->
    [begin pathdog_bridge_effects:migrated(N), pathdog_bridge_effects:stuck(N) end || N <- [1, 2]],
    #{bad := 2} = sys:get_state(pathdog_bridge_effects),
    ?assertMatch([_], bridge:said(<<"They go on">>)),
    ?assertEqual(<<"migrate">>, prefers(Config)).
