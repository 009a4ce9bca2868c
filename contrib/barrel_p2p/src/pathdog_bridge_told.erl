%% SPDX-License-Identifier: Apache-2.0
%% What the client is told of the connections, and those who wait for one: functions of the state of
%% pathdog_bridge_peers, which has the table. Sends messages, and asks nobody.
-module(pathdog_bridge_told).

-export([conn/2, put_conn/2, event/2, up/2, path/2, down/3, await/2, prune/1]).
-export([subscribe/2, unsubscribe/1, more/1, check/1, late/1]).

-define(SNAPSHOT_LIMIT, 3000).
-define(PART, 256). % peers of the snapshot that a client gets at a time

-type state() :: map().
-type conn() :: pathdog_bridge_table:conn().

-spec conn(pos_integer(), state()) -> conn() | undefined.
conn(Id, #{table := Table}) ->
    pathdog_bridge_table:get(Id, Table).

-spec put_conn(conn(), state()) -> state().
put_conn(Conn, #{table := Table} = State) ->
    State#{table := pathdog_bridge_table:put(Conn, Table)}.

%% ---- telling ----

%% That it is up, to whom it was not told yet; and to those who wait for it.
-spec up(conn(), state()) -> state().
up(#{id := Id} = Conn, #{client := Client, snapshot := Snapshot} = State0) ->
    State1 = serve_waiters(put_conn(Conn#{told := true}, State0)),
    case Snapshot of
        #{waiting := #{Id := _}} ->
            State1;
        #{waiting := Waiting, queue := Queue} ->
            Longer = Snapshot#{waiting := Waiting#{Id => up}, queue := queue:in(Id, Queue)},
            check(feed(State1#{snapshot := Longer}));
        undefined ->
            tell(Client, {peer_up, row(Conn, State1)}),
            State1
    end.

row(#{id := Id, name := Name, role := Role} = Conn, #{settings := #{reconnectable := Which}}) ->
    [{peer, Name}, {conn, Id}, {role, word(Role)}] ++ place(Conn) ++ [
        {migratable, Role =:= client},
        {reconnectable, Which =:= all orelse (Which =:= client andalso Role =:= client)}
    ].

%% Told as a whole: without an interface it is bound to none.
place(#{local := Local, remote := Remote, via := Via, interface := Interface}) ->
    [
        {local, pathdog_bridge_conn:address(Local)},
        {remote, pathdog_bridge_conn:address(Remote)},
        {via, Via},
        {interface, Interface}
    ].

word(server) -> <<"server">>;
word(client) -> <<"client">>;
word(undefined) -> undefined.

%% To the client, if there is one.
-spec event(term(), state()) -> ok.
event(Event, #{client := Client}) -> tell(Client, Event).

tell(undefined, _Event) ->
    ok;
tell({Client, _}, Event) ->
    Client ! {pathdog_bridge, Event},
    ok.

%% Of a connection that the client does not know of yet, nothing is told but that it is up.
tell_of(#{told := false}, _Event, _State) ->
    ok;
tell_of(#{id := Id}, _Event, #{snapshot := #{waiting := Waiting}}) when is_map_key(Id, Waiting) ->
    ok;
tell_of(_Conn, Event, #{client := Client}) ->
    tell(Client, Event).

%% That it is somewhere else.
-spec path(conn(), state()) -> state().
path(#{id := Id} = Conn, State) ->
    ok = tell_of(Conn, {peer_path, [{conn, Id} | place(Conn)]}, State),
    put_conn(Conn, State).

%% That it is gone.
-spec down(conn(), binary(), state()) -> ok.
down(#{id := Id} = Conn, Text, State) ->
    tell_of(Conn, {peer_down, [{conn, Id}, {reason, Text}]}, State).

%% ---- who waits for a new connection ----

%% Waits until its node has a connection newer than that one, which was told.
-spec await({gen_server:from(), node(), pos_integer(), integer()}, state()) -> state().
await(Waiter, #{waiters := Waiters} = State) ->
    serve_waiters(State#{waiters := [Waiter | Waiters]}).

serve_waiters(#{waiters := Waiters, table := Table} = State) ->
    State#{waiters := [Waiter || Waiter <- Waiters, not served(Waiter, Table)]}.

served({From, Node, Id, _}, Table) ->
    case pathdog_bridge_table:of_node(Node, Table) of
        #{id := Newer, told := true} = Conn when Newer > Id ->
            gen_server:reply(From, {ok, Conn}),
            true;
        _ ->
            false
    end.

%% Those who asked are gone by then.
-spec prune(state()) -> state().
prune(#{waiters := Waiters} = State) ->
    Now = pathdog_bridge_call:now_ms(),
    State#{waiters := [W || {_, _, _, Deadline} = W <- Waiters, Deadline > Now]}.

%% ---- the snapshot ----

%% The list has to be made anew, so that it is from after the subscription. It ends when all that
%% were there then are told, or after a while: a wedged one must not hold up the others. However long
%% it is, the client has only a part of it at a time.
-spec subscribe(pid(), state()) -> state().
subscribe(Client, State1) ->
    case maps:get(client, State1) of
        undefined -> ok;
        {_, Old} -> demonitor(Old, [flush])
    end,
    #{table := Table} = State1,
    Ids = [Id || #{id := Id, told := true} <- pathdog_bridge_table:all(Table)],
    Timer = make_ref(),
    erlang:send_after(?SNAPSHOT_LIMIT, self(), {snapshot_limit, Timer}),
    Snapshot = #{
        timer => Timer,
        over => false, % the limit has passed: nobody is waited for any more
        hungry => true, % the client has room for a part
        queue => queue:from_list(Ids), % those to be told, in this order
        waiting => maps:from_keys(Ids, up) % the same
    },
    State2 = State1#{client := {Client, monitor(process, Client)}, snapshot := Snapshot},
    feed(maps:remove(refreshed, State2)).

%% The client has room for another part.
-spec more(state()) -> state().
more(#{snapshot := Snapshot} = State) ->
    check(feed(State#{snapshot := Snapshot#{hungry := true}})).

feed(#{snapshot := #{hungry := true, queue := Queue, waiting := Waiting} = Snapshot} = State) ->
    {Part, RestQueue, RestWaiting} = part(?PART, Queue, Waiting, State, []),
    Part =:= [] orelse tell(maps:get(client, State), {peers, Part}),
    State#{snapshot := Snapshot#{
        hungry := Part =:= [], queue := RestQueue, waiting := RestWaiting
    }};
feed(State) ->
    State.

%% As they are now; those that have gone meanwhile were never told.
part(0, Queue, Waiting, _, Part) ->
    {lists:reverse(Part), Queue, Waiting};
part(N, Queue, Waiting, State, Part) ->
    case queue:out(Queue) of
        {empty, _} ->
            {lists:reverse(Part), Queue, Waiting};
        {{value, Id}, Rest} ->
            Told =
                case conn(Id, State) of
                    undefined -> Part;
                    Conn -> [row(Conn, State) | Part]
                end,
            part(N - 1, Rest, maps:remove(Id, Waiting), State, Told)
    end.

-spec check(state()) -> state().
check(#{snapshot := #{over := Over, waiting := Waiting}, table := Table} = State) when
    map_size(Waiting) =:= 0
->
    Fresh = maps:is_key(refreshed, State) andalso pathdog_bridge_table:untold(Table) =:= 0,
    case Over orelse Fresh of
        true -> end_snapshot(State);
        false -> State
    end;
check(State) ->
    State.

%% The limit has passed.
-spec late(state()) -> state().
late(#{table := Table, snapshot := Snapshot} = State0) ->
    check(lists:foldl(
        fun(Conn, State) -> up(Conn#{state := unknown}, State) end,
        State0#{snapshot := Snapshot#{over := true}},
        [Conn || #{told := false} = Conn <- pathdog_bridge_table:all(Table)]
    )).

end_snapshot(#{table := Table, client := Client} = State) ->
    tell(Client, {snapshot, length(pathdog_bridge_table:all(Table))}),
    State#{snapshot := undefined}.

%% The client is gone.
-spec unsubscribe(state()) -> state().
unsubscribe(State) ->
    State#{client := undefined, snapshot := undefined}.
