%% SPDX-License-Identifier: Apache-2.0
%% The moves that are under way: each in a process of its own, at most one for each connection, each
%% with an end; and the probes of paths, of which a connection may have several. It must not know how a
%% connection is moved.
-module(pathdog_bridge_moves).
-behaviour(gen_server).

-export([start_link/1, start/3, cancel/1, commit/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).

-type answer() :: {ok, [{atom(), term()}]} | {error, term()}.
-export_type([answer/0]).

%% The answer has to be there within timeout_ms, so its work ends a little earlier, and what does
%% not end by itself is ended between the two.
-define(MARGIN_MAX, 250).
-define(PROBES_MAX, 64). % of all connections; each has a few sockets

-spec start_link(pathdog_bridge_settings:settings()) -> {ok, pid()} | {error, term()} | ignore.
start_link(Settings) ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, Settings, []).

%% The caller gets {pathdog_bridge, {forwarded, {moved, Tag, Answer}}}, once.
-spec start(migrate | reconnect | probe_path, term(), map()) -> ok.
start(Kind, Tag, Request) ->
    gen_server:cast(?MODULE, {start, Kind, self(), Tag, Request}).

%% Ends it, if it can still be ended; then its answer is {error, cancelled}.
-spec cancel(term()) -> ok.
cancel(Tag) ->
    gen_server:cast(?MODULE, {cancel, Tag}).

%% Called by a move: from now on it cannot be taken back. Does not return if it was.
-spec commit() -> ok.
commit() ->
    gen_server:call(?MODULE, commit, infinity).

-spec init(pathdog_bridge_settings:settings()) -> {ok, map()}.
init(Settings) ->
    process_flag(trap_exit, true), % so that terminate/2 is called
    {ok, #{settings => Settings, moves => #{}, busy => #{}}}.

-spec handle_call(term(), gen_server:from(), map()) -> {reply, term(), map()}.
handle_call(commit, {Pid, _}, #{moves := Moves} = State) ->
    Committed = maps:map(
        fun
            (_, {P, Client, Tag, Conn, need}) when P =:= Pid -> {P, Client, Tag, Conn, reconnect};
            (_, Move) -> Move
        end,
        Moves
    ),
    {reply, ok, State#{moves := Committed}};
handle_call(_Request, _From, State) ->
    {reply, {error, unknown_request}, State}.

-spec handle_cast(term(), map()) -> {noreply, map()}.
handle_cast({start, Kind, Client, Tag, Request}, State) ->
    case is_busy(Kind, Request, State) of
        true ->
            answer(Client, Tag, {error, busy}),
            {noreply, State};
        false ->
            {noreply, begin_move(Kind, Client, Tag, Request, State)}
    end;
handle_cast({cancel, Tag}, #{moves := Moves} = State) ->
    case [{Monitor, Pid} || {Monitor, {Pid, _, T, _, Kind}} <- maps:to_list(Moves), T =:= Tag, Kind =/= reconnect] of
        [{Monitor, Pid}] ->
            demonitor(Monitor, [flush]),
            exit(Pid, kill),
            {noreply, ended(Monitor, {error, cancelled}, State)};
        [] ->
            {noreply, State}
    end;
handle_cast(_Message, State) ->
    {noreply, State}.

is_busy(probe_path, _, #{moves := Moves}) ->
    length([Monitor || {Monitor, {_, _, _, _, probe_path}} <- maps:to_list(Moves)]) >= ?PROBES_MAX;
is_busy(_, #{conn := Conn}, #{busy := Busy}) ->
    is_map_key(Conn, Busy).

begin_move(Kind, Client, Tag, #{conn := Conn, timeout_ms := Limit} = Request, State) ->
    #{settings := Settings, moves := Moves, busy := Busy} = State,
    Margin = min(?MARGIN_MAX, Limit div 10),
    Deadline = pathdog_bridge_call:now_ms() + Limit - Margin,
    Work = fun() ->
        case Kind of
            migrate -> pathdog_bridge_migrate:run(Request, Deadline, Settings);
            reconnect -> pathdog_bridge_reconnect:run(Request, Deadline, Settings);
            probe_path -> pathdog_bridge_probe:run(Request, Deadline, Settings)
        end
    end,
    {Pid, Monitor} = spawn_monitor(fun() -> exit({answer, guarded(Work)}) end),
    erlang:send_after(Limit - Margin div 2, self(), {over, Monitor}),
    State#{
        %% need: a reconnect that has closed nothing yet
        moves := Moves#{Monitor => {Pid, Client, Tag, Conn, phase(Kind, Request)}},
        busy := case Kind of probe_path -> Busy; _ -> Busy#{Conn => true} end
    }.

phase(reconnect, #{keep_old := true}) -> need;
phase(Kind, _) -> Kind.

-spec handle_info(term(), map()) -> {noreply, map()}.
handle_info({'DOWN', Monitor, process, _, Reason}, #{moves := Moves} = State) ->
    case {Moves, Reason} of
        {#{Monitor := _}, {answer, Answer}} -> {noreply, ended(Monitor, Answer, State)};
        {#{Monitor := _}, _} -> {noreply, ended(Monitor, {error, {exit, Reason}}, State)};
        _ -> {noreply, State}
    end;
handle_info({over, Monitor}, #{moves := Moves} = State) ->
    case Moves of
        #{Monitor := {Pid, _, _, _, Kind}} ->
            demonitor(Monitor, [flush]),
            exit(Pid, kill),
            {noreply, ended(Monitor, {error, too_late(Kind)}, State)};
        _ ->
            {noreply, State}
    end;
handle_info(_Message, State) ->
    {noreply, State}.

-spec terminate(term(), map()) -> ok.
terminate(_Reason, #{moves := Moves}) ->
    maps:foreach(fun(_, {Pid, _, _, _, _}) -> exit(Pid, kill) end, Moves).

ended(Monitor, Answer, #{moves := Moves, busy := Busy} = State) ->
    #{Monitor := {_, Client, Tag, Conn, Kind}} = Moves,
    answer(Client, Tag, Answer),
    State#{
        moves := maps:remove(Monitor, Moves),
        busy := case Kind of probe_path -> Busy; _ -> maps:remove(Conn, Busy) end
    }.

too_late(migrate) -> timeout;
too_late(probe_path) -> timeout;
too_late(need) -> dial_failed;
too_late(reconnect) -> dial_failed.

%% By way of the peers, so that it comes after the notifications that belong to it.
answer(Client, Tag, Answer) ->
    pathdog_bridge_peers:forward(Client, {moved, Tag, Answer}).

guarded(Work) ->
    try
        Work()
    catch
        Class:Reason -> {error, {Class, Reason}}
    end.
