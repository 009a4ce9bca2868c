%% SPDX-License-Identifier: Apache-2.0
%% The only way in which this application calls a process of somebody else: in a process of its own,
%% with a limit. Many functions of quic and barrel_p2p wait for ever; a connection that is wedged
%% must cost its caller the limit and nothing more. It must not know what it calls.
-module(pathdog_bridge_call).

-export([run/2, async/3, now_ms/0, left/1]).
-export_type([result/1, failure/0]).

-type failure() :: timeout | {exit | error | throw, term()}.
-type result(Value) :: {ok, Value} | {error, failure()}.

%% The helper is linked, so that it goes when the caller is killed; it ends normally in all cases,
%% so that the link never takes the caller down.
-spec run(fun(() -> Value), non_neg_integer()) -> result(Value).
run(Fun, Limit) ->
    Caller = self(),
    Tag = make_ref(),
    {Pid, Monitor} = spawn_opt(fun() -> Caller ! {Tag, guarded(Fun)} end, [link, monitor]),
    receive
        {Tag, Result} ->
            forget(Pid, Monitor),
            Result;
        {'DOWN', Monitor, process, Pid, Reason} ->
            forget(Pid, Monitor),
            {error, {exit, Reason}}
    after Limit ->
        unlink(Pid),
        exit(Pid, kill),
        forget(Pid, Monitor),
        receive
            {Tag, Late} -> Late
        after 0 -> {error, timeout}
        end
    end.

%% The same without waiting: the caller gets {Tag, Result} as a message.
-spec async(term(), fun(() -> term()), non_neg_integer()) -> pid().
async(Tag, Fun, Limit) ->
    Caller = self(),
    spawn_link(fun() -> Caller ! {Tag, run(Fun, Limit)} end).

-spec now_ms() -> integer().
now_ms() ->
    erlang:monotonic_time(millisecond).

%% What is left until a deadline.
-spec left(integer()) -> non_neg_integer().
left(Deadline) ->
    max(0, Deadline - now_ms()).

guarded(Fun) ->
    try
        {ok, Fun()}
    catch
        Class:Reason -> {error, {Class, Reason}}
    end.

forget(Pid, Monitor) ->
    demonitor(Monitor, [flush]),
    unlink(Pid),
    receive
        {'EXIT', Pid, _} -> ok
    after 0 -> ok
    end.
