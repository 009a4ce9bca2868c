/* SPDX-License-Identifier: Apache-2.0 */
/* Holds and the mode: what was refused meanwhile is given again, if it still holds. */
#include "engine-lab.h"

#include "engine/inspect.h"

static uint32_t missed(const struct lab *lab)
{
    return inspect_status(lab->engine, lab->now_us).missed;
}

static uint32_t remembered(const struct lab *lab)
{
    return engine_counts(lab->engine).remembered;
}

/* Held, and then advised. */
static void held(struct lab *lab, enum pd_kind kind)
{
    lab_peer_up(lab, "a", 17);
    lab_fresh(lab, 17, 50000);
    lab_hold(lab, "a", 0);
    lab_advise(lab, 17, kind);
    expect_decision(lab, 17, VERDICT_HELD);
    expect_no_move(lab);
}

static void given_again_at_release(void **state)
{
    struct lab *lab = *state;
    const struct record_decision *again;

    lab_peer_up(lab, "a", 17);
    lab_step(lab, POKE_OPEN_CAUSE, 0)->text = "flip";
    lab_signal(lab);
    lab_hold(lab, "a", 0);
    lab_advise_full(lab, 17, &(struct pd_advice){PD_KIND_MOVED, .reason = "first"});
    expect_decision(lab, 17, VERDICT_HELD);
    lab_advise_full(lab, 17,
                    &(struct pd_advice){PD_KIND_MOVED, .reason = "flip", .cause = UINT64_MAX});
    assert_int_equal(remembered(lab), 1);
    lab_release(lab, "a");
    assert_int_equal(missed(lab), 1);
    again = expect_decision(lab, 17, VERDICT_MIGRATE);
    assert_string_equal(again->reason->s, "flip"); /* the latest, of the same cause */
    assert_int_equal(again->cause, lab->poke.last_cause);
    assert_int_equal(remembered(lab), 0);
    lab_answer_ok(lab, expect_migrate(lab, 17));
    lab_release(lab, "a");
    assert_int_equal(missed(lab), 0);
    expect_no_move(lab);
}

static void degraded_is_not(void **state)
{
    struct lab *lab = *state;

    held(lab, PD_KIND_DEGRADED);
    lab_release(lab, "a");
    assert_int_equal(missed(lab), 0);
    expect_no_move(lab);
}

static void at_the_end_of_its_time(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    lab_hold(lab, "a", 10 * SEC);
    lab_advise(lab, 17, PD_KIND_MOVED);
    expect_decision(lab, 17, VERDICT_HELD);
    lab_time(lab, 10 * SEC - 1);
    expect_no_decision(lab);
    lab_time(lab, 1);
    expect_decision(lab, 17, VERDICT_MIGRATE);
}

/* Another hold in the place of one, or beside it. */
static void the_last_hold_counts(void **state)
{
    struct lab *lab = *state;

    held(lab, PD_KIND_MOVED); /* until released */
    lab_hold(lab, "a", 10 * SEC);
    lab_hold(lab, NULL, 20 * SEC);
    lab_time(lab, 19 * SEC);
    lab_release(lab, "a");
    assert_int_equal(missed(lab), 0);
    expect_no_decision(lab);
    lab_time(lab, SEC);
    expect_decision(lab, 17, VERDICT_MIGRATE);
}

static void release_of_all(void **state)
{
    struct lab *lab = *state;

    lab_hold(lab, NULL, 0);
    lab_hold(lab, "c", 0);
    lab_peer_up(lab, "a", 17);
    lab_peer_up(lab, "b", 18);
    lab_peer_up(lab, "c", 19);
    lab_peer_up(lab, "d", 20);
    lab_advise(lab, 17, PD_KIND_MOVED);
    lab_advise(lab, 18, PD_KIND_DEAD);
    lab_advise(lab, 19, PD_KIND_MOVED);
    lab_advise(lab, 20, PD_KIND_MOVED);
    lab_peer_down(lab, 20);
    lab_skip(lab);
    lab_release(lab, NULL);
    assert_int_equal(missed(lab), 2);
    expect_decision(lab, 17, VERDICT_MIGRATE);
    expect_decision(lab, 18, VERDICT_MIGRATE);
    expect_no_decision(lab); /* c is held by name */
    lab_release(lab, "c");
    assert_int_equal(missed(lab), 1);
    expect_decision(lab, 19, VERDICT_MIGRATE);
}

