%% SPDX-License-Identifier: Apache-2.0
%% The connections by number, by node and by monitor, and which node the numbers of late belonged to.
%% Pure: it starts nothing, asks nobody and tells nobody.
-module(pathdog_bridge_table).

-export([new/0, add/2, put/2, remove/2, get/2, of_node/2, of_monitor/2, all/1, untold/1, find/2]).
-export_type([table/0, conn/0, address/0]).

-type address() :: {inet:ip_address(), inet:port_number()} | undefined.
-type conn() :: #{
    id := pos_integer(),
    node := node(),
    name := binary(),
    ctrl := pid(),
    mon := reference(),
    state := resolving | known | unknown,
    told := boolean(),
    quic := pid() | undefined,
    role := client | server | undefined,
    local := address(),
    remote := address(),
    interface := binary() | undefined, % that its socket is bound to
    via := binary() | undefined,
    reason := binary() | undefined,
    retry := {pos_integer(), pos_integer()} % ticks until the next look, and after it
}.
-opaque table() :: #{
    conns := #{pos_integer() => conn()},
    nodes := #{node() => pos_integer()},
    monitors := #{reference() => pos_integer()},
    untold := non_neg_integer(),
    late := {queue:queue(pos_integer()), #{pos_integer() => node()}}
}.

-define(LATE_MAX, 4096).

-spec new() -> table().
new() ->
    #{conns => #{}, nodes => #{}, monitors => #{}, untold => 0, late => {queue:new(), #{}}}.

%% Its node must have none, and nobody was told of it.
-spec add(conn(), table()) -> table().
add(#{id := Id, node := Node, mon := Monitor, told := false} = Conn, #{nodes := Nodes} = Table) when
    not is_map_key(Node, Nodes)
->
    #{conns := Conns, monitors := Monitors, untold := Untold} = Table,
    Table#{
        untold := Untold + 1,
        conns := Conns#{Id => Conn},
        nodes := Nodes#{Node => Id},
        monitors := Monitors#{Monitor => Id}
    }.

%% What is not there any more is not put back.
-spec put(conn(), table()) -> table().
put(#{id := Id} = Conn, #{conns := Conns, untold := Untold} = Table) ->
    case Conns of
        #{Id := Old} ->
            Table#{conns := Conns#{Id := Conn}, untold := Untold - count(Old) + count(Conn)};
        _ ->
            Table
    end.

count(#{told := true}) -> 0;
count(#{told := false}) -> 1.

-spec remove(conn(), table()) -> table().
remove(#{id := Id, node := Node, mon := Monitor} = Conn, Table) ->
    #{conns := Conns, nodes := Nodes, monitors := Monitors, late := Late} = Table,
    Table#{
        untold := maps:get(untold, Table) - count(Conn),
        conns := maps:remove(Id, Conns),
        nodes := maps:remove(Node, Nodes),
        monitors := maps:remove(Monitor, Monitors),
        late := remember(Id, Node, Late)
    }.

remember(Id, Node, {Queue, Map}) when map_size(Map) < ?LATE_MAX ->
    {queue:in(Id, Queue), Map#{Id => Node}};
remember(Id, Node, {Queue, Map}) ->
    {{value, Oldest}, Rest} = queue:out(Queue),
    {queue:in(Id, Rest), (maps:remove(Oldest, Map))#{Id => Node}}.

-spec get(pos_integer(), table()) -> conn() | undefined.
get(Id, #{conns := Conns}) ->
    maps:get(Id, Conns, undefined).

-spec of_node(node(), table()) -> conn() | undefined.
of_node(Node, #{nodes := Nodes} = Table) ->
    case Nodes of
        #{Node := Id} -> get(Id, Table);
        _ -> undefined
    end.

-spec of_monitor(reference(), table()) -> conn() | undefined.
of_monitor(Monitor, #{monitors := Monitors} = Table) ->
    case Monitors of
        #{Monitor := Id} -> get(Id, Table);
        _ -> undefined
    end.

%% In the order of their numbers.
-spec all(table()) -> [conn()].
all(#{conns := Conns}) ->
    [Conn || {_, Conn} <- lists:sort(maps:to_list(Conns))].

%% How many nobody was told of yet.
-spec untold(table()) -> non_neg_integer().
untold(#{untold := Untold}) ->
    Untold.

%% Only what was told exists for those who ask by number. replaced: it is gone, but its node has a
%% newer one.
-spec find(pos_integer(), table()) ->
    {ok, conn()} | {replaced, pos_integer()} | {error, not_connected}.
find(Id, #{late := {_, Late}} = Table) ->
    case {get(Id, Table), Late} of
        {#{told := true} = Conn, _} -> {ok, Conn};
        {undefined, #{Id := Node}} -> newer(of_node(Node, Table));
        _ -> {error, not_connected}
    end.

newer(#{id := Id, told := true}) -> {replaced, Id};
newer(_) -> {error, not_connected}.
