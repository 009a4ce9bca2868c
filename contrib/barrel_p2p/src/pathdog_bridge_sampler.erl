%% SPDX-License-Identifier: Apache-2.0
%% Asks connections for their numbers, many at a time, each in a process of its own. One that does
%% not answer in time is left out of the round, and is not asked again before that process got its
%% answer: so a wedged connection costs one waiting process and two messages, however long it lasts,
%% and delays nobody. It must not call a connection itself.
%%
%% It also remembers of each connection what pathdog_bridge_history wants, since only two looks together show that
%% a stream stands still, or that what was sent stays unacknowledged.
-module(pathdog_bridge_sampler).
-behaviour(gen_server).

-export([start_link/1, round/2, taken/1, probe/1, watch/1, failed/1, is_stuck/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-define(CALL_LIMIT, 1000).
-define(ROWS, 256). % rows of one line
-define(GATHER_MS, 10). % how long a row waits for others
-define(WAITING_MAX, 8192).
-define(UNREAD_MAX, 8). % parts of a round that its client has no room for
-define(UNREAD_MS, 500). % until it is tried again to push to a client that has no room

%% ---- for the others ----

-spec start_link(pathdog_bridge_settings:settings()) -> {ok, pid()} | {error, term()} | ignore.
start_link(Settings) ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, Settings, []).

%% The caller gets {sampler, Tag, {rows, Rows}} as often as there are some, then {sampler, Tag, done}.
-spec round(reference(), all | [pos_integer()]) -> ok.
round(Tag, Conns) ->
    gen_server:cast(?MODULE, {round, self(), Tag, Conns}).

%% From now on Client gets {sampler, push, {rows, Rows}} when a path goes bad, unless the setting is off. It is the
%% only one that does.
-spec watch(pid()) -> ok.
watch(Client) ->
    gen_server:cast(?MODULE, {watch, Client}).

%% The validation of a path of this connection failed.
-spec failed(pos_integer()) -> ok.
failed(Id) ->
    gen_server:cast(?MODULE, {failed, Id}).

%% The caller has room for more rows. A round whose caller has none waits, and takes longer.
-spec taken(reference() | push) -> ok.
taken(Tag) ->
    gen_server:cast(?MODULE, {taken, Tag}).

%% Makes each of them send something that has to be acknowledged.
-spec probe([pos_integer()]) -> ok.
probe(Conns) ->
    gen_server:cast(?MODULE, {probe, Conns}).

%% Do streams of this connection stand still, by the last look at it?
-spec is_stuck(pos_integer()) -> boolean().
is_stuck(Id) ->
    Ask = fun() -> gen_server:call(?MODULE, {is_stuck, Id}, ?CALL_LIMIT) end,
    pathdog_bridge_call:run(Ask, ?CALL_LIMIT) =:= {ok, true}.

%% ---- the process ----

-spec init(pathdog_bridge_settings:settings()) -> {ok, map()}.
init(Settings) ->
    {ok, #{
        settings => Settings,
        workers => #{}, % monitor => {quic pid, probe | look, for what, timely | late}
        busy => #{}, % quic pid => monitor of the worker that waits for it
        %% jobs: {probe, quic pid} | {{tag, conn}, quic pid}; the tag is that of a round, or why an unasked look is
        %% taken: overdue | failed
        waiting => queue:new(),
        free => maps:get(summary_parallel, Settings),
        rounds => #{}, % tag => {client, jobs open, rows, is a flush coming?}; push: a round that never ends
        watcher => undefined, % monitor of the client that gets what is pushed
        again => #{}, % conn => timer of its next unasked look
        unread => #{}, % tag => parts that the client has no room for
        held => #{}, % tag => parts taken since the limit was last looked at; only rounds that had to wait
        seen => #{} % conn => its history
    }}.

