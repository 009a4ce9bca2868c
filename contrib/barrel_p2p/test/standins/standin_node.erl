%% SPDX-License-Identifier: Apache-2.0
%% A node on stand-ins, driven from outside: it serves the bridge on $BRIDGE_SOCKET, reads one Erlang
%% expression a line on standard input, and writes what it gives, one line each.
-module(standin_node).

-export([main/0]).

main() ->
    ok = io:setopts([binary, {encoding, unicode}]),
    {ok, _} = standin_net:start(),
    ok = standin_net:somebody_listens(),
    ok = application:load(pathdog_bridge),
    Settings = os:getenv("BRIDGE_SETTINGS", "[]"),
    [
        application:set_env(pathdog_bridge, Key, Value)
     || {Key, Value} <- [{socket, os:getenv("BRIDGE_SOCKET")}, {dist, standin_net} | term(Settings)]
    ],
    {ok, _} = application:ensure_all_started(pathdog_bridge),
    loop().

loop() ->
    case io:get_line("") of
        Line when is_binary(Line) ->
            Answer =
                try
                    term(binary_to_list(Line))
                catch
                    Class:Reason -> {Class, Reason}
                end,
            io:format("~0tp~n", [Answer]),
            loop();
        _ ->
            halt(0)
    end.

term(Text) ->
    {ok, Tokens, _} = erl_scan:string(string:trim(Text) ++ "."),
    {ok, Expressions} = erl_parse:parse_exprs(Tokens),
    {value, Value, _} = erl_eval:exprs(Expressions, []),
    Value.
