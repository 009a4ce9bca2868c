%% SPDX-License-Identifier: Apache-2.0
%%
%% The lab's hands inside a node: evaluates what the runner writes to standard input, one
%% expression a line, and measures the longest gaps of a ping between pairs of processes.
%% Knows nothing of pathdog; only the lab uses it, never a release.
-module(pdlab).

-export([main/0, connected/1, up/1, role/1, connection/1, state/2, forbid/1, wedge/1, close/1, dials/1]).
-export([connect_again/0, stacks/0]).
-export([pings/3, mark/0, report/0, pause/0, stop_pings/0]).
-export([casts/2, sinks/0, sent/0, stop_casts/0]).
-export([controller/1, part/4, with/5, within/2, inside/3, at/2, running/1]).

-define(ECHOES, 64).
-define(CALL_MS, 2000).

%%% The command line

main() ->
    register(pdlab_sink, spawn(fun() -> sink(#{}) end)),
    [register(echo_name(N), spawn(fun echo/0)) || N <- lists:seq(1, ?ECHOES)],
    io:setopts([binary, {encoding, utf8}]),
    io:put_chars("@ready\n"),
    loop().

loop() ->
    case io:get_line("") of
        Line when is_binary(Line) ->
            [Id, Text] = binary:split(string:trim(Line), <<" ">>),
            spawn(fun() -> answer(Id, Text) end),
            loop();
        _ ->
            erlang:halt(0, [{flush, false}])
    end.

answer(Id, Text) ->
    Result =
        try
            {ok, Tokens, _} = erl_scan:string(unicode:characters_to_list(Text)),
            {ok, Expressions} = erl_parse:parse_exprs(Tokens),
            {value, Value, _} = erl_eval:exprs(Expressions, []),
            #{ok => plain(Value)}
        catch
            Class:Reason ->
                #{error => text({Class, Reason})}
        end,
    io:put_chars([$@, Id, $\s, json:encode(Result), $\n]).

plain(Value) when is_atom(Value); is_number(Value); is_binary(Value) -> Value;
plain(List) when is_list(List) -> [plain(Value) || Value <- List];
plain(Map) when is_map(Map) -> #{text(Key) => plain(Value) || Key := Value <- Map};
plain(Value) -> text(Value).

text(Atom) when is_atom(Atom) -> atom_to_binary(Atom);
text(Binary) when is_binary(Binary) -> Binary;
text(Term) -> unicode:characters_to_binary(io_lib:format("~0tp", [Term])).

%%% What the node knows of its peers

connected(Node) ->
    lists:member(Node, nodes()).

%% Both that it is connected and that HyParView has it.
up(Node) ->
    connected(Node) andalso lists:member(Node, barrel_p2p:active_view()).

controller(Node) ->
    {Node, Controller} = lists:keyfind(Node, 1, erlang:system_info(dist_ctrl)),
    {_, Data} = sys:get_state(Controller, ?CALL_MS),
    Data.

connection(Node) -> element(2, controller(Node)).

role(Node) -> element(3, controller(Node)).

%% No listener of quic 1.8.1 can be told to send disable_active_migration, so what the handshake
%% would have stored is stored here. The field's place is read from quic_connection itself.
forbid(Node) ->
    Place = field(quic_connection, state, peer_disable_migration),
    _ = sys:replace_state(
        connection(Node),
        fun({Name, Data}) -> {Name, setelement(Place, Data, true)} end,
        ?CALL_MS
    ),
    ok.

%% A field of a connection's state.
state(Connection, Field) ->
    {_, Data} = sys:get_state(Connection, ?CALL_MS),
    element(field(quic_connection, state, Field), Data).

%% As a process that is stuck: it answers nothing, not even system messages.
wedge(Node) ->
    Connection = connection(Node),
    Parent = self(),
    spawn(fun() ->
        true = erlang:suspend_process(Connection),
        Parent ! wedged,
        %% a suspended process goes on when the one that suspended it ends
        timer:sleep(infinity)
    end),
    receive wedged -> ok after ?CALL_MS -> exit(not_wedged) end.

%% As a node does that has noticed the death of the path.
close(Node) ->
    quic:close(connection(Node), normal).

%% Is a dial under way? net_kernel says it to nobody.
dials(Node) ->
    case ets:lookup(sys_dist, Node) of
        [Connection] when element(1, Connection) =:= connection -> element(4, Connection) =:= pending;
        _ -> false
    end.

%% barrel_p2p has set it to once: what was connected once is not dialled by a message any more.
connect_again() ->
    application:unset_env(kernel, dist_auto_connect).

%% Where everybody is who has to do with the distribution; for what is kept of a bad run.
stacks() ->
    Modules = [net_kernel, dist_util, quic_dist, quic_dist_controller, barrel_p2p_dist_auth_stream,
        pathdog_bridge_reconnect, pathdog_bridge_redial],
    [
        text({Pid, Info})
     || Pid <- processes(),
        Info <- [process_info(Pid, [registered_name, messages, current_stacktrace])],
        is_list(Info),
        lists:any(
            fun(Call) -> lists:member(element(1, Call), Modules) end,
            proplists:get_value(current_stacktrace, Info)
        )
    ].

field(Module, Record, Name) ->
    {ok, {_, [{abstract_code, {_, Forms}}]}} =
        beam_lib:chunks(code:which(Module), [abstract_code]),
    [Fields] = [F || {attribute, _, record, {R, F}} <- Forms, R =:= Record],
    Names = [field_name(Field) || Field <- Fields],
    [Place] = [I || {I, N} <- lists:enumerate(2, Names), N =:= Name],
    Place.

field_name({typed_record_field, Field, _}) -> field_name(Field);
field_name({record_field, _, {atom, _, Name}}) -> Name;
field_name({record_field, _, {atom, _, Name}, _}) -> Name.

%%% For the faults

%% An element of a record, whose name and place are those of the module's own debug information; and the record with it.
part(Module, Record, Field, Term) -> element(field(Module, Record, Field), Term).
with(Module, Record, Field, Value, Term) -> setelement(field(Module, Record, Field), Term, Value).

%% What Fun returns, or none if it takes longer.
within(Ms, Fun) ->
    {Pid, Monitor} = spawn_monitor(fun() -> exit({returns, Fun()}) end),
    receive
        {'DOWN', Monitor, process, _, {returns, Value}} -> Value;
        {'DOWN', Monitor, process, _, Reason} -> exit(Reason)
    after Ms ->
        exit(Pid, kill),
        demonitor(Monitor, [flush]),
        none
    end.

%% A function that a module does not export, in a copy of it.
inside(Module, Function, Args) ->
    {ok, {_, [{abstract_code, {_, Forms}}]}} = beam_lib:chunks(code:which(Module), [abstract_code]),
    Copy = list_to_atom("pdlab_" ++ atom_to_list(Module)),
    Renamed = [case Form of {attribute, Line, module, _} -> {attribute, Line, module, Copy}; _ -> Form end || Form <- Forms],
    {ok, Copy, Binary} = compile:forms(Renamed, [export_all, nowarn_export_all]),
    {module, Copy} = code:load_binary(Copy, "", Binary),
    apply(Copy, Function, Args).

%% Calls Fun at that system time, as exactly as it can be done.
at(Ms, Fun) ->
    spawn(fun() ->
        timer:sleep(max(0, Ms - 5 - erlang:system_time(millisecond))),
        spin(Ms),
        Fun()
    end),
    ok.

spin(Ms) -> erlang:system_time(millisecond) >= Ms orelse spin(Ms).

%% The processes that have Module somewhere in what they do, or were started as it.
running(Module) ->
    [
        Pid
     || Pid <- processes(),
        [{current_stacktrace, Stack}, {dictionary, Dictionary}] <-
            [process_info(Pid, [current_stacktrace, dictionary])],
        lists:keymember(Module, 1, Stack) orelse
            lists:any(fun({'$initial_call', {M, _, _}}) -> M =:= Module; (_) -> false end, Dictionary)
    ].

%%% The ping

echo_name(N) -> list_to_atom("pdlab_echo_" ++ integer_to_list(N)).

%% Nothing here may connect by itself or wait for a busy connection: that would be
%% another program than the one that is watched.
echo() ->
    receive
        {ping, From, Sequence} ->
            _ = erlang:send(From, {pong, Sequence}, [noconnect, nosuspend]),
            echo();
        _ ->
            echo()
    end.

%% Count pairs, one ping every IntervalMs each. A pair's two process names decide which of the
%% connection's streams carries it, so many pairs reach many streams.
pings(Node, Count, IntervalMs) ->
    Pids = [
        spawn(fun() -> ping_start({echo_name(N), Node}, IntervalMs) end)
     || N <- lists:seq(1, Count)
    ],
    persistent_term:put(?MODULE, Pids),
    length(Pids).

stop_pings() ->
    [exit(Pid, kill) || Pid <- persistent_term:get(?MODULE, [])],
    persistent_term:put(?MODULE, []),
    ok.

ping_start(To, IntervalMs) ->
    %% Pairs in step would make bursts.
    Now = now_us(),
    First = Now + rand:uniform(IntervalMs * 1000),
    ping(#{
        to => To, interval => IntervalMs * 1000, next => First,
        sequence => 0, last => Now, longest => 0, answered => 0, marked => 0, paused => false
    }).

ping(#{next := Next} = State) ->
    Wait = max(0, (Next - now_us()) div 1000),
    receive
        Message -> ping(heard(Message, now_us(), State))
    after Wait ->
        #{to := To, interval := Interval, sequence := Sequence} = State,
        _ = maps:get(paused, State) =/= false orelse erlang:send(To, {ping, self(), Sequence}, [noconnect, nosuspend]),
        ping(State#{next := max(Next + Interval, now_us()), sequence := Sequence + 1})
    end.

%% Only an answer to a ping sent after the mark counts as answered; any answer ends a gap.
heard({pong, Sequence}, Now, #{last := Last, longest := Longest} = State) ->
    #{answered := Answered, marked := Marked} = State,
    Counts = if Sequence >= Marked -> 1; true -> 0 end,
    State#{last := Now, longest := max(Longest, Now - Last), answered := Answered + Counts};
%% From now on none is sent.
heard({pause, From, Reference}, _Now, #{sequence := Sequence} = State) ->
    From ! {Reference, ok},
    State#{paused := {Sequence}, interval := 60 * 1000000};
heard({mark, From, Reference}, _Now, #{sequence := Sequence} = State) ->
    From ! {Reference, ok},
    State#{longest := 0, answered := 0, marked := Sequence};
heard({report, From, Reference}, Now, #{last := Last, longest := Longest} = State) ->
    #{answered := Answered, marked := Marked, paused := Paused} = State,
    Sent = case Paused of {Sequence} -> Sequence; false -> Marked + Answered end,
    From ! {Reference, #{
        unanswered => Sent - Marked - Answered,
        gap_us => max(Longest, Now - Last), quiet_us => Now - Last, answered => Answered
    }},
    State;
heard(_, _, State) ->
    State.

mark() ->
    pdlab_sink ! mark,
    ask(mark),
    ok.

report() -> ask(report).

pause() ->
    ask(pause),
    ok.

ask(What) ->
    Asked = [
        begin
            Reference = make_ref(),
            Pid ! {What, self(), Reference},
            Reference
        end
     || Pid <- persistent_term:get(?MODULE, [])
    ],
    [receive {Reference, Answer} -> Answer after ?CALL_MS -> exit(ping_silent) end
     || Reference <- Asked].

%%% Casts: ordinary messages, which connect by themselves and are counted one by one

%% To the sink of each of these nodes a message every IntervalMs, as gen_server:cast/2 sends it.
casts(Nodes, IntervalMs) ->
    Pids = [spawn(fun() -> cast(Node, IntervalMs * 1000, now_us(), 1) end) || Node <- Nodes],
    persistent_term:put(pdlab_casts, lists:zip(Nodes, Pids)),
    length(Pids).

cast(Node, Interval, Next, Number) ->
    receive
        {stop, From, Reference} -> From ! {Reference, Number - 1};
        {sent, From, Reference} ->
            From ! {Reference, Number - 1},
            cast(Node, Interval, Next, Number)
    after max(0, (Next - now_us()) div 1000) ->
        gen_server:cast({pdlab_sink, Node}, {node(), Number}),
        cast(Node, Interval, max(Next + Interval, now_us()), Number + 1)
    end.

%% node => how many were sent to it. After stop_casts/0 there are no more.
sent() -> ask_casts(sent).
stop_casts() -> ask_casts(stop).

ask_casts(What) ->
    maps:from_list([
        begin
            Reference = make_ref(),
            Pid ! {What, self(), Reference},
            {Node, receive {Reference, Number} -> Number after ?CALL_MS -> exit(cast_silent) end}
        end
     || {Node, Pid} <- persistent_term:get(pdlab_casts, [])
    ]).

%% node => what came from it since the last mark: how many, how many did not, how many twice or late, the longest time
%% without; and how long nothing has come now.
sinks() ->
    pdlab_sink ! {report, self()},
    receive {pdlab_sink, Report} -> Report after ?CALL_MS -> exit(sink_silent) end.

sink(Froms) ->
    receive
        {'$gen_cast', {From, Number}} ->
            Now = now_us(),
            New = #{count => 0, first => Number, last => Now, highest => 0, odd => 0, gap => 0},
            #{count := Count, last := Last, highest := Highest, odd := Odd, gap := Gap} = Old = maps:get(From, Froms, New),
            sink(Froms#{From => Old#{
                count := Count + 1, last := Now, highest := max(Highest, Number), gap := max(Gap, Now - Last),
                odd := Odd + case Number > Highest of true -> 0; false -> 1 end
            }});
        {report, Pid} ->
            Now = now_us(),
            Pid ! {pdlab_sink, maps:map(
                fun(_, #{count := Count, first := First, odd := Odd, gap := Gap, last := Last}) ->
                    #{count => Count, before => First - 1, odd => Odd, gap_us => max(Gap, Now - Last), quiet_us => Now - Last}
                end,
                Froms
            )},
            sink(Froms);
        mark ->
            sink(#{});
        _ ->
            sink(Froms)
    end.

now_us() -> erlang:monotonic_time(microsecond).
