%% SPDX-License-Identifier: Apache-2.0
%% Owns the listening socket and the one client: a newer one replaces the older. A socket that cannot
%% be made is said and tried again; it never takes the node down. It must not read from a client.
-module(pathdog_bridge_listener).
-behaviour(gen_server).

-export([start_link/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).

-define(PAUSE, 100). % after a failed accept: too many open files, for example

-spec start_link(pathdog_bridge_settings:settings()) -> {ok, pid()} | {error, term()} | ignore.
start_link(Settings) ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, Settings, []).

-spec init(pathdog_bridge_settings:settings()) -> {ok, map()}.
init(Settings) ->
    process_flag(trap_exit, true),
    {ok, open(#{
        settings => Settings, opened => undefined, acceptor => undefined, client => undefined,
        said => undefined
    })}.

-spec handle_call(term(), gen_server:from(), map()) -> {reply, term(), map()}.
handle_call({accepted, Socket}, {Acceptor, _}, #{acceptor := Acceptor} = State) ->
    {reply, ok, replace(Socket, State)};
handle_call(_Request, _From, State) ->
    {reply, {error, unknown_request}, State}.

-spec handle_cast(term(), map()) -> {noreply, map()}.
handle_cast(_Message, State) ->
    {noreply, State}.

-spec handle_info(term(), map()) -> {noreply, map()}.
handle_info(open, #{opened := undefined} = State) ->
    {noreply, open(State)};
handle_info({'EXIT', Client, _Reason}, #{client := Client} = State) ->
    {noreply, State#{client := undefined}};
handle_info({'EXIT', Acceptor, Reason}, #{acceptor := Acceptor} = State) ->
    {stop, {acceptor, Reason}, State};
handle_info(_Message, State) ->
    {noreply, State}.

-spec terminate(term(), map()) -> ok.
terminate(_Reason, #{opened := undefined}) ->
    ok;
terminate(_Reason, #{opened := Opened, settings := #{socket := Path}, client := Client}) ->
    is_pid(Client) andalso exit(Client, shutdown),
    pathdog_bridge_socket:close(Opened, Path).

open(#{settings := #{socket := Path, retry_interval := Interval} = Settings} = State) ->
    case pathdog_bridge_socket:open(Settings) of
        {ok, {Socket, _} = Opened} ->
            logger:notice("pathdog_bridge: serving pathdog on ~ts", [Path]),
            Listener = self(),
            Acceptor = spawn_link(fun() -> accept(Socket, Listener) end),
            State#{opened := Opened, acceptor := Acceptor, said := undefined};
        {error, Reason} ->
            erlang:send_after(Interval, self(), open),
            say(Reason, State)
    end.

%% Once for each reason, not every time.
say(Reason, #{said := Reason} = State) ->
    State;
say(Reason, State) ->
    logger:error("pathdog_bridge: no socket for pathdog, trying again: ~tp", [Reason]),
    State#{said := Reason}.

%% One after the other: who waits to be taken over waits in the backlog.
accept(Listening, Listener) ->
    case gen_tcp:accept(Listening) of
        {ok, Socket} ->
            ok = gen_tcp:controlling_process(Socket, Listener),
            ok = gen_server:call(Listener, {accepted, Socket}, 60000),
            accept(Listening, Listener);
        {error, closed} ->
            ok;
        {error, Reason} when Reason =:= econnaborted; Reason =:= eintr ->
            accept(Listening, Listener);
        {error, _} ->
            receive
            after ?PAUSE -> accept(Listening, Listener)
            end
    end.

replace(Socket, #{client := Old, settings := Settings} = State) ->
    is_pid(Old) andalso stop(Old),
    Client = pathdog_bridge_client:start_link(Socket, Settings),
    case gen_tcp:controlling_process(Socket, Client) of
        ok ->
            Client ! {pathdog_bridge, go},
            State#{client := Client};
        {error, _} ->
            gen_tcp:close(Socket),
            exit(Client, shutdown),
            State#{client := Client}
    end.

%% A client process never waits, so it is gone at once; a moment later it would be killed.
stop(Old) ->
    exit(Old, shutdown),
    receive
        {'EXIT', Old, _} -> ok
    after 1000 ->
        exit(Old, kill),
        receive
            {'EXIT', Old, _} -> ok
        end
    end.
