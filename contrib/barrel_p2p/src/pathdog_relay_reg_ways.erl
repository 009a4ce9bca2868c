%% SPDX-License-Identifier: Apache-2.0
%% Which of the ways to a peer is in use, when it counts as dead, and which one is next. Pure: the time is given, and what it
%% finds is for the path to do.
%%
%% Dead is a way over which nothing has come in spite of three tries, for so long. Tries are at least TRY_MS from each
%% other (what is sent together counts once, acknowledgements at the end of a burst too). With the second one the way is
%% suspect: then all relays are asked at once, so that it is known, when the way is left, which of them live. One of which
%% its host says that nobody is there is left then.
-module(pathdog_relay_reg_ways).

-export([new/4, via/1, settled/1, begun/1, to/2, again/1, tried/2, is_quiet/2, half/2, late/2, came/2, lives/2, refused/2, leave/1, hurry/2, next/1]).
-export_type([ways/0]).

-define(TRY_MS, 100).
-define(TRIES, 3).
-define(BACK_TRIES, 2).
-define(DIRECT_TIMES, 4). % direct, if it does not answer, is left so many times later than a relay: pathdog may know better

-type via() :: pathdog_relay:via().
-opaque ways() :: #{
    ways := [via()],
    via := via(),
    settled := via(), % the last one in use over which something came
    left := [via()], % where to go from here, if it is dead
    by_itself := boolean(), % it was left for another one
    tries := {non_neg_integer(), integer()}, % since something came: how many, the last one
    waited := boolean(), % for long enough, but not for the last try
    episode := non_neg_integer(), % what timers are for
    lives := [via()], % relays that answered since
    refused := [via()], % relays whose hosts said that nobody is there
    answer := [via()], % ways that can be asked whether they live
    dead_after := pos_integer()
}.

-spec new(via(), [via()], [via()], pos_integer()) -> ways().
new(Via, Ways, Answer, DeadAfter) ->
    #{
        ways => Ways, via => Via, settled => Via, left => others(Via, Ways), by_itself => false, tries => {0, 0},
        waited => false, episode => 0, lives => [], refused => [], answer => Answer, dead_after => DeadAfter
    }.

