%% SPDX-License-Identifier: Apache-2.0
%% Sees to it that dials end, whoever began them. net_kernel has one for a peer at a time: until it ends that peer
%% cannot be dialled anew, and the peer's own dial of this node is refused, if its name is the lesser one. Ended are those
%%   that were told to end      by net_kernel, for the peer's dial, or by their own timer, and did not: net_kernel waits for them, and
%%                              does nothing else meanwhile
%%   that were refused          the peer has a dial of its own. They would wait for that one to come in; if it does not, for ever
%%   that have no answer        nobody is there. Only of a peer that was connected, and whose own dial would be refused. Then none is
%%                              begun for a while, so that the peer gets its turn: messages to it wait, and dials of it fail
%% It must not dial.
-module(pathdog_bridge_dials).
-behaviour(gen_server).

-export([start_link/1, is_held/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).

-define(LOOK, 50).
-define(LOOK_HELD, 10). % while somebody is held
-define(REFUSED_MIN, 50). % or as long as it took until it was refused: that is what the peer's takes, too
-define(REFUSED_MAX, 3000).
-define(ANSWER_FIRST, 300). % or so many round trips, if that is longer; doubled with each attempt
-define(ANSWER_RTTS, 3).
-define(ANSWER_MAX, 5000).
-define(RTTS_FIRST, 1000). % until the round trips are looked at
-define(RTTS, 10000).
-define(HOLD_TIMES, 4).
-define(STATE_LIMIT, 50).

-spec start_link(pathdog_bridge_settings:settings()) -> {ok, pid()} | {error, term()} | ignore.
start_link(Settings) ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, Settings, []).

%% Would a dial of it fail at once?
-spec is_held(node()) -> boolean().
is_held(Node) ->
    try
        ets:member(?MODULE, Node)
    catch
        error:badarg -> false
    end.

-spec init(pathdog_bridge_settings:settings()) -> {ok, map()}.
init(#{hold_for := HoldFor, dist := Dist} = Settings) ->
    process_flag(trap_exit, true),
    pathdog_bridge_hold:release(),
    ?MODULE = ets:new(?MODULE, [named_table, protected]),
    self() ! look,
    erlang:send_after(?RTTS_FIRST, self(), rtts),
    {ok, #{
        settings => Settings,
        guard => guard(self(), Dist),
        holds => HoldFor > 0 andalso pathdog_bridge_hold:possible(),
        known => #{}, % node => ms: who was connected, and its round trip then, if it is known; else 0
        seen => #{}, % the process that dials => #{since, told, refused, ended}
        silent => #{} % node => #{answer, hold: how long the next time; until, reserved: if it is held}
    }}.

-spec handle_call(term(), gen_server:from(), map()) -> {reply, term(), map()}.
handle_call(_Request, _From, State) ->
    {reply, {error, unknown_request}, State}.

-spec handle_cast(term(), map()) -> {noreply, map()}.
handle_cast(_Message, State) ->
    {noreply, State}.

-spec handle_info(term(), map()) -> {noreply, map()}.
handle_info(look, State) ->
    Next = look(pathdog_bridge_call:now_ms(), State),
    erlang:send_after(case ets:info(?MODULE, size) of 0 -> ?LOOK; _ -> ?LOOK_HELD end, self(), look),
    {noreply, Next};