-spec handle_call(term(), gen_server:from(), map()) -> {reply, term(), map()}.
handle_call({is_stuck, Id}, _From, #{seen := Seen} = State) ->
    Is = case Seen of #{Id := History} -> pathdog_bridge_history:is_stuck(History); _ -> false end,
    {reply, Is, State};
handle_call(_Request, _From, State) ->
    {reply, {error, unknown_request}, State}.

-spec handle_cast(term(), map()) -> {noreply, map()}.
handle_cast({round, Client, Tag, Which}, #{settings := Settings, rounds := Rounds} = State) ->
    erlang:send_after(maps:get(summary_timeout, Settings), self(), {over, Tag}),
    Conns = pathdog_bridge_peers:connections(Which),
    Jobs = [{{Tag, Conn}, Quic} || #{quic := Quic} = Conn <- Conns],
    Round = {Client, length(Jobs), [], false},
    Begun = forget(Which, Conns, State#{rounds := Rounds#{Tag => Round}}),
    {noreply, settle(Tag, pump(enqueue(Jobs, Begun)))};
handle_cast({taken, Tag}, #{unread := Unread, held := Held} = State) ->
    case Unread of
        #{Tag := N} ->
            Counted = maps:map(fun(T, Taken) -> case T of Tag -> Taken + 1; _ -> Taken end end, Held),
            {noreply, pump(State#{unread := Unread#{Tag := max(0, N - 1)}, held := Counted})};
        _ ->
            {noreply, State}
    end;
handle_cast({watch, _}, #{settings := #{push := false}} = State) ->
    {noreply, State};
handle_cast({watch, Client}, State) ->
    #{rounds := Rounds} = Unwatched = unwatch(State),
    Push = {Client, 1, [], false},
    {noreply, Unwatched#{watcher := monitor(process, Client), rounds := Rounds#{push => Push}}};
handle_cast({failed, Id}, State) ->
    {noreply, look_unasked(failed, Id, State)};
handle_cast({probe, Which}, #{waiting := Waiting} = State) ->
    case queue:len(Waiting) < ?WAITING_MAX of
        true ->
            Jobs = [{probe, Quic} || #{quic := Quic} <- pathdog_bridge_peers:connections(Which)],
            {noreply, pump(enqueue(Jobs, State))};
        false ->
            {noreply, State} % somebody asks faster than it can be done
    end;
handle_cast(_Message, State) ->
    {noreply, State}.

-spec handle_info(term(), map()) -> {noreply, map()}.
handle_info({'DOWN', Monitor, process, _, _}, #{watcher := Monitor} = State) ->
    {noreply, unwatch(State)};
handle_info({again, Id}, #{again := Again, unread := Unread} = State) ->
    case Unread of
        #{push := N} when N >= ?UNREAD_MAX -> {noreply, look_again(Id, ?UNREAD_MS, State)};
        _ -> {noreply, look_unasked(overdue, Id, State#{again := maps:remove(Id, Again)})}
    end;
handle_info({'DOWN', Monitor, process, _, Reason}, #{workers := Workers} = State) ->
    case Workers of
        #{Monitor := _} -> {noreply, pump(ended(Monitor, Reason, State))};
        _ -> {noreply, State}
    end;
handle_info({late, Monitor}, #{workers := Workers, free := Free} = State) ->
    case Workers of
        #{Monitor := {Quic, Kind, Whats, timely}} ->
            Given = Workers#{Monitor := {Quic, Kind, Whats, late}},
            Late = State#{workers := Given, free := Free + 1},
            {noreply, pump(lists:foldl(fun job_over/2, Late, Whats))};
        _ ->
            {noreply, State}
    end;
handle_info({flush, Tag}, State) ->
    {noreply, flush(Tag, State)};
%% A round that waits for its client goes on as long as the client reads.
handle_info({over, Tag}, #{held := Held, settings := Settings} = State) ->
    case Held of
        #{Tag := Taken} when Taken > 0 ->
            erlang:send_after(maps:get(summary_timeout, Settings), self(), {over, Tag}),
            {noreply, State#{held := Held#{Tag := 0}}};
        _ ->
            {noreply, end_round(Tag, State)}
    end;
handle_info(_Message, State) ->
    {noreply, State}.

%% ---- jobs ----

enqueue(Jobs, #{waiting := Waiting} = State) ->
    State#{waiting := queue:join(Waiting, queue:from_list(Jobs))}.

pump(#{free := 0} = State) ->
    State;
pump(#{waiting := Waiting} = State) ->
    case queue:out(Waiting) of
        {empty, _} -> State;
        {{value, {{Tag, _}, _} = Job}, Rest} ->
            #{unread := Unread, held := Held} = State,
            case Unread of
                #{Tag := N} when N >= ?UNREAD_MAX ->
                    State#{held := maps:merge(#{Tag => 0}, Held)};
                _ ->
                    pump(begin_job(Job, State#{waiting := Rest}))
            end;
        {{value, Job}, Rest} ->
            pump(begin_job(Job, State#{waiting := Rest}))
    end.

begin_job({What, Quic}, #{busy := Busy, workers := Workers} = State) when is_map_key(Quic, Busy) ->
    #{Quic := Monitor} = Busy,
    case Workers of
        %% being asked already, for the round of an older client perhaps: the answer is for both
        #{Monitor := {Quic, Kind, Whats, timely}} ->
            With = lists:usort([What | Whats]), % one probe is enough for many
            State#{workers := Workers#{Monitor := {Quic, Kind, With, timely}}};
        _ ->
            job_over(What, State)
    end;
begin_job({What, Quic}, #{rounds := Rounds} = State) ->
    case is_wanted(What, Rounds) of
        true -> spawn_job(What, Quic, State);
        false -> State
    end.

is_wanted(probe, _) -> true;
is_wanted({Tag, _}, Rounds) -> is_map_key(round_of(Tag), Rounds).

round_of(Tag) when is_reference(Tag) -> Tag;
round_of(_) -> push.

%% The worker's fun does not return: its exit is its answer.
-dialyzer({no_return, spawn_job/3}).
spawn_job(What, Quic, #{settings := Settings} = State) ->
    #{workers := Workers, busy := Busy, free := Free} = State,
    Inside = maps:get(stuck_after, Settings) > 0 orelse maps:get(push, Settings),
    {_, Monitor} = spawn_monitor(fun() -> work(What, Quic, Inside) end),
    erlang:send_after(maps:get(sample_timeout, Settings), self(), {late, Monitor}),
    State#{
        workers := Workers#{Monitor => {Quic, kind(What), [What], timely}},
        busy := Busy#{Quic => Monitor},
        free := Free - 1
    }.

%% Its answer is what it ends with.
-spec work(term(), pid(), boolean()) -> no_return().
work(What, Quic, Inside) ->
    exit(
        try
            {answer, ask(What, Quic, Inside)}
        catch
            _:_ -> none
        end
    ).

ask(probe, Quic, _) -> quic:send_ping(Quic);
ask(_, Quic, Inside) -> pathdog_bridge_summary:look(Quic, Inside).

ended(Monitor, Reason, #{workers := Workers, busy := Busy, free := Free} = State0) ->
    #{Monitor := {Quic, Kind, Whats, When}} = Workers,
    {Done, Others} = lists:partition(fun(What) -> kind(What) =:= Kind end, Whats),
    State1 = State0#{workers := maps:remove(Monitor, Workers), busy := maps:remove(Quic, Busy)},
    State2 = lists:foldl(fun(What, State) -> take(What, Reason, State) end, State1, Done),
    case When of
        timely ->
            %% those of the other kind have waited for the connection, and are done now
            Next = enqueue([{What, Quic} || What <- Others], State2#{free := Free + 1}),
            lists:foldl(fun job_over/2, Next, Done);
        late ->
            State2
    end.

kind(probe) -> probe;
kind({_Tag, _Conn}) -> look.

%% Also a late answer counts, if its round is still there.
take({Tag, #{id := Id} = Conn}, {answer, {ok, Look}}, #{seen := Seen, settings := Settings} = State) ->
    moved(Conn, Look),
    tell_unknown(Look),
    Before = maps:get(Id, Seen, pathdog_bridge_history:new()),
    Now = pathdog_bridge_call:now_ms(),
    How = case Tag of _ when is_reference(Tag) -> asked; _ -> Tag end,
    {Row, Verdict, After} = pathdog_bridge_history:seen(Id, Look, Now, How, {Before, Settings}),
    #{push := Send, again := Again, stuck := Stuck} = Verdict,
    Stuck > 0 andalso tell_stuck(Conn, Stuck),
    Stuck > 0 andalso pathdog_bridge_effects:stuck(Id),
    Next = look_again(Id, Again, State#{seen := Seen#{Id => After}}),
    case Send of
        true -> add_row(round_of(Tag), Row, Next);
        false -> Next
    end;
take(_, _, State) ->
    State.

tell_stuck(#{node := Node, id := Id}, Streams) ->
    logger:warning("pathdog_bridge: ~b streams of the connection to ~ts (~b) stand still", [
        Streams, Node, Id
    ]).

tell_unknown(#{state := #{unknown := Unknown}}) ->
    lists:foreach(fun pathdog_bridge_notice:unknown/1, Unknown);
tell_unknown(_) ->
    ok.

%% What is not there any more need not be remembered.
forget(all, Conns, #{seen := Seen} = State) ->
    State#{seen := maps:with([Id || #{id := Id} <- Conns], Seen)};
forget(_, _, State) ->
    State.

moved(#{id := Id, local := Told, remote := Remote, interface := Interface}, #{place := Place}) ->
    case Place of
        #{local := Local, remote := Remote, interface := Interface} ->
            pathdog_bridge_conn:same(Told, Local) orelse pathdog_bridge_peers:path(Id, Place);
        _ ->
            pathdog_bridge_peers:path(Id, Place)
    end.

%% ---- unasked ----

%% Only while something is unacknowledged: not before it is overdue, if nothing changes until then.
look_again(Id, Ms, #{again := Again, rounds := Rounds} = State) ->
    case Again of
        #{Id := Timer} -> erlang:cancel_timer(Timer);
        _ -> ok
    end,
    case is_integer(Ms) andalso is_map_key(push, Rounds) of
        true -> State#{again := Again#{Id => erlang:send_after(Ms, self(), {again, Id})}};
        false -> State#{again := maps:remove(Id, Again)}
    end.

look_unasked(Why, Id, #{rounds := Rounds} = State) when is_map_key(push, Rounds) ->
    Conns = pathdog_bridge_peers:connections([Id]),
    pump(enqueue([{{Why, Conn}, Quic} || #{quic := Quic} = Conn <- Conns], State));
look_unasked(_, _, State) ->
    State.

unwatch(#{watcher := Watcher, again := Again, rounds := Rounds, unread := Unread} = State) ->
    Watcher =:= undefined orelse demonitor(Watcher, [flush]),
    lists:foreach(fun erlang:cancel_timer/1, maps:values(Again)),
    State#{
        watcher := undefined, again := #{},
        rounds := maps:remove(push, Rounds), unread := maps:remove(push, Unread)
    }.

%% ---- rounds ----

add_row(Tag, Row, #{rounds := Rounds} = State) ->
    case Rounds of
        #{Tag := {Client, Open, Rows, Coming}} ->
            Coming orelse erlang:send_after(?GATHER_MS, self(), {flush, Tag}),
            Added = State#{rounds := Rounds#{Tag := {Client, Open, [Row | Rows], true}}},
            case length(Rows) + 1 >= ?ROWS of
                true -> flush(Tag, Added);
                false -> Added
            end;
        _ ->
            State
    end.

flush(Tag, #{rounds := Rounds} = State) ->
    case Rounds of
        #{Tag := {Client, Open, Rows, _}} ->
            Flushed = State#{rounds := Rounds#{Tag := {Client, Open, [], false}}},
            case Rows of
                [] ->
                    Flushed;
                _ ->
                    Client ! {sampler, Tag, {rows, lists:reverse(Rows)}},
                    #{unread := Unread} = State,
                    Flushed#{unread := maps:update_with(Tag, fun(N) -> N + 1 end, 1, Unread)}
            end;
        _ ->
            State
    end.

%% One job less to wait for.
job_over({Tag, _}, #{rounds := Rounds} = State) ->
    case Rounds of
        #{Tag := {Client, Open, Rows, Coming}} ->
            settle(Tag, State#{rounds := Rounds#{Tag := {Client, Open - 1, Rows, Coming}}});
        _ ->
            State
    end;
job_over(probe, State) ->
    State.

settle(Tag, #{rounds := Rounds} = State) ->
    case Rounds of
        #{Tag := {_, 0, _, _}} -> end_round(Tag, State);
        _ -> State
    end.

end_round(Tag, State0) ->
    #{rounds := Rounds} = State1 = flush(Tag, State0),
    case Rounds of
        #{Tag := {Client, _, _, _}} ->
            Client ! {sampler, Tag, done},
            #{unread := Unread, held := Held} = State1,
            pump(State1#{
                rounds := maps:remove(Tag, Rounds),
                unread := maps:remove(Tag, Unread),
                held := maps:remove(Tag, Held)
            });
        _ ->
            State1
    end.
