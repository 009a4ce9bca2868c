%% SPDX-License-Identifier: Apache-2.0
%% Learns from what migrations do here whether they lose data, whatever the version of quic says: it is the peer's that
%% does it, and that may be another one. A migration is bad if streams of its connection stand still soon after; two
%% bad ones in a row, of whatever connections, and this node prefers reconnects for as long as the VM lives. It must not
%% move anything.
-module(pathdog_bridge_effects).
-behaviour(gen_server).

-export([start_link/1, migrated/1, stuck/1, has_learned/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-define(SOON_MS, 10000). % with the time that a stream has to stand until it counts
-define(BAD_MAX, 2).

-spec start_link(pathdog_bridge_settings:settings()) -> {ok, pid()} | {error, term()} | ignore.
start_link(Settings) ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, Settings, []).

%% A migration of this connection was proven.
-spec migrated(pos_integer()) -> ok.
migrated(Id) ->
    gen_server:cast(?MODULE, {migrated, Id}).

%% Streams of this connection began to stand still.
-spec stuck(pos_integer()) -> ok.
stuck(Id) ->
    gen_server:cast(?MODULE, {stuck, Id}).

-spec has_learned() -> boolean().
has_learned() ->
    persistent_term:get(?MODULE, false).

-spec init(pathdog_bridge_settings:settings()) -> {ok, map()}.
init(#{stuck_after := After, prefer := Prefer}) ->
    {ok, #{
        soon => ?SOON_MS + After,
        prefer => Prefer,
        watched => #{}, % conn => timer of its last migration
        bad => 0 % in a row
    }}.

-spec handle_call(term(), gen_server:from(), map()) -> {reply, term(), map()}.
handle_call(_Request, _From, State) ->
    {reply, {error, unknown_request}, State}.

-spec handle_cast(term(), map()) -> {noreply, map()}.
handle_cast({migrated, Id}, #{watched := Watched, soon := Soon} = State) ->
    _ = [erlang:cancel_timer(Timer) || {_, Timer} <- maps:to_list(maps:with([Id], Watched))],
    {noreply, State#{watched := Watched#{Id => erlang:start_timer(Soon, self(), Id)}}};
handle_cast({stuck, Id}, #{watched := Watched, bad := Bad} = State) ->
    case maps:take(Id, Watched) of
        {Timer, Rest} ->
            _ = erlang:cancel_timer(Timer),
            Bad + 1 =:= ?BAD_MAX andalso learn(State),
            {noreply, State#{watched := Rest, bad := Bad + 1}};
        error ->
            {noreply, State}
    end;
handle_cast(_Message, State) ->
    {noreply, State}.

-spec handle_info(term(), map()) -> {noreply, map()}.
handle_info({timeout, Timer, Id}, #{watched := Watched} = State) ->
    case Watched of
        #{Id := Timer} -> {noreply, State#{watched := maps:remove(Id, Watched), bad := 0}};
        _ -> {noreply, State}
    end;
handle_info(_Message, State) ->
    {noreply, State}.

%% Who prefers migrations by his own configuration goes on to have them, and is told.
learn(#{prefer := migrate}) ->
    logger:warning(
        "pathdog_bridge: after two migrations in a row streams stand still: a peer's version of quic loses data. "
        "They go on, since the setting is {prefer, migrate}; {prefer, auto} would have connections reconnected"
    );
learn(#{prefer := auto}) ->
    has_learned() orelse learned();
learn(_) ->
    ok.

learned() ->
    persistent_term:put(?MODULE, true),
    logger:warning(
        "pathdog_bridge: after two migrations in a row streams stand still: a peer's version of quic loses data. "
        "From now on connections are reconnected, until this node is started again"
    ),
    pathdog_bridge_peers:renew().
