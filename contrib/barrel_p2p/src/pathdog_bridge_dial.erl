%% SPDX-License-Identifier: Apache-2.0
%% One attempt to dial a node, which ends. With quic up to 1.8.1 an attempt may hang for ever: the
%% hand-over of a connection that comes in can lose the first message, and the process that dials
%% takes its own time-out for a message. net_kernel then waits for it, and nobody else can dial that
%% node either. So what has taken too long is ended here. It must not decide whether to dial again.
-module(pathdog_bridge_dial).

-export([connect/4, give_up/3]).
-export_type([why/0]).

-type why() :: hung | told | refused | unanswered | elsewhere.

-define(GRACE, 100).
-define(HELD, 20).

%% True if it is connected, by whomever. Options: for the socket, from where it is dialled; [] if that is
%% left to the routes.
-spec connect(node(), non_neg_integer(), [gen_udp:open_option()], pathdog_bridge_settings:settings()) ->
    boolean().
connect(Node, Limit, Options, Settings) ->
    case pathdog_bridge_dials:is_held(Node) of
        true ->
            %% it would fail, and what waits to be sent would be lost
            receive
            after min(?HELD, Limit) -> false
            end;
        false ->
            really(Node, Limit, Options, Settings)
    end.

really(Node, Limit, Options, Settings) ->
    ok = pathdog_bridge_relay:before_dial(Node),
    case set(Node, Options, Settings) of
        ok ->
            Connected = attempt(Node, Limit, Settings),
            _ = pathdog_bridge_options:clear(Node, Options),
            Connected;
        {error, Reason} ->
            logger:error("pathdog_bridge: ~ts is not dialled, its socket's options could not be set: ~ts", [
                Node, pathdog_bridge_errors:text(Reason)
            ]),
            false
    end.

%% A message may have had the node dialled meanwhile, from where the routes lead. net_kernel would let us wait for that
%% dial, and so with the next message, and for ever. What is set is there for whoever dials next. A dial of the peer's that
%% is just coming in is as good as ours.
set(_, [], _) ->
    ok;
set(Node, Options, #{dist := Dist}) ->
    case {pathdog_bridge_options:set(Node, Options), Dist:pending(Node)} of
        {ok, Setup} when is_pid(Setup) ->
            case is_outgoing(Setup) of
                true ->
                    give_up(Node, Setup, elsewhere),
                    pathdog_bridge_options:set(Node, Options);
                false ->
                    ok
            end;
        {Result, _} ->
            Result
    end.

attempt(Node, Limit, #{dist := Dist}) ->
    case pathdog_bridge_call:run(fun() -> Dist:connect(Node) end, Limit) of
        {ok, Connected} ->
            Connected =:= true;
        {error, timeout} ->
            give_up(Node, Dist:pending(Node), hung),
            false;
        {error, _} ->
            false
    end.

%% Setup: the process that makes the connection. May wait, for ?GRACE a few times.
-spec give_up(node(), pid() | undefined, why()) -> ok.
give_up(_, undefined, _) ->
    ok;
give_up(Node, Setup, Why) ->
    Monitor = monitor(process, Setup),
    %% through quic, so that the peer is told and does not wait for its own time-out
    Controllers = [{monitor(process, Controller), Controller} || Controller <- controllers(Setup)],
    _ = [close(Controller) || {_, Controller} <- Controllers],
    _ = [gone(Gone, Controller) orelse demonitor(Gone, [flush]) || {Gone, Controller} <- Controllers],
    exit(Setup, kill),
    gone(Monitor, Setup),
    demonitor(Monitor, [flush]),
    say(Node, Why).

%% Refused is who dials while the peer does, which is nobody's fault.
say(Node, elsewhere) -> logger:info("pathdog_bridge: a dial of ~ts by the routes is in the way; ended", [Node]);
say(Node, refused) -> logger:info("pathdog_bridge: the dial of ~ts was refused; ended", [Node]);
say(Node, Why) -> logger:warning("pathdog_bridge: the dial of ~ts ~ts; ended", [Node, says(Why)]).

says(hung) -> "hung";
says(told) -> "did not end when it was told to";
says(unanswered) -> "had no answer".

gone(Monitor, Setup) ->
    receive
        {'DOWN', Monitor, process, Setup, _} -> true
    after ?GRACE -> not is_process_alive(Setup)
    end.

%% It is linked to what it has made; the process of one that comes in is not.
is_outgoing(Setup) ->
    lists:any(fun(Pid) -> is_controller(Pid) orelse pathdog_bridge_conn:is_connection(Pid) end, linked(Setup)).

%% The half-made connection is that of the controller which the process that dials started.
controllers(Setup) ->
    [Pid || Pid <- linked(Setup), is_controller(Pid)].

linked(Setup) ->
    case process_info(Setup, links) of
        {links, Links} -> [Pid || Pid <- Links, is_pid(Pid)];
        undefined -> []
    end.

is_controller(Pid) when node(Pid) =:= node() ->
    case process_info(Pid, dictionary) of
        {dictionary, Dictionary} ->
            case lists:keyfind('$initial_call', 1, Dictionary) of
                {_, {quic_dist_controller, _, _}} -> true;
                _ -> false
            end;
        undefined ->
            false
    end;
is_controller(_) ->
    false.

close(Controller) ->
    Close = fun() ->
        {ok, #{conn := Quic}} = pathdog_bridge_conn:find(Controller, ?GRACE),
        quic:close(Quic, normal)
    end,
    pathdog_bridge_call:run(Close, ?GRACE).
