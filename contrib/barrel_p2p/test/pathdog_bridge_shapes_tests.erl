%% SPDX-License-Identifier: Apache-2.0
%% Streams and what was sent as quic 1.6 to 1.10 keep them, and that nothing is made of what only resembles them.
-module(pathdog_bridge_shapes_tests).
-include_lib("eunit/include/eunit.hrl").

%% ---- streams ----

%% #stream_state{} of quic 1.6.0 to 1.8.2; each of its elements has another value than its neighbours.
stream(Delivered, Buffer) ->
    {stream_state, 13, open, 500, 900, false, [], false, Delivered, 2000, false, Buffer, false, undefined, 3, false,
        undefined, undefined, both, 255, undefined, undefined, undefined, undefined}.

%% Of 1.9 and later: trees, with and without the sum of the bytes behind them.
tree(Delivered, Chunks) -> stream(Delivered, gb_trees:from_orddict(lists:sort(Chunks))).

with_sum(Delivered, Chunks) ->
    Bytes = lists:sum([byte_size(Data) || {_, Data} <- Chunks]),
    list_to_tuple(insert(12, Bytes, tuple_to_list(tree(Delivered, Chunks)))).

insert(Behind, Element, List) ->
    {Before, After} = lists:split(Behind, List),
    Before ++ [Element | After].

