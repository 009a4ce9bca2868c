%% SPDX-License-Identifier: Apache-2.0
%% The sockets of a path, with which id each of them is registered at its relay, and how that stands: functions of the state of
%% pathdog_relay_reg_path. They send registrations and set timers; the datagrams are not theirs.
%%
%%   sockets   {via, number} => {socket, direct | idle | {registering, timer, tries} | {registered, timer, pause} | ported}
%%             ported: from a fresh port, where data comes first
%%   places    relay => {half, current number, the numbers and their addresses}
-module(pathdog_relay_reg_sockets).

-export([key/2, is_current/2, key_of/2, is_ready/2, is_moved/2, turned/2, full/2]).
-export([use/3, again/4, register_at/3, acknowledged/3, proven/3]).

-define(AGAIN_MS, 200). % until the next REG, while there is no answer
-define(AGAIN_TRIES, 15). % so often; then it is this one:
-define(AGAIN_LATER_MS, 1600).
-define(UNPROVEN_MS, 1000). % after the ACK, doubling
%% Sessions end after 300 s without activity; a member may register again from the same port.
-define(REFRESH_MS, 60000).
-define(DIRECT, <<"direct">>).

-type state() :: map().
-type key() :: {pathdog_relay:via(), non_neg_integer()}.

%% ---- with which id ----

