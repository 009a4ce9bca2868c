%% SPDX-License-Identifier: Apache-2.0
%% A relay module for the REG/ACK relay: `REG:<id>\n` is answered `ACK\n`, everything else goes to
%% the other member of the session, byte for byte. An example that works, and the one to copy from.
%% It keeps which way each peer is reached; the datagrams are pathdog_relay_reg_path's.
%%
%%   {relay, {pathdog_relay_reg, #{
%%       relays => #{<<"eu">> => {{192, 0, 2, 9}, 4433}},
%%       peers => #{'bravo@10.0.0.2' => #{id => <<"alpha-bravo">>, via => <<"eu">>}},
%%       doors => [#{id => <<"charlie-alpha">>, relay => <<"eu">>, port => 9100}]}}}
%%
%% `peers` are dialled by this node; a door is the other end: what comes over the relay in that
%% session is handed to this node's own listener.
-module(pathdog_relay_reg).
-behaviour(pathdog_relay).

-export([init/1, relayed/1, connect_options/2, via/2, switch/4, received/3, proven/3]).

-define(DIRECT, <<"direct">>).

-spec init(term()) -> {ok, map()} | {error, term()}.
init(#{relays := Relays, peers := Peers} = Args) ->
    case [Node || {Node, Peer} <- maps:to_list(Peers), not good(Peer, Relays)] of
        [] ->
            Table = ets:new(?MODULE, [public, set, {read_concurrency, true}]),
            maps:foreach(fun(Node, #{via := Via}) -> ets:insert(Table, {{via, Node}, Via}) end, Peers),
            Doors = [door(Door, Relays) || Door <- maps:get(doors, Args, [])],
            {ok, #{relays => Relays, peers => Peers, table => Table, doors => Doors}};
        Bad ->
            {error, {bad_peers, Bad}}
    end;
init(_) ->
    {error, badarg}.

good(#{id := Id, via := Via}, Relays) ->
    is_binary(Id) andalso Id =/= <<>> andalso (Via =:= ?DIRECT orelse is_map_key(Via, Relays));
good(_, _) ->
    false.

door(#{id := Id, relay := Relay, port := Port}, Relays) ->
    pathdog_relay_reg_door:start_link(Id, maps:get(Relay, Relays), Port).

-spec relayed(map()) -> [node()].
relayed(#{peers := Peers}) ->
    maps:keys(Peers).

%% One path for all connections to a peer, so that it registers once at each relay. Called by the keeper only.
-spec connect_options(node(), map()) -> {ok, map()} | {error, term()}.
connect_options(Node, #{table := Table} = State) ->
    Path =
        case ets:lookup(Table, {path, Node}) of
            [{_, Pid}] -> Pid;
            [] -> begin_path(Node, State)
        end,
    Ref = make_ref(),
    Adapter = #{
        socket_ref => Ref,
        send_fun => fun(Ip, Port, Data) -> pathdog_relay_reg_path:send(Path, Ref, Ip, Port, Data) end,
        close_fun => fun() -> pathdog_relay_reg_path:close(Path, Ref) end
    },
    {ok, #{socket_backend => adapter, socket_adapter => Adapter}}.

begin_path(Node, #{relays := Relays, peers := Peers, table := Table} = State) ->
    #{Node := #{id := Id}} = Peers,
    Path = pathdog_relay_reg_path:start(#{
        id => Id, relays => Relays, via => via(Node, State), keeper => self()
    }),
    ets:insert(Table, {{path, Node}, Path}),
    Path.

-spec via(node(), map()) -> pathdog_relay:via().
via(Node, #{table := Table}) ->
    ets:lookup_element(Table, {via, Node}, 2).

-spec switch(node(), pathdog_relay:via() | undefined, non_neg_integer(), map()) ->
    {ok, pathdog_relay:via()} | {error, term()}.
switch(Node, undefined, Limit, State) ->
    to(Node, via(Node, State), fresh, Limit, State);
switch(Node, Via, Limit, #{relays := Relays} = State) when
    Via =:= ?DIRECT; is_map_key(Via, Relays)
->
    to(Node, Via, kept, Limit, State);
switch(_, _, _, _) ->
    {error, unknown_via}.

to(Node, Via, Port, Limit, #{table := Table}) ->
    case ets:lookup(Table, {path, Node}) of
        [{_, Path}] ->
            case pathdog_relay_reg_path:switch(Path, Via, Port, Limit) of
                ok -> {ok, Via};
                {error, Reason} ->
                    {error, Reason}
            end;
        [] ->
            {error, not_connected}
    end.

-spec received(node(), pathdog_relay:via(), map()) -> non_neg_integer().
received(Node, Via, #{table := Table}) ->
    pathdog_relay_reg_path:received(ets:lookup_element(Table, {path, Node}, 2), Via).

%% The next connection begins there as well.
-spec proven(node(), pathdog_relay:via(), map()) -> ok.
proven(Node, Via, #{table := Table}) ->
    ets:insert(Table, {{via, Node}, Via}),
    ok.
