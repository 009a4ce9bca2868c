%% SPDX-License-Identifier: Apache-2.0
%% What lives as long as the VM: the boot word and the counter of connection ids. They must outlive
%% a restart of the application, because ids grow within one boot and are never used again.
-module(pathdog_bridge_boot).

-export([ensure/0, word/0, next_id/0]).

-define(KEY, {?MODULE, 1}).

-spec ensure() -> ok.
ensure() ->
    case persistent_term:get(?KEY, undefined) of
        undefined ->
            Counter = atomics:new(1, [{signed, false}]),
            persistent_term:put(?KEY, {new_word(), Counter});
        _ ->
            ok
    end.

-spec word() -> binary().
word() ->
    element(1, persistent_term:get(?KEY)).

-spec next_id() -> pos_integer().
next_id() ->
    atomics:add_get(element(2, persistent_term:get(?KEY)), 1, 1).

%% The start of the VM to the nanosecond, and chance for clocks that stand still.
new_word() ->
    Begin = erlang:convert_time_unit(erlang:system_info(start_time), native, nanosecond),
    Start = erlang:time_offset(nanosecond) + Begin,
    Chance = rand:uniform(1 bsl 32) - 1,
    iolist_to_binary(io_lib:format("~.16b-~8.16.0b", [Start, Chance])).
