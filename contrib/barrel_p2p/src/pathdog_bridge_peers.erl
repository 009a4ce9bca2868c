%% SPDX-License-Identifier: Apache-2.0
%% The table of connections: which there are, under which number, and who is told. The truth is what
%% the VM and barrel_p2p say when they are asked; their events are only hints to ask again, since
%% some are never sent and some come twice. It must not call anybody: whatever may wait is done by
%% helpers, whose answers come as messages.
-module(pathdog_bridge_peers).
-behaviour(gen_server).

-export([start_link/1, subscribe/1, connections/1, lookup/1, await/4, leaving/2, path/3, via/2]).
-export([forward/2, refresh/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).
-export_type([conn/0, event/0]).

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
    via := binary() | undefined,
    reason := binary() | undefined,
    retry := {pos_integer(), pos_integer()} % ticks until the next look, and after it
}.
%% What a client gets, as {pathdog_bridge, Event}.
-type event() ::
    {peer_up, [{atom(), term()}]}
    | {peer_down, [{atom(), term()}]}
    | {peer_path, [{atom(), term()}]}
    | {snapshot, non_neg_integer()}
    | {forwarded, term()}.

-define(RETIRED_MAX, 4096).
-define(SNAPSHOT_LIMIT, 3000).
-define(CALL_LIMIT, 5000). % to this process, which never waits

%% ---- for the others ----

-spec start_link(pathdog_bridge_settings:settings()) -> {ok, pid()} | {error, term()} | ignore.
start_link(Settings) ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, Settings, []).

%% From now on Client gets all events, the present peers first, then {snapshot, Count}.
-spec subscribe(pid()) -> ok.
subscribe(Client) ->
    gen_server:cast(?MODULE, {subscribe, Client}).

%% The connections that were told and whose process is known.
-spec connections(all | [pos_integer()]) -> [conn()].
connections(Which) ->
    gen_server:call(?MODULE, {connections, Which}, ?CALL_LIMIT).

%% replaced: it is gone, but its peer has a newer one.
-spec lookup(pos_integer()) -> {ok, conn()} | {replaced, pos_integer()} | {error, not_connected}.
lookup(Id) ->
    gen_server:call(?MODULE, {lookup, Id}, ?CALL_LIMIT).

%% Waits until Node has a connection newer than Id that was told.
-spec await(node(), pos_integer(), integer(), timeout()) -> {ok, conn()}.
await(Node, Id, Deadline, Limit) ->
    gen_server:call(?MODULE, {await, Node, Id, Deadline}, Limit).

%% The reason that its peer_down will give.
-spec leaving(pos_integer(), binary()) -> ok.
leaving(Id, Reason) ->
    gen_server:cast(?MODULE, {leaving, Id, Reason}).

%% Where a connection was seen to be.
-spec path(pos_integer(), address(), address()) -> ok.
path(Id, Local, Remote) ->
    gen_server:cast(?MODULE, {path, Id, Local, Remote}).

%% The relay that a peer is reached over from now on.
-spec via(node(), binary()) -> ok.
via(Node, Via) ->
    gen_server:cast(?MODULE, {via, Node, Via}).

%% To a client, behind all events that it was sent before.
-spec forward(pid(), term()) -> ok.
forward(Client, Message) ->
    gen_server:cast(?MODULE, {forward, Client, Message}).

-spec refresh() -> ok.
refresh() ->
    gen_server:cast(?MODULE, refresh).

%% ---- the process ----

-spec init(pathdog_bridge_settings:settings()) -> {ok, map()}.
init(Settings) ->
    self() ! watch,
    self() ! tick,
    {ok, #{
        settings => Settings,
        dist => maps:get(dist, Settings),
        conns => #{}, % id => conn()
        nodes => #{}, % node() => id of its connection
        monitors => #{}, % monitor of a controller => id
        retired => {queue:new(), #{}}, % ids of late => node
        client => undefined, % {pid, monitor}
        snapshot => undefined, % {timer, until which ids are resolved}
        waiters => [], % {From, node, id, deadline}
        refreshing => no, % no | yes | again
        resolving => 0,
        queue => queue:new() % ids to be resolved
    }}.

