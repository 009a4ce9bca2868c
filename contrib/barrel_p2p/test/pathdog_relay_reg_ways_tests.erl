%% SPDX-License-Identifier: Apache-2.0
%% When a way is left, and where to: with a clock of its own.
-module(pathdog_relay_reg_ways_tests).
-include_lib("eunit/include/eunit.hrl").

-define(W, pathdog_relay_reg_ways).
-define(EU, <<"eu">>).
-define(US, <<"us">>).
-define(DIRECT, <<"direct">>).
-define(ALL, [?EU, ?US, ?DIRECT]).

new(Via) -> ?W:new(Via, ?ALL, [?EU, ?US], 500).

%% Sent at these times.
sent(Times, W) ->
    lists:mapfoldl(fun(Ms, Before) -> ?W:tried(Ms, Before) end, W, Times).

suspect(W) -> element(2, sent([0, 100], W)).

tries_test_() ->
    Said = fun(Via, Times) -> element(1, sent(Times, new(Via))) end,
    [
        {"what is sent together is one try", ?_assertMatch([{first, _}, nothing, nothing], Said(?EU, [0, 50, 99]))},
        {"the second one makes it suspect", ?_assertMatch([{first, _}, {suspect, {500, _}}, nothing], Said(?EU, [0, 100, 150]))},
        {"direct has more time", ?_assertMatch([{first, _}, {suspect, {2000, _}}], Said(?DIRECT, [0, 100]))},
        {"also the first after an hour is one", ?_assertMatch([{first, _}, {suspect, _}], Said(?EU, [0, 3600000]))}
    ].

direct_that_answers_test() ->
    W = ?W:new(?DIRECT, ?ALL, ?ALL, 500),
    ?assertMatch({[{first, _}, {suspect, {500, _}}], _}, sent([0, 100], W)).

late_test() ->
    {[_, {suspect, {_, Episode}}], Two} = sent([0, 100], new(?EU)),
    %% two are not enough: the third one is waited for
    {nothing, Waited} = ?W:late(Episode, Two),
    ?assertMatch({leave, _}, ?W:tried(900, Waited)),
    {_, Three} = ?W:tried(200, Two),
    ?assertMatch({leave, _}, ?W:late(Episode, Three)),
    ?assert(?W:is_quiet(Episode, Three)),
    %% something has come since
    {nothing, Came} = ?W:came(?EU, Three),
    ?assertMatch({nothing, _}, ?W:late(Episode, Came)),
    ?assertNot(?W:is_quiet(Episode, Came)),
    %% over another way: that says nothing of this one
    {nothing, Other} = ?W:came(?US, Three),
    ?assertMatch({leave, _}, ?W:late(Episode, Other)).

half_test() ->
    {[_, {suspect, {_, Episode}}, _], W} = sent([0, 100, 200], new(?EU)),
    Half = fun(Ways) -> element(1, ?W:half(Episode, Ways)) end,
    ?assertEqual(nothing, Half(W)), % nobody has answered
    ?assertEqual(leave, Half(?W:lives(?US, W))),
    ?assertEqual(nothing, Half(?W:lives(?EU, ?W:lives(?US, W)))),
    ?assertEqual(nothing, Half(?W:lives(?US, element(2, sent([0, 100], new(?EU)))))), % two tries
    {nothing, Came} = ?W:came(?EU, ?W:lives(?US, W)),
    ?assertEqual(nothing, Half(Came)),
    %% direct cannot be asked: that it does not answer says nothing
    {[_, {suspect, {_, Other}}, _], Direct} = sent([0, 100, 200], new(?DIRECT)),
    ?assertMatch({nothing, _}, ?W:half(Other, ?W:lives(?US, Direct))).

