%% SPDX-License-Identifier: Apache-2.0
%% The table of connections: which there are, under which number, and who is told. The truth is what
%% the VM and barrel_p2p say when they are asked; their events are only hints to ask again, since
%% some are never sent and some come twice. It must not call anybody: whatever may wait is done by
%% helpers, whose answers come as messages.
-module(pathdog_bridge_peers).
-behaviour(gen_server).

-export([start_link/1, subscribe/1, more/1, connections/1, lookup/1, await/4, leaving/2, path/2, via/2]).
-export([forward/2, refresh/0, renew/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).
-export_type([event/0]).

-type conn() :: pathdog_bridge_table:conn().
%% What a client gets, as {pathdog_bridge, Event}.
-type event() ::
    {peers, [[{atom(), term()}]]}
    | {peer_up, [{atom(), term()}]}
    | {peer_down, [{atom(), term()}]}
    | {peer_path, [{atom(), term()}]}
    | {snapshot, non_neg_integer()}
    | renew
    | {forwarded, term()}.

-define(CALL_LIMIT, 5000). % to this process, which never waits

%% ---- for the others ----

-spec start_link(pathdog_bridge_settings:settings()) -> {ok, pid()} | {error, term()} | ignore.
start_link(Settings) ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, Settings, []).

%% From now on Client gets all events, the present peers first, then {snapshot, Count}. The peers come
%% in parts, {peers, List}, the next one when the client has room for it and says so.
-spec subscribe(pid()) -> ok.
subscribe(Client) ->
    gen_server:cast(?MODULE, {subscribe, Client}).

-spec more(pid()) -> ok.
more(Client) ->
    gen_server:cast(?MODULE, {more, Client}).

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
-spec path(pos_integer(), pathdog_bridge_conn:place()) -> ok.
path(Id, Place) ->
    gen_server:cast(?MODULE, {path, Id, Place}).

%% The relay that a peer is reached over from now on.
-spec via(node(), binary()) -> ok.
via(Node, Via) ->
    gen_server:cast(?MODULE, {via, Node, Via}).

%% To a client, behind all events that it was sent before.
-spec forward(pid(), term()) -> ok.
forward(Client, Message) ->
    gen_server:cast(?MODULE, {forward, Client, Message}).

%% What hello says has changed: the client has to ask again.
-spec renew() -> ok.
renew() ->
    gen_server:cast(?MODULE, renew).

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
        table => pathdog_bridge_table:new(),
        client => undefined, % {pid, monitor}
        snapshot => undefined, % see pathdog_bridge_told:subscribe/2
        waiters => [], % {From, node, id, deadline}
        refreshing => no, % no | yes | again
        resolving => 0,
        queue => queue:new() % ids to be resolved
    }}.

-spec handle_call(term(), gen_server:from(), map()) ->
    {reply, term(), map()} | {noreply, map()}.
