%% SPDX-License-Identifier: Apache-2.0
%% Is a reconnect needed? For one that may keep the old connection (keep_old): a node of Erlang cannot have two
%% connections to a peer, so it cannot dial first. But a reconnect costs what is in flight, and where the old connection
%% lives that is for nothing. So it is asked first: a PING, and who acknowledges it lives, unless one of its streams
%% stands still, which is what a change of the address costs with quic up to 1.8.1. Where it does not live, the peer's
%% listener is asked over the new way, and nothing is closed where nobody answers there.
-module(pathdog_bridge_need).

-export([proven/4, is_gone/2]).

-define(LIVES_MS, 300). % so long a connection that lives is looked at: what it lost shows by then
-define(DEAD_MIN_MS, 100). % so long nothing is acknowledged by one that is dead, or PTOS probe timeouts
-define(PTOS, 4).
-define(LOOK_MS, 10).
-define(LISTENER_MIN_MS, 300).

%% Where the peer listens is given with the options for the sockets of a dial; undefined: not known.
-spec proven(
    pathdog_bridge_table:conn(),
    {[gen_udp:open_option()], pathdog_bridge_table:address()},
    integer(),
    pathdog_bridge_settings:settings()
) -> ok | {error, old_lives | {dial_failed, term()}}.
proven(#{quic := undefined}, Way, Deadline, _) ->
    answers(Way, none, Deadline);
proven(#{quic := Quic, id := Id, node := Node} = Conn, Way, Deadline, Settings) ->
    %% a relay's socket goes on from another address
    Gone = not pathdog_bridge_relay:is_relayed(Node) andalso is_gone(Conn, interfaces()),
    case Gone orelse pathdog_bridge_sampler:is_stuck(Id) of
        true ->
            ok;
        false ->
            First = look(Quic),
            _ = pathdog_bridge_call:run(fun() -> quic:send_ping(Quic) end, ?DEAD_MIN_MS),
            Now = pathdog_bridge_call:now_ms(),
            Watch = #{
                quic => Quic, begun => Now, first => First, settings => Settings,
                holes => pathdog_bridge_stuck:new(),
                %% over relays the way below it is changed, if that is dead
                patience => pathdog_bridge_relay:patience(Node)
            },
            %% half of the time is the dial's
            case watch(Watch, Now + pathdog_bridge_call:left(Deadline) div 2) of
                lives -> {error, old_lives};
                stuck -> ok;
                dead -> answers(Way, First, Deadline)
            end
    end.

%% ---- the old connection ----

%% Is the address that it was made or moved with on no interface any more that is up and has a carrier? quic follows
%% the routes, and what was under way over that interface is lost.
-spec is_gone(#{local := pathdog_bridge_table:address(), _ => _}, [{string(), list()}]) -> boolean().
is_gone(#{local := undefined}, _) ->
    false;
is_gone(#{local := {Ip, _}}, Interfaces) ->
    Has = [lists:member({addr, Ip}, Options) andalso runs(Options) || {_, Options} <- Interfaces],
    lists:any(fun(Part) -> Part =/= 0 end, tuple_to_list(Ip)) andalso Interfaces =/= [] andalso not lists:member(true, Has).

runs(Options) ->
    Flags = proplists:get_value(flags, Options, []),
    lists:member(up, Flags) andalso lists:member(running, Flags).

interfaces() ->
    case pathdog_bridge_call:run(fun inet:getifaddrs/0, ?DEAD_MIN_MS) of
        {ok, {ok, Interfaces}} -> Interfaces;
        _ -> []
    end.

look(Quic) ->
    case pathdog_bridge_call:run(fun() -> pathdog_bridge_state:outstanding(Quic, ?DEAD_MIN_MS) end, 2 * ?DEAD_MIN_MS) of
        {ok, Sent} -> Sent;
        {error, _} -> none
    end.

watch(#{quic := Quic, begun := Begun} = Watch, End) ->
    receive
    after ?LOOK_MS -> ok
    end,
    Next = look(Quic),
    Now = pathdog_bridge_call:now_ms(),
    case judge(Next, Now, Now - Begun, Watch) of
        {wait, _} when Now >= End -> dead;
        {wait, Holes} -> watch(Watch#{holes := Holes}, End);
        {Verdict, _} -> Verdict
    end.

%% A hole counts from the first acknowledgement on: before it nothing could fill it.
judge(Next, Now, Ms, #{first := First, patience := Patience, holes := Memory, settings := #{stuck_after := After}}) ->
    Slow = max(?DEAD_MIN_MS, ?PTOS * pto_ms(Next)),
    Lives = is_acknowledged(First, Next),
    Holes = if Lives, After > 0 -> holes(Next); true -> [] end,
    {Stuck, Seen} = pathdog_bridge_stuck:seen(Holes, Now, max(1, max(After, Slow)), Memory),
    Verdict =
        if
            Stuck -> stuck;
            Lives, Holes =:= [], Ms >= ?LIVES_MS -> lives;
            not Lives, Ms >= Slow, Ms >= Patience -> dead;
            true -> wait
        end,
    {Verdict, Seen}.

%% One of the packets that were sent since is.
is_acknowledged(#{next := From}, #{next := To, packets := Packets}) ->
    length([Number || Number <- Packets, Number >= From]) < To - From;
is_acknowledged(_, _) ->
    false.

holes(#{holes := Holes}) -> Holes;
holes(none) -> [].

pto_ms(#{pto_ms := Pto}) -> Pto;
pto_ms(none) -> 0.

%% ---- the new way ----

%% A version of quic that does not answer such questions cannot be asked.
answers({_, undefined}, _, _) ->
    ok;
answers({Options, Remote}, Look, Deadline) ->
    Left = pathdog_bridge_call:left(Deadline),
    Limit = min(Left div 2, max(?LISTENER_MIN_MS, ?PTOS * pto_ms(Look))),
    case pathdog_bridge_hello:probes_paths() andalso pathdog_bridge_probe:ask(Options, Remote, Limit) of
        false -> ok;
        {ok, _} -> ok;
        {error, Reason} -> {error, {dial_failed, {no_answer_from_the_listener, Reason}}}
    end.
