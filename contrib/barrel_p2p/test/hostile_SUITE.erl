%% SPDX-License-Identifier: Apache-2.0
%% Whatever comes over the socket: the node lives, its atoms and mailboxes do not grow, and the next
%% client is served.
-module(hostile_SUITE).
-include_lib("stdlib/include/assert.hrl").
-compile([export_all, nowarn_export_all]).

-define(B, 'bravo@127.0.0.1').
-define(BRAVO, <<"bravo@127.0.0.1">>).
-define(LINE_MAX, 1048576).

all() ->
    [
        not_json, not_an_object, binary_garbage, a_line_too_long, a_line_without_an_end, the_longest_line,
        half_a_line_and_gone, byte_by_byte, deep_json, huge_numbers, wrong_types, ids_of_all_kinds,
        unknown_methods, notifications_and_answers, empty_lines, random_lines, no_atoms,
        it_does_not_read, a_list_longer_than_the_buffer, it_asks_and_does_not_read, events_for_one_that_does_not_read,
        a_flood_of_moves, a_thousand_one_after_another, a_thousand_at_once, vanishing_clients
    ].

settings(a_list_longer_than_the_buffer) -> [{output_buffer, 1048576}];
settings(events_for_one_that_does_not_read) -> [{output_buffer, 1048576}];
settings(it_asks_and_does_not_read) -> [{output_buffer, 1048576}];
settings(it_does_not_read) -> [{send_timeout, 200}];
settings(_) -> [].

init_per_testcase(Case, Config) ->
    Started = bridge:start(settings(Case), Config),
    standin_net:up(?B, client),
    Started.

end_per_testcase(_, Config) -> bridge:stop(Config).

