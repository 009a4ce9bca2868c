%% SPDX-License-Identifier: Apache-2.0
%% Finds the QUIC connection behind a distribution controller, and its addresses. Only this module looks into a
%% controller's state, and only pathdog_bridge_state into a connection's.
%%
%% Why it must look: quic_dist hands out the controller, and quic wants the connection; between the
%% two there is no function. barrel_p2p_path_stats:connection/1 is meant to be one, but takes what
%% sys:get_state/2 gives for the state record, while a gen_statem gives {StateName, Record}; so it
%% answers no_conn for every live peer, and then calls other processes without a limit. Known here:
%%   {StateName, Record}  a gen_statem, as quic_dist_controller is up to 1.8.1
%%   Record               the plain record, should it become a gen_server
%%   a map                with `conn` and `role`, should the record become one
%% In a record, element 2 is the connection and element 3 the role. Where they are not, the record
%% is searched for a process that was started as quic_connection and for the word client or server;
%% no process is asked what it is. What fits none of this is unknown. Everything here may wait: call it within
%% pathdog_bridge_call.
-module(pathdog_bridge_conn).

-export([find/2, from_state/1, local/1, origin/1, same/2, remote/1, interface/1, place/1, place/2, socket/1, bound/1, address/1]).
-export([is_connection/1]).
-export_type([found/0, place/0]).

-type found() :: #{conn := pid(), role := client | server}.
-type address() :: {inet:ip_address(), inet:port_number()}.
-type place() :: #{local := address() | undefined, remote := address() | undefined, interface := binary() | undefined}.

-spec find(pid(), timeout()) -> {ok, found()} | {error, no_conn | unknown_shape}.
find(Controller, Limit) ->
    from_state(sys:get_state(Controller, Limit)).

-spec from_state(term()) -> {ok, found()} | {error, no_conn | unknown_shape}.
from_state({StateName, Data}) when is_atom(StateName), is_tuple(Data); is_map(Data) ->
    from_data(Data);
from_state(Data) ->
    from_data(Data).

