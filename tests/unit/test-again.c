/* SPDX-License-Identifier: Apache-2.0 */
/* A `moved` that failed for good is asked again: when, how often, and until when. */
#include "engine-lab.h"

#include "engine/inspect.h"

/* All attempts of the move that is open fail; the last one now. */
static void fail_all(struct lab *lab, int64_t code)
{
    uint32_t wait_us = 100 * MS;

    for (uint32_t i = 0; i < lab->config.retries; i++, wait_us *= 4) {
        lab_answer_error(lab, expect_migrate(lab, 17), code);
        lab_time(lab, code == NODE_TIMEOUT ? 0 : wait_us);
    }
    lab_answer_error(lab, expect_migrate(lab, 17), code);
}

static void begin(struct lab *lab, int64_t code)
{
    lab_peer_up(lab, "a", 17);
    lab_silent(lab, 17);
    lab_time(lab, SEC);
    lab_advise_full(lab, 17, &(struct pd_advice){PD_KIND_MOVED, .reason = "flip"});
    expect_decision(lab, 17, VERDICT_MIGRATE);
    fail_all(lab, code);
}

/* Ten seconds after the last attempt, one request, and so on. The journal has the refusal, and
 * once a minute how many there were. */
static void each_ten_seconds(void **state)
{
    static const int64_t codes[] = {NODE_NO_PATH, NODE_TIMEOUT, NODE_BUSY, -32603};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
        const struct record_decision *decision;
        const struct record *record;
        struct lab lab;
        unsigned counted = 0, shown = 0;

        lab_init(&lab);
        lab_begin(&lab);
        begin(&lab, codes[i]);
        decision = expect_decision(&lab, 17, VERDICT_BACKING_OFF);
        assert_string_equal(decision->reason->s, "flip");
        expect_no_move(&lab);
        lab_skip(&lab);
        for (unsigned k = 0; k < 30; k++) {
            lab_time(&lab, 10 * SEC - 1);
            expect_no_move(&lab);
            lab_time(&lab, 1);
            lab_answer_error(&lab, expect_migrate(&lab, 17), codes[i]); /* and no other attempt */
        }
        while ((record = lab_next(&lab, RECORD_DECISION))) {
            shown += !record->bulk;
            counted += (unsigned)record->decision.repeats;
        }
        while ((record = lab_next(&lab, RECORD_OUTCOME)))
            shown += !record->bulk;
        assert_in_range(shown, 4, 6); /* five minutes */
        assert_in_range(counted, 24, 30);
        lab_time(&lab, 10 * SEC);
        lab_answer_ok(&lab, expect_migrate(&lab, 17));
        while ((record = lab_next(&lab, RECORD_OUTCOME)))
            assert_false(record->bulk); /* what went well is shown */
        lab_time(&lab, MIN);
        expect_no_move(&lab);
        lab_end(&lab);
    }
}

static void until_it_progresses(void **state)
{
    struct lab *lab = *state;

    begin(lab, NODE_NO_PATH);
    lab_fresh(lab, 17, 50000); /* from before, maybe */
    lab_time(lab, 10 * SEC);
    lab_answer_error(lab, expect_migrate(lab, 17), NODE_NO_PATH);
    lab_time(lab, SEC + 1);
    lab_fresh(lab, 17, 50001);
    lab_time(lab, MIN);
    expect_no_move(lab);
}

static void until_it_is_withdrawn(void **state)
{
    struct lab *lab = *state;

    begin(lab, NODE_NO_PATH);
    lab_withdraw(lab, 17);
    lab_time(lab, MIN);
    expect_no_move(lab);
}

static void until_it_has_another_path(void **state)
{
    struct lab *lab = *state;

    begin(lab, NODE_NO_PATH);
    lab_event(lab, &(struct event){.type = EVENT_PEER_PATH,
                                   .peer_path = {.conn = 17, .local = "192.0.2.7:1"}});
    lab_time(lab, MIN);
    expect_no_move(lab);
}

static void until_somebody_moves_it(void **state)
{
    struct lab *lab = *state;

    begin(lab, NODE_NO_PATH);
    lab_operator(lab, "a", COMMAND_BY_DEFAULT);
    lab_answer_ok(lab, expect_migrate(lab, 17));
    lab_time(lab, MIN);
    expect_no_move(lab);
}

static void until_it_goes(void **state)
{
    struct lab *lab = *state;

    begin(lab, NODE_NO_PATH);
    lab_peer_down(lab, 17);
    lab_time(lab, MIN);
    expect_no_move(lab);
}

/* A newer word of the kernel does not wait, and has all its attempts. */
static void at_once_for_another_route(void **state)
{
    struct lab *lab = *state;

    begin(lab, NODE_NO_PATH);
    lab_skip(lab);
    lab_time(lab, SEC);
    lab_advise_full(lab, 17, &(struct pd_advice){PD_KIND_MOVED, .reason = "another"});
    expect_decision(lab, 17, VERDICT_MIGRATE);
    fail_all(lab, NODE_NO_PATH);
    expect_no_move(lab);
    lab_time(lab, 10 * SEC);
    assert_true(expect_migrate(lab, 17));
    assert_string_equal(expect_decision(lab, 17, VERDICT_MIGRATE)->reason->s, "another");
}

