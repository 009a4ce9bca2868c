/* SPDX-License-Identifier: Apache-2.0 */
/* The gate: every verdict, and that each comes before the next of the table. */
#include "engine-lab.h"

/* A lab whose config a test wants to change: not begun yet. */
static int plain_setup(void **state)
{
    struct lab *lab = memory_new(1, sizeof(*lab));

    lab_init(lab);
    *state = lab;
    return 0;
}

#define PLAIN_TEST(function) cmocka_unit_test_setup_teardown(function, plain_setup, lab_teardown)

static void reported(struct lab *lab, uint64_t conn, enum pd_role role, bool migratable,
                     bool reconnectable)
{
    lab_peer_told(lab, &(struct event_peer_up){
                           .peer = "a",
                           .conn = conn,
                           .role = role,
                           .migratable = migratable,
                           .reconnectable = reconnectable,
                       });
}

static void migrate(void **state)
{
    struct lab *lab = *state;
    const struct record_decision *decision;

    lab_peer_up(lab, "a", 17);
    lab_advise_full(lab, 17,
                    &(struct pd_advice){
                        .kind = PD_KIND_MOVED,
                        .reason = "flip",
                        .evidence = &(struct pd_field){.name = "oif", .text = "up1"},
                        .n_evidence = 1,
                    });
    decision = expect_decision(lab, 17, VERDICT_MIGRATE);
    assert_int_equal(decision->decision, 1);
    assert_int_equal(decision->request, 1);
    assert_int_equal(decision->attempt, 1);
    assert_int_equal(decision->timeout_ms, 5000);
    assert_int_equal(decision->cause, 0);
    assert_int_equal(decision->by, BY_MIGRATE);
    assert_int_equal(decision->kind, PD_KIND_MOVED);
    assert_string_equal(decision->trigger, "poke");
    assert_string_equal(decision->reason->s, "flip");
    assert_string_equal(decision->evidence->fields[0].text, "up1");
    assert_string_equal(decision->subject.peer->s, "a");
    expect_migrate(lab, 17);
}

static void gone_before_inbound(void **state)
{
    struct lab *lab = *state;

    lab_peer_up_role(lab, "a", 17, PD_ROLE_SERVER);
    lab_operator(lab, "a", COMMAND_BY_RECONNECT);
    expect_decision(lab, 17, VERDICT_RECONNECT);
    lab_answer_error(lab, expect_reconnect(lab, 17), NODE_NOT_CONNECTED);
    lab_advise(lab, 17, PD_KIND_MOVED);
    expect_decision(lab, 17, VERDICT_GONE);
    expect_no_move(lab);
}

static void inbound_before_disabled(void **state)
{
    struct lab *lab = *state;

    reported(lab, 17, PD_ROLE_SERVER, false, true);
    lab_advise(lab, 17, PD_KIND_DEGRADED);
    expect_decision(lab, 17, VERDICT_INBOUND);
}

static void disabled_before_held(void **state)
{
    struct lab *lab = *state;

    reported(lab, 17, PD_ROLE_CLIENT, false, true);
    lab_hold(lab, "a", 0);
    lab_advise(lab, 17, PD_KIND_DEGRADED);
    expect_decision(lab, 17, VERDICT_DISABLED);
}

static void held_before_no_target(void **state)
{
    struct lab *lab = *state;
    const struct pd_advice advice = {.kind = PD_KIND_MOVED, .reason = "r", .no_target = true};

    lab_peer_up(lab, "a", 17);
    lab_hold(lab, "a", 0);
    lab_advise_full(lab, 17, &advice);
    expect_decision(lab, 17, VERDICT_HELD);
    lab_release(lab, "a");
    lab_advise_full(lab, 17, &advice);
    expect_decision(lab, 17, VERDICT_NO_TARGET);
}

