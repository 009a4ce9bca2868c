%% SPDX-License-Identifier: Apache-2.0
%% Writes for one client, so that its process never waits for the socket. What stands in its mailbox
%% is bounded by who sends: pathdog_bridge_client counts it.
-module(pathdog_bridge_writer).

-export([start_link/1, write/3]).

-spec start_link(gen_tcp:socket()) -> pid().
start_link(Socket) ->
    Client = self(),
    spawn_link(fun() -> loop(Socket, Client) end).

%% The client gets {written, Writer, Bytes} when the socket has taken it.
-spec write(pid(), iodata(), non_neg_integer()) -> ok.
write(Writer, Line, Bytes) ->
    Writer ! {write, Line, Bytes},
    ok.

loop(Socket, Client) ->
    receive
        {write, Line, Bytes} ->
            case gen_tcp:send(Socket, Line) of
                ok ->
                    Client ! {written, self(), Bytes},
                    loop(Socket, Client);
                {error, _} ->
                    exit(shutdown)
            end
    end.
