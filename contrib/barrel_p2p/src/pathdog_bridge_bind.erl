%% SPDX-License-Identifier: Apache-2.0
%% Feature `bind`: the socket of a path is bound to the interface that pathdog names. By SO_BINDTODEVICE,
%% which needs no privilege since Linux 5.7; where that is refused, by an address of the interface. What
%% cannot be is found out beforehand, with a socket of its own, so that nothing is closed in vain.
%%
%% What erlang_quic can: a dial takes options for its socket (`extra_socket_opts`), so a new connection
%% is bound from its first packet. Its migrate/2 takes nothing, and binds its new socket to nothing. But
%% a connection that lives has a socket of gen_udp, which is bound to no address, and which can be bound
%% to an interface while it is in use; to an address it cannot.
-module(pathdog_bridge_bind).

-export([missing/0, wanted/1, way/2, way/3, live/2]).
-export([device/1, set_device/2, drain/1, source/2]).
-export_type([wanted/0, way/0]).

-type address() :: {inet:ip_address(), inet:port_number()}.
-type wanted() :: #{interface := binary() | undefined, local := inet:ip_address() | undefined}.
%% options: for the new socket. device: undefined if it is bound by its address. source: from where its
%% packets come.
-type way() :: #{
    options := [gen_udp:open_option()], device := binary() | undefined, source := inet:ip_address()
}.
-type error(Value) :: {ok, Value} | {error, {no_path, binary()}}.

-define(SOL_SOCKET, 1).
-define(SO_BINDTODEVICE, 25).
-define(NAME_BYTES, 16). % of an interface, with its NUL
-define(SO_MEMINFO, 55). % its first number: bytes that wait to be received
-define(MEMINFO_BYTES, 36).
-define(DRAIN_MAX, 50). % ms; on a busy connection there is always something

%% What the feature needs of quic and is not there. Empty: nothing.
-spec missing() -> [binary()].
missing() ->
    [
        iolist_to_binary(io_lib:format("~s:~s/~b", [Module, Function, Arity]))
     || {Module, Function, Arity} <- [
            {quic_dist, set_connect_options, 2},
            {quic_dist, get_connect_options, 1},
            {quic_dist, clear_connect_options, 1},
            {quic, get_peer_transport_params, 1}
        ],
        code:ensure_loaded(Module) =/= {module, Module} orelse
            not erlang:function_exported(Module, Function, Arity)
    ].