%% Where to, one after the other.
next_test_() ->
    To = fun(W) -> {_, Next} = ?W:next(W), ?W:via(Next) end,
    Then = fun(W) -> {_, Next} = ?W:next(W), Next end,
    Lives = fun ?W:lives/2,
    [
        {"nothing is known of us: direct", ?_assertEqual(?DIRECT, To(suspect(new(?EU))))},
        {"us lives", ?_assertEqual(?US, To(Lives(?US, suspect(new(?EU)))))},
        {"direct is refused, too, if it can be asked", fun() ->
            W = suspect(?W:new(?EU, ?ALL, ?ALL, 500)),
            ?assertEqual(?US, To(W)),
            ?assertEqual(?US, To(?W:refused(?DIRECT, W))),
            ?assertEqual(?DIRECT, To(?W:refused(?US, W)))
        end},
        {"all of them, and around", fun() ->
            One = Then(Lives(?US, suspect(new(?EU)))),
            Two = Then(One),
            ?assertEqual([?US, ?DIRECT, ?EU], [?W:via(One), ?W:via(Two), To(Two)])
        end},
        {"there is no other", ?_assertEqual(none, ?W:next(?W:new(?DIRECT, [?DIRECT], [], 500)))},
        {"the relay lives: it is the other end that is not there", fun() ->
            ?assertMatch({lives, _}, ?W:next(Lives(?EU, suspect(new(?EU))))),
            ?assertMatch({silent, _}, ?W:next(suspect(new(?EU))))
        end}
    ].

leave_test() ->
    W = suspect(new(?EU)),
    ?assertEqual(no, ?W:leave(W)),
    Refused = ?W:refused(?EU, W),
    {wait, Episode} = ?W:leave(Refused),
    ?assertEqual(yes, ?W:hurry(Episode, Refused)),
    ?assertEqual(yes, ?W:leave(?W:lives(?US, Refused))),
    ?assertEqual(yes, ?W:leave(?W:refused(?US, Refused))),
    %% it is there again, or something came
    ?assertEqual(no, ?W:hurry(Episode, ?W:lives(?EU, Refused))),
    {nothing, Came} = ?W:came(?EU, Refused),
    ?assertEqual(no, ?W:hurry(Episode, Came)),
    ?assertEqual(no, ?W:leave(Came)).

settled_test() ->
    {_, Left} = ?W:next(?W:lives(?US, suspect(new(?EU)))),
    ?assertEqual({?US, ?EU}, {?W:via(Left), ?W:settled(Left)}),
    %% the next connection begins where the last one was
    ?assertEqual(?EU, ?W:via(?W:begun(Left))),
    {moved, Moved} = ?W:came(?US, Left),
    ?assertEqual(?US, ?W:via(?W:begun(Moved))),
    ?assertMatch({nothing, _}, ?W:came(?US, Moved)).

%% What was left lives after all, and where it was left for is silent.
back_test() ->
    {_, Left} = ?W:next(?W:lives(?US, suspect(new(?EU)))),
    %% it may have been under way
    {_, Once} = sent([1000], Left),
    {nothing, Late} = ?W:came(?EU, Once),
    ?assertEqual(?US, ?W:via(Late)),
    {[{first, Episode}, {suspect, _}], Silent} = sent([1000, 1100], Left),
    {back, Back} = ?W:came(?EU, Silent),
    ?assertEqual({?EU, ?EU}, {?W:via(Back), ?W:settled(Back)}),
    ?assertMatch({nothing, _}, ?W:late(Episode, Back)),
    ?assertMatch({nothing, _}, ?W:came(?EU, Back)),
    %% from there on as if it had not been left
    ?assertEqual(?US, ?W:via(element(2, ?W:next(?W:lives(?US, suspect(Back)))))),
    %% once it is settled it is not left for what comes over others
    {moved, Settled} = ?W:came(?US, Silent),
    {_, Quiet} = sent([2000, 2100, 2200], Settled),
    ?assertMatch({nothing, _}, ?W:came(?EU, Quiet)),
    %% nor where somebody has asked for it
    {_, Asked} = sent([0, 100, 200], ?W:to(?US, new(?EU))),
    ?assertMatch({nothing, _}, ?W:came(?EU, Asked)).

%% Sent to a way by request: if nothing comes there, back first.
by_request_test() ->
    {_, Back} = ?W:next(?W:lives(?EU, suspect(?W:to(?DIRECT, new(?EU))))),
    ?assertEqual(?EU, ?W:via(Back)),
    ?assertMatch({nothing, _}, ?W:came(?DIRECT, ?W:to(?DIRECT, new(?EU)))).
