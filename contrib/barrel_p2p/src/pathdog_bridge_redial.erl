%% SPDX-License-Identifier: Apache-2.0
%% Goes on dialling peers whose connection a reconnect closed and could not make again. barrel_p2p
%% forgets a peer whose node went down, and nobody would dial it any more; and it was us who closed.
%% It ends with a connection, whoever made it, or after a while. It must not dial anybody else.
%%
%% Where an interface was involved, the attempts go by turns: from where the connection was, by the routes,
%% from where it was to be. pathdog cannot say which is right while there is no connection, and any
%% connection is better than none.
-module(pathdog_bridge_redial).
-behaviour(gen_server).

-export([start_link/1, add/4, remove/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-define(PAUSE_FIRST, 1000).
-define(PAUSE_MAX, 30000).
-define(DIAL_LIMIT, 13000). % for all of it; net_kernel takes 7 s for a dial by default
-define(IDLE_LIMIT, 3000). % for a dial of somebody else to end
-define(DIAL_TIMES, 5). % so many times what the first attempt of a reconnect may take

-spec start_link(pathdog_bridge_settings:settings()) -> {ok, pid()} | {error, term()} | ignore.
start_link(Settings) ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, Settings, []).

%% First looks after a while: until then somebody else dials. Join: it was in the active view and is to
%% be brought into it again. Ways: the options of the dial's socket, by turns.
-spec add(node(), boolean(), [[gen_udp:open_option()], ...], non_neg_integer()) -> ok.
add(Node, Join, Ways, After) ->
    gen_server:cast(?MODULE, {add, Node, Join, Ways, After}).

%% It is connected.
-spec remove(node()) -> ok.
remove(Node) ->
    gen_server:cast(?MODULE, {remove, Node}).

-spec init(pathdog_bridge_settings:settings()) -> {ok, map()}.
init(Settings) ->
    %% node => #{join, pause, until, timer, ways: the next attempt's first, left: in this round}
    {ok, #{settings => Settings, nodes => #{}}}.

-spec handle_call(term(), gen_server:from(), map()) -> {reply, term(), map()}.
handle_call(_Request, _From, State) ->
    {reply, {error, unknown_request}, State}.

-spec handle_cast(term(), map()) -> {noreply, map()}.
handle_cast({add, Node, Join, Ways, After}, #{nodes := Nodes, settings := Settings} = State) ->
    #{redial_for := For} = Settings,
    Entry = #{
        join => Join,
        pause => ?PAUSE_FIRST,
        until => pathdog_bridge_call:now_ms() + After + For,
        timer => again(Node, After),
        ways => Ways,
        left => length(Ways)
    },
    {noreply, State#{nodes := Nodes#{Node => Entry}}};
handle_cast({remove, Node}, #{nodes := Nodes} = State) ->
    {noreply, State#{nodes := maps:remove(Node, Nodes)}};
handle_cast(_Message, State) ->
    {noreply, State}.

%% A timer or an answer of an entry that is gone, or was made anew, finds another timer there.
-spec handle_info(term(), map()) -> {noreply, map()}.
handle_info({again, Node, Timer}, #{nodes := Nodes} = State) ->
    Now = pathdog_bridge_call:now_ms(),
    case Nodes of
        #{Node := #{until := Until, timer := Timer} = Entry} when Now < Until ->
            dial(Node, Entry, State),
            {noreply, State};
        #{Node := #{timer := Timer}} ->
            {noreply, State#{nodes := maps:remove(Node, Nodes)}};
        _ ->
            {noreply, State}
    end;
handle_info({{dialled, Node, Timer}, Result}, #{nodes := Nodes} = State) ->
    case {Nodes, Result} of
        {#{Node := #{timer := Timer}}, {ok, connected}} ->
            {noreply, State#{nodes := maps:remove(Node, Nodes)}};
        {#{Node := #{timer := Timer, pause := Pause} = Entry}, _} ->
            Next = next_way(Entry#{timer := again(Node, Pause)}),
            {noreply, State#{nodes := Nodes#{Node := Next}}};
        _ ->
            {noreply, State}
    end;
handle_info(_Message, State) ->
    {noreply, State}.

%% The pause grows when all have had their turn.
next_way(#{ways := [Way | Ways], left := 1, pause := Pause} = Entry) ->
    Entry#{
        ways := Ways ++ [Way], left := length(Ways) + 1, pause := min(2 * Pause, ?PAUSE_MAX)
    };
next_way(#{ways := [Way | Ways], left := Left} = Entry) ->
    Entry#{ways := Ways ++ [Way], left := Left - 1}.

again(Node, Pause) ->
    Timer = make_ref(),
    erlang:send_after(Pause, self(), {again, Node, Timer}),
    Timer.

dial(Node, #{timer := Timer, join := Join, ways := [Options | _]}, #{settings := Settings}) ->
    #{dist := Dist, dial_timeout := Attempt} = Settings,
    Limit = min(?DIAL_LIMIT - ?IDLE_LIMIT - 1000, ?DIAL_TIMES * Attempt),
    Dial = fun() ->
        case Dist:controller(Node) of
            {ok, _} ->
                ok;
            {error, not_connected} ->
                idle(Dist:pending(Node)),
                true = pathdog_bridge_dial:connect(Node, Limit, Options, Settings)
        end,
        Join andalso not lists:member(Node, Dist:active_view()) andalso (ok = Dist:join(Node)),
        connected
    end,
    pathdog_bridge_call:async({dialled, Node, Timer}, Dial, ?DIAL_LIMIT).

%% Else net_kernel would let us wait for that dial, and none were made our way.
idle(undefined) ->
    ok;
idle(Setup) ->
    Monitor = monitor(process, Setup),
    receive
        {'DOWN', Monitor, process, Setup, _} -> ok
    after ?IDLE_LIMIT -> ok
    end.
