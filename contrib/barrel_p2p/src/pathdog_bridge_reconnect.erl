%% SPDX-License-Identifier: Apache-2.0
%% One new dial in the place of a connection. The peer must not hear of the old one's end before it hears of the new
%% one. Else its own processes, which send, have it dial this node at once, at an address that may be dead; that dial
%% is pending for seconds, and again and again; and while it is, the peer refuses ours if its name is the greater
%% one. So this node forgets the peer (erlang:disconnect_node/1, which the peer does not see) and dials. To the peer
%% it is still connected: its net_kernel takes the new connection in the place of the old one when the handshake is
%% done, and ends the old one itself. Only then, or when dials have failed, the old one is closed through quic.
-module(pathdog_bridge_reconnect).

-export([run/3]).

-define(PAUSE_FIRST, 5).
-define(PAUSE_MAX, 100).
-define(REDIAL_AFTER, 500).
-define(JOIN_AGAIN, 300).
-define(STATS_MAX, 50).
-define(DIAL_RTTS, 16).
-define(DIAL_MIN, 50).
-define(FORGET, 500).
-define(CLOSE_FROM, 3). % the third attempt

-spec run(map(), integer(), pathdog_bridge_settings:settings()) -> pathdog_bridge_moves:answer().
run(#{conn := Id, reason := Reason} = Request, Deadline, Settings) ->
    case pathdog_bridge_peers:lookup(Id) of
        {ok, #{node := Node} = Conn} ->
            %% first, so that nothing is closed that cannot be dialled from there
            Answer =
                case options(pathdog_bridge_bind:wanted(Request), Conn, Deadline, Settings) of
                    {ok, Options} -> if_needed(Request, Conn, Options, Deadline, Settings);
                    {error, _} = Error -> Error
                end,
            %% only now: a logger that is slow must not hold up the dial
            logger:notice("pathdog_bridge: reconnect of ~ts (~b), ~ts: ~0tp", [
                Node, Id, pathdog_bridge_errors:text(Reason), Answer
            ]),
            Answer;
        {replaced, Newer} ->
            {ok, [{conn, Newer}]};
        {error, Error} ->
            {error, Error}
    end.

if_needed(#{keep_old := true}, #{node := Node} = Conn, Options, Deadline, Settings) ->
    Where = case pathdog_bridge_relay:is_relayed(Node) of true -> undefined; false -> remote(Conn, Deadline, Settings) end,
    case pathdog_bridge_need:proven(Conn, {Options, Where}, Deadline, Settings) of
        ok ->
            ok = pathdog_bridge_moves:commit(),
            close_and_dial(Conn, Options, Deadline, Settings);
        {error, _} = Error ->
            Error
    end;
if_needed(_, Conn, Options, Deadline, Settings) ->
    close_and_dial(Conn, Options, Deadline, Settings).

%% For the socket of the dial.
options(none, _, _, _) ->
    {ok, []};
options(Wanted, #{node := Node} = Conn, Deadline, Settings) ->
    case pathdog_bridge_relay:is_relayed(Node) of
        true ->
            {error, {no_path, <<"its socket is its relay's">>}};
        false ->
            case remote(Conn, Deadline, Settings) of
                undefined ->
                    {error, {no_path, <<"where the peer listens is not known">>}};
                Remote ->
                    case pathdog_bridge_bind:way(Wanted, Remote) of
                        {ok, #{options := Options}} -> {ok, Options};
                        {error, _} = Error -> Error
                    end
            end
    end.

%% Of a peer that dialled, its port does not matter here, only that there is a route to it.
remote(#{remote := Seen} = Conn, Deadline, #{dist := Dist, call_timeout := Timeout}) ->
    Limit = min(Timeout, pathdog_bridge_call:left(Deadline) div 3),
    case pathdog_bridge_call:run(fun() -> pathdog_bridge_view:address(Dist, Conn) end, Limit) of
        {ok, {ok, Remote}} -> Remote;
        _ -> Seen
    end.

close_and_dial(#{id := Id, node := Node, ctrl := Ctrl, quic := Quic}, Options, Deadline, Settings) ->
    Join = belongs(Node, Settings),
    Attempt = attempt(Quic, Settings),
    After = pathdog_bridge_call:left(Deadline) + ?REDIAL_AFTER,
    pathdog_bridge_redial:add(Node, Join, ways(bound(Quic), Options), After),
    pathdog_bridge_peers:leaving(Id, <<"reconnect">>),
    Closer = closer(Quic, Settings),
    forget(Node, Ctrl, Deadline, Settings),
    Peer = #{
        id => Id, node => Node, old => Ctrl, join => Join, attempt => Attempt, options => Options,
        closer => Closer
    },
    Answer = again(Peer, Deadline, Settings),
    Closer ! close,
    Answer.

%% The controller's end is what makes the VM forget; it is not told of the disconnect.
forget(Node, Ctrl, Deadline, #{dist := Dist, call_timeout := Limit}) ->
    Monitor = monitor(process, Ctrl),
    _ = pathdog_bridge_call:run(fun() -> Dist:disconnect(Node) end, min(Limit, pathdog_bridge_call:left(Deadline))),
    exit(Ctrl, kill),
    receive
        {'DOWN', Monitor, process, Ctrl, _} -> ok
    after ?FORGET -> ok
    end.

%% Closes the old connection when it is told to, or when who reconnects is no more.
closer(undefined, _) ->
    spawn(fun() -> ok end);
closer(Quic, Settings) ->
    Worker = self(),
    spawn(fun() ->
        Monitor = monitor(process, Worker),
        receive
            close -> ok;
            {'DOWN', Monitor, process, Worker, _} -> ok
        end,
        Gone = monitor(process, Quic),
        close(Quic, Settings),
        receive
            {'DOWN', Gone, process, Quic, _} -> ok
        after maps:get(close_timeout, Settings) ->
            exit(Quic, kill)
        end
    end).

%% How long the first dial may take. A peer that is far away needs longer: QUIC's handshake, the
%% authentication's and the distribution's are some eight round trips.
attempt(undefined, #{dial_timeout := Timeout}) ->
    Timeout;
attempt(Quic, #{dial_timeout := Timeout}) ->
    case pathdog_bridge_call:run(fun() -> quic:get_path_stats(Quic) end, ?STATS_MAX) of
        {ok, {ok, #{srtt := Srtt}}} when is_integer(Srtt) -> max(Timeout, ?DIAL_RTTS * Srtt div 1000);
        _ -> Timeout
    end.

%% How its socket is bound, if at all.
bound(undefined) ->
    [];
bound(Quic) ->
    case pathdog_bridge_call:run(fun() -> pathdog_bridge_conn:bound(Quic) end, ?STATS_MAX) of
        {ok, Options} -> Options;
        {error, _} -> []
    end.

ways([], []) -> [[]];
ways(Was, []) -> [Was, []];
ways([], Wanted) -> [[], Wanted];
ways(Wanted, Wanted) -> [[], Wanted];
ways(Was, Wanted) -> [Was, [], Wanted].

%% Only who was in the active view is brought into it again.
belongs(_, #{connections := active_view}) ->
    true;
belongs(Node, #{dist := Dist, call_timeout := Limit}) ->
    case pathdog_bridge_call:run(fun() -> lists:member(Node, Dist:active_view()) end, Limit) of
        {ok, Is} -> Is;
        {error, _} -> false
    end.

%% quic:close/2 is a cast, but that is its own business.
close(Quic, #{call_timeout := Limit}) ->
    _ = pathdog_bridge_call:run(fun() -> quic:close(Quic, normal) end, Limit),
    ok.

%% (The dialler never returns: it is ended.)
-dialyzer({no_return, again/3}).
%% Two at once: who dials, and who waits for a new connection, since the peer may dial us first.
again(#{id := Id, node := Node} = Peer, Deadline, #{dist := Dist} = Settings) ->
    Dialler = spawn_link(fun() ->
        _ = Dist:monitor(),
        dial(Peer, 1, ?PAUSE_FIRST, maps:get(attempt, Peer), Deadline, Settings)
    end),
    Limit = pathdog_bridge_call:left(Deadline),
    Await = fun() -> pathdog_bridge_peers:await(Node, Id, Deadline, Limit + 1000) end,
    Result = pathdog_bridge_call:run(Await, Limit),
    unlink(Dialler),
    exit(Dialler, kill),
    case Result of
        {ok, {ok, #{id := New}}} ->
            pathdog_bridge_redial:remove(Node),
            maps:get(connections, Settings) =:= all andalso join(Peer, Deadline, Settings),
            {ok, [{conn, New}]};
        {error, Failure} ->
            {error, {dial_failed, Failure}}
    end.

%% Until there is a connection that is not the old one: `true` from net_kernel may still mean the
%% old one, and `false` that the peer dialled at the same time. After one that took too long the next one may take twice
%% as long.
-spec dial(map(), pos_integer(), pos_integer(), pos_integer(), integer(), pathdog_bridge_settings:settings()) ->
    no_return().
dial(Peer, Count, Pause, Attempt, Deadline, #{dist := Dist} = Settings) ->
    #{node := Node, old := Old, options := Options, closer := Closer} = Peer,
    %% what the peer has is of no use to it, and it may be what keeps it from taking the new one
    Count >= ?CLOSE_FROM andalso (Closer ! close),
    Limit = min(Attempt, pathdog_bridge_call:left(Deadline)),
    %% one that would be ended at once is not begun
    Limit >= min(Attempt, ?DIAL_MIN) orelse wait_for_the_end(),
    Begun = pathdog_bridge_call:now_ms(),
    _ = pathdog_bridge_dial:connect(Node, Limit, Options, Settings),
    case Dist:controller(Node) of
        {ok, New} when New =/= Old ->
            settle(Peer, Deadline, Settings);
        _ ->
            wait_for_change(Node, min(Pause, Limit)),
            Next = case pathdog_bridge_call:now_ms() - Begun >= Limit of true -> 2 * Attempt; false -> Attempt end,
            dial(Peer, Count + 1, min(2 * Pause, ?PAUSE_MAX), Next, Deadline, Settings)
    end.

-spec wait_for_the_end() -> no_return().
wait_for_the_end() ->
    receive
    after infinity -> exit(normal)
    end.

%% Only in the active view does it count. Again and again, until it is there and this process is ended:
%% barrel_p2p's keeper of the view may crash when a peer goes, and knows nothing afterwards.
-spec settle(map(), integer(), pathdog_bridge_settings:settings()) -> no_return().
settle(Peer, Deadline, Settings) ->
    join(Peer, Deadline, Settings),
    pathdog_bridge_peers:refresh(),
    receive
    after ?JOIN_AGAIN -> settle(Peer, Deadline, Settings)
    end.

join(#{node := Node, join := true}, Deadline, #{dist := Dist, call_timeout := Limit}) ->
    Left = pathdog_bridge_call:left(Deadline),
    _ = pathdog_bridge_call:run(fun() -> Dist:join(Node) end, min(Limit, Left)),
    ok;
join(#{join := false}, _, _) ->
    ok.

%% net_kernel tells when it is done with the old one; so most dials need no second try.
wait_for_change(Node, Limit) ->
    receive
        {nodedown, Node, _} -> ok;
        {nodeup, Node, _} -> ok
    after Limit -> ok
    end.
