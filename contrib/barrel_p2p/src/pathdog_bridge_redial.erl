%% SPDX-License-Identifier: Apache-2.0
%% Goes on dialling peers whose connection a reconnect closed and could not make again. barrel_p2p
%% forgets a peer whose node went down, and nobody would dial it any more; and it was us who closed.
%% It ends with a connection, whoever made it, or after a while. It must not dial anybody else.
-module(pathdog_bridge_redial).
-behaviour(gen_server).

-export([start_link/1, add/3]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-define(PAUSE_FIRST, 1000).
-define(PAUSE_MAX, 30000).
-define(DIAL_LIMIT, 10000). % net_kernel takes 7 s by default

-spec start_link(pathdog_bridge_settings:settings()) -> {ok, pid()} | {error, term()} | ignore.
start_link(Settings) ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, Settings, []).

%% First looks after a while: until then somebody else dials. Join: it was in the active view and is to
%% be brought into it again.
-spec add(node(), boolean(), non_neg_integer()) -> ok.
add(Node, Join, After) ->
    gen_server:cast(?MODULE, {add, Node, Join, After}).

-spec init(pathdog_bridge_settings:settings()) -> {ok, map()}.
init(Settings) ->
    {ok, #{settings => Settings, nodes => #{}}}. % node => {join, pause, until}

-spec handle_call(term(), gen_server:from(), map()) -> {reply, term(), map()}.
handle_call(_Request, _From, State) ->
    {reply, {error, unknown_request}, State}.

-spec handle_cast(term(), map()) -> {noreply, map()}.
handle_cast({add, Node, Join, After}, #{nodes := Nodes, settings := Settings} = State) ->
    #{redial_for := For} = Settings,
    Until = pathdog_bridge_call:now_ms() + After + For,
    case Nodes of
        #{Node := {_, Pause, _}} ->
            {noreply, State#{nodes := Nodes#{Node := {Join, Pause, Until}}}};
        _ ->
            erlang:send_after(After, self(), {again, Node}),
            {noreply, State#{nodes := Nodes#{Node => {Join, ?PAUSE_FIRST, Until}}}}
    end;
handle_cast(_Message, State) ->
    {noreply, State}.

-spec handle_info(term(), map()) -> {noreply, map()}.
handle_info({again, Node}, #{nodes := Nodes} = State) ->
    #{Node := {Join, _, Until}} = Nodes,
    case pathdog_bridge_call:now_ms() < Until of
        true ->
            dial(Node, Join, State),
            {noreply, State};
        false ->
            {noreply, State#{nodes := maps:remove(Node, Nodes)}}
    end;
handle_info({{dialled, Node}, {ok, connected}}, #{nodes := Nodes} = State) ->
    {noreply, State#{nodes := maps:remove(Node, Nodes)}};
handle_info({{dialled, Node}, _}, #{nodes := Nodes} = State) ->
    #{Node := {Join, Pause, Until}} = Nodes,
    erlang:send_after(Pause, self(), {again, Node}),
    {noreply, State#{nodes := Nodes#{Node := {Join, min(2 * Pause, ?PAUSE_MAX), Until}}}};
handle_info(_Message, State) ->
    {noreply, State}.

dial(Node, Join, #{settings := #{dist := Dist}}) ->
    Dial = fun() ->
        case Dist:controller(Node) of
            {ok, _} ->
                connected;
            {error, not_connected} ->
                ok = pathdog_bridge_relay:before_dial(Node),
                true = Dist:connect(Node),
                Join andalso Dist:join(Node),
                connected
        end
    end,
    pathdog_bridge_call:async({dialled, Node}, Dial, ?DIAL_LIMIT).