static void holds(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    lab_peer_up(lab, "b", 18);
    lab_hold(lab, "a", 10 * SEC);
    lab_advise(lab, 17, PD_KIND_DEGRADED);
    expect_decision(lab, 17, VERDICT_HELD);
    lab_advise(lab, 18, PD_KIND_DEGRADED);
    expect_decision(lab, 18, VERDICT_MIGRATE);
    lab_time(lab, 10 * SEC);
    lab_advise(lab, 17, PD_KIND_MOVED);
    expect_decision(lab, 17, VERDICT_MIGRATE);
    lab_peer_up(lab, "c", 19);
    lab_hold(lab, NULL, 0);
    lab_advise(lab, 19, PD_KIND_MOVED);
    expect_decision(lab, 19, VERDICT_HELD);
    lab_release(lab, "c"); /* another hold than the one that is there */
    lab_advise(lab, 19, PD_KIND_DEAD);
    expect_no_decision(lab); /* counted */
    lab_release(lab, NULL);
    lab_advise(lab, 19, PD_KIND_MOVED);
    expect_decision(lab, 19, VERDICT_MIGRATE);
}

static void a_hold_stays_with_the_name(void **state)
{
    struct lab *lab = *state;

    lab_hold(lab, "a", 0); /* not there yet */
    lab_peer_up(lab, "a", 17);
    lab_advise(lab, 17, PD_KIND_MOVED);
    expect_decision(lab, 17, VERDICT_HELD);
    lab_peer_up(lab, "a", 20);
    lab_advise(lab, 20, PD_KIND_MOVED);
    expect_decision(lab, 20, VERDICT_HELD);
}

static void no_target_before_in_flight(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    lab_advise(lab, 17, PD_KIND_MOVED);
    expect_decision(lab, 17, VERDICT_MIGRATE);
    lab_advise_full(lab, 17,
                    &(struct pd_advice){.kind = PD_KIND_DEAD, .reason = "r", .no_target = true});
    expect_decision(lab, 17, VERDICT_NO_TARGET);
}

/* Without uplinks to choose from there is nowhere to go where the gateway does not answer; what
 * has no proof of that gets a new port. */
static void no_target_behind_a_gateway_that_fails(void **state)
{
    struct lab *lab = *state;
    static const char *const proofs[] = {"no-gateway", "silent", NULL};
    static const enum pd_kind kinds[] = {PD_KIND_DEAD, PD_KIND_MOVED};

    for (uint64_t i = 0; i < ARRAY_SIZE(proofs) * ARRAY_SIZE(kinds); i++) {
        const struct pd_field evidence = {.name = "proof", .text = proofs[i / 2]};
        char name[16];

        snprintf(name, sizeof(name), "p%u", (unsigned)i);
        lab_peer_up(lab, name, 17 + i);
        lab_advise_full(
            lab, 17 + i,
            &(struct pd_advice){
                .kind = kinds[i & 1], .reason = "r", .evidence = &evidence, .n_evidence = 1});
        expect_decision(lab, 17 + i, i ? VERDICT_MIGRATE : VERDICT_NO_TARGET);
    }
}

static void in_flight_before_merged(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    lab_advise(lab, 17, PD_KIND_MOVED);
    expect_decision(lab, 17, VERDICT_MIGRATE);
    lab_advise(lab, 17, PD_KIND_DEGRADED);
    expect_decision(lab, 17, VERDICT_IN_FLIGHT);
}

static void merged_before_cooling(void **state)
{
    struct lab *lab = *state;
    uint64_t decision;

    lab_peer_up(lab, "a", 17);
    decision = lab_migrated(lab, 17, PD_KIND_MOVED);
    lab_time(lab, 2 * SEC - 1);
    lab_advise(lab, 17, PD_KIND_DEGRADED);
    assert_int_equal(expect_decision(lab, 17, VERDICT_MERGED)->into, decision);
    lab_time(lab, 1);
    lab_advise(lab, 17, PD_KIND_DEGRADED);
    assert_int_equal(expect_decision(lab, 17, VERDICT_COOLING)->into, 0);
}

static void cooling_before_backing_off(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    lab_migrated(lab, 17, PD_KIND_MOVED);
    lab_time(lab, 25 * SEC);
    lab_operator(lab, "a", COMMAND_BY_DEFAULT);
    expect_decision(lab, 17, VERDICT_MIGRATE);
    lab_answer_error(lab, expect_migrate(lab, 17), NODE_NO_PATH);
    lab_time(lab, 3 * SEC);
    lab_advise(lab, 17, PD_KIND_DEGRADED);
    expect_decision(lab, 17, VERDICT_COOLING);
    lab_time(lab, 2 * SEC - 1);
    lab_advise(lab, 17, PD_KIND_DEGRADED);
    expect_no_decision(lab); /* the same once more */
    lab_time(lab, 1);        /* 30 s after the move, 5 s after the failure */
    lab_operator(lab, "a", COMMAND_BY_DEFAULT);
    expect_decision(lab, 17, VERDICT_MIGRATE);
    lab_answer_error(lab, expect_migrate(lab, 17), NODE_NO_PATH);
    lab_time(lab, 2 * SEC);
    lab_advise(lab, 17, PD_KIND_DEGRADED);
    expect_decision(lab, 17, VERDICT_BACKING_OFF);
}

