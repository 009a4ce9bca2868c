%% SPDX-License-Identifier: Apache-2.0
%% Has dials of a node that somebody asks for fail at once, and lets them through again. quic_dist looks into its
%% configuration first for where a node listens: an entry with port 0 stands there before the real one, which stays.
%% quic:connect/4 refuses that port, so the set-up ends within milliseconds, and net_kernel has room for a dial that
%% comes in. It must not decide who is held, or for how long.
-module(pathdog_bridge_hold).

-export([hold/1, release/1, release/0, without/1, possible/0]).

-define(NOWHERE, {{0, 0, 0, 0}, 0}).

-spec hold(node()) -> ok.
hold(Node) ->
    change(fun(Nodes) -> [{Node, ?NOWHERE} | lists:delete({Node, ?NOWHERE}, Nodes)] end).

-spec release(node()) -> ok.
release(Node) ->
    change(fun(Nodes) -> lists:delete({Node, ?NOWHERE}, Nodes) end).

%% All of them: also those of one before, who did not get to it.
-spec release() -> ok.
release() ->
    change(fun without/1).

%% Where nodes really are.
-spec without([{node(), term()}]) -> [{node(), term()}].
without(Nodes) ->
    [Entry || {_, Where} = Entry <- Nodes, Where =/= ?NOWHERE].

%% Does quic refuse that port, without a word to anybody?
-spec possible() -> boolean().
possible() ->
    try quic:connect(<<"127.0.0.1">>, 0, #{}, self()) of
        {error, _} ->
            true;
        {ok, Conn} ->
            _ = quic:close(Conn, normal),
            false
    catch
        _:_ -> false
    end.

%% Only what is no list of pairs stays as it is.
change(How) ->
    Dist = application:get_env(quic, dist, []),
    case is_list(Dist) andalso proplists:get_value(nodes, Dist, []) of
        Nodes when is_list(Nodes) ->
            case How(Nodes) of
                Nodes -> ok;
                Other -> application:set_env(quic, dist, [{nodes, Other} | proplists:delete(nodes, Dist)])
            end;
        _ ->
            ok
    end.
