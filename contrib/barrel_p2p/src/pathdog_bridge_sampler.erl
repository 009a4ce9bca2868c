%% SPDX-License-Identifier: Apache-2.0
%% Asks connections for their numbers, many at a time, each in a process of its own. One that does
%% not answer in time is left out of the round, and is not asked again before that process got its
%% answer: so a wedged connection costs one waiting process and two messages, however long it lasts,
%% and delays nobody. It must not call a connection itself.
%%
%% It also remembers each connection's last row and the holes in its streams, since only two looks
%% together show that a stream stands still.
-module(pathdog_bridge_sampler).
-behaviour(gen_server).

-export([start_link/1, round/2, taken/1, probe/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-define(ROWS, 256). % rows of one line
-define(GATHER_MS, 10). % how long a row waits for others
-define(WAITING_MAX, 8192).
-define(UNREAD_MAX, 8). % parts of a round that its client has no room for

%% ---- for the others ----

-spec start_link(pathdog_bridge_settings:settings()) -> {ok, pid()} | {error, term()} | ignore.
start_link(Settings) ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, Settings, []).

%% The caller gets {sampler, Tag, {rows, Rows}} as often as there are some, then {sampler, Tag, done}.
-spec round(reference(), all | [pos_integer()]) -> ok.
round(Tag, Conns) ->
    gen_server:cast(?MODULE, {round, self(), Tag, Conns}).

%% The caller has room for more rows. A round whose caller has none waits, and takes longer.
-spec taken(reference()) -> ok.
taken(Tag) ->
    gen_server:cast(?MODULE, {taken, Tag}).

%% Makes each of them send something that has to be acknowledged.
-spec probe([pos_integer()]) -> ok.
probe(Conns) ->
    gen_server:cast(?MODULE, {probe, Conns}).

%% ---- the process ----

-spec init(pathdog_bridge_settings:settings()) -> {ok, map()}.
init(Settings) ->
    {ok, #{
        settings => Settings,
        workers => #{}, % monitor => {quic pid, probe | look, for what, timely | late}
        busy => #{}, % quic pid => monitor of the worker that waits for it
        waiting => queue:new(), % jobs: {probe, quic pid} | {{tag, conn}, quic pid}
        free => maps:get(summary_parallel, Settings),
        rounds => #{}, % tag => {client, jobs open, rows, is a flush coming?}
        unread => #{}, % tag => parts that the client has no room for
        held => #{}, % tag => parts taken since the limit was last looked at; only rounds that had to wait
        seen => #{} % conn => #{row, stuck, holes}
    }}.

-spec handle_call(term(), gen_server:from(), map()) -> {reply, term(), map()}.
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

%% The worker's fun does not return: its exit is its answer.
-dialyzer({no_return, begin_job/2}).
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
begin_job({{Tag, _}, _}, #{rounds := Rounds} = State) when not is_map_key(Tag, Rounds) ->
    State;
begin_job({What, Quic}, #{settings := Settings} = State) ->
    #{workers := Workers, busy := Busy, free := Free} = State,
    Holes = maps:get(stuck_after, Settings) > 0,
    {_, Monitor} = spawn_monitor(fun() -> work(What, Quic, Holes) end),
    erlang:send_after(maps:get(sample_timeout, Settings), self(), {late, Monitor}),
    State#{
        workers := Workers#{Monitor => {Quic, kind(What), [What], timely}},
        busy := Busy#{Quic => Monitor},
        free := Free - 1
    }.

%% Its answer is what it ends with.
-spec work(term(), pid(), boolean()) -> no_return().
work(What, Quic, Holes) ->
    exit(
        try
            {answer, ask(What, Quic, Holes)}
        catch
            _:_ -> none
        end
    ).

ask(probe, Quic, _) -> quic:send_ping(Quic);
ask(_, Quic, Holes) -> pathdog_bridge_summary:look(Quic, Holes).

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
take({Tag, #{id := Id} = Conn}, {answer, {ok, Look}}, State) ->
    moved(Conn, Look),
    {Row, Judged} = judge(Conn, Look, pathdog_bridge_summary:row(Id, Look), State),
    add_row(Tag, Row, Judged);
take(_, _, State) ->
    State.

%% ---- streams that stand still ----

judge(#{id := Id} = Conn, #{path := Path} = Look, Row, #{settings := Settings} = State) ->
    #{seen := Seen} = State,
    Before = maps:get(Id, Seen, #{row => Row, stuck => false, holes => pathdog_bridge_stuck:new()}),
    #{row := LastRow, stuck := WasStuck, holes := Memory} = Before,
    %% what stands still goes on doing so however the RTT changes, until it moves
    Limit =
        case WasStuck of
            true -> 1;
            false -> pathdog_bridge_stuck:limit_ms(max(1, maps:get(stuck_after, Settings)), Path)
        end,
    Holes = maps:get(holes, Look, []),
    {Stuck, NewMemory} = pathdog_bridge_stuck:seen(
        Holes, pathdog_bridge_call:now_ms(), Limit, Memory
    ),
    Stuck andalso not WasStuck andalso tell_stuck(Conn, Holes),
    Told =
        case Stuck of
            true -> pathdog_bridge_summary:stuck_row(LastRow, Row);
            false -> Row
        end,
    Kept = #{row => Told, stuck => Stuck, holes => NewMemory},
    {Told, State#{seen := Seen#{Id => Kept}}}.

tell_stuck(#{node := Node, id := Id}, Holes) ->
    logger:warning("pathdog_bridge: ~b streams of the connection to ~ts (~b) stand still", [
        length(Holes), Node, Id
    ]).

%% What is not there any more need not be remembered.
forget(all, Conns, #{seen := Seen} = State) ->
    State#{seen := maps:with([Id || #{id := Id} <- Conns], Seen)};
forget(_, _, State) ->
    State.

moved(#{id := Id, local := Told, remote := Before}, #{local := Local, remote := Remote}) ->
    Stays = Before =:= Remote andalso pathdog_bridge_conn:same(Told, Local),
    Stays orelse pathdog_bridge_peers:path(Id, Local, Remote).

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