static void failures_start_no_cooldown(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    lab_advise(lab, 17, PD_KIND_DEGRADED);
    expect_decision(lab, 17, VERDICT_MIGRATE);
    lab_answer_error(lab, expect_migrate(lab, 17), -32603);
    lab_time(lab, 6 * SEC + 1); /* past the back-off of 5 s ± 20 % */
    lab_advise(lab, 17, PD_KIND_DEGRADED);
    expect_decision(lab, 17, VERDICT_MIGRATE);
}

static void backing_off_before_damped(void **state)
{
    struct lab *lab = *state;

    lab->config.move_burst = 1;
    lab->config.retries = 0;
    lab_begin(lab);
    lab_peer_up(lab, "a", 17);
    lab_advise(lab, 17, PD_KIND_DEAD);
    expect_decision(lab, 17, VERDICT_MIGRATE);
    lab_answer_error(lab, expect_migrate(lab, 17), NODE_NO_PATH);
    lab_time(lab, SEC);
    lab_advise(lab, 17, PD_KIND_DEAD);
    expect_decision(lab, 17, VERDICT_BACKING_OFF);
    lab_time(lab, 6 * SEC); /* the back-off is over */
    lab_advise(lab, 17, PD_KIND_DEAD);
    expect_decision(lab, 17, VERDICT_DAMPED);
    lab_advise(lab, 17, PD_KIND_MOVED); /* moved respects neither */
    expect_decision(lab, 17, VERDICT_MIGRATE);
}

static void damped_before_observing(void **state)
{
    struct lab *lab = *state;

    lab->config.move_burst = 1;
    lab_begin(lab);
    lab_peer_up(lab, "a", 17);
    lab_migrated(lab, 17, PD_KIND_MOVED);
    lab_observe(lab, true);
    lab_advise(lab, 17, PD_KIND_MOVED);
    expect_decision(lab, 17, VERDICT_DAMPED);
}

static void observing_before_queued(void **state)
{
    struct lab *lab = *state;

    lab->config.max_in_flight = 1;
    lab_begin(lab);
    lab_peer_up(lab, "a", 17);
    lab_peer_up(lab, "b", 18);
    lab_advise(lab, 17, PD_KIND_MOVED);
    expect_decision(lab, 17, VERDICT_MIGRATE);
    lab_observe(lab, true);
    lab_advise(lab, 18, PD_KIND_MOVED);
    expect_decision(lab, 18, VERDICT_OBSERVING);
    lab_observe(lab, false);
    lab_advise(lab, 18, PD_KIND_MOVED);
    expect_decision(lab, 18, VERDICT_QUEUED);
}

static void observing_cools_down(void **state)
{
    struct lab *lab = *state;

    lab->config.mode = MODE_OBSERVE;
    lab_begin(lab);
    lab_peer_up(lab, "a", 17);
    lab_advise(lab, 17, PD_KIND_DEGRADED);
    expect_decision(lab, 17, VERDICT_OBSERVING);
    lab_time(lab, 30 * SEC - 1);
    lab_advise(lab, 17, PD_KIND_DEGRADED);
    expect_decision(lab, 17, VERDICT_COOLING);
    lab_time(lab, 1);
    lab_advise(lab, 17, PD_KIND_DEGRADED);
    lab_time(lab, 31 * SEC);
    assert_int_equal(expect_decision(lab, 17, VERDICT_OBSERVING)->repeats, 1);
    expect_no_move(lab);
}

/* ---- what an operator passes, and what not ---- */

