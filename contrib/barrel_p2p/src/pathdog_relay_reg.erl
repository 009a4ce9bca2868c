%% SPDX-License-Identifier: Apache-2.0
%% A relay module for the REG/ACK relay: `REG:<id>\n` is answered `ACK\n`, everything else goes to
%% the other member of the session, byte for byte. An example that works, and the one to copy from.
%% It keeps which way each peer is reached; the datagrams are pathdog_relay_reg_path's.
%%
%%   {relay, {pathdog_relay_reg, #{
%%       relays => [{<<"eu">>, {{192, 0, 2, 9}, 4433}}, {<<"us">>, {{198, 51, 100, 9}, 4433}}],
%%       peers => #{'bravo@10.0.0.2' => #{id => <<"alpha-bravo">>, via => <<"eu">>, direct => {{10, 0, 0, 2}, 9101}}},
%%       doors => [#{id => <<"charlie-alpha">>, relays => [<<"eu">>, <<"us">>], port => 9100, direct => 9101}]}}}
%%
%% `peers` are dialled by this node; a door is the other end: what comes over its relays in that
%% session is handed to this node's own listener. The order of the relays is that in which they are tried.
%% `direct`, which may be left out, is a port of the door's own for the direct path: it speaks as a relay does, so that this way can be
%% asked whether it lives, and a change to it is none to quic.
-module(pathdog_relay_reg).
-behaviour(pathdog_relay).

-export([init/1, relayed/1, relays/1, connect_options/2, via/2, switch/4, received/3, proven/3, patience/1]).

-define(DIRECT, <<"direct">>).
-define(DEAD_AFTER, 500).
-define(SOME_TRIES_MS, 200).
-define(NUMBERS, 3). % this node's addresses at a relay, one after the other
-define(NUMBERS_MAX, 8).
-define(RELAYS_MAX, 64).
-define(NAME_MAX, 255).

-spec init(term()) -> {ok, map()} | {error, term()}.
init(#{relays := Given} = Args) when is_map(Given) ->
    init(Args#{relays := maps:to_list(Given)});
init(#{peers := Peers} = Args) when not is_map_key(doors, Args) ->
    init(Args#{peers := Peers, doors => []});
init(#{relays := Relays, peers := Peers, doors := Doors} = Args) when is_list(Relays), is_map(Peers), is_list(Doors) ->
    DeadAfter = maps:get(dead_after, Args, ?DEAD_AFTER),
    Numbers = maps:get(numbers, Args, ?NUMBERS),
    Names = [Name || {Name, _} <- Relays],
    Checks = [
        {bad_relays, [Relay || Relay <- Relays, not is_relay(Relay)] ++ Names -- lists:usort(Names)},
        {too_many_relays, [length(Relays) || length(Relays) > ?RELAYS_MAX]},
        {bad_peers, [Node || {Node, Peer} <- maps:to_list(Peers), not is_peer(Peer, Names)]},
        {bad_doors, [Door || Door <- Doors, not is_door(Door, Names)]},
        {bad_dead_after, [DeadAfter || not (is_integer(DeadAfter) andalso DeadAfter >= 100)]},
        {bad_numbers, [Numbers || not (is_integer(Numbers) andalso Numbers >= 1 andalso Numbers =< ?NUMBERS_MAX)]}
    ],
    case [Check || {_, [_ | _]} = Check <- Checks] of
        [] -> begun(#{relays => Relays, peers => Peers, dead_after => DeadAfter, numbers => Numbers}, Doors);
        [Bad | _] -> {error, Bad}
    end;
init(_) ->
    {error, badarg}.

begun(#{relays := Relays, peers := Peers, numbers := Numbers} = State, Doors) ->
    Table = ets:new(?MODULE, [public, set, {read_concurrency, true}]),
    maps:foreach(fun(Node, #{via := Via}) -> ets:insert(Table, {{via, Node}, Via}) end, Peers),
    Addresses = maps:from_list(Relays),
    case open_doors(Doors, []) of
        {ok, Open} ->
            [
                pathdog_relay_reg_door:start_link(Id, [maps:get(Name, Addresses) || Name <- at(Door)], Numbers, Port, Direct)
             || {#{id := Id, port := Port} = Door, Direct} <- Open
            ],
            {ok, State#{table => Table, addresses => Addresses}};
        {error, _} = Error ->
            Error
    end.

%% Those that are for the direct path, too.
open_doors([], Open) ->
    {ok, Open};
open_doors([#{direct := At} = Door | Doors], Open) ->
    {Options, Port} =
        case At of
            {Ip, Given} -> {[pathdog_relay_reg_socket:family(Ip), {ip, Ip}], Given};
            Given -> {[], Given}
        end,
    case gen_udp:open(Port, [binary, {active, false} | Options]) of
        {ok, Socket} -> open_doors(Doors, [{Door, Socket} | Open]);
        {error, Reason} -> {error, {door, At, Reason}}
    end;
open_doors([Door | Doors], Open) ->
    open_doors(Doors, [{Door, none} | Open]).

is_relay({Name, Address}) when is_binary(Name), Name =/= ?DIRECT, byte_size(Name) >= 1, byte_size(Name) =< ?NAME_MAX ->
    case unicode:characters_to_list(Name) of
        Text when is_list(Text) -> lists:all(fun(C) -> C >= 32 andalso C =/= 127 end, Text) andalso is_address(Address);
        _ -> false
    end;
is_relay(_) ->
    false.

is_address({Ip, Port}) -> inet:ntoa(Ip) =/= {error, einval} andalso is_port_number(Port);
is_address(_) -> false.

is_port_number(Port) -> is_integer(Port) andalso Port >= 1 andalso Port =< 65535.

is_id(Id) -> is_binary(Id) andalso Id =/= <<>>.

is_peer(#{id := Id, via := Via} = Peer, Names) ->
    is_id(Id) andalso (Via =:= ?DIRECT orelse lists:member(Via, Names)) andalso
        (not is_map_key(direct, Peer) orelse is_address(maps:get(direct, Peer)));
is_peer(_, _) -> false.

is_door(#{id := Id, port := Port} = Door, Names) ->
    At = at(Door),
    is_id(Id) andalso is_port_number(Port) andalso is_list(At) andalso At =/= [] andalso At -- Names =:= [] andalso
        is_own(maps:get(direct, Door, 1));
is_door(_, _) ->
    false.

%% Of this node: a port of all its IPv4 addresses, or one address.
is_own(Port) when is_integer(Port) -> is_port_number(Port);
is_own(At) -> is_address(At).

%% The relays of a door.
at(#{relays := Names}) -> Names;
at(#{relay := Name}) -> [Name];
at(_) -> [].

-spec relayed(map()) -> [node()].
relayed(#{peers := Peers}) ->
    maps:keys(Peers).

-spec relays(map()) -> [pathdog_relay:relay()].
relays(#{relays := Relays}) ->
    [#{relay => Name, address => Address, speaks => <<"reg-ack">>} || {Name, Address} <- Relays].

%% From the first relay over all others to direct, and what a packet needs there.
-spec patience(map()) -> non_neg_integer().
patience(#{relays := Relays, dead_after := Ms}) ->
    length(Relays) * (Ms + ?SOME_TRIES_MS) + Ms.

%% One path for all connections to a peer, so that it registers once at each relay. Called by the keeper only.
-spec connect_options(node(), map()) -> {ok, map()} | {error, term()}.
connect_options(Node, #{table := Table} = State) ->
    Path =
        case ets:lookup(Table, {path, Node}) of
            [{_, Pid}] ->
                case is_process_alive(Pid) of
                    true -> Pid;
                    false -> begin_path(Node, State)
                end;
            [] ->
                begin_path(Node, State)
        end,
    Ref = make_ref(),
    Adapter = #{
        socket_ref => Ref,
        send_fun => fun(Ip, Port, Data) -> pathdog_relay_reg_path:send(Path, Ref, Ip, Port, Data) end,
        close_fun => fun() -> pathdog_relay_reg_path:close(Path, Ref) end
    },
    {ok, #{socket_backend => adapter, socket_adapter => Adapter}}.

begin_path(Node, #{relays := Relays, addresses := Addresses, peers := Peers, table := Table} = State) ->
    #{Node := #{id := Id} = Peer} = Peers,
    Path = pathdog_relay_reg_path:start(#{
        id => Id, relays => case Peer of #{direct := At} -> Addresses#{?DIRECT => At}; _ -> Addresses end, via => via(Node, State), keeper => self(), node => Node,
        ways => [Name || {Name, _} <- Relays] ++ [?DIRECT], dead_after => maps:get(dead_after, State),
        numbers => maps:get(numbers, State)
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
switch(Node, Via, Limit, #{addresses := Addresses} = State) when
    Via =:= ?DIRECT; is_map_key(Via, Addresses)
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
