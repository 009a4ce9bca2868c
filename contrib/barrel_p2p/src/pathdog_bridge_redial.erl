%% SPDX-License-Identifier: Apache-2.0
%% Goes on dialling peers whose connection a reconnect closed and could not make again. barrel_p2p
%% forgets a peer whose node went down, and nobody would dial it any more; and it was us who closed.
%% It ends with a connection, whoever made it, or after a while. It must not dial anybody else.
-module(pathdog_bridge_redial).
-behaviour(gen_server).

-export([start_link/1, add/3, remove/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-define(PAUSE_FIRST, 1000).
-define(PAUSE_MAX, 30000).
-define(DIAL_LIMIT, 10000). % for all of it; net_kernel takes 7 s for a dial by default
-define(DIAL_TIMES, 5). % so many times what the first attempt of a reconnect may take

-spec start_link(pathdog_bridge_settings:settings()) -> {ok, pid()} | {error, term()} | ignore.
start_link(Settings) ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, Settings, []).

%% First looks after a while: until then somebody else dials. Join: it was in the active view and is to
%% be brought into it again.
-spec add(node(), boolean(), non_neg_integer()) -> ok.
add(Node, Join, After) ->
    gen_server:cast(?MODULE, {add, Node, Join, After}).

%% It is connected.
-spec remove(node()) -> ok.
remove(Node) ->
    gen_server:cast(?MODULE, {remove, Node}).

-spec init(pathdog_bridge_settings:settings()) -> {ok, map()}.
init(Settings) ->
    {ok, #{settings => Settings, nodes => #{}}}. % node => {join, pause, until, timer or none}

-spec handle_call(term(), gen_server:from(), map()) -> {reply, term(), map()}.
handle_call(_Request, _From, State) ->
    {reply, {error, unknown_request}, State}.

-spec handle_cast(term(), map()) -> {noreply, map()}.
handle_cast({add, Node, Join, After}, #{nodes := Nodes, settings := Settings} = State) ->
    #{redial_for := For} = Settings,
    Until = pathdog_bridge_call:now_ms() + After + For,
    {noreply, State#{nodes := Nodes#{Node => {Join, ?PAUSE_FIRST, Until, again(Node, After)}}}};
handle_cast({remove, Node}, #{nodes := Nodes} = State) ->
    {noreply, State#{nodes := maps:remove(Node, Nodes)}};
handle_cast(_Message, State) ->
    {noreply, State}.

%% A timer or an answer of an entry that is gone, or was made anew, finds another timer there.
-spec handle_info(term(), map()) -> {noreply, map()}.
handle_info({again, Node, Timer}, #{nodes := Nodes} = State) ->
    Now = pathdog_bridge_call:now_ms(),
    case Nodes of
        #{Node := {Join, _, Until, Timer}} when Now < Until ->
            dial(Node, Timer, Join, State),
            {noreply, State};
        #{Node := {_, _, _, Timer}} ->
            {noreply, State#{nodes := maps:remove(Node, Nodes)}};
        _ ->
            {noreply, State}
    end;
handle_info({{dialled, Node, Timer}, Result}, #{nodes := Nodes} = State) ->
    case {Nodes, Result} of
        {#{Node := {_, _, _, Timer}}, {ok, connected}} ->
            {noreply, State#{nodes := maps:remove(Node, Nodes)}};
        {#{Node := {Join, Pause, Until, Timer}}, _} ->
            Next = {Join, min(2 * Pause, ?PAUSE_MAX), Until, again(Node, Pause)},
            {noreply, State#{nodes := Nodes#{Node := Next}}};
        _ ->
            {noreply, State}
    end;
handle_info(_Message, State) ->
    {noreply, State}.

again(Node, Pause) ->
    Timer = make_ref(),
    erlang:send_after(Pause, self(), {again, Node, Timer}),
    Timer.

dial(Node, Timer, Join, #{settings := #{dist := Dist, dial_timeout := Attempt} = Settings}) ->
    Limit = min(?DIAL_LIMIT - 1000, ?DIAL_TIMES * Attempt),
    Dial = fun() ->
        case Dist:controller(Node) of
            {ok, _} ->
                ok;
            {error, not_connected} ->
                true = pathdog_bridge_dial:connect(Node, Limit, Settings)
        end,
        Join andalso not lists:member(Node, Dist:active_view()) andalso (ok = Dist:join(Node)),
        connected
    end,
    pathdog_bridge_call:async({dialled, Node, Timer}, Dial, ?DIAL_LIMIT).
