%% SPDX-License-Identifier: Apache-2.0
%% Gives quic_dist the socket options of a dial that is to come from a given interface. They are good for
%% one attempt, and stand in a table that belongs to whoever set some first: so they are set by this
%% process, which stays. It must not decide where a dial comes from.
-module(pathdog_bridge_options).
-behaviour(gen_server).

-export([start_link/1, set/2, clear/2]).
-export([init/1, handle_call/3, handle_cast/2]).

-define(CALL_LIMIT, 2000).

-spec start_link(pathdog_bridge_settings:settings()) -> {ok, pid()} | {error, term()} | ignore.
start_link(Settings) ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, Settings, []).

%% For the next dial of Node. No options: whatever there is stays.
-spec set(node(), [gen_udp:open_option()]) -> ok | {error, term()}.
set(_, []) -> ok;
set(Node, Options) -> call({set, Node, given(Options)}).

%% If no dial has used them.
-spec clear(node(), [gen_udp:open_option()]) -> ok | {error, term()}.
clear(_, []) -> ok;
clear(Node, Options) -> call({clear, Node, given(Options)}).

given(Options) ->
    #{extra_socket_opts => Options}.

call(Request) ->
    Ask = fun() -> gen_server:call(?MODULE, Request, ?CALL_LIMIT) end,
    case pathdog_bridge_call:run(Ask, ?CALL_LIMIT) of
        {ok, Answer} -> Answer;
        {error, Reason} -> {error, Reason}
    end.

-spec init(pathdog_bridge_settings:settings()) -> {ok, none}.
init(_Settings) ->
    {ok, none}.

-spec handle_call(term(), gen_server:from(), none) -> {reply, term(), none}.
handle_call({set, Node, Given}, _From, State) ->
    {reply, attempt(fun() -> quic_dist:set_connect_options(Node, Given) end), State};
handle_call({clear, Node, Given}, _From, State) ->
    Clear = fun() ->
        case quic_dist:get_connect_options(Node) of
            Given -> quic_dist:clear_connect_options(Node);
            _ -> ok
        end
    end,
    {reply, attempt(Clear), State};
handle_call(_Request, _From, State) ->
    {reply, {error, unknown_request}, State}.

-spec handle_cast(term(), none) -> {noreply, none}.
handle_cast(_Message, State) ->
    {noreply, State}.

attempt(Fun) ->
    try
        ok = Fun()
    catch
        Class:Reason -> {error, {Class, Reason}}
    end.
