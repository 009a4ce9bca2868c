%% SPDX-License-Identifier: Apache-2.0
%% One client's connection, from its first byte to its last: lines in, requests to those who do them,
%% answers and events out. It never waits for anybody: reading is one packet at a time, and writing is
%% another process's, whose debt is counted. A client that does not read is cut off.
-module(pathdog_bridge_client).

-export([start_link/2]).

-record(client, {
    socket :: gen_tcp:socket(),
    settings :: pathdog_bridge_settings:settings(),
    buffer = pathdog_bridge_lines:new() :: pathdog_bridge_lines:buffer(),
    writer :: pid() | undefined,
    debt = 0 :: non_neg_integer(),
    owed = [] :: [peers | push | reference()], % who waits until there is room for more
    greeted = false :: boolean(),
    subscribing = none :: none | pathdog_bridge_protocol:id(),
    subscribed = false :: boolean(),
    summary = none :: none | {reference(), pathdog_bridge_protocol:id(), non_neg_integer()},
    moves = #{} :: #{reference() => pathdog_bridge_protocol:id()}
}).

-define(START_LIMIT, 5000).
-define(MOVES_MAX, 4096).
-define(ROOM, 262144). % with less to be written, more of a long list is asked for

-spec start_link(gen_tcp:socket(), pathdog_bridge_settings:settings()) -> pid().
start_link(Socket, Settings) ->
    spawn_link(fun() -> init(#client{socket = Socket, settings = Settings}) end).

init(#client{socket = Socket, settings = Settings} = State) ->
    receive
        {pathdog_bridge, go} -> ok
    after ?START_LIMIT -> exit(shutdown)
    end,
    process_flag(trap_exit, true),
    Options = [
        {send_timeout, maps:get(send_timeout, Settings)}, {send_timeout_close, true}
    ],
    _ = inet:setopts(Socket, Options),
    logger:info("pathdog_bridge: a client connected"),
    again(State#client{writer = pathdog_bridge_writer:start_link(Socket)}).

again(#client{socket = Socket} = State) ->
    case inet:setopts(Socket, [{active, once}]) of
        ok -> loop(State);
        {error, _} -> finish(<<"the client went">>, State)
    end.

loop(#client{socket = Socket, writer = Writer} = State) ->
    receive
        {tcp, Socket, Data} -> again(data(Data, State));
        {tcp_closed, Socket} -> finish(<<"the client went">>, State);
        {tcp_error, Socket, Reason} -> finish(pathdog_bridge_errors:text(Reason), State);
        {pathdog_bridge, Event} -> loop(event(Event, State));
        {sampler, Tag, Part} -> loop(summary(Tag, Part, State));
        {written, Writer, Bytes} -> loop(ask(State#client{debt = State#client.debt - Bytes}));
        {'EXIT', Writer, _} -> finish(<<"the client does not read, or went">>, State);
        {'EXIT', _, Reason} when Reason =/= normal -> finish(<<"replaced or stopped">>, State);
        _ -> loop(State)
    end.

%% What is still to be written is not waited for.
-spec finish(binary(), #client{}) -> no_return().
finish(Why, #client{socket = Socket, writer = Writer}) ->
    logger:info("pathdog_bridge: connection to the client ended: ~ts", [Why]),
    unlink(Writer),
    exit(Writer, kill),
    _ = inet:setopts(Socket, [{linger, {true, 0}}]),
    gen_tcp:close(Socket),
    exit(shutdown).

%% ---- out ----

send(Line, #client{writer = Writer, debt = Debt, settings = #{output_buffer := Max}} = State) ->
    Bytes = iolist_size(Line),
    case Debt + Bytes > Max of
        true ->
            logger:warning("pathdog_bridge: the client does not read, ~b bytes pending", [Debt]),
            finish(<<"it does not read">>, State);
        false ->
            pathdog_bridge_writer:write(Writer, Line, Bytes),
            State#client{debt = Debt + Bytes}
    end.

%% Long lists come in parts, as fast as the client reads.
ask(#client{owed = Owed, debt = Debt} = State) when Owed =/= [], Debt < ?ROOM ->
    lists:foreach(
        fun
            (peers) -> pathdog_bridge_peers:more(self());
            (Tag) -> pathdog_bridge_sampler:taken(Tag)
        end,
        Owed
    ),
    State#client{owed = []};
ask(State) ->
    State.

owe(Whom, #client{owed = Owed} = State) ->
    ask(State#client{owed = [Whom | Owed]}).

answer(Id, Result, State) -> send(pathdog_bridge_protocol:result(Id, Result), State).

refuse(Id, Word, State) -> send(pathdog_bridge_protocol:refusal(Id, Word), State).

%% ---- in ----

data(Data, #client{buffer = Buffer} = State) ->
    case pathdog_bridge_lines:add(Data, Buffer) of
        {ok, Lines, Rest} ->
            lists:foldl(fun line/2, State#client{buffer = Rest}, Lines);
        {error, too_long} ->
            fatal(too_long, State)
    end.

line(Line, State) ->
    case pathdog_bridge_protocol:decode(Line) of
        {request, Id, Request} -> request(Id, Request, State);
        {refuse, Id, Word} -> refuse(Id, Word, State);
        {cancel, Id} -> cancel(Id, State);
        ignore -> State;
        {fatal, Why} -> fatal(Why, State)
    end.

-spec fatal(atom(), #client{}) -> no_return().
fatal(Why, State) ->
    logger:warning("pathdog_bridge: cut off the client: a line is ~p", [Why]),
    finish(atom_to_binary(Why), State).

request(Id, {hello, Versions}, #client{settings = Settings} = State) ->
    case lists:member(1, Versions) of
        true ->
            Hello = pathdog_bridge_hello:answer(Settings),
            answer(Id, Hello, State#client{greeted = true});
        false ->
            refuse(Id, unsupported_protocol, State)
    end;
request(Id, _, #client{greeted = false} = State) ->
    refuse(Id, invalid_request, State);
request(Id, subscribe, #client{subscribing = none} = State) ->
    pathdog_bridge_peers:subscribe(self()),
    pathdog_bridge_sampler:watch(self()),
    relays(State#client{subscribing = Id, subscribed = true});
request(Id, subscribe, State) ->
    refuse(Id, busy, State);
request(Id, {summary, Which}, #client{summary = none} = State) ->
    Tag = make_ref(),
    pathdog_bridge_sampler:round(Tag, Which),
    State#client{summary = {Tag, Id, 0}};
request(Id, {summary, _}, State) ->
    refuse(Id, busy, State);
request(Id, {probe, Conns}, State) ->
    pathdog_bridge_sampler:probe(Conns),
    answer(Id, {object, []}, State);
request(Id, {migrate_peer, Move}, State) ->
    move(migrate, Id, Move, State);
request(Id, {reconnect_peer, _}, #client{settings = #{reconnectable := none}} = State) ->
    refuse(Id, method_not_found, State);
request(Id, {reconnect_peer, Move}, State) ->
    move(reconnect, Id, Move, State);
request(Id, {probe_path, Move}, State) ->
    case pathdog_bridge_hello:probes_paths() of
        true -> move(probe_path, Id, Move, State);
        false -> refuse(Id, method_not_found, State)
    end.

relays(State) ->
    case pathdog_bridge_relay:relays() of
        undefined -> State;
        Relays -> send(pathdog_bridge_protocol:notification(<<"relays">>, Relays), State)
    end.

move(_Kind, Id, _Move, #client{moves = Moves} = State) when map_size(Moves) >= ?MOVES_MAX ->
    refuse(Id, busy, State);
move(Kind, Id, Move, #client{moves = Moves} = State) ->
    Tag = make_ref(),
    pathdog_bridge_moves:start(Kind, Tag, Move),
    State#client{moves = Moves#{Tag => Id}}.

%% Its answer says how it ended.
cancel(Id, #client{moves = Moves} = State) ->
    lists:foreach(fun pathdog_bridge_moves:cancel/1, [Tag || {Tag, I} <- maps:to_list(Moves), I =:= Id]),
    State.

%% ---- what others say ----

summary(push, {rows, Rows}, State) ->
    owe(push, send(pathdog_bridge_protocol:summaries(pathdog_bridge_summary:columns(), Rows), State));
summary(Tag, {rows, Rows}, #client{summary = {Tag, Id, Count}} = State) ->
    Line = pathdog_bridge_protocol:summaries(pathdog_bridge_summary:columns(), Rows),
    owe(Tag, send(Line, State#client{summary = {Tag, Id, Count + length(Rows)}}));
summary(Tag, done, #client{summary = {Tag, Id, Count}} = State) ->
    answer(Id, [{rows, Count}], State#client{summary = none});
summary(_, _, State) ->
    State.

event({forwarded, {moved, Tag, Answer}}, #client{moves = Moves} = State) ->
    case maps:take(Tag, Moves) of
        {Id, Rest} -> moved(Id, Answer, State#client{moves = Rest});
        error -> State
    end;
event(renew, State) ->
    finish(<<"what the node says of itself has changed">>, State);
event({snapshot, Count}, #client{subscribing = Id} = State) when Id =/= none ->
    answer(Id, [{peers, Count}], State#client{subscribing = none});
event({peers, Peers}, #client{subscribed = true} = State) ->
    owe(peers, send([pathdog_bridge_protocol:notification(<<"peer_up">>, Up) || Up <- Peers], State));
event({Name, Params}, #client{subscribed = true} = State) when
    Name =:= peer_up; Name =:= peer_down; Name =:= peer_path
->
    send(pathdog_bridge_protocol:notification(atom_to_binary(Name), Params), State);
event(_, State) ->
    State.

moved(Id, {ok, Result}, State) ->
    answer(Id, Result, State);
moved(Id, {error, Reason}, State) ->
    Word = pathdog_bridge_errors:word(Reason),
    Text = pathdog_bridge_errors:explain(Reason),
    send(pathdog_bridge_protocol:refusal(Id, Word, Text), State).