number(Via, #{places := Places}) ->
    case Places of
        #{Via := {_, Number, _}} -> Number;
        _ -> 0
    end.

%% The one in use at that way.
-spec key(pathdog_relay:via(), state()) -> key().
key(Via, State) -> {Via, number(Via, State)}.

-spec is_current(key(), state()) -> boolean().
is_current({Via, _} = Key, State) -> Key =:= key(Via, State).

%% Where there is no route now, it stays.
placed(Via, #{places := Places, relays := Relays, numbers := Count} = State) ->
    {Half, _, Had} = maps:get(Via, Places, {0, 0, []}),
    case pathdog_relay_reg_socket:local(maps:get(Via, Relays)) of
        unknown ->
            State;
        Local ->
            {Number, Has} = pathdog_relay_reg_ids:place(Local, Half, Count, Had),
            State#{places := Places#{Via => {Half, Number, Has}}}
    end.

%% Is our address at the relay another one than that of its socket?
-spec is_moved(pathdog_relay:via(), state()) -> boolean().
is_moved(Via, #{relays := Relays} = State) when is_map_key(Via, Relays) ->
    #{sockets := Sockets} = Placed = placed(Via, State),
    Key = key(Via, Placed),
    Key =/= key(Via, State) orelse is_stale(Via, maps:get(Key, Sockets, none), Placed);
is_moved(_, _) ->
    false.

%% A number that is used again was another address': nothing comes from or to that any more. (A socket that was
%% opened when there was no route follows the routes.)
is_stale(_, none, _) ->
    false;
is_stale(Via, {Socket, _}, #{places := Places}) ->
    #{Via := {_, Number, Had}} = Places,
    case {lists:keyfind(Number, 1, Had), inet:sockname(Socket)} of
        {_, {error, _}} -> true;
        {{_, Local}, {ok, {Ip, _}}} when is_tuple(Local), Ip =/= Local -> lists:any(fun(Part) -> Part =/= 0 end, tuple_to_list(Ip));
        _ -> false
    end.

%% The relay lives and nothing comes: the other end may be registered with the other half of the numbers.
-spec turned(pathdog_relay:via(), state()) -> state().
turned(Via, #{places := Places} = State) ->
    case Places of
        #{Via := {Half, Number, Had}} ->
            State#{places := Places#{Via := {pathdog_relay_reg_ids:other(Half), Number, Had}}};
        _ ->
            State
    end.

%% Somebody else has it, or we, from an address that was ours: another one.
-spec full(key(), state()) -> state().
full({Via, Number} = Key, #{places := Places, sockets := Sockets} = State) ->
    #{Via := {Half, _, Had}} = Places,
    Full = State#{
        places := Places#{Via := {Half, Number, pathdog_relay_reg_ids:full(Number, Had)}},
        sockets := case Sockets of
            #{Key := {Socket, {registering, _, _}}} -> Sockets#{Key := {Socket, idle}};
            _ -> Sockets
        end
    },
    #{places := #{Via := {_, Other, _}}} = Placed = placed(Via, Full),
    case Other =:= Number orelse pathdog_relay_reg_ids:is_full(Other, Had) of
        true -> State; % all are: again with this one, until it is time for another way
        false -> use(Via, kept, Placed)
    end.

%% ---- sockets ----

%% The direct one, where the other end has no door of its own for it.
-spec use(pathdog_relay:via(), kept | fresh, state()) -> state().
use(Via, Port, #{relays := Relays, sockets := Sockets} = State) when not is_map_key(Via, Relays) ->
    case Sockets of
        #{{Via, 0} := _} when Port =:= kept -> State;
        _ -> opened({Via, 0}, direct, State)
    end;
use(Via, Port, State0) ->
    #{sockets := Sockets} = State = placed(Via, State0),
    Key = key(Via, State),
    IsFresh = Port =:= fresh andalso Key =:= key(Via, State0),
    IsStale = is_map_key(Via, maps:get(places, State)) andalso is_stale(Via, maps:get(Key, Sockets, none), State),
    case Sockets of
        #{Key := _} when IsStale -> newly(Key, State);
        #{Key := _} when IsFresh, Via =:= ?DIRECT -> newly(Key, State);
        #{Key := {_, How}} when IsFresh -> opened(Key, fresh(How), State);
        #{Key := {_, ported}} -> State;
        #{Key := {Socket, {registering, _, _}}} -> register_at(Key, Socket, State);
        %% it may have forgotten us: data come behind it
        #{Key := {Socket, _}} -> reg(Key, Socket, State), registered(Key, Socket, ?UNPROVEN_MS, State);
        _ -> newly(Key, State)
    end.

newly(Key, State) ->
    #{sockets := #{Key := {Socket, _}}} = Opened = opened(Key, idle, State),
    register_at(Key, Socket, Opened).

-spec key_of(gen_udp:socket(), state()) -> key() | none.
key_of(Socket, #{sockets := Sockets}) ->
    case [Key || {Key, {S, _}} <- maps:to_list(Sockets), S =:= Socket] of
        [Key] -> Key;
        [] -> none
    end.

fresh({registering, _, _} = How) -> How;
fresh(_) -> ported.

%% The direct one is bound to no address, so that it follows the host's routes. What was there is closed after it.
opened({Via, _} = Key, How, #{relays := Relays, sockets := Sockets} = State) ->
    Socket =
        case Relays of
            #{Via := Address} ->
                pathdog_relay_reg_socket:open(Address);
            _ ->
                {ok, Direct} = gen_udp:open(0, pathdog_relay_reg_socket:options()),
                Direct
        end,
    case Sockets of
        #{Key := {Old, _}} -> gen_udp:close(Old);
        _ -> ok
    end,
    State#{sockets := Sockets#{Key => {Socket, How}}}.

-spec register_at(key(), gen_udp:socket(), state()) -> state().
register_at(Key, Socket, State) ->
    register_at(Key, Socket, 1, State).

register_at(Key, Socket, Try, #{sockets := Sockets} = State) ->
    reg(Key, Socket, State),
    Pause = case Try < ?AGAIN_TRIES of true -> ?AGAIN_MS; false -> ?AGAIN_LATER_MS end,
    State#{sockets := Sockets#{Key := {Socket, {registering, timer(Key, Pause), Try}}}}.

reg({Via, Number}, Socket, #{relays := Relays, id := Id}) ->
    #{Via := Relay} = Relays,
    _ = pathdog_relay_reg_socket:send(Socket, Relay, [<<"REG:">>, pathdog_relay_reg_ids:id(Id, Number), <<"\n">>]).

%% The time of {again, Key, Timer} has come.
-spec again(key(), reference(), boolean(), state()) -> state().
again(Key, Timer, IsWanted, #{sockets := Sockets} = State) ->
    case Sockets of
        #{Key := {Socket, {registering, Timer, Try}}} when IsWanted ->
            register_at(Key, Socket, Try + 1, State);
        #{Key := {Socket, {registered, Timer, Pause}}} ->
            case is_current(Key, State) of
                true ->
                    reg(Key, Socket, State),
                    registered(Key, Socket, min(2 * Pause, ?REFRESH_MS), State);
                false ->
                    State#{sockets := Sockets#{Key := {Socket, idle}}}
            end;
        %% when it is used again
        _ -> State
    end.

%% The relay says so, or somebody in its name.
-spec acknowledged(key(), gen_udp:socket(), state()) -> state().
acknowledged(Key, Socket, State) ->
    registered(Key, Socket, ?UNPROVEN_MS, State).

%% The other end's data came over it: we are registered, from this port.
-spec proven(key(), gen_udp:socket(), state()) -> state().
proven(Key, Socket, #{sockets := Sockets} = State) ->
    case Sockets of
        #{Key := {_, {registered, _, ?REFRESH_MS}}} -> State;
        _ -> registered(Key, Socket, ?REFRESH_MS, State)
    end.

registered(Key, Socket, Pause, #{sockets := Sockets} = State) ->
    State#{sockets := Sockets#{Key := {Socket, {registered, timer(Key, Pause), Pause}}}}.

timer(Key, Pause) ->
    Timer = make_ref(),
    erlang:send_after(Pause, self(), {again, Key, Timer}),
    Timer.

%% Can data go out over it?
-spec is_ready(pathdog_relay:via(), state()) -> boolean().
is_ready(Via, #{sockets := Sockets} = State) ->
    Key = key(Via, State),
    case Sockets of
        #{Key := {_, {registering, _, _}}} -> false;
        #{Key := _} -> true
    end.