%% Of a request of pathdog. A node without the feature does not heed it.
-spec wanted(map()) -> wanted() | none.
wanted(#{interface := undefined, local := undefined}) ->
    none;
wanted(#{interface := Interface, local := Local}) ->
    case missing() of
        [] -> #{interface => Interface, local => Local};
        _ -> none
    end.

%% How a new socket gets to Remote from there.
-spec way(wanted(), address()) -> error(way()).
way(Wanted, Remote) ->
    way(Wanted, Remote, device).

%% device: by the interface if that is allowed. address: as if it were not.
-spec way(wanted(), address(), device | address) -> error(way()).
way(#{interface := Interface, local := Local}, {Ip, _} = Remote, By) ->
    case {Local =:= undefined orelse family(Local) =:= family(Ip), Interface} of
        {false, _} ->
            no_path("~ts is not an ~s address, which the peer's is", [name(Local), family_name(Ip)]);
        {true, undefined} ->
            by_address([Local], Remote, name(Local));
        {true, _} ->
            from(By, Interface, Local, usable(Interface, Ip), Remote)
    end.

from(_, _, _, {error, _} = Error, _) ->
    Error;
from(By, Interface, undefined, {ok, Addresses}, Remote) ->
    by(By, Interface, Addresses, [], Remote);
from(By, Interface, Local, {ok, Addresses}, Remote) ->
    case lists:member(Local, Addresses) of
        true -> by(By, Interface, [Local], [{ip, Local}], Remote);
        false -> no_path("~ts is not an address of ~ts", [name(Local), Interface])
    end.

by(device, Interface, Addresses, Options, Remote) ->
    Bound = [{bind_to_device, Interface} | Options],
    case try_socket(Bound, Remote) of
        {ok, Source} ->
            case lists:member(Source, Addresses) of
                true -> {ok, #{options => Bound, device => Interface, source => Source}};
                false -> no_path("~ts has no address to reach the peer from", [Interface])
            end;
        %% gen_udp says that for EPERM, too
        {error, Reason} when Reason =:= einval; Reason =:= eperm ->
            by_address(Addresses, Remote, Interface);
        {error, Reason} ->
            unreachable(Remote, Interface, Reason)
    end;
by(address, Interface, Addresses, _, Remote) ->
    by_address(Addresses, Remote, Interface).

%% The first one that the kernel takes: it refuses one that is still tentative.
by_address([Address | More], Remote, From) ->
    case try_socket([{ip, Address}], Remote) of
        {ok, Source} -> {ok, #{options => [{ip, Address}], device => undefined, source => Source}};
        {error, _} when More =/= [] -> by_address(More, Remote, From);
        {error, Reason} -> unreachable(Remote, From, Reason)
    end.

%% The interface to bind a socket to that is in use already, and is bound to no address.
-spec live(wanted(), address()) -> error(binary()).
live(#{interface := undefined, local := Local}, Remote) ->
    case owner(Local) of
        {ok, Interface} -> live(#{interface => Interface, local => Local}, Remote);
        none -> no_path("~ts is not an address of this host", [name(Local)])
    end;
live(#{interface := Interface, local := Local} = Wanted, Remote) ->
    case {way(Wanted, Remote), way(Wanted#{local := undefined}, Remote)} of
        {{error, _} = Error, _} ->
            Error;
        {_, {error, _} = Error} ->
            Error;
        {_, {ok, #{device := undefined}}} ->
            no_path(
                "sockets may not be bound to ~ts, and erlang_quic cannot bind a connection that lives"
                " to an address", [Interface]);
        {_, {ok, #{source := Source}}} when Local =/= undefined, Local =/= Source ->
            no_path(
                "erlang_quic cannot bind a connection that lives to ~ts; over ~ts it would come from ~ts",
                [name(Local), Interface, name(Source)]);
        {_, {ok, _}} ->
            {ok, Interface}
    end.

%% ---- sockets ----

%% The interface that it is bound to.
-spec device(inet:socket()) -> binary() | undefined.
device(Socket) ->
    case inet:getopts(Socket, [{raw, ?SOL_SOCKET, ?SO_BINDTODEVICE, ?NAME_BYTES}]) of
        {ok, [{raw, _, _, Name}]} when byte_size(Name) > 0 -> hd(binary:split(Name, <<0>>));
        _ -> undefined
    end.

%% Without privilege that works once in a socket's life. What the kernel says of it is not passed on.
-spec set_device(inet:socket(), binary()) -> ok | {error, term()}.
set_device(Socket, Device) ->
    Set = inet:setopts(Socket, [{raw, ?SOL_SOCKET, ?SO_BINDTODEVICE, <<Device/binary, 0>>}]),
    case device(Socket) of
        Device -> Set;
        _ -> {error, not_bound}
    end.

%% Waits until what had come in before is read: from then on all that comes has come by the interface.
-spec drain(inet:socket()) -> ok.
drain(Socket) ->
    drain(Socket, ?DRAIN_MAX).

drain(Socket, Left) ->
    case inet:getopts(Socket, [{raw, ?SOL_SOCKET, ?SO_MEMINFO, ?MEMINFO_BYTES}]) of
        {ok, [{raw, _, _, <<Queued:32/native, _/binary>>}]} when Queued > 0, Left > 0 ->
            receive
            after 1 -> drain(Socket, Left - 1)
            end;
        _ ->
            ok
    end.

%% The address that packets to Remote come from, if they leave by this interface, or as the routes lead.
-spec source(binary() | undefined, address()) -> inet:ip_address() | undefined.
source(Device, Remote) ->
    case try_socket([{bind_to_device, Device} || Device =/= undefined], Remote) of
        {ok, Source} -> Source;
        {error, _} -> undefined
    end.

%% Connecting sends nothing, but the kernel looks for a route and chooses the address.
try_socket(Options, {Ip, Port}) ->
    case gen_udp:open(0, [binary, family(Ip), {active, false} | Options]) of
        {ok, Socket} ->
            Tried =
                case gen_udp:connect(Socket, Ip, Port) of
                    ok -> inet:sockname(Socket);
                    {error, _} = Error -> Error
                end,
            gen_udp:close(Socket),
            case Tried of
                {ok, {Source, _}} -> {ok, Source};
                {error, Reason} -> {error, Reason}
            end;
        {error, Reason} ->
            {error, Reason}
    end.

%% ---- interfaces ----

%% Its addresses of the peer's family that can be used for it.
usable(Interface, Ip) ->
    Entries = [Entry || {_, Entry} <- entries(Interface)],
    Up = [Entry || Entry <- Entries, lists:member(up, proplists:get_value(flags, Entry, []))],
    Addresses = [Address || Entry <- Up, {addr, Address} <- Entry, reaches(Address, Ip)],
    case {Entries, Up, Addresses} of
        {[], _, _} -> no_path("there is no interface ~ts", [Interface]);
        {_, [], _} -> no_path("the interface ~ts is down", [Interface]);
        {_, _, []} -> no_path("the interface ~ts has no ~s address", [Interface, family_name(Ip)]);
        _ -> {ok, Addresses}
    end.

%% An address with a label is listed under that: up0:1.
entries(Interface) ->
    [Entry || {Name, _} = Entry <- interfaces(), device_of(Name) =:= binary_to_list(Interface)].

owner(Address) ->
    case [Name || {Name, Entry} <- interfaces(), lists:member({addr, Address}, Entry)] of
        [Name | _] -> {ok, list_to_binary(device_of(Name))};
        [] -> none
    end.

interfaces() ->
    case inet:getifaddrs() of
        {ok, Interfaces} -> Interfaces;
        {error, _} -> []
    end.

device_of(Name) ->
    hd(string:split(Name, ":")).

%% A link-local address reaches link-local ones only.
reaches(Address, Ip) ->
    family(Address) =:= family(Ip) andalso (not is_link_local(Address) orelse is_link_local(Ip)).

is_link_local({169, 254, _, _}) -> true;
is_link_local({A, _, _, _, _, _, _, _}) -> A band 16#ffc0 =:= 16#fe80;
is_link_local(_) -> false.

family(Ip) when tuple_size(Ip) =:= 4 -> inet;
family(Ip) when tuple_size(Ip) =:= 8 -> inet6.

family_name(Ip) ->
    case family(Ip) of
        inet -> "IPv4";
        inet6 -> "IPv6"
    end.

%% ---- texts ----

name(Ip) ->
    inet:ntoa(Ip).

unreachable({Ip, _}, From, Reason) ->
    no_path("~ts cannot be reached from ~ts: ~ts", [name(Ip), From, inet:format_error(Reason)]).

no_path(Format, Arguments) ->
    {error, {no_path, unicode:characters_to_binary(io_lib:format(Format, Arguments))}}.
