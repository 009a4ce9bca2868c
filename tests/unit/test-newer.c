/* SPDX-License-Identifier: Apache-2.0 */
/* The newer word wins: `moved` takes an open request back, and what its late answer does. */
#include "uplinks-lab.h"

#define KEEPS (NODE_RECONNECT | NODE_MAKE_BEFORE_BREAK)

/* What a node answers to a request that it was told to give up. */
#define CANCELLED NODE_CANCELLED

static void begin(struct lab *lab, uint32_t features, bool prefer_reconnect)
{
    lab_init(lab);
    lab->features = features;
    lab->prefer_reconnect = prefer_reconnect;
    lab->config.n_instances = 2;
    lab_begin(lab);
    lab_peer_up(lab, "a", 17);
    lab_fresh(lab, 17, 50000);
}

static int setup(void **state)
{
    struct lab *lab = memory_new(1, sizeof(*lab));

    begin(lab, KEEPS, false);
    *state = lab;
    return 0;
}

static int setup_old(void **state)
{
    struct lab *lab = memory_new(1, sizeof(*lab));

    begin(lab, NODE_RECONNECT, false);
    *state = lab;
    return 0;
}

static int setup_reconnects(void **state)
{
    struct lab *lab = memory_new(1, sizeof(*lab));

    begin(lab, KEEPS, true);
    *state = lab;
    return 0;
}

/* The network leads elsewhere, by that trigger's word. */
static void moved(struct lab *lab, uint64_t conn, const char *word)
{
    lab_advise_full(lab, conn, &(struct pd_advice){.kind = PD_KIND_MOVED, .reason = word});
}

/* The last action before the request is the cancel of that one. */
static void expect_cancel(struct lab *lab, uint64_t request)
{
    const struct lab_action *cancel = lab_find_action(lab, ACTION_CANCEL);

    assert_non_null(cancel);
    assert_int_equal(cancel->request, request);
    assert_int_equal(cancel->at_us, lab->now_us);
}

/* Asked, and taken back 10 ms later for another: the number of that. */
static uint64_t taken_back(struct lab *lab, uint64_t *ret_first)
{
    moved(lab, 17, "one");
    expect_decision(lab, 17, VERDICT_MIGRATE);
    *ret_first = expect_migrate(lab, 17);
    lab_time(lab, 10 * MS);
    moved(lab, 17, "two");
    expect_outcome(lab, 17, OUTCOME_CANCELLED);
    expect_decision(lab, 17, VERDICT_MIGRATE);
    return expect_migrate(lab, 17);
}

/* ---- what is taken back ---- */

static void before_the_answer(void **state)
{
    struct lab *lab = *state;
    const struct record_decision *decision;
    const struct record_outcome *outcome;
    const struct lab_action *action;
    uint64_t first, old;

    moved(lab, 17, "one");
    old = expect_decision(lab, 17, VERDICT_MIGRATE)->decision;
    first = expect_migrate(lab, 17);
    lab_time(lab, 10 * MS);
    moved(lab, 17, "two");
    expect_cancel(lab, first);
    outcome = expect_outcome(lab, 17, OUTCOME_CANCELLED);
    assert_int_equal(outcome->request, first);
    assert_int_equal(outcome->decision, old);
    assert_int_equal(outcome->elapsed_us, 10 * MS);
    assert_false(outcome->error);
    decision = expect_decision(lab, 17, VERDICT_MIGRATE);
    assert_string_equal(decision->reason->s, "two");
    assert_int_equal(decision->attempt, 1);
    action = lab_next_move(lab);
    assert_non_null(action);
    assert_string_equal(action->reason, "two");
    assert_true(lab_find_action(lab, ACTION_CANCEL) < action); /* the node hears of it first */
    assert_int_equal(engine_counts(lab->engine).open, 1);

    lab_answer_error(lab, first, CANCELLED);
    expect_no_outcome(lab);
    expect_no_move(lab);
    lab_answer_ok(lab, action->request);
    expect_outcome(lab, 17, OUTCOME_MIGRATED);
    lab_fresh(lab, 17, 10000);
    lab_fresh(lab, 17, 10000);
    lab_fresh(lab, 17, 10000);
    assert_int_equal(expect_effect(lab, 17, EFFECT_BETTER)->decision, decision->decision);
    lab_time(lab, 20 * SEC);
    expect_no_outcome(lab); /* nobody waits for the first */
    expect_no_effect(lab);
}