from_data(#{conn := Conn, role := Role}) ->
    checked(Conn, Role);
from_data(Record) when is_tuple(Record), tuple_size(Record) >= 3, is_atom(element(1, Record)) ->
    case checked(element(2, Record), element(3, Record)) of
        {error, unknown_shape} -> search(tl(tuple_to_list(Record)));
        Checked -> Checked
    end;
from_data(_) ->
    {error, unknown_shape}.

%% More than one candidate is unknown: a guess could close the connection of another peer.
search(Fields) ->
    Conns = lists:usort([Pid || Pid <- Fields, is_pid(Pid), is_connection(Pid)]),
    Roles = [Role || Role <- Fields, Role =:= client orelse Role =:= server],
    case {Conns, Roles} of
        {[Conn], [Role]} -> checked(Conn, Role);
        _ -> {error, unknown_shape}
    end.

checked(Conn, Role) when is_pid(Conn), Role =:= client orelse Role =:= server ->
    case node(Conn) =:= node() andalso is_process_alive(Conn) of
        true -> {ok, #{conn => Conn, role => Role}};
        false -> {error, no_conn}
    end;
checked(_, _) ->
    {error, unknown_shape}.

-spec is_connection(pid()) -> boolean().
is_connection(Pid) when node(Pid) =:= node() ->
    case process_info(Pid, dictionary) of
        {dictionary, Dictionary} ->
            case lists:keyfind('$initial_call', 1, Dictionary) of
                {_, {quic_connection, _, _}} -> true;
                _ -> false
            end;
        undefined ->
            false
    end;
is_connection(_) ->
    false.

%% ---- addresses ----

%% The connection's own idea of its local address is the one from before the last migration. Its
%% socket knows better: a client's is a port that the connection process is linked to. (A server's
%% belongs to the listener, and it does not migrate.) One that is bound to an interface and to no address
%% has the one that the kernel would choose there.
-spec local(pid()) -> address() | undefined.
local(Conn) ->
    case socket(Conn) of
        {ok, Socket} -> chosen(named(inet:sockname(Socket)), Socket, Conn);
        none -> named(quic:sockname(Conn))
    end.

%% The same; and of a connection that is bound to nothing, the address that the kernel chooses for it now.
%% For the moment in which it was made or moved: without an address pathdog would not know its uplink, but
%% were each change of the route told as a change of its path, pathdog would not act upon the change.
-spec origin(pid()) -> address() | undefined.
origin(Conn) ->
    case {local(Conn), remote(Conn)} of
        {{Ip, Port} = Local, {_, _} = Remote} ->
            case is_unspecified(Ip) andalso pathdog_bridge_bind:source(undefined, Remote) of
                Source when is_tuple(Source) -> {Source, Port};
                _ -> Local
            end;
        {Local, _} ->
            Local
    end.

%% Is that no other local address than the one that was told?
-spec same(address() | undefined, address() | undefined) -> boolean().
same(Local, Local) -> true;
same({Told, Port}, {Seen, Port}) -> tuple_size(Told) =:= tuple_size(Seen) andalso is_unspecified(Seen);
same(_, _) -> false.

chosen(undefined, _, _) ->
    undefined;
chosen({Ip, Port}, Socket, Conn) ->
    Device = is_unspecified(Ip) andalso pathdog_bridge_bind:device(Socket),
    Remote = is_binary(Device) andalso remote(Conn),
    case is_tuple(Remote) andalso pathdog_bridge_bind:source(Device, Remote) of
        Source when is_tuple(Source) -> {Source, Port};
        _ -> {Ip, Port}
    end.

%% The interface that its socket is bound to. An inbound one has the listener's, of which nothing is known here.
-spec interface(pid()) -> binary() | undefined.
interface(Conn) ->
    case socket(Conn) of
        {ok, Socket} -> pathdog_bridge_bind:device(Socket);
        none -> undefined
    end.

%% All that pathdog is told of where it is.
-spec place(pid()) -> place().
place(Conn) ->
    place(Conn, local(Conn)).

-spec place(pid(), address() | undefined) -> place().
place(Conn, Local) ->
    #{local => Local, remote => remote(Conn), interface => interface(Conn)}.

%% What binds its socket: the options for another one that is to be bound so.
-spec bound(pid()) -> [gen_udp:open_option()].
bound(Conn) ->
    case socket(Conn) of
        {ok, Socket} ->
            case {pathdog_bridge_bind:device(Socket), inet:sockname(Socket)} of
                {undefined, {ok, {Ip, _}}} -> [{ip, Ip} || not is_unspecified(Ip)];
                {undefined, _} -> [];
                {Device, _} -> [{bind_to_device, Device}]
            end;
        none ->
            []
    end.

is_unspecified(Ip) ->
    lists:all(fun(Part) -> Part =:= 0 end, tuple_to_list(Ip)).

-spec socket(pid()) -> {ok, port()} | none.
socket(Conn) ->
    case own_sockets(Conn) of
        [Socket] -> {ok, Socket};
        _ -> none
    end.

-spec remote(pid()) -> address() | undefined.
remote(Conn) ->
    named(quic:peername(Conn)).

own_sockets(Conn) ->
    case process_info(Conn, links) of
        {links, Links} ->
            [
                Port
             || Port <- Links, is_port(Port), erlang:port_info(Port, name) =:= {name, "udp_inet"}
            ];
        undefined ->
            []
    end.

named({ok, {Ip, Port}}) when is_tuple(Ip), is_integer(Port) -> {Ip, Port};
named(_) -> undefined.

%% As the protocol writes it.
-spec address(address() | undefined) -> binary() | undefined.
address(undefined) ->
    undefined;
address({Ip, Port}) when tuple_size(Ip) =:= 4 ->
    iolist_to_binary([inet:ntoa(Ip), $:, integer_to_list(Port)]);
address({Ip, Port}) when tuple_size(Ip) =:= 8 ->
    iolist_to_binary([$[, inet:ntoa(Ip), $], $:, integer_to_list(Port)]);
address(_) ->
    undefined.
