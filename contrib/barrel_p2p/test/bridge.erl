%% SPDX-License-Identifier: Apache-2.0
%% What the suites share: the application on stand-ins, and a client that speaks the protocol. It
%% waits for events, with a limit that only a failure ever reaches.
-module(bridge).

-export([start/1, start/2, stop/1, path/1, wait/1, wait/2]).
-export([connect/1, raw/1, try_raw/1, hello/1, subscribed/1, send/2, send_line/2, ask/3, ask/4, post/4]).
-export([answer/2, note/2, note/3, closed/1, close/1, quiet/1, conns/2, nodes/1, wedged/2]).
-export([listen/0, said/1, log/2]).

-define(LIMIT, 60000).

%% ---- the application ----

start(Config) -> start([], Config).

%% In init_per_testcase: adds {dir, Dir} and {path, Path}.
start(Settings, Config) ->
    %% short: a socket's path has 107 bytes
    Dir = string:trim(os:cmd("mktemp -d -t brXXXXXX")),
    Path = filename:join(Dir, "s"),
    {ok, _} = standin_net:start(),
    %% limits that a slow machine does not reach, unless the test is about them
    Patient = [{call_timeout, 30000}, {sample_timeout, 10000}, {summary_timeout, 9000}],
    boot([{socket, Path}, {dist, standin_net} | lists:ukeymerge(1, lists:ukeysort(1, Settings), Patient)]),
    [{dir, Dir}, {path, Path} | Config].

boot(Settings) ->
    _ = application:load(pathdog_bridge),
    [application:unset_env(pathdog_bridge, Key) || {Key, _} <- application:get_all_env(pathdog_bridge)],
    [application:set_env(pathdog_bridge, Key, Value) || {Key, Value} <- Settings],
    {ok, _} = application:ensure_all_started(pathdog_bridge).

stop(Config) ->
    _ = logger:remove_handler(?MODULE),
    _ = application:stop(pathdog_bridge),
    catch standin_net:stop(),
    os:cmd("rm -rf " ++ proplists:get_value(dir, Config)),
    ok.

path(Config) -> proplists:get_value(path, Config).

%% ---- waiting ----

wait(Fun) -> wait(Fun, "something").

wait(Fun, What) -> wait(Fun, What, erlang:monotonic_time(millisecond) + ?LIMIT).

wait(Fun, What, End) ->
    case Fun() of
        false ->
            erlang:monotonic_time(millisecond) < End orelse error({not_within_limit, What}),
            receive after 5 -> ok end,
            wait(Fun, What, End);
        Value ->
            Value
    end.

%% ---- what is logged ----