%% The bridge still does all it should, with the processes that it had.
alive(Config) ->
    {Client, #{?BRAVO := #{<<"conn">> := Conn}}} = bridge:subscribed(Config),
    ?assertMatch(#{<<"result">> := #{<<"rows">> := 1}}, bridge:ask(Client, summary, "{}")),
    #{<<"result">> := #{<<"validated">> := true}} =
        bridge:ask(Client, migrate_peer, io_lib:format("{\"conn\":~b,\"timeout_ms\":60000}", [Conn])),
    bridge:close(Client).

ours() ->
    [whereis(Name) || Name <- [pathdog_bridge_core, pathdog_bridge_listener, pathdog_bridge_peers,
                               pathdog_bridge_moves, pathdog_bridge_sampler]].

fatal(Data, Config) ->
    Before = ours(),
    Client = bridge:connect(Config),
    _ = bridge:send(Client, Data),
    bridge:closed(Client),
    ?assertEqual(Before, ours()),
    alive(Config).

not_json(Config) ->
    [fatal(Data, Config) || Data <- ["hello\n", "{\n", "{} {}\n", "{\"a\":}\n", "\"\n"]].

not_an_object(Config) ->
    [fatal(Data, Config) || Data <- ["[]\n", "17\n", "\"x\"\n", "null\n", "[{\"jsonrpc\":\"2.0\"}]\n"]].

binary_garbage(Config) ->
    [fatal([Data, $\n], Config) || Data <- [<<0, 1, 2>>, <<255, 254>>, <<"{\"a\":\"", 200, "\"}">>,
                                           <<22, 3, 1, 0, 200, 1>>, <<"GET / HTTP/1.1">>]].

a_line_too_long(Config) ->
    fatal([binary:copy(<<" ">>, ?LINE_MAX), "{}\n"], Config).

a_line_without_an_end(Config) ->
    Client = bridge:connect(Config),
    Chunk = binary:copy(<<"x">>, 65536),
    _ = [bridge:send(Client, Chunk) || _ <- lists:seq(1, 17)],
    bridge:closed(Client),
    alive(Config).

the_longest_line(Config) ->
    Client = bridge:connect(Config),
    Head = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hello\",\"params\":{\"protocol\":[1],\"client\":\"",
    Tail = "\"}}\n",
    Fill = ?LINE_MAX - length(Head) - length(Tail),
    ok = bridge:send(Client, [Head, binary:copy(<<"x">>, Fill), Tail]),
    ?assertMatch(#{<<"result">> := #{<<"protocol">> := 1}}, bridge:answer(Client, 1)).

half_a_line_and_gone(Config) ->
    Whole = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hello\",\"params\":{\"protocol\":[1]}}\n",
    [
        begin
            Socket = bridge:raw(Config),
            ok = gen_tcp:send(Socket, lists:sublist(Whole, N)),
            gen_tcp:close(Socket)
        end
     || N <- lists:seq(0, length(Whole))
    ],
    alive(Config).

byte_by_byte(Config) ->
    Client = bridge:connect(Config),
    Line = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hello\",\"params\":{\"protocol\":[1]}}\n",
    [ok = bridge:send(Client, [C]) || C <- Line],
    ?assertMatch(#{<<"result">> := _}, bridge:answer(Client, 1)).

deep_json(Config) ->
    N = 30000, % the stand-in for json is slow when it is deep
    fatal([binary:copy(<<"[">>, N), binary:copy(<<"]">>, N), $\n], Config),
    fatal([binary:copy(<<"[">>, 2 * N), $\n], Config),
    Client = bridge:connect(Config),
    bridge:hello(Client),
    Deep = [binary:copy(<<"{\"a\":">>, N), "1", binary:copy(<<"}">>, N)],
    ?assertMatch(#{<<"result">> := _}, bridge:ask(Client, summary, Deep)),
    alive(Config).

huge_numbers(Config) ->
    Client = bridge:connect(Config),
    bridge:hello(Client),
    Digits = binary:copy(<<"9">>, 900000),
    [
        ?assertMatch(
            #{<<"error">> := #{<<"code">> := -32602}},
            bridge:ask(Client, migrate_peer, ["{\"conn\":", Sign, Digits, End, "}"])
        )
     || {Sign, End} <- [{"", ""}, {"-", ""}, {"", ".5"}, {"", "e5"}]
    ],
    alive(Config).

wrong_types(Config) ->
    Client = bridge:connect(Config),
    bridge:hello(Client),
    Values = ["null", "true", "\"17\"", "[]", "{}", "-1", "0", "1.5", "1e3", "9007199254740992"],
    [
        begin
            #{<<"error">> := #{<<"code">> := Code}} =
                bridge:ask(Client, Method, ["{\"", Key, "\":", Value, Rest, "}"]),
            ?assertEqual({Method, Key, Value, -32602}, {Method, Key, Value, Code})
        end
     || {Method, Key, Rest, Good} <- [
            {migrate_peer, "conn", "", []},
            {reconnect_peer, "conn", "", []},
            {migrate_peer, "timeout_ms", ",\"conn\":1", ["null", "9007199254740992"]},
            {migrate_peer, "reason", ",\"conn\":1", ["null", "\"17\""]},
            {migrate_peer, "via", ",\"conn\":1", ["null", "\"17\""]},
            {migrate_peer, "interface", ",\"conn\":1", ["null", "\"17\""]},
            {reconnect_peer, "local", ",\"conn\":1", ["null"]},
            {probe_path, "conn", "", []},
            {summary, "conns", "", ["null", "[]"]},
            {probe, "conns", "", ["[]"]}
        ],
        Value <- Values -- Good
    ],
    alive(Config).

ids_of_all_kinds(Config) ->
    {_, Reader} = Client = bridge:connect(Config),
    bridge:hello(Client),
    [
        begin
            ok = bridge:send_line(Client, ["{\"jsonrpc\":\"2.0\",\"id\":", Id, ",\"method\":\"nix\"}"]),
            receive
                {line, Reader, Answer} ->
                    ?assertMatch({Id, #{<<"id">> := Back}}, {Id, Answer})
            after 60000 -> ct:fail({no_answer, Id})
            end
        end
     || {Id, Back} <- [
            {"5", 5}, {"-5", -5}, {"\"text\"", <<"text">>}, {"\"\"", <<>>}, {"null", null}, {"1.5", null},
            {"true", null}, {"[1]", null}, {"{\"a\":1}", null}, {"99999999999999999999999", null},
            {"9223372036854775807", 9223372036854775807}
        ]
    ],
    alive(Config).

unknown_methods(Config) ->
    Client = bridge:connect(Config),
    bridge:hello(Client),
    [
        begin
            ok = bridge:send_line(Client, [
                "{\"jsonrpc\":\"2.0\",\"id\":", integer_to_list(N), ",\"method\":\"", Method, "\"}"
            ]),
            ?assertMatch(#{<<"error">> := #{<<"code">> := -32601}}, bridge:answer(Client, N))
        end
     || {N, Method} <- lists:zip(lists:seq(1, 6), [
            "erlang:halt", "", "Hello", "peer_up", lists:duplicate(5000, $m), "\\u0000"
        ])
    ],
    alive(Config).

notifications_and_answers(Config) ->
    Client = bridge:connect(Config),
    bridge:hello(Client),
    [
        ok = bridge:send_line(Client, Line)
     || Line <- [
            "{\"jsonrpc\":\"2.0\",\"method\":\"subscribe\"}",
            "{\"jsonrpc\":\"2.0\",\"method\":\"migrate_peer\",\"params\":{\"conn\":1}}",
            "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{}}",
            "{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{\"code\":-32601,\"message\":\"x\"}}"
        ]
    ],
    bridge:quiet(Client).

empty_lines(Config) ->
    Client = bridge:connect(Config),
    ok = bridge:send(Client, "\n\n\r\n\n"),
    bridge:hello(Client).

%% Any change of any byte of a good session: the seed is in the log.
random_lines(Config) ->
    Seed = rand:export_seed_s(rand:seed(exsss)),
    ct:pal("seed ~p", [Seed]),
    Lines = [
        <<"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hello\",\"params\":{\"protocol\":[1]}}\n">>,
        <<"{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"subscribe\"}\n">>,
        <<"{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"summary\",\"params\":{\"conns\":[1,2]}}\n">>,
        <<"{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"reconnect_peer\",\"params\":{\"conn\":99999}}\n">>
    ],
    Before = ours(),
    [
        begin
            Socket = bridge:raw(Config),
            [_ = gen_tcp:send(Socket, mutated(Line)) || Line <- Lines],
            gen_tcp:close(Socket)
        end
     || _ <- lists:seq(1, 200)
    ],
    ?assertEqual(Before, ours()),
    alive(Config).

mutated(Line) ->
    case rand:uniform(4) of
        1 -> Line;
        _ ->
            At = rand:uniform(byte_size(Line)) - 1,
            <<Head:At/binary, _, Tail/binary>> = Line,
            <<Head/binary, (rand:uniform(256) - 1), Tail/binary>>
    end.

no_atoms(Config) ->
    alive(Config),
    Client = bridge:connect(Config),
    bridge:hello(Client),
    Ask = fun(N) ->
        Text = integer_to_list(N),
        bridge:ask(Client, migrate_peer, ["{\"conn\":999999,\"via\":\"relay_", Text, "\",\"reason\":\"r_", Text,
                                          "\",\"key_", Text, "\":\"value_", Text, "\"}"]),
        ok = bridge:send_line(Client, ["{\"jsonrpc\":\"2.0\",\"id\":\"id_", Text, "\",\"method\":\"m_", Text, "\"}"])
    end,
    Ask(0),
    Before = erlang:system_info(atom_count),
    [Ask(N) || N <- lists:seq(1, 1000)],
    bridge:ask(Client, summary, "{}"),
    ?assert(erlang:system_info(atom_count) - Before < 100).

%% ---- who does not read ----

%% It takes nothing for the time that a write may take.
it_does_not_read(Config) ->
    Socket = bridge:raw(Config),
    Hello = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hello\",\"params\":{\"protocol\":[1]}}\n",
    Flood = lists:duplicate(2000, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"nix\"}\n"),
    ok = gen_tcp:send(Socket, Hello),
    _ = push(Socket, Flood, 4),
    cut_off(Socket),
    alive(Config).

%% It sends for ever: more than the buffer is never kept for it.
%% It comes in parts, as fast as it is read: all of it, and nobody is cut off.
a_list_longer_than_the_buffer(Config) ->
    Count = 3600, % each has a socket; one peer is there already
    Long = lists:duplicate(230, $n),
    [standin_net:up(list_to_atom(Long ++ integer_to_list(N) ++ "@h"), client) || N <- lists:seq(1, Count)],
    bridge:wait(fun() -> length(pathdog_bridge_peers:connections(all)) > Count end),
    Socket = bridge:raw(Config),
    ok = gen_tcp:send(Socket, [
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hello\",\"params\":{\"protocol\":[1]}}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"subscribe\"}\n"
    ]),
    %% nothing is read until the bridge waits for it
    bridge:wait(fun() ->
        case sys:get_state(pathdog_bridge_peers) of
            #{snapshot := #{hungry := false, waiting := Waiting}} -> map_size(Waiting) > 1000;
            _ -> false
        end
    end),
    Text = read_until(Socket, <<"\"peers\":3601">>, []),
    ?assert(byte_size(Text) > 1048576),
    ?assertEqual(Count + 1, length(binary:matches(Text, <<"\"peer_up\"">>))),
    gen_tcp:close(Socket).

read_until(Socket, End, Before) ->
    {ok, Data} = gen_tcp:recv(Socket, 0, 60000),
    Pieces = [Data | Before],
    Last = iolist_to_binary(lists:reverse(lists:sublist(Pieces, 2))),
    case binary:match(Last, End) of
        nomatch -> read_until(Socket, End, Pieces);
        _ -> iolist_to_binary(lists:reverse(Pieces))
    end.

it_asks_and_does_not_read(Config) ->
    Socket = bridge:raw(Config),
    Flood = lists:duplicate(1000, "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"nix\"}\n"),
    {error, _} = push(Socket, Flood, 10000),
    small_mailboxes(),
    alive(Config).

push(_, _, 0) ->
    ok;
push(Socket, Data, N) ->
    case gen_tcp:send(Socket, Data) of
        ok -> push(Socket, Data, N - 1);
        {error, Reason} -> {error, Reason}
    end.

%% Seen from the other end: what was written before it was cut off, then the end.
cut_off(Socket) ->
    bridge:wait(fun() -> maps:get(client, sys:get_state(pathdog_bridge_listener)) =:= undefined end),
    gen_tcp:close(Socket).

small_mailboxes() ->
    bridge:wait(fun() ->
        lists:all(
            fun(Pid) -> process_info(Pid, message_queue_len) =:= {message_queue_len, 0} end, ours()
        )
    end).

events_for_one_that_does_not_read(Config) ->
    Socket = bridge:raw(Config),
    [
        ok = gen_tcp:send(Socket, ["{\"jsonrpc\":\"2.0\",\"id\":", Id, ",\"method\":\"", Method, "\",\"params\":{\"protocol\":[1]}}\n"])
     || {Id, Method} <- [{"1", "hello"}, {"2", "subscribe"}]
    ],
    bridge:wait(fun() -> maps:get(client, sys:get_state(pathdog_bridge_peers)) =/= undefined end),
    Client = maps:get(client, sys:get_state(pathdog_bridge_listener)),
    Id = known(),
    flap(Id, Client, 1),
    small_mailboxes(),
    alive(Config),
    gen_tcp:close(Socket).

flap(Id, Client, Port) ->
    Place = #{local => undefined, remote => {{10, 0, 0, 2}, 1}, interface => undefined},
    [pathdog_bridge_peers:path(Id, Place#{local := {{10, 0, 0, 1}, Port + N}}) || N <- lists:seq(1, 100)],
    case is_process_alive(Client) of
        true -> flap(Id, Client, (Port + 100) rem 60000);
        false -> ok
    end.

%% ---- many ----

%% The number of the only connection, as soon as it has one.
known() ->
    [#{id := Id}] = bridge:wait(fun() ->
        Conns = pathdog_bridge_peers:connections(all),
        Conns =/= [] andalso Conns
    end),
    Id.

a_flood_of_moves(Config) ->
    Client = bridge:connect(Config),
    bridge:hello(Client),
    quic_connection:set(standin_net:quic(?B), #{on_migrate => hang}),
    Id = known(),
    [bridge:post(Client, N, migrate_peer, io_lib:format("{\"conn\":~b,\"timeout_ms\":1000}", [Id])) || N <- lists:seq(1, 3000)],
    Codes = [maps:get(<<"code">>, maps:get(<<"error">>, bridge:answer(Client, N))) || N <- lists:seq(1, 3000)],
    %% which of them, and how often, is a matter of how fast they come
    ?assertEqual([], lists:usort(Codes) -- [-32006, -32004]),
    small_mailboxes().

a_thousand_one_after_another(Config) ->
    Before = ours(),
    Sockets = [bridge:raw(Config) || _ <- lists:seq(1, 1000)],
    alive(Config),
    [gen_tcp:close(Socket) || Socket <- Sockets],
    ?assertEqual(Before, ours()).

a_thousand_at_once(Config) ->
    Before = ours(),
    Line = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hello\",\"params\":{\"protocol\":[1]}}\n",
    Workers = [
        spawn_monitor(fun() ->
            Socket = patiently(Config),
            _ = gen_tcp:send(Socket, Line),
            _ = gen_tcp:recv(Socket, 0)
        end)
     || _ <- lists:seq(1, 1000)
    ],
    [receive {'DOWN', Monitor, process, Pid, normal} -> ok end || {Pid, Monitor} <- Workers],
    alive(Config),
    ?assertEqual(Before, ours()).

%% They do not fit into the backlog; a thousand who try at once for ever would only be in each other's way.
patiently(Config) ->
    case bridge:try_raw(Config) of
        false ->
            receive after 20 + rand:uniform(200) -> patiently(Config) end;
        Socket ->
            Socket
    end.

vanishing_clients(Config) ->
    [
        begin
            Socket = bridge:raw(Config),
            [_ = gen_tcp:send(Socket, Line) || Line <- [
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hello\",\"params\":{\"protocol\":[1]}}\n",
                "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"subscribe\"}\n",
                "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"summary\"}\n",
                "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"migrate_peer\",\"params\":{\"conn\":1}}\n"
            ]],
            gen_tcp:close(Socket)
        end
     || _ <- lists:seq(1, 100)
    ],
    alive_after_moves(Config).

%% A migration that one of them had asked for may still be under way.
alive_after_moves(Config) ->
    bridge:wait(fun() -> map_size(maps:get(busy, sys:get_state(pathdog_bridge_moves))) =:= 0 end),
    alive(Config).