static void at_mode_active(void **state)
{
    struct lab *lab = *state;

    lab_observe(lab, true);
    lab_peer_up(lab, "a", 17);
    lab_peer_up(lab, "b", 18);
    lab_advise(lab, 17, PD_KIND_MOVED);
    expect_decision(lab, 17, VERDICT_OBSERVING);
    lab_hold(lab, "b", 0);
    lab_advise(lab, 18, PD_KIND_MOVED);
    expect_decision(lab, 18, VERDICT_HELD);
    lab_release(lab, "b");
    expect_decision(lab, 18, VERDICT_OBSERVING);
    lab_observe(lab, false);
    assert_int_equal(missed(lab), 2);
    expect_decision(lab, 17, VERDICT_MIGRATE);
    expect_decision(lab, 18, VERDICT_MIGRATE);
}

/* `dead` is disproved by progress; `moved` is not: the old path may be alive. */
static void progress(void **state)
{
    struct lab *lab = *state;

    held(lab, PD_KIND_DEAD);
    lab_silent(lab, 17);
    assert_int_equal(remembered(lab), 1);
    lab_fresh(lab, 17, 60000);
    assert_int_equal(remembered(lab), 0);
    lab_advise(lab, 17, PD_KIND_MOVED);
    lab_fresh(lab, 17, 70000);
    lab_release(lab, "a");
    assert_int_equal(missed(lab), 1);
    expect_decision(lab, 17, VERDICT_MIGRATE);
}

static void withdrawn(void **state)
{
    struct lab *lab = *state;

    held(lab, PD_KIND_MOVED);
    lab_withdraw(lab, 17);
    lab_release(lab, "a");
    assert_int_equal(missed(lab), 0);
    expect_no_move(lab);
}

static void another_path(void **state)
{
    struct lab *lab = *state;

    held(lab, PD_KIND_MOVED);
    lab_event(lab, &(struct event){
                       .type = EVENT_PEER_PATH,
                       .peer_path = {.conn = 17, .local = "10.9.9.9:1"},
                   });
    assert_int_equal(remembered(lab), 0);
}

/* The node's socket closes and comes back meanwhile. */
static void reported_again(void **state)
{
    struct lab *lab = *state;

    held(lab, PD_KIND_MOVED);
    lab_node_down(lab);
    lab_node_up(lab, "boot");
    lab_peer_up(lab, "a", 17);
    lab_snapshot(lab);
    expect_no_decision(lab); /* it is held still: nothing to say */
    lab_release(lab, "a");
    expect_decision(lab, 17, VERDICT_MIGRATE);
}

static void what_was_queued(void **state)
{
    struct lab *lab = *state;

    lab->config.max_in_flight = 1;
    lab_node_up(lab, "boot");
    lab_snapshot(lab);
    lab_peer_up(lab, "a", 17);
    lab_peer_up(lab, "b", 18);
    lab_advise(lab, 17, PD_KIND_MOVED);
    lab_advise(lab, 18, PD_KIND_MOVED);
    lab_skip(lab);
    lab_hold(lab, "b", 0);
    expect_decision(lab, 18, VERDICT_HELD);
    lab_answer_ok(lab, 1);
    lab_release(lab, "b");
    assert_int_equal(missed(lab), 1);
    expect_decision(lab, 18, VERDICT_MIGRATE);
}

/* An attempt that is not made any more because of a hold: one that failed while held, and
 * one that waits. */