static void two_in_a_row(void **state)
{
    struct lab *lab = *state;
    uint64_t first, second, third;

    second = taken_back(lab, &first);
    lab_time(lab, 10 * MS);
    moved(lab, 17, "three");
    expect_cancel(lab, second);
    assert_int_equal(expect_outcome(lab, 17, OUTCOME_CANCELLED)->request, second);
    expect_decision(lab, 17, VERDICT_MIGRATE);
    third = expect_migrate(lab, 17);
    lab_answer_error(lab, first, CANCELLED);
    lab_answer_error(lab, second, CANCELLED);
    assert_int_equal(engine_counts(lab->engine).open, 1);
    lab_answer_ok(lab, third);
    expect_outcome(lab, 17, OUTCOME_MIGRATED);
    assert_int_equal(engine_counts(lab->engine).open, 0);
}

/* There and back: the node may have gone over already, so that is asked, too. */
static void back_again(void **state)
{
    struct lab *lab = *state;
    uint64_t first, second = taken_back(lab, &first);

    lab_time(lab, 10 * MS);
    moved(lab, 17, "one");
    expect_cancel(lab, second);
    expect_outcome(lab, 17, OUTCOME_CANCELLED);
    expect_decision(lab, 17, VERDICT_MIGRATE);
}

/* The same said again, be it by another trigger in its own words, waits for the answer. */
static void the_same_word(void **state)
{
    struct lab *lab = *state;
    struct poke_step *step;

    moved(lab, 17, "one");
    expect_decision(lab, 17, VERDICT_MIGRATE);
    lab_time(lab, 10 * MS);
    moved(lab, 17, "one");
    expect_decision(lab, 17, VERDICT_IN_FLIGHT);
    step = poke_add(&lab->second, POKE_IN_SIGNAL, POKE_ADVISE);
    step->peer = lab_peer(lab, 17)->view.index;
    step->advice = (struct pd_advice){.kind = PD_KIND_MOVED, .reason = "uno"};
    lab_event(lab, &(struct event){.type = EVENT_SIGNAL,
                                   .signal = {.trigger = lab->instances[1].name, .kind = "go"}});
    expect_decision(lab, 17, VERDICT_IN_FLIGHT);
    assert_null(lab_find_action(lab, ACTION_CANCEL));
    assert_int_equal(engine_counts(lab->engine).remembered, 1);
}

/* Evidence may say who reported it: it is the reason that counts. */
static void other_evidence(void **state)
{
    struct lab *lab = *state;

    for (uint64_t i = 0; i < 2; i++) {
        const struct pd_field field = {.name = "pid", .number = i};

        lab_advise_full(
            lab, 17,
            &(struct pd_advice){
                .kind = PD_KIND_MOVED, .reason = "one", .evidence = &field, .n_evidence = 1});
        lab_time(lab, 10 * MS);
        expect_decision(lab, 17, i ? VERDICT_IN_FLIGHT : VERDICT_MIGRATE);
    }
    expect_no_outcome(lab);
}

/* What is not about the network takes nothing back; nor does anything take an operator's back. */
static void not_by_others(void **state)
{
    struct lab *lab = *state;

    moved(lab, 17, "one");
    expect_decision(lab, 17, VERDICT_MIGRATE);
    lab_time(lab, 3 * SEC);
    lab_advise(lab, 17, PD_KIND_DEAD);
    expect_decision(lab, 17, VERDICT_IN_FLIGHT);
    lab_advise(lab, 17, PD_KIND_DEGRADED); /* a repeat */
    assert_int_equal(engine_counts(lab->engine).suppressed, 1);
    lab_operator(lab, "a", COMMAND_BY_MIGRATE);
    expect_decision(lab, 17, VERDICT_IN_FLIGHT);
    assert_null(lab_find_action(lab, ACTION_CANCEL));
    expect_no_outcome(lab);
}

static void not_of_an_operator(void **state)
{
    struct lab *lab = *state;
    uint64_t request;

    lab_operator(lab, "a", COMMAND_BY_MIGRATE);
    expect_decision(lab, 17, VERDICT_MIGRATE);
    request = expect_migrate(lab, 17);
    lab_time(lab, 10 * MS);
    moved(lab, 17, "one");
    expect_decision(lab, 17, VERDICT_IN_FLIGHT);
    assert_null(lab_find_action(lab, ACTION_CANCEL));
    lab_answer_ok(lab, request);
    expect_outcome(lab, 17, OUTCOME_MIGRATED);
    expect_decision(lab, 17, VERDICT_MIGRATE); /* and then that */
}

/* Other kinds give way. */
static void of_other_kinds(void **state)
{
    (void)state;
    for (enum pd_kind kind = PD_KIND_DEAD; kind < PD_KIND_COUNT; kind++) {
        struct lab lab;
        uint64_t request;

        begin(&lab, KEEPS, false);
        lab_advise(&lab, 17, kind);
        expect_decision(&lab, 17, VERDICT_MIGRATE);
        request = expect_migrate(&lab, 17);
        lab_time(&lab, 10 * MS);
        moved(&lab, 17, "one");
        expect_cancel(&lab, request);
        expect_outcome(&lab, 17, OUTCOME_CANCELLED);
        expect_decision(&lab, 17, VERDICT_MIGRATE);
        lab_end(&lab);
    }
}