%% From now on, by whatever process of this VM. stop/1 ends it.
listen() ->
    _ = logger:remove_handler(?MODULE),
    ok = logger:add_handler(?MODULE, ?MODULE, #{config => self()}).

log(#{msg := {report, _}}, _) -> ok;
log(#{msg := {string, Text}}, #{config := Pid}) -> Pid ! {?MODULE, said, unicode:characters_to_binary(Text)};
log(#{msg := {Format, Args}}, #{config := Pid}) ->
    Pid ! {?MODULE, said, unicode:characters_to_binary(io_lib:format(Format, Args))}.

%% What was said until now with Part in it.
said(Part) ->
    receive
        {?MODULE, said, Text} ->
            case binary:match(Text, Part) of
                nomatch -> said(Part);
                _ -> [Text | said(Part)]
            end
    after 0 -> []
    end.

%% ---- the client ----

connect(Config) ->
    Socket = raw(Config),
    Owner = self(),
    Reader = spawn_link(fun() ->
        Reader = self(),
        receive go -> ok end,
        read(Socket, Owner, Reader, <<>>)
    end),
    ok = gen_tcp:controlling_process(Socket, Reader),
    Reader ! go,
    {Socket, Reader}.

raw(Config) -> wait(fun() -> try_raw(Config) end, connect).

try_raw(Config) ->
    case gen_tcp:connect({local, path(Config)}, 0, [local, binary, {active, false}]) of
        {ok, Socket} -> really(Socket);
        {error, _} -> false
    end.

%% With a full backlog the kernel says EAGAIN, and OTP takes that for a connection.
really(Socket) ->
    case inet:peername(Socket) of
        {ok, _} -> Socket;
        {error, _} -> gen_tcp:close(Socket), false
    end.

read(Socket, Owner, Reader, Rest) ->
    case gen_tcp:recv(Socket, 0) of
        {ok, Data} ->
            Lines = binary:split(<<Rest/binary, Data/binary>>, <<"\n">>, [global]),
            {Whole, [Last]} = lists:split(length(Lines) - 1, Lines),
            [Owner ! {line, Reader, decode(Line)} || Line <- Whole],
            read(Socket, Owner, Reader, Last);
        {error, _} ->
            Owner ! {closed, Reader}
    end.

decode(Line) ->
    {Value, ok, <<>>} = json:decode(Line, ok, #{}),
    #{<<"jsonrpc">> := <<"2.0">>} = Value.

hello(Client) ->
    #{<<"result">> := Result} = ask(Client, hello, "{\"protocol\":[1],\"client\":\"test\"}"),
    Result.

%% A client that said hello and subscribed: {Client, the peers it was told by name}.
subscribed(Config) ->
    Client = connect(Config),
    hello(Client),
    post(Client, 2, subscribe, "{}"),
    Peers = told(Client, #{}),
    {Client, Peers}.

told({_, Reader} = Client, Peers) ->
    receive
        {line, Reader, #{<<"method">> := <<"peer_up">>, <<"params">> := #{<<"peer">> := Peer} = Params}} ->
            told(Client, Peers#{Peer => Params});
        {line, Reader, #{<<"method">> := <<"peer_down">>, <<"params">> := #{<<"conn">> := Conn}}} ->
            told(Client, maps:filter(fun(_, #{<<"conn">> := C}) -> C =/= Conn end, Peers));
        {line, Reader, #{<<"id">> := 2, <<"result">> := #{<<"peers">> := Count}}} ->
            Count = map_size(Peers),
            Peers
    after ?LIMIT -> error(no_answer_to_subscribe)
    end.

send({Socket, _}, Data) -> gen_tcp:send(Socket, Data).
send_line(Client, Line) -> send(Client, [Line, $\n]).

post(Client, Id, Method, Params) ->
    ok = send_line(Client, [
        "{\"jsonrpc\":\"2.0\",\"id\":", integer_to_list(Id), ",\"method\":\"", atom_to_list(Method),
        "\",\"params\":", Params, "}"
    ]).

ask(Client, Method, Params) ->
    ask(Client, 1000 + erlang:unique_integer([positive]), Method, Params).

ask(Client, Id, Method, Params) ->
    post(Client, Id, Method, Params),
    answer(Client, Id).

answer({_, Reader}, Id) ->
    receive
        {line, Reader, #{<<"id">> := Id} = Message} -> Message
    after ?LIMIT -> error({no_answer, Id, process_info(self(), messages)})
    end.

%% The params of the next notification of this name, the others kept.
note({_, Reader}, Name) ->
    Method = atom_to_binary(Name),
    receive
        {line, Reader, #{<<"method">> := Method, <<"params">> := Params}} -> Params
    after ?LIMIT -> error({no_notification, Name, process_info(self(), messages)})
    end.

note(Client, Name, Key) -> maps:get(Key, note(Client, Name)).

closed({_, Reader}) ->
    receive
        {closed, Reader} -> ok
    after ?LIMIT -> error(not_closed)
    end.

close({Socket, Reader}) ->
    unlink(Reader),
    gen_tcp:close(Socket),
    exit(Reader, kill).

%% Nothing but what was asked for has come: asked by a request, whose answer is behind all else.
quiet({_, Reader} = Client) ->
    #{<<"error">> := _} = ask(Client, nothing, "{}"),
    receive
        {line, Reader, Message} -> error({unexpected, Message})
    after 0 -> ok
    end.

conns(Peers, Name) -> maps:get(<<"conn">>, maps:get(Name, Peers)).

nodes(N) -> [list_to_atom("n" ++ integer_to_list(I) ++ "@127.0.0.1") || I <- lists:seq(1, N)].

%% A connection whose controller answers nobody, from the first: the bridge takes note of it only when it is wedged,
%% else it has looked at it already, or is just about it.
wedged(Node, Role) ->
    ok = sys:suspend(pathdog_bridge_peers, ?LIMIT),
    Ctrl = standin_net:up(Node, Role),
    true = erlang:suspend_process(Ctrl),
    ok = sys:resume(pathdog_bridge_peers, ?LIMIT),
    Ctrl.
