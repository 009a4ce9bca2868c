%% SPDX-License-Identifier: Apache-2.0
%% Test results as TAP lines: an EUnit listener and a Common Test hook, which append to the file in
%% $TAP. What could not be run counts as failed: nothing is skipped silently.
-module(tap).
-behaviour(eunit_listener).

-export([start/0, start/1, init/1, handle_begin/3, handle_end/3, handle_cancel/3, terminate/2]).
-export([id/1, init/2, post_end_per_testcase/5, on_tc_skip/4, pre_init_per_suite/3]).

%% ---- EUnit ----

start() -> start([]).
start(Options) -> eunit_listener:start(?MODULE, Options).

init(_) ->
    receive
        {start, _} -> group
    end.

handle_begin(_, _, State) -> State.

handle_end(test, Data, State) ->
    case proplists:get_value(status, Data) of
        ok -> line("ok", name(Data));
        Bad -> not_ok(name(Data), Bad)
    end,
    State;
handle_end(group, _, State) -> State.

handle_cancel(test, Data, State) ->
    not_ok(name(Data), {cancelled, proplists:get_value(reason, Data)}),
    State;
handle_cancel(group, Data, State) ->
    case proplists:get_value(reason, Data) of
        undefined -> ok;
        Reason -> not_ok(["group ", text(proplists:get_value(desc, Data))], {cancelled, Reason})
    end,
    State.

terminate(_, State) -> State.

name(Data) ->
    Where = case proplists:get_value(source, Data) of
        {M, F, _} -> io_lib:format("~s:~s", [M, F]);
        _ -> "test"
    end,
    case {proplists:get_value(desc, Data), proplists:get_value(line, Data)} of
        {undefined, 0} -> Where;
        {undefined, Line} -> io_lib:format("~s line ~b", [Where, Line]);
        {Desc, _} -> io_lib:format("~s ~ts", [Where, text(Desc)])
    end.

text(Desc) when is_binary(Desc); is_list(Desc) -> Desc;
text(_) -> "".

%% ---- Common Test ----

id(_) -> ?MODULE.
init(_, _) -> {ok, state}.

pre_init_per_suite(Suite, Config, State) ->
    line_raw(io_lib:format("1..~b", [length(Suite:all())])),
    {Config, State}.

post_end_per_testcase(Suite, Case, Config, Return, State) ->
    Name = io_lib:format("~s:~s", [Suite, Case]),
    case {proplists:get_value(tc_status, Config, ok), Return} of
        {ok, {error, Why}} -> not_ok(Name, Why);
        {ok, {failed, Why}} -> not_ok(Name, Why);
        {ok, _} -> line("ok", Name);
        {Bad, _} -> not_ok(Name, Bad)
    end,
    {Return, State}.

on_tc_skip(Suite, Case, Reason, State) ->
    not_ok(io_lib:format("~s:~p", [Suite, Case]), {skipped, Reason}),
    State.

%% ---- lines ----

not_ok(Name, Why) ->
    line("not ok", Name),
    Text = unicode:characters_to_list(io_lib:format("~tp", [Why])),
    [line_raw(["#   ", L]) || L <- string:split(string:slice(Text, 0, 4000), "\n", all)].

line(Word, Name) ->
    Clean = [C || C <- unicode:characters_to_list(Name), C =/= $#, C =/= $\n],
    line_raw([Word, " - ", Clean]).

line_raw(Line) ->
    ok = file:write_file(os:getenv("TAP"), unicode:characters_to_binary([Line, "\n"]), [append]).
