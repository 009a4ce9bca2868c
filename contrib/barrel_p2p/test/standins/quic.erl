%% SPDX-License-Identifier: Apache-2.0
%% Stand-in for erlang_quic's API, as of 1.8.1: the same functions, answers and missing time limits.
-module(quic).

-export([get_path_stats/1, get_stats/1, migrate/2, close/2, send_ping/1, sockname/1, peername/1]).
-export([get_peer_transport_params/1, connect/4]).

%% Nothing is ever dialled through it here; a port that is none is refused.
connect(_Host, 0, _Options, _Owner) -> {error, badarg}.

get_path_stats(Conn) when is_pid(Conn) -> gen_statem:call(Conn, get_path_stats).
get_stats(Conn) when is_pid(Conn) -> gen_statem:call(Conn, get_stats).
send_ping(Conn) when is_pid(Conn) -> gen_statem:call(Conn, send_ping).
sockname(Conn) when is_pid(Conn) -> gen_statem:call(Conn, sockname).
peername(Conn) when is_pid(Conn) -> gen_statem:call(Conn, peername).
get_peer_transport_params(Conn) when is_pid(Conn) -> gen_statem:call(Conn, get_peer_transport_params).
close(Conn, Reason) when is_pid(Conn) -> gen_statem:cast(Conn, {close, Reason}).

migrate(Conn, Opts) when is_pid(Conn), is_map(Opts) ->
    gen_statem:call(Conn, {migrate, #{}}, maps:get(timeout, Opts, 5000)).
