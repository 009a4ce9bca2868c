%% SPDX-License-Identifier: Apache-2.0
%% The seam to the VM's distribution and to barrel_p2p's view of it; the tests put another module in
%% its place. No policy here. Whoever calls what may wait does so inside pathdog_bridge_call.
-module(pathdog_bridge_dist).

-export([name/0, controllers/0, controller/1, monitor/0, connect/1, pending/1, dials/0, standing/1, reserve/1, unreserve/2, disconnect/1]).
-export([address/1, active_view/0, subscribe/1, join/1, events/0]).

-callback name() -> node().
-callback controllers() -> [{node(), pid()}].
-callback controller(node()) -> {ok, pid()} | {error, not_connected}.
-callback monitor() -> ok | error.
-callback connect(node()) -> boolean() | ignored.
-callback pending(node()) -> pid() | undefined.
-callback dials() -> [{node(), pid()}].
-callback standing(pid()) -> told | refused | dialling | gone.
-callback reserve(node()) -> term() | none.
-callback unreserve(node(), term()) -> ok.
-callback disconnect(node()) -> term().
-callback address(node()) -> {ok, {inet:ip_address(), inet:port_number()}} | {error, not_known}.
-callback active_view() -> [node()].
-callback subscribe(pid()) -> ok.
-callback join(node()) -> ok | {error, term()}.
-callback events() -> pid() | undefined.

-spec name() -> node().
name() ->
    node().

%% Whoever has a port is distribution over TCP: not ours.
-spec controllers() -> [{node(), pid()}].
controllers() ->
    [{Node, Pid} || {Node, Pid} <- erlang:system_info(dist_ctrl), is_pid(Pid)].

-spec controller(node()) -> {ok, pid()} | {error, not_connected}.
controller(Node) ->
    case lists:keyfind(Node, 1, controllers()) of
        {Node, Pid} -> {ok, Pid};
        false -> {error, not_connected}
    end.

-spec monitor() -> ok | error.
monitor() ->
    case net_kernel:monitor_nodes(true, [{node_type, all}]) of
        ok -> ok;
        _ -> error
    end.

%% Takes as long as a dial takes: seconds.
-spec connect(node()) -> boolean() | ignored.
connect(Node) ->
    net_kernel:connect_node(Node).

%% The process that makes a connection to Node just now. net_kernel says it to nobody, so its table is
%% read: {connection, Node, Id, State, Owner, …}.
-spec pending(node()) -> pid() | undefined.
pending(Node) ->
    try ets:lookup(sys_dist, Node) of
        [] ->
            undefined;
        [Connection] when
            element(1, Connection) =:= connection, is_atom(element(4, Connection)), is_pid(element(5, Connection))
        ->
            case element(4, Connection) of
                pending -> element(5, Connection);
                _ -> undefined
            end;
        [Connection] when element(1, Connection) =:= connection, element(4, Connection) =/= pending ->
            undefined;
        [Barred] when element(1, Barred) =:= barred_connection ->
            undefined;
        _ ->
            not_known()
    catch
        error:badarg when node() =:= nonode@nohost -> undefined;
        error:badarg -> not_known()
    end.

%% All that are under way.
-spec dials() -> [{node(), pid()}].
dials() ->
    Pending = [{'=:=', {element, 1, '$_'}, connection}, {'=:=', {element, 4, '$_'}, pending}, {is_pid, {element, 5, '$_'}}],
    try
        ets:select(sys_dist, [{'_', Pending, [{{{element, 2, '$_'}, {element, 5, '$_'}}}]}])
    catch
        error:badarg when node() =:= nonode@nohost -> [];
        error:badarg ->
            pathdog_bridge_notice:unknown(dials),
            []
    end.

%% How a dial stands, by the process that makes it. Told to end: there are the exits of net_kernel or of its timer, which it
%% takes for messages. Refused: it has had its answer, and waits to be ended there. (For the answer it waits in gen.)
-spec standing(pid()) -> told | refused | dialling | gone.
standing(Setup) ->
    case process_info(Setup, [messages, current_function]) of
        undefined ->
            gone;
        [{messages, Messages}, {current_function, Function}] ->
            case {lists:any(fun tells_to_end/1, Messages), Function} of
                {true, _} -> told;
                {false, {dist_util, recv_status, _}} -> refused;
                _ -> dialling
            end
    end.

tells_to_end({'EXIT', _, setup_timer_timeout}) -> true;
tells_to_end({'EXIT', Pid, _}) -> Pid =:= whereis(net_kernel);
tells_to_end(_) -> false.

%% The VM takes a node for one that is being connected: messages to it wait, instead of having net_kernel dial it, until
%% it has connected or unreserve/2 drops them. For net_kernel there is no dial, so one that comes in is welcome. Again
%% and again is once. (This is how the VM itself does it before it asks net_kernel.)
-spec reserve(node()) -> term() | none.
reserve(Node) ->
    try
        erts_internal:new_connection(Node)
    catch
        _:_ -> none
    end.

-spec unreserve(node(), term()) -> ok.
unreserve(Node, Reserved) ->
    try
        _ = erts_internal:abort_pending_connection(Node, Reserved),
        ok
    catch
        _:_ -> ok
    end.

not_known() ->
    pathdog_bridge_notice:unknown(dials),
    undefined.

-spec disconnect(node()) -> term().
disconnect(Node) ->
    erlang:disconnect_node(Node).

%% Where it listens, as quic_dist finds it: its configuration first, then what was configured to know.
%% May wait, and fail in any way.
-spec address(node()) -> {ok, {inet:ip_address(), inet:port_number()}} | {error, not_known}.
address(Node) ->
    Dist = application:get_env(quic, dist, []),
    case lists:keyfind(Node, 1, pathdog_bridge_hold:without(proplists:get_value(nodes, Dist, []))) of
        {Node, Where} ->
            listening(Where);
        false ->
            Module = proplists:get_value(discovery_module, Dist, quic_discovery_static),
            [_, Host] = string:split(atom_to_list(Node), "@"),
            case Module:lookup(Node, Host) of
                {ok, Where} -> listening(Where);
                _ -> {error, not_known}
            end
    end.

listening({Ip, Port}) when is_tuple(Ip), is_integer(Port) ->
    {ok, {Ip, Port}};
listening({Text, Port}) when is_integer(Port) ->
    case inet:parse_address(unicode:characters_to_list(Text)) of
        {ok, Ip} -> {ok, {Ip, Port}};
        {error, _} -> {error, not_known}
    end.

%% ---- barrel_p2p, where it is ----

-spec active_view() -> [node()].
active_view() ->
    barrel_p2p:active_view().

-spec subscribe(pid()) -> ok.
subscribe(Pid) ->
    barrel_p2p:subscribe(Pid).

%% A node without barrel_p2p has nothing to join.
-spec join(node()) -> ok | {error, term()}.
join(Node) ->
    case code:ensure_loaded(barrel_p2p) of
        {module, barrel_p2p} -> barrel_p2p:join(Node);
        {error, _} -> ok
    end.

%% The process whose end also ends our subscription.
-spec events() -> pid() | undefined.
events() ->
    whereis(barrel_p2p_hyparview_events).