/* Of one turn the second is no newer word. */
static void of_one_turn(void **state)
{
    struct lab *lab = *state;

    for (unsigned i = 0; i < 2; i++)
        lab_step(lab, POKE_ADVISE, 17)->advice =
            (struct pd_advice){.kind = PD_KIND_MOVED, .reason = i ? "two" : "one"};
    lab_signal(lab);
    expect_decision(lab, 17, VERDICT_MERGED);
    expect_decision(lab, 17, VERDICT_MIGRATE);
    assert_null(lab_find_action(lab, ACTION_CANCEL));
}

/* ---- what is queued ---- */

/* It would be asked with the old word, and lead where the network was. */
static void what_is_queued(void **state)
{
    struct lab lab;
    const struct lab_action *action;
    uint64_t first;

    (void)state;
    lab_init(&lab);
    lab.features = KEEPS;
    lab.config.max_in_flight = 1;
    lab_begin(&lab);
    lab_peer_up(&lab, "a", 17);
    lab_peer_up(&lab, "b", 18);
    moved(&lab, 17, "one");
    first = expect_migrate(&lab, 17);
    moved(&lab, 18, "one");
    lab_skip(&lab);
    lab_time(&lab, 10 * MS);
    moved(&lab, 18, "one");
    expect_decision(&lab, 18, VERDICT_MERGED);
    moved(&lab, 18, "two");
    expect_decision(&lab, 18, VERDICT_SUPERSEDED);
    expect_decision(&lab, 18, VERDICT_QUEUED);
    lab_answer_ok(&lab, first);
    action = lab_next_move(&lab);
    assert_non_null(action);
    assert_int_equal(action->conn, 18);
    assert_string_equal(action->reason, "two");
    lab_end(&lab);
}

/* What is taken back leaves its place within the budget to what takes it back, not to what is
 * queued: that may lead where the network was. */
static void the_budget(void **state)
{
    struct lab lab;
    uint64_t first;

    (void)state;
    lab_init(&lab);
    lab.features = KEEPS;
    lab.config.max_in_flight = 1;
    lab_begin(&lab);
    lab_peer_up(&lab, "a", 17);
    lab_peer_up(&lab, "b", 18);
    moved(&lab, 17, "one");
    first = expect_migrate(&lab, 17);
    lab_skip(&lab);
    moved(&lab, 18, "one");
    expect_decision(&lab, 18, VERDICT_QUEUED);
    lab_time(&lab, 10 * MS);
    moved(&lab, 17, "two");
    expect_cancel(&lab, first);
    expect_decision(&lab, 17, VERDICT_MIGRATE); /* never queued */
    expect_no_decision(&lab);
    expect_migrate(&lab, 17);
    expect_no_move(&lab);
    assert_int_equal(engine_counts(lab.engine).open, 1);
    assert_int_equal(engine_counts(lab.engine).queued, 1);
    lab_end(&lab);
}

/* ---- late answers ---- */

/* It was answered before the node heard of the cancel: the connection is there now, and the
 * request that is open leaves that path. */
static void migrated_after_all(void **state)
{
    struct lab *lab = *state;
    uint64_t first, second = taken_back(lab, &first);
    const struct record_outcome *outcome;

    lab_answer(lab, &(struct event_answer){.request = first, .ok = true, .local = "10.0.7.7:1"});
    assert_string_equal(lab_peer(lab, 17)->view.path->local_text, "10.0.7.7:1");
    assert_int_equal(lab->poke.changes[PD_PEER_MIGRATED], 1);
    expect_no_outcome(lab);
    expect_no_effect(lab);
    expect_no_move(lab);
    assert_int_equal(engine_counts(lab->engine).open, 1);
    lab_answer_ok(lab, second);
    outcome = expect_outcome(lab, 17, OUTCOME_MIGRATED);
    assert_string_equal(outcome->local_before->s, "10.0.7.7:1");
    assert_string_equal(outcome->local_after->s, "10.0.2.2:51313");
    lab_time(lab, 15 * SEC);
    expect_effect(lab, 17, EFFECT_UNKNOWN);
    expect_no_effect(lab); /* one of one move */
}

/* What it says of the connection holds. */
static void refused_after_all(void **state)
{
    struct lab *lab = *state;
    uint64_t first, second = taken_back(lab, &first);

    lab_answer_error(lab, first, NODE_PEER_DISABLE_MIGRATION);
    expect_no_outcome(lab);
    lab_answer_error(lab, second, NODE_TIMEOUT);
    expect_outcome(lab, 17, OUTCOME_TIMEOUT);
    expect_no_move(lab); /* no further attempt: it is disabled */
    moved(lab, 17, "three");
    expect_decision(lab, 17, VERDICT_DISABLED);
}

