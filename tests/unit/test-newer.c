/* SPDX-License-Identifier: Apache-2.0 */
/* The newer word wins: `moved` takes an open request back, and what its late answer does. */
#include "newer-lab.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        NEW_TEST(before_the_answer),    NEW_TEST(two_in_a_row),
        NEW_TEST(back_again),           NEW_TEST(the_same_word),
        NEW_TEST(other_evidence),       NEW_TEST(not_by_others),
        NEW_TEST(not_of_an_operator),   cmocka_unit_test(of_other_kinds),
        NEW_TEST(of_one_turn),          cmocka_unit_test(what_is_queued),
        cmocka_unit_test(the_budget),   NEW_TEST(migrated_after_all),
        NEW_TEST(refused_after_all),    NEW_TEST(not_taken_back),
        OLD_TEST(does_it_wait),         NEW_TEST(of_another_instance),
        cmocka_unit_test(by_interface), cmocka_unit_test(already_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
