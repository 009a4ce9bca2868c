%% SPDX-License-Identifier: Apache-2.0
%% What is asked of the VM, barrel_p2p and the controllers for the table of connections: which there
%% are, which of them count, what is behind one. It keeps nothing; all but counted/1 and why_gone/3
%% may wait, and is called by pathdog_bridge_call.
-module(pathdog_bridge_view).

-export([ask/2, subscribe/2, look/2, address/2, counted/1, why_gone/3]).
-export_type([view/0]).

-type view() :: {all | [node()], [{node(), pid()}]}.

-spec ask(module(), active_view | all) -> view().
ask(Dist, all) -> {all, Dist:controllers()};
ask(Dist, active_view) -> {Dist:active_view(), Dist:controllers()}.

%% The process whose end ends the subscription.
-spec subscribe(module(), pid()) -> pid() | undefined.
subscribe(Dist, Pid) ->
    ok = Dist:subscribe(Pid),
    Dist:events().

-spec look(pid(), timeout()) -> map() | none.
look(Ctrl, Limit) ->
    case pathdog_bridge_conn:find(Ctrl, Limit) of
        {ok, #{conn := Quic, role := Role}} ->
            Place = pathdog_bridge_conn:place(Quic, pathdog_bridge_conn:origin(Quic)),
            Place#{quic => Quic, role => Role};
        {error, no_conn} ->
            none;
        {error, unknown_shape} ->
            pathdog_bridge_notice:unknown(controller),
            none
    end.

%% Where the peer listens. Who dialled it knows.
-spec address(module(), pathdog_bridge_table:conn()) ->
    {ok, pathdog_bridge_table:address()} | {error, not_known}.
address(Dist, #{quic := Quic, role := client, node := Node}) when is_pid(Quic) ->
    case pathdog_bridge_conn:remote(Quic) of
        undefined -> Dist:address(Node);
        Remote -> {ok, Remote}
    end;
address(Dist, #{node := Node}) ->
    Dist:address(Node).

-spec counted(view()) -> #{node() => pid()}.
counted({all, Controllers}) ->
    maps:from_list(Controllers);
counted({Nodes, Controllers}) ->
    maps:with(Nodes, maps:from_list(Controllers)).

%% Why a connection that lives counts no more.
-spec why_gone(node(), pid(), view()) -> binary().
why_gone(Node, Ctrl, {_, Controllers}) ->
    case lists:keyfind(Node, 1, Controllers) of
        {Node, Ctrl} -> <<"left the active view">>;
        {Node, _} -> <<"replaced">>;
        false -> <<"disconnected">>
    end.