/* Only what was taken back may be answered so. */
static void not_taken_back(void **state)
{
    struct lab *lab = *state;

    moved(lab, 17, "one");
    lab_answer_error(lab, expect_migrate(lab, 17), CANCELLED);
    expect_outcome(lab, 17, OUTCOME_FAILED);
}

/* ---- a node that does not know it ---- */

/* It is busy with the old request: the new one is asked when that is over. */
static void old_node_is_busy(void **state)
{
    struct lab *lab = *state;
    uint64_t first, second = taken_back(lab, &first);
    const struct lab_action *again;

    assert_null(lab_find_action(lab, ACTION_CANCEL));
    lab_answer_error(lab, second, NODE_BUSY);
    expect_outcome(lab, 17, OUTCOME_BUSY);
    lab_time(lab, 3 * SEC);
    expect_no_move(lab); /* instead of attempts that are refused */
    lab_answer_error(lab, first, NODE_TIMEOUT);
    lab_time(lab, 0);
    again = lab_next_move(lab);
    assert_non_null(again);
    assert_string_equal(again->reason, "two");
    lab_answer_ok(lab, again->request);
    assert_int_equal(expect_outcome(lab, 17, OUTCOME_MIGRATED)->attempt, 2);
}

/* It counts among no retries. */
static void old_node_retries(void **state)
{
    struct lab *lab = *state;
    uint64_t first, second = taken_back(lab, &first);

    lab_answer_error(lab, second, NODE_BUSY);
    lab_answer_error(lab, first, NODE_TIMEOUT);
    lab_time(lab, 0);
    for (unsigned i = 0; i < 3; i++) {
        lab_answer_error(lab, expect_migrate(lab, 17), NODE_BUSY); /* with something else */
        lab_time(lab, 10 * MS);
        expect_no_move(lab);
        lab_time(lab, 2 * SEC);
    }
    expect_no_move(lab);
}

/* The connection moved to where the network led before: the new one is asked nevertheless. */
static void old_node_migrates_late(void **state)
{
    struct lab *lab = *state;
    uint64_t first, second = taken_back(lab, &first);

    lab_answer_error(lab, second, NODE_BUSY);
    lab_answer(lab, &(struct event_answer){.request = first, .ok = true, .local = "10.0.7.7:1"});
    lab_time(lab, 0);
    lab_answer_ok(lab, expect_migrate(lab, 17));
    lab_skip(lab);
    assert_string_equal(lab_peer(lab, 17)->view.path->local_text, "10.0.2.2:51313");
}

/* It never answers the old one: its time is over then. */
static void old_node_never_answers(void **state)
{
    struct lab *lab = *state;
    uint64_t first, second = taken_back(lab, &first);

    lab_answer_error(lab, second, NODE_BUSY);
    lab_time(lab, 6 * SEC - 1);
    expect_no_move(lab);
    lab_time(lab, 1);
    lab_answer_error(lab, expect_migrate(lab, 17), NODE_BUSY);
    lab_time(lab, 100 * MS); /* as ever: it is not waited for twice */
    expect_migrate(lab, 17);
}

/* Two were taken back, and the node is busy with the first of them. */
static void old_node_two_in_a_row(void **state)
{
    struct lab *lab = *state;
    uint64_t first, second = taken_back(lab, &first), third;

    lab_time(lab, 10 * MS);
    moved(lab, 17, "three");
    third = expect_migrate(lab, 17);
    lab_answer_error(lab, second, NODE_BUSY);
    lab_answer_error(lab, third, NODE_BUSY);
    lab_time(lab, SEC);
    expect_no_move(lab);
    lab_answer_error(lab, first, NODE_TIMEOUT);
    lab_time(lab, 0);
    expect_migrate(lab, 17);
}

/* While it waits there is no request, and newer advice takes its place as ever. */
static void old_node_and_a_third(void **state)
{
    struct lab *lab = *state;
    uint64_t first, second = taken_back(lab, &first);

    lab_answer_error(lab, second, NODE_BUSY);
    lab_skip(lab);
    lab_time(lab, 10 * MS);
    moved(lab, 17, "three");
    expect_decision(lab, 17, VERDICT_MIGRATE);
    lab_answer_error(lab, expect_migrate(lab, 17), NODE_BUSY);
    lab_time(lab, SEC);
    expect_no_move(lab);
    lab_answer_error(lab, first, NODE_TIMEOUT);
    lab_time(lab, 0);
    assert_string_equal(lab_next_move(lab)->reason, "three");
}

/* ---- something ends, or is held ---- */