/* What will never be possible is not asked again. */
static void not_what_is_refused(void **state)
{
    static const int64_t codes[] = {NODE_NOT_MIGRATABLE, NODE_PEER_DISABLE_MIGRATION, NODE_NO_CONN,
                                    NODE_UNKNOWN_VIA};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
        struct lab lab;

        lab_init(&lab);
        lab.config.retries = 0;
        lab_begin(&lab);
        begin(&lab, codes[i]);
        lab_time(&lab, MIN);
        expect_no_move(&lab);
        lab_end(&lab);
    }
}

/* Nor is anything else than `moved`: their triggers give it again. */
static void only_moved(void **state)
{
    struct lab *lab = *state;

    lab->config.retries = 0;
    lab_peer_up(lab, "a", 17);
    lab_advise(lab, 17, PD_KIND_DEAD);
    lab_answer_error(lab, expect_migrate(lab, 17), NODE_NO_PATH);
    lab_time(lab, MIN);
    expect_no_move(lab);
}

/* A trigger finds the path dead while the next attempt waits. That fails, too, and is given again
 * ever more rarely: `moved` is not. */
static void dead_takes_its_place(void **state)
{
    struct lab *lab = *state;

    lab->config.retries = 1;
    lab_peer_up(lab, "a", 17);
    lab_advise_full(lab, 17, &(struct pd_advice){PD_KIND_MOVED, .reason = "flip"});
    lab_answer_error(lab, expect_migrate(lab, 17), NODE_NO_PATH);
    lab_advise(lab, 17, PD_KIND_DEAD);
    fail_all(lab, NODE_NO_PATH);
    lab_time(lab, 10 * SEC - 100 * MS - 1);
    expect_no_move(lab);
    lab_skip(lab);
    lab_time(lab, 100 * MS + 1);
    assert_true(expect_migrate(lab, 17));
    assert_string_equal(expect_decision(lab, 17, VERDICT_MIGRATE)->reason->s, "flip");
}

/* It helped: nothing is left of `moved`. */
static void dead_takes_its_place_and_helps(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    lab_advise_full(lab, 17, &(struct pd_advice){PD_KIND_MOVED, .reason = "flip"});
    lab_answer_error(lab, expect_migrate(lab, 17), NODE_NO_PATH);
    lab_advise(lab, 17, PD_KIND_DEAD);
    lab_answer_ok(lab, expect_migrate(lab, 17));
    lab_time(lab, MIN);
    expect_no_move(lab);
}

/* Held when its time comes: it waits for the release. */
static void held_meanwhile(void **state)
{
    struct lab *lab = *state;

    begin(lab, NODE_NO_PATH);
    lab_hold(lab, "a", 0);
    lab_time(lab, MIN);
    expect_no_move(lab);
    lab_release(lab, "a");
    assert_true(expect_migrate(lab, 17));
}

/* The node's socket closes and the same boot is back: it is asked again. */
static void the_node_was_away(void **state)
{
    struct lab *lab = *state;

    begin(lab, NODE_NO_PATH);
    lab_node_down(lab);
    lab_time(lab, MIN);
    expect_no_move(lab);
    lab_node_up(lab, "boot");
    lab_peer_up(lab, "a", 17);
    lab_snapshot(lab);
    assert_true(expect_migrate(lab, 17));
}

static void explained(void **state)
{
    struct lab *lab = *state;
    struct inspect_explain explain;

    begin(lab, NODE_NO_PATH);
    assert_true(inspect_explain(lab->engine, lab->now_us, "a", &explain));
    assert_string_equal(explain.remembered, "flip");
}

/* It does not keep the connection under fast polls for ever: the watch ends. */
static void not_watched_for_ever(void **state)
{
    struct lab *lab = *state;

    begin(lab, NODE_NO_PATH);
    for (unsigned i = 0; i < 8; i++) {
        lab_time(lab, 10 * SEC);
        lab_answer_error(lab, expect_migrate(lab, 17), NODE_NO_PATH);
    }
    assert_false(lab_peer(lab, 17)->moves->watch.on);
    lab_time(lab, 10 * SEC);
    lab_answer_ok(lab, expect_migrate(lab, 17));
    assert_true(lab_peer(lab, 17)->moves->watch.on); /* the new path may be dead, too */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_ten_seconds),
        LAB_TEST(until_it_progresses),
        LAB_TEST(until_it_is_withdrawn),
        LAB_TEST(until_it_has_another_path),
        LAB_TEST(until_somebody_moves_it),
        LAB_TEST(until_it_goes),
        LAB_TEST(at_once_for_another_route),
        cmocka_unit_test(not_what_is_refused),
        LAB_TEST(only_moved),
        LAB_TEST(dead_takes_its_place),
        LAB_TEST(dead_takes_its_place_and_helps),
        LAB_TEST(held_meanwhile),
        LAB_TEST(the_node_was_away),
        LAB_TEST(explained),
        LAB_TEST(not_watched_for_ever),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
