%% SPDX-License-Identifier: Apache-2.0
%% Stand-in for quic_dist's connect options: one attempt, and a table that belongs to whoever set
%% one first.
-module(quic_dist).

-export([set_connect_options/2, get_connect_options/1, take_connect_options/1, clear_connect_options/1]).

-define(TABLE, quic_dist_connect_opts).

set_connect_options(Node, Opts) when is_atom(Node), is_map(Opts) ->
    ets:info(?TABLE) =:= undefined andalso ets:new(?TABLE, [named_table, public, set]),
    ets:insert(?TABLE, {Node, Opts}),
    ok.

get_connect_options(Node) ->
    case ets:info(?TABLE) =/= undefined andalso ets:lookup(?TABLE, Node) of
        [{Node, Opts}] -> Opts;
        _ -> #{}
    end.

take_connect_options(Node) ->
    case ets:info(?TABLE) =/= undefined andalso ets:take(?TABLE, Node) of
        [{Node, Opts}] -> Opts;
        _ -> #{}
    end.

clear_connect_options(Node) ->
    _ = take_connect_options(Node),
    ok.