handle_call({connections, Which}, _From, #{table := Table} = State) ->
    Chosen =
        case Which of
            all -> pathdog_bridge_table:all(Table);
            _ -> [Conn || Id <- lists:usort(Which), (Conn = pathdog_bridge_told:conn(Id, State)) =/= undefined]
        end,
    {reply, [C || #{told := true, quic := Quic} = C <- Chosen, is_pid(Quic)], State};
handle_call({lookup, Id}, _From, #{table := Table} = State) ->
    {reply, pathdog_bridge_table:find(Id, Table), State};
handle_call({await, Node, Id, Deadline}, From, State) ->
    {noreply, pathdog_bridge_told:await({From, Node, Id, Deadline}, State)};
handle_call(_Request, _From, State) ->
    {reply, {error, unknown_request}, State}.

-spec handle_cast(term(), map()) -> {noreply, map()}.
handle_cast({subscribe, Client}, State) ->
    {noreply, refresh(pathdog_bridge_told:subscribe(Client, State))};
handle_cast({more, Client}, #{client := {Client, _}, snapshot := #{}} = State) ->
    {noreply, pathdog_bridge_told:more(State)};
handle_cast({leaving, Id, Reason}, State) ->
    case pathdog_bridge_told:conn(Id, State) of
        undefined -> {noreply, State};
        Conn -> {noreply, pathdog_bridge_told:put_conn(Conn#{reason := Reason}, State)}
    end;
handle_cast({path, Id, Place}, State) ->
    {noreply, seen_at(Id, Place, State)};
handle_cast({via, Node, Via}, State) ->
    {noreply, seen_via(Node, Via, State)};
handle_cast({forward, Client, Message}, State) ->
    Client ! {pathdog_bridge, {forwarded, Message}},
    {noreply, State};
handle_cast(renew, State) ->
    ok = pathdog_bridge_told:event(renew, State),
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
handle_info({snapshot_limit, Timer}, #{snapshot := #{timer := Timer}} = State) ->
    {noreply, pathdog_bridge_told:late(State)};
handle_info(tick, #{settings := #{refresh_interval := Interval}} = State) ->
    erlang:send_after(Interval, self(), tick),
    {noreply, resolve_again(pathdog_bridge_told:prune(refresh(State)))};
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
            Subscribe = fun() -> pathdog_bridge_view:subscribe(Dist, Self) end,
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
    Ask = fun() -> pathdog_bridge_view:ask(Dist, Mode) end,
    pathdog_bridge_call:async(refreshed, Ask, Limit),
    State#{refreshing := yes};
refresh(State) ->
    State#{refreshing := again}.

refreshed(Result, #{refreshing := Wanted} = State0) ->
    State1 = State0#{refreshing := no},
    State2 =
        case Result of
            {ok, View} -> take_over(View, State1);
            %% barrel_p2p does not answer: what is known stays
            {error, _} -> State1
        end,
    case Wanted of
        again -> refresh(State2);
        yes -> pathdog_bridge_told:check(State2#{refreshed => true})
    end.

take_over(View, #{table := Table} = State0) ->
    Counted = pathdog_bridge_view:counted(View),
    State1 = lists:foldl(
        fun(#{node := Node, ctrl := Ctrl} = Conn, State) ->
            case Counted of
                #{Node := Ctrl} -> State;
                _ -> gone(Conn, pathdog_bridge_view:why_gone(Node, Ctrl, View), State)
            end
        end,
        State0,
        pathdog_bridge_table:all(Table)
    ),
    maps:fold(fun appear/3, State1, Counted).

%% One that died says why by itself, in a message that is on its way.
gone(#{ctrl := Ctrl} = Conn, Reason, State) ->
    case is_process_alive(Ctrl) of
        true -> retire(Conn, Reason, State);
        false -> State
    end.

appear(Node, Ctrl, #{table := Table} = State) ->
    case pathdog_bridge_table:of_node(Node, Table) of
        undefined ->
            #{id := Id} = Conn = new_conn(Node, Ctrl),
            resolve(Id, State#{table := pathdog_bridge_table:add(Conn, Table)});
        _ ->
            State
    end.

new_conn(Node, Ctrl) ->
    #{
        id => pathdog_bridge_boot:next_id(),
        node => Node,
        name => atom_to_binary(Node),
        ctrl => Ctrl,
        mon => monitor(process, Ctrl),
        state => resolving,
        told => false,
        quic => undefined,
        role => undefined,
        local => undefined,
        remote => undefined,
        interface => undefined,
        via => pathdog_bridge_relay:via(Node),
        reason => undefined,
        retry => {1, 1}
    }.

%% ---- the process behind it ----

resolve(Id, #{queue := Queue} = State) ->
    next_resolution(State#{queue := queue:in(Id, Queue)}).

next_resolution(#{resolving := N, queue := Queue, settings := Settings} = State) ->
    #{summary_parallel := Parallel, call_timeout := Limit} = Settings,
    case queue:out(Queue) of
        {{value, Id}, Rest} when N < Parallel ->
            case pathdog_bridge_told:conn(Id, State) of
                #{ctrl := Ctrl} ->
                    Look = fun() -> pathdog_bridge_view:look(Ctrl, Limit) end,
                    pathdog_bridge_call:async({resolved, Id}, Look, Limit),
                    next_resolution(State#{queue := Rest, resolving := N + 1});
                undefined ->
                    next_resolution(State#{queue := Rest})
            end;
        _ ->
            State
    end.

resolved(Id, Result, State) ->
    case {pathdog_bridge_told:conn(Id, State), Result} of
        {undefined, _} -> State;
        {Conn, {ok, Found}} when is_map(Found) ->
            pathdog_bridge_told:up(maps:merge(Conn, Found#{state => known}), State);
        %% tried again at the ticks; until then it is told as one that nobody can migrate
        {#{state := resolving} = Conn, _} -> pathdog_bridge_told:up(Conn#{state := unknown}, State);
        _ -> State
    end.

%% More and more seldom: each look at a wedged process leaves a message in its mailbox.
resolve_again(#{table := Table} = State) ->
    lists:foldl(fun resolve_again/2, State, pathdog_bridge_table:all(Table)).

resolve_again(#{id := Id, state := unknown, retry := {1, Next}} = Conn, State) ->
    resolve(Id, pathdog_bridge_told:put_conn(Conn#{retry := {Next, 2 * Next}}, State));
resolve_again(#{state := unknown, retry := {Ticks, Next}} = Conn, State) ->
    pathdog_bridge_told:put_conn(Conn#{retry := {Ticks - 1, Next}}, State);
resolve_again(_, State) ->
    State.

%% ---- where they are ----

seen_at(Id, #{local := Local, remote := Remote, interface := Interface} = Place, State) ->
    case pathdog_bridge_told:conn(Id, State) of
        undefined -> State;
        #{local := Local, remote := Remote, interface := Interface} -> State;
        Conn -> pathdog_bridge_told:path(maps:merge(Conn, Place), State)
    end.

seen_via(Node, Via, #{table := Table} = State) ->
    case pathdog_bridge_table:of_node(Node, Table) of
        undefined -> State;
        #{via := Via} -> State;
        Conn -> pathdog_bridge_told:path(Conn#{via := Via}, State)
    end.

%% ---- going ----

down(Monitor, Pid, Reason, #{table := Table, client := Client} = State) ->
    case {pathdog_bridge_table:of_monitor(Monitor, Table), State} of
        {undefined, #{events := Monitor}} ->
            self() ! watch,
            maps:remove(events, State);
        {undefined, _} when Client =:= {Pid, Monitor} ->
            pathdog_bridge_told:unsubscribe(State);
        {undefined, _} ->
            State;
        {Conn, _} ->
            refresh(retire(Conn, why(Reason), State))
    end.

why({connection_closed, Reason}) -> pathdog_bridge_errors:text(Reason);
why({shutdown, Reason}) -> why(Reason);
why(Reason) -> pathdog_bridge_errors:text(Reason).

retire(#{mon := Monitor, reason := Given} = Conn, Reason, #{table := Table} = State) ->
    demonitor(Monitor, [flush]),
    Text = case Given of undefined -> Reason; _ -> Given end,
    ok = pathdog_bridge_told:down(Conn, Text, State),
    pathdog_bridge_told:check(State#{table := pathdog_bridge_table:remove(Conn, Table)}).
