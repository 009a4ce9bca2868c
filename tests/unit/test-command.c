/* SPDX-License-Identifier: Apache-2.0 */
/* Commands of an operator, and the stop. */
#include "engine-lab.h"

static void move(void **state)
{
    struct lab *lab = *state;
    const struct record_decision *decision;

    lab_peer_up(lab, "a", 17);
    lab_command(lab, &(struct event_command){
                         .type = COMMAND_MOVE,
                         .peer = "a",
                         .who = "uid 1000",
                         .interface = "up1",
                     });
    decision = expect_decision(lab, 17, VERDICT_MIGRATE);
    assert_string_equal(decision->trigger, "operator");
    assert_int_equal(decision->kind, PD_KIND_OPERATOR);
    assert_string_equal(decision->reason->s, "asked by uid 1000");
    assert_int_equal(decision->cause, 0);
}

static void move_nobody(void **state)
{
    struct lab *lab = *state;

    lab_operator(lab, "nobody", COMMAND_BY_DEFAULT);
    assert_non_null(lab_notice(lab, "unknown-peer"));
    lab_operator(lab, NULL, COMMAND_BY_DEFAULT);
    expect_no_decision(lab);
}

static void operators_are_not_retried(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    lab_operator(lab, "a", COMMAND_BY_MIGRATE);
    lab_answer_error(lab, expect_migrate(lab, 17), NODE_BUSY);
    lab_time(lab, 10 * SEC);
    expect_no_move(lab);
}

static void observe_empties_the_queue(void **state)
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
    lab_observe(lab, true);
    expect_decision(lab, 18, VERDICT_HELD);
    lab_answer_ok(lab, 1);
    expect_outcome(lab, 17, OUTCOME_MIGRATED); /* what was asked goes on */
    expect_no_move(lab);
}

static void stop(void **state)
{
    struct lab *lab = *state;
    struct engine_counts counts;

    lab->config.max_in_flight = 2;
    lab_node_up(lab, "boot");
    lab_snapshot(lab);
    lab_peer_up(lab, "open", 10);
    lab_peer_up(lab, "queued", 11);
    lab_peer_up(lab, "retried", 12);
    lab_peer_up(lab, "judged", 13);
    lab_peer_up(lab, "reconnecting", 14);
    lab_peer_up_role(lab, "folded", 15, PD_ROLE_SERVER);
    lab_peer_up_role(lab, "folded", 15, PD_ROLE_SERVER);
    lab_migrated(lab, 13, PD_KIND_MOVED);
    lab_advise(lab, 12, PD_KIND_MOVED);
    lab_answer_error(lab, expect_migrate(lab, 12), NODE_BUSY);
    lab_operator(lab, "reconnecting", COMMAND_BY_RECONNECT);
    lab_peer_down(lab, 14);
    lab_advise(lab, 10, PD_KIND_MOVED);
    lab_advise(lab, 10, PD_KIND_MOVED); /* remembered */
    lab_advise(lab, 11, PD_KIND_MOVED);
    lab_advise(lab, 15, PD_KIND_DEAD);
    lab_advise(lab, 15, PD_KIND_DEAD);
    lab_step(lab, POKE_OPEN_CAUSE, 0)->text = "flip";
    lab_signal(lab);
    counts = engine_counts(lab->engine);
    assert_int_equal(counts.open, 2);
    assert_int_equal(counts.queued, 1);
    assert_int_equal(counts.retrying, 1);
    assert_int_equal(counts.remembered, 2);
    assert_int_equal(counts.effects, 1);
    assert_int_equal(counts.causes, 1);
    lab_skip(lab);
    lab_stop(lab);
    counts = engine_counts(lab->engine);
    assert_int_equal(counts.open + counts.queued + counts.retrying + counts.remembered +
                         counts.effects + counts.causes + counts.suppressed,
                     0);
    expect_outcome(lab, 14, OUTCOME_UNANSWERED);
    expect_outcome(lab, 10, OUTCOME_UNANSWERED);
    expect_no_outcome(lab);
    expect_decision(lab, 11, VERDICT_EXPIRED);
    assert_int_equal(expect_decision(lab, 15, VERDICT_INBOUND)->repeats, 1);
    expect_effect(lab, 13, EFFECT_UNKNOWN);
    assert_non_null(lab_next(lab, RECORD_CAUSE));
    assert_int_equal(lab->box->wake_at_us, UINT64_MAX);
    assert_int_equal(lab->box->n_actions, 0);
    lab_advise(lab, 10, PD_KIND_MOVED); /* it was the last event */
    assert_int_equal(lab->box->n_records + lab->box->n_actions, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(move),
        LAB_TEST(move_nobody),
        LAB_TEST(operators_are_not_retried),
        LAB_TEST(observe_empties_the_queue),
        LAB_TEST(stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
