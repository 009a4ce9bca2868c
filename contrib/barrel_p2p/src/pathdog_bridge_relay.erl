%% SPDX-License-Identifier: Apache-2.0
%% Keeps the connect options of relayed peers registered with quic_dist. They are good for one
%% attempt, also a failed one, and stand in a table that belongs to whoever set one first: so they
%% are set from this process, which stays, and again whenever they are gone. It must not decide
%% which way to go.
-module(pathdog_bridge_relay).
-behaviour(gen_server).

-export([start_link/1, via/1, is_relayed/1, switch/3, received/2, settled/2, wake/1, wake_from/1, relays/0, patience/1, before_dial/1, is_configured/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-define(CALL_LIMIT, 2000).

%% ---- for the others ----

-spec start_link(pathdog_bridge_settings:settings()) -> {ok, pid()} | {error, term()} | ignore.
start_link(Settings) ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, Settings, []).

-spec is_configured(pathdog_bridge_settings:settings()) -> boolean().
is_configured(#{relay := Relay}) ->
    Relay =/= undefined.

-spec via(node()) -> pathdog_relay:via() | undefined.
via(Node) ->
    case read({via, Node}) of
        {ok, Via} -> Via;
        none -> undefined
    end.

-spec is_relayed(node()) -> boolean().
is_relayed(Node) ->
    read({via, Node}) =/= none.

%% Waits, in the caller's process. Where it is then counts only when settled/2 says so.
-spec switch(node(), pathdog_relay:via() | undefined, integer()) -> {ok, pathdog_relay:via()} | {error, term()}.
switch(Node, Via, Deadline) ->
    Limit = pathdog_bridge_call:left(Deadline),
    %% so that it can still say itself what went wrong
    Inner = Limit - min(100, Limit div 4),
    case called(fun(Module, State) -> Module:switch(Node, Via, Inner, State) end, Limit) of
        {ok, {ok, Now}} -> {ok, Now};
        {ok, {error, Reason}} -> {error, Reason};
        {error, Failure} -> {error, Failure}
    end.

%% How much came over Via; unknown if the module does not say.
-spec received(node(), pathdog_relay:via() | undefined) -> non_neg_integer() | unknown.
received(Node, Via) ->
    Over = case Via of undefined -> via(Node); _ -> Via end,
    case called(fun(Module, State) -> Module:received(Node, Over, State) end, ?CALL_LIMIT) of
        {ok, Count} when is_integer(Count) -> Count;
        _ -> unknown
    end.

%% The switch was proven.
-spec settled(node(), pathdog_relay:via()) -> ok.
settled(Node, Now) ->
    _ = called(fun(Module, State) -> Module:proven(Node, Now, State) end, ?CALL_LIMIT),
    gen_server:cast(?MODULE, {via, Node, Now}),
    pathdog_bridge_peers:via(Node, Now).

%% Each of these connections sends a PING. Does not wait.
-spec wake([pid()]) -> ok.
wake(Connections) ->
    Ping = fun(Quic) -> pathdog_bridge_call:run(fun() -> quic:send_ping(Quic) end, ?CALL_LIMIT) end,
    lists:foreach(fun(Quic) -> spawn(fun() -> Ping(Quic) end) end, Connections).

%% Those of the connections of which the peer has this address. Does not wait.
-spec wake_from(pathdog_bridge_table:address()) -> ok.
wake_from(Remote) ->
    Find = fun() ->
        wake([Quic || #{quic := Quic, remote := Seen} <- pathdog_bridge_peers:connections(all), is_pid(Quic), Seen =:= Remote])
    end,
    _ = spawn(fun() -> pathdog_bridge_call:run(Find, ?CALL_LIMIT) end),
    ok.

called(Fun, Limit) ->
    case read(module) of
        {ok, {Module, State}} -> pathdog_bridge_call:run(fun() -> Fun(Module, State) end, Limit);
        none -> {error, unknown_via}
    end.

%% What pathdog is told of them, if the module says which there are.
-spec relays() -> [{atom(), term()}] | undefined.
relays() ->
    case read(relays) of
        {ok, Relays} -> Relays;
        none -> undefined
    end.

%% ms; 0 where the peer is not relayed, or the module has none.
-spec patience(node()) -> non_neg_integer().
patience(Node) ->
    case is_relayed(Node) andalso read(patience) of
        {ok, Ms} -> Ms;
        _ -> 0
    end.

-spec before_dial(node()) -> ok.
before_dial(Node) ->
    case is_relayed(Node) of
        true ->
            Register = fun() -> gen_server:call(?MODULE, {register, Node}, ?CALL_LIMIT) end,
            _ = pathdog_bridge_call:run(Register, ?CALL_LIMIT),
            ok;
        false ->
            ok
    end.

read(Key) ->
    try ets:lookup(?MODULE, Key) of
        [{_, Value}] -> {ok, Value};
        [] -> none
    catch
        error:badarg -> none
    end.

%% ---- the process ----

-spec init(pathdog_bridge_settings:settings()) -> {ok, map()} | {stop, term()}.
init(#{relay := {Module, Args}, dist := Dist} = Settings) ->
    case Module:init(Args) of
        {ok, Relay} ->
            ?MODULE = ets:new(?MODULE, [named_table, protected, {read_concurrency, true}]),
            ets:insert(?MODULE, {module, {Module, Relay}}),
            erlang:function_exported(Module, relays, 1) andalso
                ets:insert(?MODULE, {relays, [{relays, [told(One) || One <- Module:relays(Relay)]}]}),
            erlang:function_exported(Module, patience, 1) andalso
                ets:insert(?MODULE, {patience, Module:patience(Relay)}),
            _ = Dist:monitor(),
            self() ! tick,
            {ok, #{settings => Settings, module => Module, relay => Relay, failed => #{}}};
        {error, Reason} ->
            {stop, {relay, Module, Reason}}
    end.

told(#{relay := Name, address := Address} = Relay) ->
    [{relay, Name}, {address, pathdog_bridge_conn:address(Address)}, {speaks, maps:get(speaks, Relay, undefined)}].

-spec handle_call(term(), gen_server:from(), map()) -> {reply, term(), map()}.
handle_call({register, Node}, _From, State) ->
    {reply, ok, register_one(Node, State)};
handle_call(_Request, _From, State) ->
    {reply, {error, unknown_request}, State}.

-spec handle_cast(term(), map()) -> {noreply, map()}.
handle_cast({via, Node, Via}, State) ->
    ets:insert(?MODULE, {{via, Node}, Via}),
    {noreply, State};
handle_cast(_Message, State) ->
    {noreply, State}.

-spec handle_info(term(), map()) -> {noreply, map()}.
handle_info(tick, #{settings := #{relay_interval := Interval}} = State) ->
    erlang:send_after(Interval, self(), tick),
    {noreply, register_all(State)};
%% at once, since whoever dials next must find them
handle_info({Change, _Node, _Info}, State) when Change =:= nodedown; Change =:= nodeup ->
    {noreply, register_all(State)};
handle_info(_Message, State) ->
    {noreply, State}.

register_all(#{module := Module, relay := Relay} = State) ->
    lists:foldl(fun register_one/2, State, Module:relayed(Relay)).

register_one(Node, #{module := Module, relay := Relay} = State) ->
    ets:insert_new(?MODULE, {{via, Node}, Module:via(Node, Relay)}),
    try maps:size(quic_dist:get_connect_options(Node)) of
        0 ->
            {ok, Options} = Module:connect_options(Node, Relay),
            ok = quic_dist:set_connect_options(Node, Options),
            State#{failed := maps:remove(Node, maps:get(failed, State))};
        _ ->
            State
    catch
        Class:Reason -> failed(Node, {Class, Reason}, State)
    end.

%% Said once, until it works again.
failed(Node, Reason, #{failed := Failed} = State) when not is_map_key(Node, Failed) ->
    logger:error("pathdog_bridge: no relay options for ~ts: ~ts", [
        Node, pathdog_bridge_errors:text(Reason)
    ]),
    State#{failed := Failed#{Node => true}};
failed(_, _, State) ->
    State.
