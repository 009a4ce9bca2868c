/* SPDX-License-Identifier: Apache-2.0 */
/* A turn in two steps: requests first, what follows from them afterwards. */
#include "engine-lab.h"

static const struct pd_advice moved = {PD_KIND_MOVED, .reason = "moved"};
static const struct pd_advice dead = {PD_KIND_DEAD, .reason = "dead"};

static void advise_later(struct lab *lab, uint64_t conn, const struct pd_advice *advice)
{
    lab_step(lab, POKE_ADVISE, conn)->advice = *advice;
}

static const struct outbox *ask(struct lab *lab)
{
    return engine_ask(lab->engine, &(struct event){
                                       .type = EVENT_SIGNAL,
                                       .now_us = lab->now_us,
                                       .realtime_us = lab->now_us,
                                       .signal = {.trigger = lab->instances[0].name, .kind = "go"},
                                   });
}

static void two_steps(void **state)
{
    struct lab *lab = *state;
    const struct outbox *box;
    uint64_t requests[3];

    for (uint64_t conn = 1; conn <= 3; conn++) {
        char name[] = {(char)('a' + conn), '\0'};

        lab_peer_up(lab, name, conn);
        advise_later(lab, conn, &moved);
    }
    box = ask(lab);
    assert_int_equal(box->n_actions, 3);
    assert_int_equal(box->n_records, 0);
    assert_int_equal(engine_counts(lab->engine).open, 0);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(box->actions[i].type, ACTION_MIGRATE);
        assert_int_equal(box->actions[i].move.conn, i + 1);
        requests[i] = box->actions[i].move.request;
    }
    assert_false(engine_settle(lab->engine, 2));
    assert_int_equal(engine_counts(lab->engine).open, 2);
    assert_true(engine_settle(lab->engine, 2));
    assert_int_equal(engine_counts(lab->engine).open, 3);
    box = engine_outbox(lab->engine);
    assert_int_equal(box->n_actions, 3); /* none more: they were carried out */
    assert_int_equal(box->n_records, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(box->records[i].type, RECORD_DECISION);
        assert_int_equal(box->records[i].decision.verdict, VERDICT_MIGRATE);
        assert_int_equal(box->records[i].decision.subject.conn, i + 1);
        assert_int_equal(box->records[i].decision.request, requests[i]);
    }
    /* The number that the node was told is the one that its answer is known by. */
    lab_answer_ok(lab, requests[1]);
    expect_outcome(lab, 2, OUTCOME_MIGRATED);
}

/* What is not entered yet is seen by other advice of the turn all the same. */
static void twice_in_a_turn(void **state)
{
    struct lab *lab = *state;
    uint64_t into;

    lab_peer_up(lab, "a", 1);
    lab_peer_up(lab, "b", 2);
    advise_later(lab, 1, &dead);
    advise_later(lab, 2, &dead);
    advise_later(lab, 1, &moved);
    advise_later(lab, 1, &moved);
    lab_signal(lab);
    into = expect_decision(lab, 1, VERDICT_MERGED)->into; /* the third of them is counted */
    assert_int_equal(engine_counts(lab->engine).suppressed, 1);
    assert_int_equal(expect_decision(lab, 1, VERDICT_MIGRATE)->decision, into);
    expect_decision(lab, 2, VERDICT_MIGRATE);
    expect_no_decision(lab);
    expect_migrate(lab, 1);
    expect_migrate(lab, 2);
    assert_null(lab_next_move(lab));
}

/* Where the budget does not allow all, each is in the outbox once, asked or queued. */
static void beyond_the_budget(void **state)
{
    struct lab *lab = *state;
    uint64_t request;

    lab_end(lab);
    lab_init(lab);
    lab->config.max_in_flight = 1;
    lab_begin(lab);
    lab_peer_up(lab, "a", 1);
    lab_peer_up(lab, "b", 2);
    advise_later(lab, 1, &moved);
    advise_later(lab, 2, &moved);
    lab_signal(lab);
    expect_decision(lab, 1, VERDICT_MIGRATE);
    expect_decision(lab, 2, VERDICT_QUEUED);
    request = expect_migrate(lab, 1);
    assert_null(lab_next_move(lab));
    lab_answer_ok(lab, request);
    expect_outcome(lab, 1, OUTCOME_MIGRATED);
    expect_decision(lab, 2, VERDICT_MIGRATE);
    expect_migrate(lab, 2);
}

#define MANY 10000u

/* Many connections, and advice about each of them in the turn that comes. */
static void advise_many(struct lab *lab)
{
    struct reason *reason = reason_new("poke", REASON_BY_RULE, &moved);

    for (uint64_t conn = 1; conn <= MANY; conn++) {
        char name[16];

        snprintf(name, sizeof(name), "p%u", (unsigned)conn);
        lab_peer_up(lab, name, conn);
    }
    for (uint64_t conn = 1; conn <= MANY; conn++)
        advice_note(lab->engine, peers_find(lab->engine, conn), reason_ref(reason), true);
    reason_unref(reason);
}

static struct lab *lab_with_budget(void **state, uint32_t budget)
{
    struct lab *lab = *state;

    lab_end(lab);
    lab_init(lab);
    lab->config.max_in_flight = budget;
    lab_begin(lab);
    advise_many(lab);
    return lab;
}

/* The first of many are sent before the last are decided. */
static void many_in_steps(void **state)
{
    struct lab *lab = lab_with_budget(state, MANY);
    const struct outbox *box = ask(lab);
    size_t steps = 1, before = box->n_actions;

    assert_in_range(before, 1, MANY / 2);
    while (engine_ask_more(lab->engine)) {
        assert_true(box->n_actions >= before); /* behind those that are there */
        before = box->n_actions;
        steps++;
    }
    assert_in_range(steps, 2, MANY);
    assert_int_equal(box->n_actions, MANY);
    assert_int_equal(box->n_records, 0);
    while (!engine_settle(lab->engine, 512))
        ;
    assert_int_equal(box->n_records, MANY);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(box->actions[i].move.conn, i + 1);
        assert_int_equal(box->records[i].decision.subject.conn, i + 1);
        assert_int_equal(box->records[i].decision.request, box->actions[i].move.request);
    }
    assert_int_equal(engine_counts(lab->engine).open, MANY);
}

/* Beyond the budget too: each is asked or queued, once. */
static void many_beyond_the_budget(void **state)
{
    struct lab *lab = lab_with_budget(state, 100);
    const struct outbox *box = ask(lab);
    size_t asked = 0, queued = 0;

    while (engine_ask_more(lab->engine))
        ;
    (void)engine_settle(lab->engine, SIZE_MAX);
    for (size_t i = 0; i < box->n_actions; i++)
        asked += box->actions[i].type == ACTION_MIGRATE;
    assert_int_equal(asked, 100);
    assert_int_equal(box->n_records, MANY);
    for (size_t i = 0; i < box->n_records; i++)
        queued += box->records[i].decision.verdict == VERDICT_QUEUED;
    assert_int_equal(queued, MANY - 100);
    assert_int_equal(engine_counts(lab->engine).queued, MANY - 100);
    assert_int_equal(engine_counts(lab->engine).open, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(many_in_steps),   LAB_TEST(many_beyond_the_budget), LAB_TEST(two_steps),
        LAB_TEST(twice_in_a_turn), LAB_TEST(beyond_the_budget),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