static void the_connection_ends(void **state)
{
    struct lab *lab = *state;
    uint64_t first, second = taken_back(lab, &first);

    lab_peer_down(lab, 17);
    assert_int_equal(expect_outcome(lab, 17, OUTCOME_GONE)->request, second);
    lab_answer_error(lab, first, CANCELLED);
    lab_answer_error(lab, second, NODE_NO_CONN);
    expect_no_outcome(lab);
    lab_peer_up(lab, "a", 18);
    expect_no_decision(lab); /* it was no reconnect: whatever ended it was not ours */
}

static void it_ends_while_it_waits(void **state)
{
    struct lab *lab = *state;
    uint64_t first, second = taken_back(lab, &first);

    lab_answer_error(lab, second, NODE_BUSY);
    lab_peer_down(lab, 17);
    assert_int_equal(engine_counts(lab->engine).retrying, 0);
    lab_answer_error(lab, first, NODE_TIMEOUT);
    lab_time(lab, 10 * SEC);
    expect_no_move(lab);
}

/* Answers to what was asked before are never told on another socket. */
static void the_link_is_lost(void **state)
{
    struct lab *lab = *state;
    uint64_t first;

    (void)taken_back(lab, &first);
    lab_node_down(lab);
    expect_outcome(lab, 17, OUTCOME_LINK_LOST);
    lab_node_up(lab, "boot");
    lab_peer_up(lab, "a", 17);
    lab_snapshot(lab);
    lab_time(lab, 0);
    lab_answer_error(lab, expect_migrate(lab, 17), NODE_BUSY);
    lab_time(lab, 100 * MS);
    expect_migrate(lab, 17);
}

/* What waits for a late answer goes on when the socket is back. */
static void it_is_lost_while_it_waits(void **state)
{
    struct lab *lab = *state;
    uint64_t first, second = taken_back(lab, &first);

    lab_answer_error(lab, second, NODE_BUSY);
    lab_node_down(lab);
    lab_node_up(lab, "boot");
    lab_peer_up(lab, "a", 17);
    lab_snapshot(lab);
    lab_time(lab, 0);
    expect_migrate(lab, 17);
}

/* An operator holds the peer: what is open goes on, and the newer word waits for the release. */
static void it_is_held(void **state)
{
    struct lab *lab = *state;
    uint64_t first;

    moved(lab, 17, "one");
    first = expect_migrate(lab, 17);
    lab_skip(lab);
    lab_time(lab, 10 * MS);
    lab_hold(lab, "a", 0);
    moved(lab, 17, "two");
    expect_decision(lab, 17, VERDICT_HELD);
    assert_null(lab_find_action(lab, ACTION_CANCEL));
    lab_answer_error(lab, first, NODE_TIMEOUT);
    expect_outcome(lab, 17, OUTCOME_TIMEOUT);
    expect_no_move(lab);
    lab_release(lab, "a");
    assert_string_equal(expect_decision(lab, 17, VERDICT_MIGRATE)->reason->s, "two");
}

static void it_is_observed(void **state)
{
    struct lab *lab = *state;

    moved(lab, 17, "one");
    lab_skip(lab);
    lab_time(lab, 10 * MS);
    lab_observe(lab, true);
    moved(lab, 17, "two");
    expect_decision(lab, 17, VERDICT_OBSERVING);
    assert_null(lab_find_action(lab, ACTION_CANCEL));
    expect_no_outcome(lab);
}

/* And while the next attempt of the older one waits. */
static void it_is_held_between_attempts(void **state)
{
    struct lab *lab = *state;

    moved(lab, 17, "one");
    lab_answer_error(lab, expect_migrate(lab, 17), NODE_NO_PATH);
    lab_hold(lab, "a", 0);
    lab_skip(lab);
    moved(lab, 17, "two");
    expect_decision(lab, 17, VERDICT_HELD);
    lab_time(lab, SEC);
    expect_no_move(lab);
    lab_release(lab, "a");
    assert_string_equal(expect_decision(lab, 17, VERDICT_MIGRATE)->reason->s, "two");
}

/* Held while the node is busy with what was taken back: not asked again before the release. */
static void it_is_held_while_it_waits(void **state)
{
    struct lab *lab = *state;
    uint64_t first, second = taken_back(lab, &first);

    lab_answer_error(lab, second, NODE_BUSY);
    lab_skip(lab);
    lab_hold(lab, "a", 0);
    lab_answer_error(lab, first, NODE_TIMEOUT);
    lab_time(lab, 10 * SEC);
    expect_no_move(lab);
    assert_int_equal(engine_counts(lab->engine).retrying, 0);
    lab_release(lab, "a");
    assert_string_equal(expect_decision(lab, 17, VERDICT_MIGRATE)->reason->s, "two");
}