waits(Stream) ->
    [#{id := 13, handed := 500, delivered := Delivered, waits := Waits}] = pathdog_bridge_shapes:streams([Stream]),
    {Delivered, Waits}.

streams_test_() ->
    Ways = [
        {"1.8", fun(Delivered, Chunks) -> stream(Delivered, maps:from_list(Chunks)) end},
        {"1.9", fun tree/2},
        {"1.9 with a sum", fun with_sum/2}
    ],
    [
        {Version ++ ": " ++ What, ?_assertEqual({1000, Waits}, waits(Make(1000, Chunks)))}
     || {Version, Make} <- Ways,
        {What, Waits, Chunks} <- [
            {"all delivered", false, []},
            {"something beyond a gap", true, [{1100, <<"late">>}]},
            {"delivered once more", false, [{0, <<"twice">>}, {400, <<"twice">>}, {995, <<"twice">>}]},
            {"the next bytes, about to be delivered", false, [{1000, <<"next">>}]},
            {"delivered once more, and something beyond a gap", true, [{990, <<"twice">>}, {1001, <<"late">>}]},
            {"many", true, [{N, <<"x">>} || N <- lists:seq(0, 3000, 7)]}
        ]
    ].

%% The peer has taken it back: nothing is expected any more.
ended_test() ->
    ?assertEqual({1000, false}, waits(setelement(13, stream(1000, #{1100 => <<"late">>}), true))).

%% As in a state: other terms are among them.
among_others_test() ->
    [#{id := 13}, #{id := 13}] = pathdog_bridge_shapes:streams([gb_trees:empty(), 7, {}, stream(0, #{}), <<>>, tree(0, [])]).

unknown_test_() ->
    Late = #{1100 => <<"late">>},
    Known = stream(1000, Late),
    Changed = fun(Place, Value) -> setelement(Place, Known, Value) end,
    [
        {What, ?_assertEqual(unknown, pathdog_bridge_shapes:streams([stream(0, #{}), Stream]))}
     || {What, Stream} <- [
            {"short", {stream_state, 13, open}},
            {"a list as buffer", Changed(12, [{1100, <<"late">>}])},
            {"a queue as buffer", Changed(12, queue:from_list([{1100, <<"late">>}]))},
            {"a map by something else", Changed(12, #{<<"1100">> => <<"late">>})},
            {"a map of something else", Changed(12, #{1100 => {<<"late">>, false}})},
            {"a tree of something else", Changed(12, gb_trees:from_orddict([{1100, {<<"late">>, false}}]))},
            {"a tree with a wrong size", Changed(12, {7, element(2, gb_trees:from_orddict([{1100, <<"late">>}]))})},
            {"no tree", Changed(12, {1, {1100, <<"late">>}})},
            {"no offset", Changed(9, undefined)},
            {"no window", Changed(10, infinity)},
            {"an element more before", list_to_tuple(insert(3, 0, tuple_to_list(Known)))},
            {"one more before the offset", list_to_tuple(insert(8, 0, tuple_to_list(Known)))},
            {"one more before the buffer", list_to_tuple(insert(11, 0, tuple_to_list(Known)))},
            {"one less", list_to_tuple(lists:delete([], tuple_to_list(Known)))}
        ]
    ] ++ [{"none at all", ?_assertEqual(unknown, pathdog_bridge_shapes:streams([7, #{}]))}].

%% ---- packet numbers ----

space(Ms) -> {pn_space, 12, 7, 9, Ms, [{8, 9}, {0, 6}], 0, undefined, #{}}.

space_test_() ->
    Fresh = {pn_space, 0, undefined, undefined, undefined, [], 0, undefined, #{}},
    Of = fun(Last) -> pathdog_bridge_shapes:space([7, space(1), {}, #{}, space(2), <<>>, Last]) end,
    Known = space(-77),
    [
        {"a packet came", ?_assertEqual(#{next => 12, received => -77}, Of(Known))},
        {"all three", ?_assertEqual([#{next => 12, received => 1}, #{next => 0}, #{next => 12, received => -77}],
            pathdog_bridge_shapes:spaces([space(1), Fresh, 7, Known]))},
        {"one of the others is not known", ?_assertEqual(unknown,
            pathdog_bridge_shapes:spaces([space(1), {pn_space, 1}, Known]))},
        {"nothing yet", ?_assertEqual(#{next => 0}, Of(Fresh))},
        {"its end is another", ?_assertEqual(#{next => 12, received => 5}, Of({pn_space, 12, 7, 9, 5, []}))}
    ] ++ [
        {What, ?_assertEqual(unknown, Of(Space))}
     || {What, Space} <- [
            {"short", {pn_space, 12, 7, 9, 5}},
            {"an element less", list_to_tuple(lists:delete(7, tuple_to_list(Known)))},
            {"one more before", list_to_tuple(insert(2, 0, tuple_to_list(Known)))},
            {"one more before the time", list_to_tuple(insert(4, 0, tuple_to_list(Known)))},
            {"a time of another kind", setelement(5, Known, {0, 77})},
            {"ranges of another kind", setelement(6, Known, [8, 9])},
            {"ranges in a tree", setelement(6, Known, gb_trees:empty())},
            {"no number", setelement(2, Known, undefined)},
            {"there are only two", {pn_spaces, 12}}
        ]
    ].

%% ---- what was sent ----

whole_test() ->
    ?assertEqual(whole, pathdog_bridge_shapes:loss()),
    Loss = quic_loss:with([{100, 50, [ping]}], quic_loss:new()),
    ?assertMatch([{sent_packet, 1, 100, true, true, 50, [ping]}], pathdog_bridge_shapes:packets(Loss)),
    ?assertEqual(49, pathdog_bridge_shapes:pto_ms(Loss)),
    ?assertEqual(49, pathdog_bridge_shapes:pto_ms(quic_loss:backed_off(4, Loss))).

%% From 1.8.2 on the back-off ends at 5 s; then the time without it cannot be computed back.
capped_test() ->
    Loss = quic_loss:capped(quic_loss:with([], quic_loss:new())),
    ?assertEqual(49, pathdog_bridge_shapes:pto_ms(quic_loss:backed_off(5, Loss))),
    ?assertEqual(49, pathdog_bridge_shapes:pto_ms(quic_loss:backed_off(12, Loss))).

spaces_test_() ->
    {setup, fun() -> put_in(quic_loss_spaces, []) end, fun put_back/1, fun(_) ->
        [
            ?_assertEqual(spaces, pathdog_bridge_shapes:loss()),
            ?_assert(pathdog_bridge_state:readable()),
            ?_assertMatch(
                #{pto_us := 49000, pto_count := 9, sending := #{13 := #{acked := 400, unacked := 100}}, unknown := []},
                spaces_parts()
            )
        ]
    end}.

spaces_parts() ->
    Sent = quic_loss:on_packet_sent(app, quic_loss:new(), 1, 130, true,
        [{stream, 13, 400, binary:copy(<<0>>, 100), false}], 100),
    Space = {pn_space, 1, 0, 0, 77, [], 0, undefined, #{}},
    pathdog_bridge_state:parts({connected, {state, <<"scid">>, Space, Space, Space, quic_loss:backed_off(9, Sent),
        erlang:make_tuple(8, queue:new()), #{13 => tree(0, [])}}}).

%% Functions of these names that do something else: nothing is known.
another_test_() ->
    {setup, fun() -> put_in(quic_loss, [sent_packets]) end, fun put_back/1, fun(_) ->
        [
            ?_assertEqual(none, pathdog_bridge_shapes:loss()),
            ?_assertNot(pathdog_bridge_state:readable())
        ]
    end}.

%% Loads Module in the place of quic_loss, without the functions that are named.
put_in(Module, Without) ->
    Path = code:which(quic_loss),
    {ok, {_, [{abstract_code, {_, Forms}}]}} = beam_lib:chunks(code:which(Module), [abstract_code]),
    Others = [renamed(Form, Without) || Form <- Forms, kept(Form, Without)],
    {ok, quic_loss, Binary} = compile:forms(Others, [nowarn_unused_function]),
    code:purge(quic_loss),
    {module, quic_loss} = code:load_binary(quic_loss, "quic_loss.beam", Binary),
    Path.

kept({function, _, Name, _, _}, Without) -> not lists:member(Name, Without);
kept(_, _) -> true.

renamed({attribute, Line, module, _}, _) -> {attribute, Line, module, quic_loss};
renamed({attribute, Line, export, Functions}, Without) ->
    {attribute, Line, export, [F || {Name, _} = F <- Functions, not lists:member(Name, Without)]};
renamed(Form, _) -> Form.

put_back(Path) ->
    code:purge(quic_loss),
    {module, quic_loss} = code:load_abs(filename:rootname(Path)),
    whole = pathdog_bridge_shapes:loss().
