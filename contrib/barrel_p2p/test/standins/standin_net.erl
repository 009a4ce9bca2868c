%% SPDX-License-Identifier: Apache-2.0
%% The stand-in for net_kernel and barrel_p2p together: which nodes are connected, who is told of it,
%% what a dial does. It is both named processes of barrel_p2p, and the `dist` module of the bridge.
-module(standin_net).
-behaviour(gen_server).
-behaviour(pathdog_bridge_dist).

%% for tests
-export([start/0, stop/0, up/2, up/3, down/1, quic/1, ctrl/1, dial/2, dialled/0, set_view/2]).
-export([somebody_listens/0, listens/2, dialled_with/0]).
-export([dialling/2, stands/2, reserved/0]).
-export([listener_closed/0, is_listener_open/0, hint/1, silent/1, joined/0]).
%% for the bridge
-export([name/0, controllers/0, controller/1, monitor/0, connect/1, pending/1, disconnect/1]).
-export([dials/0, standing/1, reserve/1, unreserve/2]).
-export([address/1, active_view/0, subscribe/1, join/1, events/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-define(LIMIT, 30000).

%% ---- for tests ----

start() ->
    %% the version is what tells what its listeners answer
    _ = application:load({application, quic, [{vsn, "1.8.1"}, {applications, [kernel, stdlib]}]}),
    {ok, Pid} = gen_server:start({local, ?MODULE}, ?MODULE, net, []),
    {ok, _} = gen_server:start({local, barrel_p2p_hyparview}, ?MODULE, view, []),
    {ok, _} = gen_server:start({local, barrel_p2p_hyparview_events}, ?MODULE, events, []),
    {ok, Pid}.

stop() ->
    [gen_server:stop(P) || P <- [?MODULE, barrel_p2p_hyparview, barrel_p2p_hyparview_events]],
    ok.

%% A connection of Role to Node, in the active view.
up(Node, Role) -> up(Node, Role, true).
up(Node, Role, InView) -> gen_server:call(?MODULE, {up, Node, Role, InView}, ?LIMIT).
down(Node) -> gen_server:call(?MODULE, {down, Node}, ?LIMIT).
ctrl(Node) -> gen_server:call(?MODULE, {ctrl, Node}, ?LIMIT).
quic(Node) ->
    {_, Record} = sys:get_state(ctrl(Node), ?LIMIT),
    element(2, Record).
%% How: ok | false | hang | {wait, Ms}
dial(Node, How) -> gen_server:call(?MODULE, {dial, Node, How}, ?LIMIT).
dialled() -> gen_server:call(?MODULE, dialled, ?LIMIT).
%% From now on Setup makes a connection to Node, until it ends.
dialling(Node, Setup) -> gen_server:call(?MODULE, {dialling, Node, Setup}, ?LIMIT).
%% How that is said to stand from now on.
stands(Setup, How) -> gen_server:call(?MODULE, {stands, Setup, How}, ?LIMIT).
%% The nodes that messages wait for, for who asked for it and did not take it back.
reserved() -> gen_server:call(?MODULE, reserved, ?LIMIT).
%% Where Node listens, for a test with a network: connections to it have a socket bound to nothing, or as
%% the dial was asked for, and live by what comes in there.
listens(Node, Where) -> gen_server:call(?MODULE, {listens, Node, Where}, ?LIMIT).
%% From now on all peers are at one address, where somebody answers probes.
somebody_listens() ->
    {_, Where} = standin_listener:start({127, 0, 0, 1}, 0),
    gen_server:call(?MODULE, {remote, Where}, ?LIMIT).
%% The options of the sockets of all dials.
dialled_with() -> gen_server:call(?MODULE, dialled_with, ?LIMIT).
set_view(Node, InView) -> gen_server:call(barrel_p2p_hyparview, {set, Node, InView}, ?LIMIT).
joined() -> gen_server:call(barrel_p2p_hyparview, joined, ?LIMIT).
hint(Event) -> gen_server:call(barrel_p2p_hyparview_events, {notify, Event}, ?LIMIT).
%% Events are lost from now on.
silent(Is) -> gen_server:call(barrel_p2p_hyparview_events, {silent, Is}, ?LIMIT).
listener_closed() -> gen_server:cast(?MODULE, listener_closed).
is_listener_open() -> gen_server:call(?MODULE, is_listener_open, ?LIMIT).

%% ---- for the bridge ----

name() -> 'alpha@127.0.0.1'.
controllers() -> gen_server:call(?MODULE, controllers, ?LIMIT).
controller(Node) ->
    case lists:keyfind(Node, 1, controllers()) of
        {Node, Pid} -> {ok, Pid};
        false -> {error, not_connected}
    end.
monitor() -> gen_server:call(?MODULE, {monitor, self()}, ?LIMIT).
connect(Node) -> gen_server:call(?MODULE, {connect, Node}, infinity).
pending(Node) -> gen_server:call(?MODULE, {pending, Node}, ?LIMIT).
dials() -> gen_server:call(?MODULE, dials, ?LIMIT).
standing(Setup) ->
    case gen_server:call(?MODULE, {standing, Setup}, ?LIMIT) of
        unset -> pathdog_bridge_dist:standing(Setup);
        How -> How
    end.
reserve(Node) -> gen_server:call(?MODULE, {reserve, Node}, ?LIMIT).
unreserve(Node, Reserved) -> gen_server:call(?MODULE, {unreserve, Node, Reserved}, ?LIMIT).
disconnect(Node) -> gen_server:call(?MODULE, {disconnect, Node}, ?LIMIT).
address(Node) -> gen_server:call(?MODULE, {address, Node}, ?LIMIT).
active_view() -> barrel_p2p:active_view().
subscribe(Pid) -> barrel_p2p:subscribe(Pid).
join(Node) -> barrel_p2p:join(Node).
events() -> whereis(barrel_p2p_hyparview_events).

%% ---- the processes ----

init(net) ->
    {ok, #{
        nodes => #{}, subscribers => [], dials => #{}, dialled => [], listener => true,
        listens => #{}, with => [], dialling => [], stands => #{}, reserved => []
    }};
init(view) ->
    {ok, #{view => [], joined => []}};
init(events) ->
    {ok, #{subscribers => [], silent => false}}.

handle_call({up, Node, Role, InView}, _From, State) ->
    {Ctrl, Next} = connected(Node, Role, State),
    InView andalso view(Node, true),
    {reply, Ctrl, Next};
handle_call({down, Node}, _From, #{nodes := Nodes} = State) ->
    case Nodes of
        #{Node := Ctrl} -> gen_statem:stop(Ctrl);
        _ -> ok
    end,
    {reply, ok, State};
handle_call({ctrl, Node}, _From, #{nodes := Nodes} = State) ->
    {reply, maps:get(Node, Nodes, undefined), State};
handle_call({dial, Node, How}, _From, #{dials := Dials} = State) ->
    {reply, ok, State#{dials := Dials#{Node => How}}};
handle_call(dialled, _From, #{dialled := Dialled} = State) ->
    {reply, lists:reverse(Dialled), State};
handle_call({remote, Where}, _From, State) ->
    {reply, ok, State#{remote => Where}};
handle_call({listens, Node, Where}, _From, #{listens := Listens} = State) ->
    {reply, ok, State#{listens := Listens#{Node => Where}}};
handle_call({address, Node}, _From, #{listens := Listens} = State) ->
    case Listens of
        #{Node := Where} -> {reply, {ok, Where}, State};
        _ -> {reply, {error, not_known}, State}
    end;
handle_call(dialled_with, _From, #{with := With} = State) ->
    {reply, lists:reverse(With), State};
handle_call(is_listener_open, _From, #{listener := Open} = State) ->
    {reply, Open, State};
handle_call(controllers, _From, #{nodes := Nodes} = State) ->
    {reply, maps:to_list(Nodes), State};
handle_call({monitor, Pid}, _From, #{subscribers := Subscribers} = State) ->
    {reply, ok, State#{subscribers := [Pid | Subscribers]}};
handle_call({connect, Node}, From, #{nodes := Nodes, dials := Dials, dialled := Done} = State) ->
    Counted = State#{dialled := [Node | Done]},
    case {Nodes, maps:get(Node, Dials, ok)} of
        {#{Node := _}, _} -> {reply, true, Counted};
        {_, ok} -> {reply, true, element(2, connected(Node, client, Counted))};
        {_, false} ->
            %% a failed attempt uses them up as well
            {_, Used} = take(Node, Counted),
            {reply, false, Used};
        {_, hang} -> {noreply, Counted};
        {_, {stuck, Setup}} ->
            %% until the process that dials is ended; then all is well
            monitor(process, Setup),
            {noreply, Counted#{stuck => {Node, Setup, From}}};
        {_, {wait, Ms}} ->
            erlang:send_after(Ms, self(), {dialled, Node, From}),
            {noreply, Counted}
    end;
handle_call({pending, Node}, _From, State) ->
    {reply, proplists:get_value(Node, pending_ones(State)), State};
handle_call(dials, _From, State) ->
    {reply, pending_ones(State), State};
handle_call({dialling, Node, Setup}, _From, #{dialling := Dialling} = State) ->
    {reply, ok, State#{dialling := lists:keystore(Node, 1, Dialling, {Node, Setup})}};
handle_call({stands, Setup, How}, _From, #{stands := Stands} = State) ->
    {reply, ok, State#{stands := Stands#{Setup => How}}};
handle_call({standing, Setup}, _From, #{stands := Stands} = State) ->
    {reply, maps:get(Setup, Stands, unset), State};
handle_call({reserve, Node}, _From, #{reserved := Reserved} = State) ->
    {reply, {reserved, Node}, State#{reserved := lists:usort([Node | Reserved])}};
handle_call({unreserve, Node, {reserved, Node}}, _From, #{reserved := Reserved} = State) ->
    {reply, ok, State#{reserved := lists:delete(Node, Reserved)}};
handle_call(reserved, _From, #{reserved := Reserved} = State) ->
    {reply, Reserved, State};
handle_call({disconnect, Node}, _From, #{nodes := Nodes} = State) ->
    case Nodes of
        #{Node := Ctrl} -> exit(Ctrl, kill);
        _ -> ok
    end,
    {reply, true, State};
%% barrel_p2p_hyparview
handle_call(active_view, _From, #{view := View} = State) ->
    {reply, View, State};
handle_call({set, Node, InView}, _From, State) ->
    {reply, ok, set(Node, InView, State)};
handle_call({join, Node}, _From, #{joined := Joined} = State) ->
    {reply, ok, set(Node, true, State#{joined := [Node | Joined]})};
handle_call(joined, _From, #{joined := Joined} = State) ->
    {reply, lists:reverse(Joined), State};
%% barrel_p2p_hyparview_events
handle_call({subscribe, Pid}, _From, #{subscribers := Subscribers} = State) ->
    {reply, ok, State#{subscribers := lists:usort([Pid | Subscribers])}};
handle_call({silent, Is}, _From, State) ->
    {reply, ok, State#{silent := Is}};
handle_call({notify, Event}, _From, State) ->
    {reply, notify(Event, State), State}.

handle_cast({notify, Event}, State) ->
    notify(Event, State),
    {noreply, State};
handle_cast({set, Node, InView}, State) ->
    {noreply, set(Node, InView, State)};
handle_cast(listener_closed, State) ->
    {noreply, State#{listener := false}}.

handle_info({dialled, Node, From}, State) ->
    gen_server:reply(From, true),
    {noreply, element(2, connected(Node, client, State))};
handle_info({'DOWN', _, process, Setup, _}, #{stuck := {Node, Setup, From}} = State) ->
    gen_server:reply(From, false),
    #{dials := Dials} = State,
    {noreply, maps:remove(stuck, State#{dials := Dials#{Node => ok}})};
handle_info({'DOWN', _, process, Ctrl, _}, #{nodes := Nodes, subscribers := Subscribers} = State) ->
    case [Node || {Node, C} <- maps:to_list(Nodes), C =:= Ctrl] of
        [Node] ->
            [S ! {nodedown, Node, []} || S <- Subscribers],
            view(Node, false),
            {noreply, State#{nodes := maps:remove(Node, Nodes)}};
        [] ->
            {noreply, State}
    end.

pending_ones(#{dialling := Dialling} = State) ->
    [{Node, Setup} || #{stuck := {Node, Setup, _}} <- [State]] ++
        [Dial || {_, Setup} = Dial <- Dialling, is_process_alive(Setup)].

connected(Node, Role, #{nodes := Nodes, subscribers := Subscribers, listens := Listens} = State) ->
    {Options, Used} = take(Node, State),
    Start =
        case Listens of
            #{Node := Remote} -> {start, Role, Remote, Options};
            _ -> {start, Role, maps:get(remote, State, {{127, 0, 0, 1}, 20000 + erlang:phash2(Node, 20000)})}
        end,
    {ok, Ctrl} = quic_dist_controller:start(Start, Role),
    erlang:monitor(process, Ctrl),
    [S ! {nodeup, Node, []} || S <- Subscribers],
    {Ctrl, Used#{nodes := Nodes#{Node => Ctrl}}}.

take(Node, #{with := With} = State) ->
    Options = maps:get(extra_socket_opts, quic_dist:take_connect_options(Node), []),
    {Options, State#{with := [Options | With]}}.

view(Node, InView) ->
    gen_server:cast(barrel_p2p_hyparview, {set, Node, InView}).

set(Node, InView, #{view := View} = State) ->
    case {InView, lists:member(Node, View)} of
        {true, _} -> event({peer_up, Node});
        {false, true} -> event({peer_down, Node, nodedown});
        {false, false} -> ok
    end,
    Without = lists:delete(Node, View),
    State#{view := case InView of true -> [Node | Without]; false -> Without end}.

event(Event) ->
    gen_server:cast(barrel_p2p_hyparview_events, {notify, Event}).

notify(_, #{silent := true}) -> ok;
notify(Event, #{subscribers := Subscribers}) ->
    [S ! {barrel_p2p_event, Event} || S <- Subscribers],
    ok.