/* No token is left: what is open is not given up for something that may not be asked. */
static void it_is_damped(void **state)
{
    struct lab *lab = *state;
    char word[] = "0";
    uint64_t last = 0;

    for (unsigned i = 0; i < lab->config.move_burst; i++, word[0]++) {
        moved(lab, 17, word);
        last = expect_migrate(lab, 17);
        lab_time(lab, 10 * MS);
    }
    lab_skip(lab);
    moved(lab, 17, "one more");
    expect_decision(lab, 17, VERDICT_DAMPED);
    expect_no_outcome(lab);
    assert_int_equal(engine_counts(lab->engine).open, 1);
    lab_answer_ok(lab, last);
    expect_outcome(lab, 17, OUTCOME_MIGRATED);
}

/* ---- reconnects ---- */

/* One that dials first has closed nothing, and the gap that it began does not count. */
static void a_reconnect(void **state)
{
    struct lab *lab = *state;
    const struct name_state *name;
    uint64_t first, second;

    moved(lab, 17, "one");
    first = expect_reconnect(lab, 17);
    lab_skip(lab);
    lab_time(lab, 10 * MS);
    moved(lab, 17, "two");
    expect_cancel(lab, first);
    assert_int_equal(expect_outcome(lab, 17, OUTCOME_CANCELLED)->by, BY_RECONNECT);
    expect_decision(lab, 17, VERDICT_RECONNECT);
    second = expect_reconnect(lab, 17);
    lab_answer_error(lab, first, CANCELLED);
    name = name_find(lab->engine, "a");
    assert_int_equal(name->gap_us, 2 * lab->config.reconnect_gap_us);
    lab_peer_up(lab, "a", 31);
    lab_answer_conn(lab, second, 31);
    expect_outcome(lab, 17, OUTCOME_RECONNECTED);
    expect_no_decision(lab);
}

/* One that closed its connection cannot be taken back. */
static void one_that_closes(void **state)
{
    struct lab lab;

    (void)state;
    begin(&lab, NODE_RECONNECT, true);
    moved(&lab, 17, "one");
    expect_reconnect(&lab, 17);
    lab_skip(&lab);
    lab_time(&lab, 10 * MS);
    moved(&lab, 17, "two");
    expect_decision(&lab, 17, VERDICT_IN_FLIGHT);
    lab_end(&lab);
}

static void the_old_one_lives(void **state)
{
    struct lab *lab = *state;
    uint64_t first, second;

    moved(lab, 17, "one");
    first = expect_reconnect(lab, 17);
    lab_time(lab, 10 * MS);
    moved(lab, 17, "two");
    second = expect_reconnect(lab, 17);
    lab_skip(lab);
    lab_answer_error(lab, first, NODE_OLD_LIVES); /* before the node heard of the cancel */
    expect_no_outcome(lab);
    assert_int_equal(engine_counts(lab->engine).open, 1);
    lab_answer_error(lab, second, NODE_OLD_LIVES);
    expect_outcome(lab, 17, OUTCOME_OLD_LIVES);
    expect_no_move(lab);
}

/* The node had gone too far: the old connection is closed, and the new one was dialled where the
 * network led before. It is advised what the old one was. */
static void reconnected_after_all(void **state)
{
    struct lab *lab = *state;
    const struct record_decision *decision;
    uint64_t first;

    lab_advise(lab, 17, PD_KIND_DEAD);
    first = expect_reconnect(lab, 17);
    lab_time(lab, 10 * MS);
    lab->config.prefer = PREFER_MIGRATE;
    uplinks_config(lab);
    lab_skip(lab);
    moved(lab, 17, "two");
    expect_cancel(lab, first);
    expect_outcome(lab, 17, OUTCOME_CANCELLED);
    decision = expect_decision(lab, 17, VERDICT_MIGRATE);
    expect_migrate(lab, 17);
    lab_peer_down(lab, 17);
    assert_int_equal(expect_outcome(lab, 17, OUTCOME_GONE)->decision, decision->decision);
    lab_peer_up(lab, "a", 31);
    expect_no_decision(lab);
    lab_answer_conn(lab, first, 31);
    decision = expect_decision(lab, 31, VERDICT_MIGRATE);
    assert_string_equal(decision->reason->s, "two");
    expect_migrate(lab, 31);
    lab_peer_down(lab, 31);
    lab_peer_up(lab, "a", 32);
    lab_answer_conn(lab, first, 32); /* once */
    lab_skip(lab);
    expect_no_move(lab);
}