-spec handle_call(term(), gen_server:from(), map()) ->
    {reply, term(), map()} | {noreply, map()}.
handle_call({connections, Which}, _From, #{conns := Conns} = State) ->
    Chosen =
        case Which of
            all -> maps:values(Conns);
            _ -> maps:values(maps:with(Which, Conns))
        end,
    {reply, [C || #{told := true, quic := Quic} = C <- Chosen, is_pid(Quic)], State};
handle_call({lookup, Id}, _From, State) ->
    {reply, find(Id, State), State};
handle_call({await, Node, Id, Deadline}, From, #{waiters := Waiters} = State) ->
    Waiter = {From, Node, Id, Deadline},
    {noreply, serve_waiters(State#{waiters := [Waiter | Waiters]})};
handle_call(_Request, _From, State) ->
    {reply, {error, unknown_request}, State}.

-spec handle_cast(term(), map()) -> {noreply, map()}.
handle_cast({subscribe, Client}, State) ->
    {noreply, begin_snapshot(Client, State)};
handle_cast({leaving, Id, Reason}, #{conns := Conns} = State) ->
    case Conns of
        #{Id := Conn} -> {noreply, State#{conns := Conns#{Id := Conn#{reason := Reason}}}};
        _ -> {noreply, State}
    end;
handle_cast({path, Id, Local, Remote}, State) ->
    {noreply, seen_at(Id, Local, Remote, State)};
handle_cast({via, Node, Via}, State) ->
    {noreply, seen_via(Node, Via, State)};
handle_cast({forward, Client, Message}, State) ->
    Client ! {pathdog_bridge, {forwarded, Message}},
    {noreply, State};
handle_cast(refresh, State) ->
    {noreply, refresh(State)};
handle_cast(_Message, State) ->
    {noreply, State}.

-spec handle_info(term(), map()) -> {noreply, map()}.
handle_info({barrel_p2p_event, _Hint}, State) ->
    {noreply, refresh(State)};
handle_info({Hint, _Node, _Info}, State) when Hint =:= nodeup; Hint =:= nodedown ->
    {noreply, refresh(State)};
handle_info({Hint, _Node}, State) when Hint =:= nodeup; Hint =:= nodedown ->
    {noreply, refresh(State)};
handle_info({refreshed, Result}, State) ->
    {noreply, refreshed(Result, State)};
handle_info({{resolved, Id}, Result}, #{resolving := N} = State) ->
    {noreply, resolved(Id, Result, next_resolution(State#{resolving := N - 1}))};
handle_info({'DOWN', Monitor, process, Pid, Reason}, State) ->
    {noreply, down(Monitor, Pid, Reason, State)};
handle_info({snapshot_limit, Timer}, #{snapshot := {Timer, _}} = State) ->
    {noreply, end_snapshot(State)};
handle_info(tick, #{settings := #{refresh_interval := Interval}} = State) ->
    erlang:send_after(Interval, self(), tick),
    {noreply, resolve_again(prune_waiters(refresh(State)))};
handle_info(watch, State) ->
    {noreply, watch(State)};
handle_info({watched, Result}, State) ->
    {noreply, watched(Result, State)};
handle_info(_Message, State) ->
    {noreply, State}.

%% ---- hints ----

%% Both subscriptions, until both are there. barrel_p2p may start after us, and again.
watch(#{dist := Dist, settings := #{call_timeout := Limit} = Settings} = State) ->
    Self = self(),
    case Settings of
        #{connections := active_view} ->
            Subscribe = fun() ->
                ok = Dist:subscribe(Self),
                Dist:events()
            end,
            _ = pathdog_bridge_call:async(watched, Subscribe, Limit),
            ok;
        #{connections := all} ->
            ok
    end,
    %% once only: it counts
    case maps:get(monitoring, State, error) =:= ok orelse Dist:monitor() =:= ok of
        true -> State#{monitoring => ok};
        false -> State
    end.

watched({ok, Events}, State) when is_pid(Events) ->
    refresh(State#{events => monitor(process, Events)});
watched(_, #{settings := #{retry_interval := Interval}} = State) ->
    erlang:send_after(Interval, self(), watch),
    State.

%% ---- what there is ----

%% At most one question is under way; hints meanwhile mean one more after it.
refresh(#{refreshing := no, dist := Dist, settings := Settings} = State) ->
    #{connections := Mode, call_timeout := Limit} = Settings,
    Ask = fun() ->
        case Mode of
            all -> {all, Dist:controllers()};
            active_view -> {Dist:active_view(), Dist:controllers()}
        end
    end,
    pathdog_bridge_call:async(refreshed, Ask, Limit),
    State#{refreshing := yes};
refresh(State) ->
    State#{refreshing := again}.

refreshed(Result, #{refreshing := Wanted} = State0) ->
    State1 = State0#{refreshing := no},
    State2 =
        case Result of
            {ok, {View, Controllers}} -> take_over(View, Controllers, State1);
            %% barrel_p2p does not answer: what is known stays
            {error, _} -> State1
        end,
    case Wanted of
        again -> refresh(State2);
        yes -> check_snapshot(State2#{refreshed => true})
    end.

take_over(View, Controllers, #{nodes := Nodes} = State0) ->
    Counts = maps:from_list([
        {Node, Ctrl}
     || {Node, Ctrl} <- Controllers,
        View =:= all orelse lists:member(Node, View)
    ]),
    State1 = maps:fold(
        fun(Node, Id, State) ->
            #{ctrl := Ctrl} = conn(Id, State),
            case Counts of
                #{Node := Ctrl} -> State;
                _ -> gone(Id, Ctrl, why_gone(Node, Ctrl, Counts, Controllers), State)
            end
        end,
        State0,
        Nodes
    ),
    maps:fold(fun appear/3, State1, Counts).

%% One that died says why by itself, in a message that is on its way.
gone(Id, Ctrl, Reason, State) ->
    case is_process_alive(Ctrl) of
        true -> retire(Id, Reason, State);
        false -> State
    end.

why_gone(Node, Ctrl, Counts, Controllers) ->
    case lists:member({Node, Ctrl}, Controllers) of
        true -> <<"left the active view">>;
        false when is_map_key(Node, Counts) -> <<"replaced">>;
        false -> <<"disconnected">>
    end.

appear(Node, _Ctrl, #{nodes := Nodes} = State) when is_map_key(Node, Nodes) ->
    State;
appear(Node, Ctrl, #{conns := Conns, nodes := Nodes, monitors := Monitors} = State) ->
    Id = pathdog_bridge_boot:next_id(),
    Monitor = monitor(process, Ctrl),
    Conn = #{
        id => Id,
        node => Node,
        name => atom_to_binary(Node),
        ctrl => Ctrl,
        mon => Monitor,
        state => resolving,
        told => false,
        quic => undefined,
        role => undefined,
        local => undefined,
        remote => undefined,
        via => pathdog_bridge_relay:via(Node),
        reason => undefined,
        retry => {1, 1}
    },
    resolve(Id, State#{
        conns := Conns#{Id => Conn},
        nodes := Nodes#{Node => Id},
        monitors := Monitors#{Monitor => Id}
    }).

%% ---- the process behind it ----

resolve(Id, #{queue := Queue} = State) ->
    next_resolution(State#{queue := queue:in(Id, Queue)}).

next_resolution(#{resolving := N, queue := Queue, settings := Settings} = State) ->
    #{summary_parallel := Parallel, call_timeout := Limit} = Settings,
    case queue:out(Queue) of
        {{value, Id}, Rest} when N < Parallel ->
            case conn(Id, State) of
                #{ctrl := Ctrl} ->
                    Look = fun() -> look(Ctrl, Limit) end,
                    pathdog_bridge_call:async({resolved, Id}, Look, Limit),
                    next_resolution(State#{queue := Rest, resolving := N + 1});
                undefined ->
                    next_resolution(State#{queue := Rest})
            end;
        _ ->
            State
    end.

look(Ctrl, Limit) ->
    case pathdog_bridge_conn:find(Ctrl, Limit) of
        {ok, #{conn := Quic} = Found} ->
            Found#{
                local => pathdog_bridge_conn:local(Quic),
                remote => pathdog_bridge_conn:remote(Quic)
            };
        {error, no_conn} ->
            none
    end.

resolved(Id, Result, #{conns := Conns} = State) ->
    case {Conns, Result} of
        {#{Id := Conn}, {ok, #{conn := Quic, role := Role, local := Local, remote := Remote}}} ->
            Known = Conn#{
                state := known, quic := Quic, role := Role, local := Local, remote := Remote
            },
            tell_up(Known, State);
        %% tried again at every tick; until then it is told as one that nobody can migrate
        {#{Id := #{state := resolving} = Conn}, _} ->
            tell_up(Conn#{state := unknown}, State);
        _ ->
            State
    end.

%% More and more seldom: each look at a wedged process leaves a message in its mailbox.
resolve_again(#{conns := Conns} = State) ->
    maps:fold(fun resolve_again/3, State, Conns).

resolve_again(Id, #{state := unknown, retry := {1, Next}} = Conn, #{conns := Conns} = State) ->
    resolve(Id, State#{conns := Conns#{Id := Conn#{retry := {Next, 2 * Next}}}});
resolve_again(Id, #{state := unknown, retry := {Ticks, Next}} = Conn, #{conns := Conns} = State) ->
    State#{conns := Conns#{Id := Conn#{retry := {Ticks - 1, Next}}}};
resolve_again(_, _, State) ->
    State.

%% ---- telling ----

tell_up(#{id := Id} = Conn, #{conns := Conns, client := Client} = State) ->
    tell(Client, {peer_up, up(Conn, State)}),
    check_snapshot(serve_waiters(State#{conns := Conns#{Id := Conn#{told := true}}})).

up(#{id := Id, name := Name, role := Role, local := Local, remote := Remote, via := Via}, State) ->
    #{settings := #{reconnectable := Which}} = State,
    [
        {peer, Name},
        {conn, Id},
        {role, word(Role)},
        {local, pathdog_bridge_conn:address(Local)},
        {remote, pathdog_bridge_conn:address(Remote)},
        {via, Via},
        {migratable, Role =:= client},
        {reconnectable, Which =:= all orelse (Which =:= client andalso Role =:= client)}
    ].

word(server) -> <<"server">>;
word(client) -> <<"client">>;
word(undefined) -> undefined.

tell(undefined, _Event) ->
    ok;
tell({Client, _}, Event) ->
    Client ! {pathdog_bridge, Event},
    ok.

seen_at(Id, Local, Remote, #{conns := Conns} = State) ->
    case Conns of
        #{Id := #{local := Local, remote := Remote}} -> State;
        #{Id := Conn} -> tell_path(Conn#{local := Local, remote := Remote}, State);
        _ -> State
    end.

seen_via(Node, Via, #{conns := Conns, nodes := Nodes} = State) ->
    case Nodes of
        #{Node := Id} ->
            case Conns of
                #{Id := #{via := Via}} -> State;
                #{Id := Conn} -> tell_path(Conn#{via := Via}, State)
            end;
        _ ->
            State
    end.

tell_path(#{id := Id, told := Told} = Conn, #{conns := Conns, client := Client} = State) ->
    #{local := Local, remote := Remote, via := Via} = Conn,
    Path = [
        {conn, Id},
        {local, pathdog_bridge_conn:address(Local)},
        {remote, pathdog_bridge_conn:address(Remote)},
        {via, Via}
    ],
    ok = tell(case Told of true -> Client; false -> undefined end, {peer_path, Path}),
    State#{conns := Conns#{Id := Conn}}.

%% ---- going ----

down(Monitor, Pid, Reason, #{monitors := Monitors, client := Client} = State) ->
    case {Monitors, State} of
        {#{Monitor := Id}, _} ->
            refresh(retire(Id, why(Reason), State));
        {_, #{events := Monitor}} ->
            self() ! watch,
            maps:remove(events, State);
        _ when Client =:= {Pid, Monitor} ->
            cancel_snapshot(State#{client := undefined});
        _ ->
            State
    end.

why({connection_closed, Reason}) -> pathdog_bridge_errors:text(Reason);
why({shutdown, Reason}) -> why(Reason);
why(Reason) -> pathdog_bridge_errors:text(Reason).

retire(Id, Reason, #{conns := Conns, nodes := Nodes, monitors := Monitors} = State) ->
    #{Id := #{node := Node, mon := Monitor, told := Told, reason := Given}} = Conns,
    demonitor(Monitor, [flush]),
    case Told of
        true ->
            Text = case Given of undefined -> Reason; _ -> Given end,
            tell(maps:get(client, State), {peer_down, [{conn, Id}, {reason, Text}]});
        false ->
            ok
    end,
    check_snapshot(State#{
        conns := maps:remove(Id, Conns),
        nodes := maps:remove(Node, Nodes),
        monitors := maps:remove(Monitor, Monitors),
        retired := remember(Id, Node, maps:get(retired, State))
    }).

remember(Id, Node, {Queue, Map}) when map_size(Map) < ?RETIRED_MAX ->
    {queue:in(Id, Queue), Map#{Id => Node}};
remember(Id, Node, {Queue, Map}) ->
    {{value, Oldest}, Rest} = queue:out(Queue),
    {queue:in(Id, Rest), (maps:remove(Oldest, Map))#{Id => Node}}.

%% ---- asked by number ----

conn(Id, #{conns := Conns}) ->
    maps:get(Id, Conns, undefined).

find(Id, #{nodes := Nodes, retired := {_, Retired}} = State) ->
    case {conn(Id, State), Retired} of
        {#{told := true} = Conn, _} ->
            {ok, Conn};
        {undefined, #{Id := Node}} when is_map_key(Node, Nodes) ->
            #{Node := Newer} = Nodes,
            case conn(Newer, State) of
                #{told := true} -> {replaced, Newer};
                _ -> {error, not_connected}
            end;
        _ ->
            {error, not_connected}
    end.

serve_waiters(#{waiters := Waiters, nodes := Nodes} = State) ->
    Left = [
        Waiter
     || {From, Node, Id, _} = Waiter <- Waiters,
        case Nodes of
            #{Node := Newer} when Newer > Id ->
                case conn(Newer, State) of
                    #{told := true} = Conn ->
                        gen_server:reply(From, {ok, Conn}),
                        false;
                    _ ->
                        true
                end;
            _ ->
                true
        end
    ],
    State#{waiters := Left}.

%% Those who asked are gone by then.
prune_waiters(#{waiters := Waiters} = State) ->
    Now = pathdog_bridge_call:now_ms(),
    State#{waiters := [W || {_, _, _, Deadline} = W <- Waiters, Deadline > Now]}.

%% ---- the snapshot ----

%% The list is made anew first, so that it is from after the subscription. It ends when all that
%% were there then are told, or after a while: a wedged one must not hold up the others.
begin_snapshot(Client, State0) ->
    State1 = cancel_snapshot(State0),
    case maps:get(client, State1) of
        undefined -> ok;
        {_, Old} -> demonitor(Old, [flush])
    end,
    State2 = State1#{client := {Client, monitor(process, Client)}},
    Told = lists:sort([Id || {Id, #{told := true}} <- maps:to_list(maps:get(conns, State2))]),
    lists:foreach(
        fun(Id) -> tell({Client, none}, {peer_up, up(conn(Id, State2), State2)}) end, Told
    ),
    Timer = make_ref(),
    erlang:send_after(?SNAPSHOT_LIMIT, self(), {snapshot_limit, Timer}),
    refresh(maps:remove(refreshed, State2#{snapshot := {Timer, fresh}})).

check_snapshot(#{snapshot := {_, fresh}, refreshed := true, conns := Conns} = State) ->
    case [Id || {Id, #{told := false}} <- maps:to_list(Conns)] of
        [] -> end_snapshot(State);
        _ -> State
    end;
check_snapshot(State) ->
    State.

end_snapshot(#{conns := Conns} = State0) ->
    Late = [C || #{told := false} = C <- maps:values(Conns)],
    State1 = State0#{snapshot := undefined},
    State2 = lists:foldl(
        fun(Conn, State) -> tell_up(Conn#{state := unknown}, State) end, State1, Late
    ),
    Told = length([Id || {Id, #{told := true}} <- maps:to_list(maps:get(conns, State2))]),
    tell(maps:get(client, State2), {snapshot, Told}),
    State2.

cancel_snapshot(State) ->
    State#{snapshot := undefined}.