-spec via(ways()) -> via().
via(#{via := Via}) -> Via.

-spec settled(ways()) -> via().
settled(#{settled := Via}) -> Via.

%% A connection is the first one after none: it begins where the last one was.
-spec begun(ways()) -> ways().
begun(#{settled := Settled, via := Settled} = W) ->
    again(W);
begun(#{settled := Settled, ways := Ways} = W) ->
    again(W#{via := Settled, left := others(Settled, Ways), by_itself := false}).

%% By request. If nothing comes over it: back, first of all.
-spec to(via(), ways()) -> ways().
to(Via, #{settled := Settled, ways := Ways} = W) ->
    Left = [Settled || Settled =/= Via] ++ others(Via, Ways) -- [Settled],
    again(W#{via := Via, left := Left, by_itself := false, lives := [], refused := []}).

%% What was tried does not count.
-spec again(ways()) -> ways().
again(#{episode := Episode} = W) ->
    W#{tries := {0, 0}, waited := false, episode := Episode + 1}.

%% Something is sent. first: since something came; is_quiet/2 is of use a little later. suspect: it is to be asked, and half/2 called after half of so many ms, late/2 after
%% all of them.
-spec tried(integer(), ways()) ->
    {nothing | leave | {first, non_neg_integer()} | {suspect, {pos_integer(), non_neg_integer()}}, ways()}.
tried(Now, #{tries := {0, _}, episode := Episode} = W) ->
    {{first, Episode}, W#{tries := {1, Now}}};
tried(Now, #{tries := {_, Last}} = W) when Now - Last < ?TRY_MS ->
    {nothing, W};
tried(Now, #{tries := {1, _}, episode := Episode} = W) ->
    {{suspect, {dead_after(W), Episode}}, W#{tries := {2, Now}}};
tried(Now, #{tries := {Count, _}, waited := Waited} = W) ->
    {case Waited of true -> leave; false -> nothing end, W#{tries := {Count + 1, Now}}}.

dead_after(#{via := Via, answer := Answer, dead_after := Ms}) ->
    case lists:member(Via, Answer) of
        true -> Ms;
        false -> ?DIRECT_TIMES * Ms
    end.

%% Half of that time is over. Where another relay has answered meanwhile, and this one has not, it need not be waited for any longer.
-spec half(non_neg_integer(), ways()) -> {nothing | leave, ways()}.
half(Episode, #{episode := Episode, tries := {Count, _}, via := Via, lives := Lives, left := Left, answer := Answer} = W) when
    Count >= ?TRIES
->
    Answers = [Way || Way <- Left, lists:member(Way, Lives)],
    case lists:member(Via, Answer) andalso not lists:member(Via, Lives) andalso Answers =/= [] of
        true -> {leave, W};
        false -> {nothing, W}
    end;
half(_, W) ->
    {nothing, W}.

%% Has nothing come since then?
-spec is_quiet(non_neg_integer(), ways()) -> boolean().
is_quiet(Episode, #{episode := Now}) -> Episode =:= Now.

-spec late(non_neg_integer(), ways()) -> {nothing | leave, ways()}.
late(Episode, #{episode := Episode, tries := {Count, _}} = W) when Count >= ?TRIES -> {leave, W};
late(Episode, #{episode := Episode} = W) -> {nothing, W#{waited := true}};
late(_, W) -> {nothing, W}.

%% Something came over Via. moved: it lives, and was gone to without a request. back: so does one that was left, and that in use,
%% to which nobody has asked to go, has been silent for a try; it is in use again. (What was under way when it was left does not count.)
-spec came(via(), ways()) -> {nothing | moved | back, ways()}.
came(Via, #{via := Via, ways := Ways, by_itself := Moved} = W) ->
    Quiet = again(W#{settled := Via, left := others(Via, Ways), by_itself := false, lives := [], refused := []}),
    {case Moved of true -> moved; false -> nothing end, Quiet};
came(Via, #{by_itself := true, tries := {Count, _}} = W) when Count >= ?BACK_TRIES ->
    {_, Quiet} = came(Via, W#{via := Via}),
    {back, Quiet};
came(_, W) ->
    {nothing, W}.

%% The relay itself said something.
-spec lives(via(), ways()) -> ways().
lives(Via, #{lives := Lives, refused := Refused} = W) ->
    W#{lives := [Via | lists:delete(Via, Lives)], refused := lists:delete(Via, Refused)}.

-spec refused(via(), ways()) -> ways().
refused(Via, #{lives := Lives, refused := Refused} = W) ->
    W#{lives := lists:delete(Via, Lives), refused := [Via | lists:delete(Via, Refused)]}.

%% Is it to be left before its time? wait: yes, but it is not known yet where to; hurry/2 is to be called.
-spec leave(ways()) -> no | yes | {wait, non_neg_integer()}.
leave(#{via := Via, refused := Refused, left := Left, episode := Episode} = W) ->
    case {lists:member(Via, Refused), [Way || Way <- Left, not lists:member(Way, Refused)]} of
        {false, _} -> no;
        {true, []} -> no;
        {true, [First | _]} ->
            case class(First, W) of
                0 -> yes;
                _ -> {wait, Episode}
            end
    end.

-spec hurry(non_neg_integer(), ways()) -> no | yes.
hurry(Episode, #{episode := Episode} = W) ->
    case leave(W) of
        no -> no;
        _ -> yes
    end;
hurry(_, _) ->
    no.

%% Where now, in the order of the list: those that live, those of which nothing is known, those that were refused. The way that is left
%% is told with whether its relay lives all the same: then it is the other end that is not there.
-spec next(ways()) -> none | {lives | silent, ways()}.
next(#{ways := [_]}) ->
    none;
next(#{left := [], via := Via, ways := Ways} = W) ->
    next(W#{left := others(Via, Ways), refused := []});
next(#{left := Left, via := Via, lives := Lives} = W) ->
    {_, Next} = lists:min([{{class(Way, W), Place}, Way} || {Place, Way} <- lists:enumerate(Left)]),
    Was = case lists:member(Via, Lives) of true -> lives; false -> silent end,
    {Was, again(W#{via := Next, left := lists:delete(Next, Left), by_itself := true, lives := []})}.

class(Way, #{lives := Lives, refused := Refused, answer := Answer}) ->
    case {lists:member(Way, Lives) orelse not lists:member(Way, Answer), lists:member(Way, Refused)} of
        {true, _} -> 0;
        {_, false} -> 1;
        {_, true} -> 2
    end.

%% In the order of the list, from the one behind Via on.
others(Via, Ways) ->
    {Before, From} = lists:splitwith(fun(Way) -> Way =/= Via end, Ways),
    (From -- [Via]) ++ Before.