/* Whatever else ended the old connection says nothing of the next one. */
static void another_came(void **state)
{
    struct lab *lab = *state;
    uint64_t first;

    lab_advise(lab, 17, PD_KIND_DEAD);
    first = expect_reconnect(lab, 17);
    lab_time(lab, 10 * MS);
    lab->config.prefer = PREFER_MIGRATE;
    uplinks_config(lab);
    moved(lab, 17, "two");
    lab_peer_down(lab, 17);
    lab_answer_error(lab, first, CANCELLED);
    lab_skip(lab);
    lab_time(lab, 3 * SEC);
    lab_peer_up(lab, "a", 31);
    expect_no_decision(lab);
    lab_time(lab, 2 * MIN); /* nothing is kept of that name */
    names_sweep(lab->engine);
    assert_null(name_find(lab->engine, "a"));
}

/* ---- what the trigger can ask ---- */

static bool waits(struct lab *lab)
{
    lab_step(lab, POKE_WAITS, 17);
    lab_signal(lab);
    return lab->poke.waits;
}

/* What is remembered or between two attempts waits; what is open does not. */
static void does_it_wait(void **state)
{
    struct lab *lab = *state;
    uint64_t first, second;

    assert_false(waits(lab));
    second = taken_back(lab, &first);
    assert_false(waits(lab));
    lab_answer_error(lab, second, NODE_BUSY); /* waits for the old one to be answered */
    assert_true(waits(lab));
    lab_answer_error(lab, first, NODE_TIMEOUT);
    lab_time(lab, 0);
    second = expect_migrate(lab, 17);
    assert_false(waits(lab));
    lab_time(lab, 10 * MS);
    moved(lab, 17, "two");
    assert_true(waits(lab)); /* the same word is remembered */
    lab_withdraw(lab, 17);
    assert_false(waits(lab));
    moved(lab, 17, "two");
    lab_answer_ok(lab, second);
    assert_false(waits(lab)); /* asked again */
    lab_peer_down(lab, 17);
    assert_false(waits(lab));
}

/* Of another instance it is not this one's. */
static void of_another_instance(void **state)
{
    struct lab *lab = *state;
    struct poke_step *step;

    lab_hold(lab, "a", 0);
    moved(lab, 17, "one");
    assert_true(waits(lab));
    step = poke_add(&lab->second, POKE_IN_SIGNAL, POKE_WAITS);
    step->peer = lab_peer(lab, 17)->view.index;
    lab_event(lab, &(struct event){.type = EVENT_SIGNAL,
                                   .signal = {.trigger = lab->instances[1].name, .kind = "go"}});
    assert_false(lab->second.waits);
}

/* ---- the fallback ---- */

/* One that cannot be migrated, and so the fallback dials. */
static uint64_t dials(struct lab *lab)
{
    uint64_t request;

    lab_answer_error(lab, expect_migrate(lab, 17), NODE_NOT_MIGRATABLE);
    lab_skip(lab);
    for (unsigned i = 0; i < 4; i++) {
        lab_silent(lab, 17);
        lab_time(lab, SEC);
    }
    assert_string_equal(expect_decision(lab, 17, VERDICT_RECONNECT)->trigger, "fallback");
    request = expect_reconnect(lab, 17);
    lab_skip(lab);
    return request;
}

/* Dialled where the network led before: it is dialled anew, since it cannot be migrated. */
static void of_the_fallback(void **state)
{
    struct lab *lab = *state;
    uint64_t request;

    moved(lab, 17, "one");
    request = dials(lab);
    moved(lab, 17, "two");
    expect_cancel(lab, request);
    expect_outcome(lab, 17, OUTCOME_CANCELLED);
    expect_decision(lab, 17, VERDICT_RECONNECT);
    assert_string_equal(lab_next_move(lab)->reason, "two");
}

/* Without a dial that is open it is closed by the fallback alone. */
static void no_dial_is_open(void **state)
{
    struct lab *lab = *state;

    moved(lab, 17, "one");
    lab_answer_error(lab, expect_migrate(lab, 17), NODE_NOT_MIGRATABLE);
    lab_skip(lab);
    lab_time(lab, 10 * MS);
    moved(lab, 17, "two");
    expect_decision(lab, 17, VERDICT_DISABLED);
    expect_no_move(lab);
}

/* An operator's request fails, the connection is dead, and the network has led elsewhere since:
 * there it goes, before it is closed. */
static void before_the_fallback(void **state)
{
    struct lab *lab = *state;
    uint64_t request;

    lab_operator(lab, "a", COMMAND_BY_MIGRATE);
    request = expect_migrate(lab, 17);
    lab_time(lab, 10 * MS);
    moved(lab, 17, "one");
    lab_skip(lab);
    for (unsigned i = 0; i < 4; i++) {
        lab_silent(lab, 17);
        lab_time(lab, SEC);
    }
    lab_silent(lab, 17);
    expect_no_decision(lab);
    lab_answer_error(lab, request, NODE_TIMEOUT);
    expect_outcome(lab, 17, OUTCOME_TIMEOUT);
    assert_string_equal(expect_decision(lab, 17, VERDICT_MIGRATE)->reason->s, "one");
    expect_no_decision(lab);
}

