%% SPDX-License-Identifier: Apache-2.0
%% One migration, from the request to its proof. It must never be tried on an inbound connection:
%% quic 1.8 answers `ok` to that and closes the listener of the whole node.
%%
%% `ok` from quic says only that a socket was bound and a challenge was sent, also when that went
%% into a black hole. The proof is that packets come in afterwards: the old socket is closed before
%% the `ok`, and what was still queued from it is not counted by quic.
-module(pathdog_bridge_migrate).

-export([run/3]).

-define(LOSES, <<
    "with this version of quic a move to another address loses data; a reconnect (--by reconnect) does not"
>>).
-define(POLL_FIRST, 5).
-define(POLL_MAX, 50).
-define(BACK, 200). % for the way back, where the new one was not proven

-spec run(map(), integer(), pathdog_bridge_settings:settings()) -> pathdog_bridge_moves:answer().
run(#{conn := Id} = Request, Deadline, Settings) ->
    case pathdog_bridge_peers:lookup(Id) of
        {ok, #{node := Node} = Conn} ->
            Found = behind(Conn, Deadline, Settings),
            Answer = found(Node, Request, Found, Deadline, Settings),
            logger:info("pathdog_bridge: migration of ~ts (~b), ~ts: ~0tp", [
                Node, Id, pathdog_bridge_errors:text(maps:get(reason, Request)), Answer
            ]),
            Answer;
        {replaced, _} ->
            {error, no_conn};
        {error, Reason} ->
            {error, Reason}
    end.

%% Neither changes while a controller lives; so only what could not be seen yet is looked at again.
behind(#{quic := Quic, role := Role}, _, _) when is_pid(Quic) ->
    {ok, #{conn => Quic, role => Role}};
behind(#{ctrl := Ctrl}, Deadline, Settings) ->
    limited(fun() -> pathdog_bridge_conn:find(Ctrl, infinity) end, Deadline, Settings).

found(_, _, {error, Reason}, _, _) ->
    {error, Reason};
found(Node, #{conn := Id, via := Via} = Request, {ok, #{conn := Quic, role := Role}}, Deadline, Settings) ->
    Wanted = pathdog_bridge_bind:wanted(Request),
    case {Role, pathdog_bridge_relay:is_relayed(Node), Via} of
        {server, _, _} -> {error, inbound};
        {client, true, _} when Wanted =/= none -> {error, {no_path, <<"its socket is its relay's">>}};
        {client, true, _} -> switch(Id, Node, Quic, Via, Deadline, Settings);
        {client, false, Direct} when Direct =:= undefined; Direct =:= <<"direct">> ->
            case Wanted =/= none andalso pathdog_bridge_hello:loses(Settings) of
                true -> {error, {not_migratable, ?LOSES}};
                false -> migrate(Id, Quic, Wanted, Deadline, Settings)
            end;
        {client, false, _} -> {error, unknown_via}
    end.

migrate(Id, Quic, none, Deadline, Settings) ->
    case rebind(Quic, Deadline) of
        ok -> prove(Id, Quic, Deadline, Settings);
        {error, Reason} -> {error, Reason}
    end;
migrate(Id, Quic, Wanted, Deadline, Settings) ->
    case limited(fun() -> interface(Quic, Wanted) end, Deadline, Settings) of
        {ok, Interface} ->
            case bind(Quic, Interface, Deadline) of
                ok -> prove(Id, Quic, Deadline, Settings);
                {error, Reason} -> {error, Reason}
            end;
        {error, Reason} ->
            {error, Reason}
    end.

%% A new socket, bound to nothing.
rebind(Quic, Deadline) ->
    Limit = pathdog_bridge_call:left(Deadline),
    Ask = fun() -> quic:migrate(Quic, #{timeout => max(1, Limit)}) end,
    case pathdog_bridge_call:run(Ask, Limit) of
        {ok, ok} -> ok;
        {ok, {error, Reason}} -> {error, Reason};
        {ok, Other} -> {error, {unexpected, Other}};
        {error, Failure} -> {error, Failure}
    end.

%% quic itself refuses to migrate where the peer forbids it; but quic is not asked for this.
interface(Quic, Wanted) ->
    case quic:get_peer_transport_params(Quic) of
        {ok, #{disable_active_migration := true}} ->
            {error, migration_disabled};
        {ok, _} ->
            case pathdog_bridge_conn:remote(Quic) of
                undefined -> {error, no_conn};
                Remote -> pathdog_bridge_bind:live(Wanted, Remote)
            end;
        {error, Reason} ->
            {error, Reason}
    end.

%% The socket that is there is bound, and stays: so no packet leaves over another interface meanwhile,
%% which would set the peer on validating that. Where it is bound already (without privilege that cannot
%% be changed, and over the same interface a new port is what is asked for), quic makes a new one.
bind(Quic, Interface, Deadline) ->
    case pathdog_bridge_conn:socket(Quic) of
        {ok, Socket} ->
            Bound =
                case pathdog_bridge_bind:device(Socket) of
                    Interface -> {error, bound};
                    _ -> pathdog_bridge_bind:set_device(Socket, Interface)
                end,
            case Bound of
                ok -> pathdog_bridge_bind:drain(Socket);
                {error, _} -> bind_new(Quic, Interface, rebind(Quic, Deadline))
            end;
        none ->
            {error, {no_path, <<"its socket is not one of gen_udp, and erlang_quic cannot bind it">>}}
    end.

bind_new(_, _, {error, Reason}) ->
    {error, Reason};
bind_new(Quic, Interface, ok) ->
    case pathdog_bridge_conn:socket(Quic) of
        {ok, Socket} ->
            case pathdog_bridge_bind:set_device(Socket, Interface) of
                ok -> pathdog_bridge_bind:drain(Socket);
                {error, Reason} -> {error, {no_path, pathdog_bridge_errors:text(Reason)}}
            end;
        none ->
            {error, no_conn}
    end.

%% The adapter below the connection moves, not the connection; only what comes in over the new way shows it. If nothing
%% does, it goes back.
switch(Id, Node, Quic, Via, Deadline, Settings) ->
    Before = pathdog_bridge_relay:received(Node, Via),
    case pathdog_bridge_relay:switch(Node, Via, Deadline) of
        {ok, Now} ->
            Came = fun() ->
                Before =:= unknown orelse pathdog_bridge_relay:received(Node, Now) > Before
            end,
            case prove(Id, Quic, Came, Deadline, Settings) of
                {ok, _} = Proven ->
                    ok = pathdog_bridge_relay:settled(Node, Now),
                    Proven;
                {error, _} = Error ->
                    %% read now: the module may have left a dead way meanwhile
                    Was = pathdog_bridge_relay:via(Node),
                    _ = Was =/= Now andalso pathdog_bridge_relay:switch(Node, Was, pathdog_bridge_call:now_ms() + ?BACK),
                    Error
            end;
        {error, Reason} ->
            {error, Reason}
    end.

%% What is counted from here on came over the new path. The ping makes the peer say something.
prove(Id, Quic, Deadline, Settings) ->
    prove(Id, Quic, fun() -> true end, Deadline, Settings).

prove(Id, Quic, Came, Deadline, Settings) ->
    case received(Quic, Deadline, Settings) of
        {ok, Before} ->
            _ = limited(fun() -> quic:send_ping(Quic) end, Deadline, Settings),
            Proven = poll(Id, Quic, {Before, Came}, ?POLL_FIRST, Deadline, Settings),
            Proven =:= {error, timeout} andalso pathdog_bridge_sampler:failed(Id),
            Proven;
        {error, Reason} ->
            {error, Reason}
    end.

poll(Id, Quic, {Before, Came} = Proof, Pause, Deadline, Settings) ->
    Left = pathdog_bridge_call:left(Deadline),
    case Left > 0 andalso came(received(Quic, Deadline, Settings), Before, Came) of
        true ->
            moved(Id, Quic, Deadline, Settings);
        {error, Reason} when Reason =/= timeout ->
            {error, Reason};
        false ->
            {error, timeout};
        _ ->
            receive
            after min(Pause, Left) -> ok
            end,
            poll(Id, Quic, Proof, min(2 * Pause, ?POLL_MAX), Deadline, Settings)
    end.

came({ok, Now}, Before, Came) when Now > Before -> Came() orelse {ok, Now};
came(Other, _, _) -> Other.

moved(Id, Quic, Deadline, Settings) ->
    pathdog_bridge_effects:migrated(Id),
    Where = fun() -> {ok, pathdog_bridge_conn:place(Quic, pathdog_bridge_conn:origin(Quic))} end,
    case limited(Where, Deadline, Settings) of
        {ok, #{local := Local} = Place} ->
            pathdog_bridge_peers:path(Id, Place),
            {ok, [{local, pathdog_bridge_conn:address(Local)}, {validated, true}]};
        {error, _} ->
            {ok, [{validated, true}]}
    end.

received(Quic, Deadline, Settings) ->
    case limited(fun() -> quic:get_stats(Quic) end, Deadline, Settings) of
        {ok, #{packets_received := Packets}} -> {ok, Packets};
        {ok, Other} -> {error, {unexpected, Other}};
        {error, Reason} -> {error, Reason}
    end.

%% A call that answers {ok, _} or {error, _}, within its own limit and the deadline.
limited(Fun, Deadline, #{call_timeout := Limit}) ->
    case pathdog_bridge_call:run(Fun, min(Limit, pathdog_bridge_call:left(Deadline))) of
        {ok, Answer} -> Answer;
        {error, Failure} -> {error, Failure}
    end.