static void operator_passes(void **state)
{
    struct lab *lab = *state;

    lab->config.move_burst = 1;
    lab->config.mode = MODE_OBSERVE;
    lab_begin(lab);
    lab_peer_up(lab, "a", 17);
    lab_hold(lab, "a", 0);
    lab_operator(lab, "a", COMMAND_BY_DEFAULT); /* held, observing */
    expect_decision(lab, 17, VERDICT_MIGRATE);
    lab_answer_ok(lab, expect_migrate(lab, 17));
    lab_operator(lab, "a", COMMAND_BY_DEFAULT); /* merge window, cooling */
    expect_decision(lab, 17, VERDICT_MIGRATE);
    lab_answer_error(lab, expect_migrate(lab, 17), NODE_NO_PATH);
    lab_operator(lab, "a", COMMAND_BY_DEFAULT); /* backing off */
    expect_decision(lab, 17, VERDICT_MIGRATE);
    lab_answer_ok(lab, expect_migrate(lab, 17));
    lab_release(lab, "a");
    lab_observe(lab, false);
    lab_migrated(lab, 17, PD_KIND_MOVED);
    lab_advise(lab, 17, PD_KIND_MOVED);
    expect_decision(lab, 17, VERDICT_DAMPED);
    lab_operator(lab, "a", COMMAND_BY_DEFAULT); /* damped */
    expect_decision(lab, 17, VERDICT_MIGRATE);
}

static void operator_reconnects_at_once(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    for (uint64_t conn = 17; conn < 20; conn++) {
        lab_operator(lab, "a", COMMAND_BY_RECONNECT);
        expect_decision(lab, conn, VERDICT_RECONNECT);
        lab_peer_down(lab, conn);
        lab_peer_up(lab, "a", conn + 1);
        lab_answer_conn(lab, expect_reconnect(lab, conn), conn + 1);
    }
}

static void operator_does_not_pass(void **state)
{
    struct lab *lab = *state;

    lab->config.max_in_flight = 1;
    lab->features = 0;
    lab_begin(lab);
    lab_peer_up_role(lab, "inbound", 10, PD_ROLE_SERVER);
    lab_operator(lab, "inbound", COMMAND_BY_DEFAULT);
    expect_decision(lab, 10, VERDICT_INBOUND);
    lab_operator(lab, "inbound", COMMAND_BY_RECONNECT);
    expect_decision(lab, 10, VERDICT_DISABLED); /* no such feature */
    reported(lab, 17, PD_ROLE_CLIENT, false, false);
    lab_operator(lab, "a", COMMAND_BY_MIGRATE);
    expect_decision(lab, 17, VERDICT_DISABLED);
    lab_peer_up(lab, "b", 18);
    lab_operator(lab, "b", COMMAND_BY_MIGRATE);
    expect_decision(lab, 18, VERDICT_MIGRATE);
    lab_operator(lab, "b", COMMAND_BY_MIGRATE);
    expect_decision(lab, 18, VERDICT_IN_FLIGHT);
    lab_operator(lab, "b", COMMAND_BY_MIGRATE);
    expect_decision(lab, 18, VERDICT_IN_FLIGHT); /* who asks is answered each time */
    lab_peer_up(lab, "c", 19);
    lab_operator(lab, "c", COMMAND_BY_MIGRATE);
    expect_decision(lab, 19, VERDICT_QUEUED);
    lab_operator(lab, "c", COMMAND_BY_MIGRATE);
    expect_decision(lab, 19, VERDICT_MERGED);
    lab_answer_error(lab, expect_migrate(lab, 18), NODE_NOT_CONNECTED);
    lab_operator(lab, "b", COMMAND_BY_MIGRATE);
    expect_decision(lab, 19, VERDICT_MIGRATE);
    expect_decision(lab, 18, VERDICT_GONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(migrate),
        LAB_TEST(gone_before_inbound),
        LAB_TEST(inbound_before_disabled),
        LAB_TEST(disabled_before_held),
        LAB_TEST(held_before_no_target),
        LAB_TEST(holds),
        LAB_TEST(a_hold_stays_with_the_name),
        LAB_TEST(no_target_before_in_flight),
        LAB_TEST(no_target_behind_a_gateway_that_fails),
        LAB_TEST(in_flight_before_merged),
        LAB_TEST(merged_before_cooling),
        LAB_TEST(cooling_before_backing_off),
        LAB_TEST(failures_start_no_cooldown),
        PLAIN_TEST(backing_off_before_damped),
        PLAIN_TEST(damped_before_observing),
        PLAIN_TEST(observing_before_queued),
        PLAIN_TEST(observing_cools_down),
        PLAIN_TEST(operator_passes),
        LAB_TEST(operator_reconnects_at_once),
        PLAIN_TEST(operator_does_not_pass),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