static void what_was_tried(void **state)
{
    struct lab *lab = *state;
    uint64_t request;

    lab_peer_up(lab, "a", 17);
    lab_advise(lab, 17, PD_KIND_MOVED);
    expect_decision(lab, 17, VERDICT_MIGRATE);
    request = expect_migrate(lab, 17);
    lab_hold(lab, "a", 0);
    lab_answer_error(lab, request, NODE_TIMEOUT);
    expect_no_move(lab);
    lab_release(lab, "a");
    assert_int_equal(missed(lab), 1);
    expect_decision(lab, 17, VERDICT_MIGRATE);
    lab_answer_error(lab, expect_migrate(lab, 17), NODE_BUSY);
    lab_observe(lab, true);
    lab_time(lab, SEC);
    expect_no_move(lab);
    lab_observe(lab, false);
    assert_int_equal(missed(lab), 1);
    expect_decision(lab, 17, VERDICT_MIGRATE);
    assert_true(expect_migrate(lab, 17));
}

/* Of a request that is open while held: what is held back waits for the release, not for it. */
static void beside_an_open_request(void **state)
{
    struct lab *lab = *state;
    uint64_t request;

    lab_peer_up(lab, "a", 17);
    lab_advise(lab, 17, PD_KIND_DEGRADED);
    expect_decision(lab, 17, VERDICT_MIGRATE);
    request = expect_migrate(lab, 17);
    lab_hold(lab, "a", 0);
    lab_advise(lab, 17, PD_KIND_MOVED);
    expect_decision(lab, 17, VERDICT_HELD);
    lab_answer_error(lab, request, NODE_BUSY);
    expect_no_decision(lab);
    lab_release(lab, "a");
    expect_decision(lab, 17, VERDICT_MIGRATE);
}

/* Moved by hand while held: that settles it if it succeeds. */
static void moved_by_an_operator(void **state)
{
    struct lab *lab = *state;

    held(lab, PD_KIND_MOVED);
    lab_operator(lab, "a", COMMAND_BY_MIGRATE);
    expect_decision(lab, 17, VERDICT_MIGRATE);
    lab_answer_error(lab, expect_migrate(lab, 17), NODE_TIMEOUT);
    assert_int_equal(remembered(lab), 1);
    lab_operator(lab, "a", COMMAND_BY_MIGRATE);
    expect_decision(lab, 17, VERDICT_MIGRATE);
    lab_answer_ok(lab, expect_migrate(lab, 17));
    assert_int_equal(remembered(lab), 0);
    lab_operator(lab, "a", COMMAND_BY_MIGRATE);
    lab_advise(lab, 17, PD_KIND_MOVED); /* newer than that request */
    lab_answer_ok(lab, expect_migrate(lab, 17));
    assert_int_equal(remembered(lab), 1);
}

/* It was not moved, only looked at: "explain" must not say that it was. */
static void observed_is_not_moved(void **state)
{
    struct lab *lab = *state;
    struct inspect_explain explained;

    lab_observe(lab, true);
    lab_peer_up(lab, "a", 17);
    lab_advise(lab, 17, PD_KIND_DEGRADED);
    expect_decision(lab, 17, VERDICT_OBSERVING);
    assert_true(inspect_explain(lab->engine, lab->now_us, "a", &explained));
    assert_int_equal(explained.cooling_left_us, 30 * SEC);
    assert_true(explained.moved_ago_us == INSPECT_NEVER);
    lab_observe(lab, false);
    (void)lab_migrated(lab, 17, PD_KIND_MOVED);
    assert_true(inspect_explain(lab->engine, lab->now_us, "a", &explained));
    assert_int_equal(explained.moved_ago_us, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(given_again_at_release),
        LAB_TEST(degraded_is_not),
        LAB_TEST(at_the_end_of_its_time),
        LAB_TEST(the_last_hold_counts),
        LAB_TEST(release_of_all),
        LAB_TEST(at_mode_active),
        LAB_TEST(progress),
        LAB_TEST(withdrawn),
        LAB_TEST(another_path),
        LAB_TEST(reported_again),
        LAB_TEST(what_was_queued),
        LAB_TEST(what_was_tried),
        LAB_TEST(beside_an_open_request),
        LAB_TEST(moved_by_an_operator),
        LAB_TEST(observed_is_not_moved),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
