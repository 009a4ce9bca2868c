%% SPDX-License-Identifier: Apache-2.0
%% Keeps the bridge's core running: when it gives up, it is started again after a pause that doubles,
%% so that a fault of the bridge never becomes a fault of the node. It must not do anything else.
-module(pathdog_bridge_keeper).
-behaviour(gen_server).

-export([start_link/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).

-define(PAUSE_MIN, 500).
-define(PAUSE_MAX, 60000).

-spec start_link(pathdog_bridge_settings:settings()) -> {ok, pid()} | {error, term()} | ignore.
start_link(Settings) ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, Settings, []).

-spec init(pathdog_bridge_settings:settings()) -> {ok, map()}.
init(Settings) ->
    process_flag(trap_exit, true),
    {ok, begin_core(#{settings => Settings, core => undefined, pause => ?PAUSE_MIN})}.

-spec handle_call(term(), term(), map()) -> {reply, term(), map()}.
handle_call(_Request, _From, State) ->
    {reply, {error, unknown_request}, State}.

-spec handle_cast(term(), map()) -> {noreply, map()}.
handle_cast(_Message, State) ->
    {noreply, State}.

-spec handle_info(term(), map()) -> {noreply, map()}.
handle_info({'EXIT', Core, Reason}, #{core := Core} = State) ->
    {noreply, later(Reason, State#{core := undefined})};
handle_info(again, #{core := undefined} = State) ->
    {noreply, begin_core(State)};
handle_info(_Message, State) ->
    {noreply, State}.

-spec terminate(term(), map()) -> ok.
terminate(_Reason, #{core := undefined}) ->
    ok;
terminate(_Reason, #{core := Core}) ->
    Monitor = monitor(process, Core),
    exit(Core, shutdown),
    receive
        {'DOWN', Monitor, process, Core, _} -> ok
    after 8000 ->
        exit(Core, kill),
        ok
    end.

begin_core(#{settings := Settings} = State) ->
    case pathdog_bridge_core:start_link(Settings) of
        {ok, Core} -> State#{core := Core, started => pathdog_bridge_call:now_ms()};
        {error, Reason} -> later(Reason, State)
    end.

%% One that ran for long starts small again.
later(Reason, #{pause := Pause} = State) ->
    Ran = pathdog_bridge_call:now_ms() - maps:get(started, State, pathdog_bridge_call:now_ms()),
    Now = case Ran > ?PAUSE_MAX of true -> ?PAUSE_MIN; false -> Pause end,
    logger:error("pathdog_bridge: ended: ~tP; again in ~b ms", [Reason, 30, Now]),
    erlang:send_after(Now, self(), again),
    State#{pause := min(2 * Now, ?PAUSE_MAX)}.
