/* SPDX-License-Identifier: Apache-2.0 */
/* The newer word, where a reconnect is open, or the fallback. */
#include "newer-lab.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        DIAL_TEST(a_reconnect),        cmocka_unit_test(one_that_closes),
        DIAL_TEST(the_old_one_lives),  DIAL_TEST(reconnected_after_all),
        DIAL_TEST(another_came),       NEW_TEST(of_the_fallback),
        NEW_TEST(no_dial_is_open),     NEW_TEST(before_the_fallback),
        NEW_TEST(after_the_same_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