/* The same word once more has been tried: then the fallback is next. */
static void after_the_same_word(void **state)
{
    struct lab *lab = *state;
    uint64_t request;

    moved(lab, 17, "one");
    request = expect_migrate(lab, 17);
    lab_time(lab, 10 * MS);
    moved(lab, 17, "one");
    lab_skip(lab);
    for (unsigned i = 0; i < 4; i++) {
        lab_silent(lab, 17);
        lab_time(lab, SEC);
    }
    lab_silent(lab, 17);
    lab_answer_error(lab, request, NODE_TIMEOUT);
    expect_decision(lab, 17, VERDICT_BACKING_OFF); /* it is asked for again later */
    assert_string_equal(expect_decision(lab, 17, VERDICT_RECONNECT)->trigger, "fallback");
}

/* ---- by uplinks ---- */

/* Another interface is elsewhere, and the same is not, for what is not about the route. */
static void by_interface(void **state)
{
    struct lab lab;
    uint64_t first;

    (void)state;
    uplinks_init(&lab, BINDS | NODE_MAKE_BEFORE_BREAK);
    uplinks_begin(&lab);
    uplinks_led(&lab, 1, "up1");
    first = expect_move_over(&lab, 1, "up1");
    lab_time(&lab, 10 * MS);
    uplinks_led(&lab, 1, "up1");
    assert_null(lab_find_action(&lab, ACTION_CANCEL));
    uplinks_led(&lab, 1, "up2");
    expect_cancel(&lab, first);
    expect_move_over(&lab, 1, "up2");
    lab_end(&lab);
}

static void already_there(void **state)
{
    struct lab lab;

    (void)state;
    uplinks_init(&lab, BINDS | NODE_MAKE_BEFORE_BREAK);
    uplinks_begin(&lab);
    lab_advise(&lab, 1, PD_KIND_DEAD);
    expect_move_over(&lab, 1, "up1");
    lab_time(&lab, 10 * MS);
    uplinks_led(&lab, 1, "up1");
    assert_null(lab_find_action(&lab, ACTION_CANCEL));
    uplinks_led(&lab, 1, "up2");
    assert_non_null(lab_find_action(&lab, ACTION_CANCEL));
    expect_move_over(&lab, 1, "up2");
    lab_end(&lab);
}

#define NEW_TEST(function) cmocka_unit_test_setup_teardown(function, setup, lab_teardown)
#define OLD_TEST(function) cmocka_unit_test_setup_teardown(function, setup_old, lab_teardown)
#define DIAL_TEST(function)                                                                        \
    cmocka_unit_test_setup_teardown(function, setup_reconnects, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NEW_TEST(before_the_answer),
        NEW_TEST(two_in_a_row),
        NEW_TEST(back_again),
        NEW_TEST(the_same_word),
        NEW_TEST(other_evidence),
        NEW_TEST(not_by_others),
        NEW_TEST(not_of_an_operator),
        cmocka_unit_test(of_other_kinds),
        NEW_TEST(of_one_turn),
        cmocka_unit_test(what_is_queued),
        cmocka_unit_test(the_budget),
        NEW_TEST(migrated_after_all),
        NEW_TEST(refused_after_all),
        NEW_TEST(not_taken_back),
        OLD_TEST(old_node_is_busy),
        OLD_TEST(old_node_retries),
        OLD_TEST(old_node_migrates_late),
        OLD_TEST(old_node_never_answers),
        OLD_TEST(old_node_two_in_a_row),
        OLD_TEST(old_node_and_a_third),
        NEW_TEST(the_connection_ends),
        OLD_TEST(it_ends_while_it_waits),
        NEW_TEST(the_link_is_lost),
        OLD_TEST(it_is_lost_while_it_waits),
        NEW_TEST(it_is_held),
        NEW_TEST(it_is_held_between_attempts),
        NEW_TEST(it_is_observed),
        OLD_TEST(it_is_held_while_it_waits),
        NEW_TEST(it_is_damped),
        DIAL_TEST(a_reconnect),
        cmocka_unit_test(one_that_closes),
        DIAL_TEST(the_old_one_lives),
        DIAL_TEST(reconnected_after_all),
        DIAL_TEST(another_came),
        OLD_TEST(does_it_wait),
        NEW_TEST(of_another_instance),
        NEW_TEST(of_the_fallback),
        NEW_TEST(no_dial_is_open),
        NEW_TEST(before_the_fallback),
        NEW_TEST(after_the_same_word),
        cmocka_unit_test(by_interface),
        cmocka_unit_test(already_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