handle_info(rtts, #{holds := Holds} = State) ->
    erlang:send_after(?RTTS, self(), rtts),
    Holds andalso pathdog_bridge_call:async(rtts, fun rtts/0, ?RTTS),
    {noreply, State};
handle_info({rtts, {ok, Rtts}}, #{known := Known} = State) ->
    {noreply, State#{known := maps:merge(Known, Rtts)}};
handle_info(_Message, State) ->
    {noreply, State}.

-spec terminate(term(), map()) -> ok.
terminate(_, _) ->
    pathdog_bridge_hold:release().

look(Now, #{settings := #{dist := Dist}, seen := Before} = State) ->
    Dials = Dist:dials(),
    Up = Dist:controllers(),
    Seen = maps:from_list([{Setup, maps:get(Setup, Before, #{since => Now})} || {_, Setup} <- Dials]),
    lists:foldl(fun(Dial, Into) -> judge(Dial, Now, Into) end, (held(Now, Up, Dials, know(Up, State)))#{seen := Seen}, Dials).

know(Up, #{known := Known} = State) ->
    case [Node || {Node, _} <- Up, not is_map_key(Node, Known)] of
        [] -> State;
        New -> State#{known := lists:foldl(fun(Node, Into) -> Into#{Node => 0} end, Known, New)}
    end.

%% In a process of its own. Who does not answer is left out.
rtts() ->
    maps:from_list([
        {Node, Us div 1000}
     || #{node := Node, quic := Quic} <- pathdog_bridge_peers:connections(all),
        {ok, {ok, #{srtt := Us}}} <- [pathdog_bridge_call:run(fun() -> quic:get_path_stats(Quic) end, ?STATE_LIMIT)],
        is_integer(Us)
    ]).

%% ---- one dial ----

judge({Node, Setup}, Now, #{seen := Seen, settings := #{dist := Dist}} = State) ->
    case maps:get(Setup, Seen) of
        #{ended := _} ->
            State;
        Dial ->
            case Dist:standing(Setup) of
                %% at the second look: it may have been about to do it
                told when is_map_key(told, Dial) -> finish(Node, Setup, told, State);
                told -> State#{seen := Seen#{Setup := Dial#{told => Now}}};
                refused -> refused({Node, Setup}, Dial, Now, State);
                dialling -> answered({Node, Setup}, Dial, Now, State);
                gone -> State
            end
    end.

refused({Node, Setup}, #{since := Since} = Dial, Now, #{seen := Seen} = State) ->
    case Dial of
        #{refused := At} ->
            Limit = min(?REFUSED_MAX, max(?REFUSED_MIN, At - Since)),
            case Now - At >= Limit of
                true -> finish(Node, Setup, refused, State);
                false -> State
            end;
        _ ->
            State#{seen := Seen#{Setup := Dial#{refused => Now}}}
    end.

answered({Node, Setup}, #{since := Since}, Now, #{holds := true, known := Known} = State) when is_map_key(Node, Known) ->
    #{settings := #{dist := Dist}, silent := Silent} = State,
    #{answer := Limit} = maps:get(Node, Silent, first(State)),
    #{Node := Rtt} = Known,
    Waits =
        Now - Since >= max(Limit, ?ANSWER_RTTS * Rtt) andalso Dist:name() > Node andalso not pathdog_bridge_relay:is_relayed(Node) andalso
            is_unanswered(Setup),
    case Waits of
        true -> hold(Node, Now, finish(Node, Setup, unanswered, State));
        false -> State
    end;
answered(_, _, _, State) ->
    State.

%% The connection is linked to it from the beginning. What cannot be looked at counts as answered.
is_unanswered(Setup) ->
    case process_info(Setup, links) of
        {links, Links} ->
            Conns = [Pid || Pid <- Links, is_pid(Pid), pathdog_bridge_conn:is_connection(Pid)],
            Conns =/= [] andalso lists:all(fun is_silent/1, Conns);
        undefined ->
            false
    end.

is_silent(Conn) ->
    Read = fun() -> pathdog_bridge_state:answered(Conn, ?STATE_LIMIT) end,
    pathdog_bridge_call:run(Read, 2 * ?STATE_LIMIT) =:= {ok, false}.

finish(Node, Setup, Why, #{seen := Seen, settings := #{dist := Dist}} = State) ->
    %% may wait. What has connected in this very moment stays.
    spawn(fun() -> Dist:pending(Node) =:= Setup andalso pathdog_bridge_dial:give_up(Node, Setup, Why) end),
    State#{seen := Seen#{Setup := (maps:get(Setup, Seen))#{ended => Why}}}.

%% ---- who is held ----

first(#{settings := #{hold_for := For}}) ->
    #{answer => ?ANSWER_FIRST, hold => For}.

hold(Node, Now, #{settings := #{hold_for := For}, silent := Silent} = State) ->
    #{answer := Answer, hold := Hold} = maps:get(Node, Silent, first(State)),
    pathdog_bridge_hold:hold(Node),
    ets:insert(?MODULE, {Node}),
    State#{silent := Silent#{Node => #{
        answer => min(2 * Answer, ?ANSWER_MAX),
        hold => min(2 * Hold, ?HOLD_TIMES * For),
        until => Now + Hold,
        reserved => none
    }}}.

%% Who is connected has answered.
held(_, _, _, #{silent := Silent} = State) when map_size(Silent) =:= 0 ->
    State;
held(Now, Up, Dials, #{silent := Silent} = State) ->
    Left = maps:filtermap(
        fun(Node, Entry) ->
            case {lists:keymember(Node, 1, Up), Entry} of
                {true, _} ->
                    let_go(Node, State),
                    false;
                {false, #{until := Until, reserved := Reserved}} ->
                    Dialled = lists:keymember(Node, 1, Dials),
                    {true, held_one(Node, Dialled, Now >= Until, Reserved, Entry, State)};
                {false, _} ->
                    true
            end
        end,
        Silent
    ),
    State#{silent := Left}.

%% A dial that is under way has taken over what was reserved.
held_one(Node, Dialled, true, Reserved, Entry, #{settings := #{dist := Dist}} = State) ->
    let_go(Node, State),
    Dialled orelse unreserve(Node, Reserved, Dist),
    maps:without([until, reserved], Entry);
held_one(_, true, false, _, Entry, _) ->
    Entry;
held_one(Node, false, false, _, Entry, #{settings := #{dist := Dist}, guard := Guard}) ->
    Reserved = Dist:reserve(Node),
    Guard ! {reserved, Node, Reserved},
    Entry#{reserved := Reserved}.

unreserve(_, none, _) -> ok;
unreserve(Node, Reserved, Dist) -> Dist:pending(Node) =:= undefined andalso Dist:unreserve(Node, Reserved).

let_go(Node, #{guard := Guard}) ->
    pathdog_bridge_hold:release(Node),
    ets:delete(?MODULE, Node),
    Guard ! {let_go, Node}.

%% However this process ends: nobody stays held, and what waits for a peer must not wait for ever.
guard(Dials, Dist) ->
    spawn(fun() ->
        %% else it were killed with the application
        group_leader(whereis(init), self()),
        monitor(process, Dials),
        guarding(#{}, Dist)
    end).

guarding(Reserved, Dist) ->
    receive
        {reserved, Node, Of} -> guarding(Reserved#{Node => Of}, Dist);
        {let_go, Node} -> guarding(maps:remove(Node, Reserved), Dist);
        {'DOWN', _, process, _, _} ->
            pathdog_bridge_hold:release(),
            maps:foreach(fun(Node, Of) -> unreserve(Node, Of, Dist) end, Reserved)
    end.
