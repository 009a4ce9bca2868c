/* SPDX-License-Identifier: Apache-2.0 */
/* engine/liveness/fallback.[ch]: when a connection is closed and dialled anew, by what says that
 * this can work (engine/liveness/dial.[ch]): a way out,
 * and what is idle. */
#include "fallback-lab.h"

/* ---- no way out ---- */

static void never_without_a_way_out(void **state)
{
    struct lab *lab = *state;

    inbound(lab, &lost);
    lab_peer_up(lab, "z", 99);
    for (unsigned i = 0; i < 59; i++) { /* as long as it is watched */
        lab_fresh(lab, 99, 50 * MS);
        rows(lab, 1, NULL);
    }
    assert_true(lab_peer(lab, 17)->moves->watch.on);
    expect_no_decision(lab);
}

/* There is one again: it has waited long enough by then. */
static void with_a_way_out_again(void **state)
{
    struct lab *lab = *state;

    inbound(lab, &lost);
    rows(lab, 30, NULL);
    lab_advise(lab, 17, PD_KIND_MOVED);
    expect_no_decision(lab); /* the refusals are counted */
    lab_silent(lab, 17);
    expect_fallback(lab, 17, "sign");
}

/* Said by a trigger: the kernel has no route to it, or has one again. */
static void routed(struct lab *lab, bool none)
{
    lab_step(lab, POKE_NO_ROUTE, 17)->number = none;
    lab_signal(lab);
}

/* What was advised does not say it, but the kernel has no route. Once it has one, the time begins
 * anew: the connection may live. */
static void never_without_a_route(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "z", 99);
    inbound(lab, &(struct pd_advice){.kind = PD_KIND_DEAD, .reason = "silent"});
    routed(lab, true);
    for (unsigned i = 0; i < 50; i++) { /* others live: a sign */
        lab_fresh(lab, 99, 50 * MS);
        rows(lab, 1, NULL);
    }
    assert_true(lab_peer(lab, 17)->moves->watch.on);
    expect_no_decision(lab);
    routed(lab, false);
    expect_decision(lab, 17, VERDICT_INBOUND); /* tried at once */
    lab_silent(lab, 17);
    for (unsigned i = 0; i < 3; i++) {
        lab_time(lab, 333 * MS);
        lab_silent(lab, 17);
    }
    expect_no_decision(lab);
    lab_time(lab, MS);
    lab_silent(lab, 17);
    expect_fallback(lab, 17, "sign");
}

/* It lives: it had only been waiting for a route. */
static void alive_with_a_route_again(void **state)
{
    struct lab *lab = *state;

    inbound(lab, &(struct pd_advice){.kind = PD_KIND_DEAD, .reason = "silent"});
    routed(lab, true);
    rows(lab, 14, NULL);
    routed(lab, false);
    lab_silent(lab, 17);
    for (unsigned i = 0; i < 30; i++) {
        lab_time(lab, 500 * MS);
        lab_fresh(lab, 17, 50 * MS);
    }
    expect_no_fallback(lab);
    assert_false(lab_peer(lab, 17)->moves->watch.on);
}

/* What waits to be dialled anew is not, while there is no route: it would be closed for nothing. */
static void called_off_without_a_route(void **state)
{
    struct lab *lab = *state;

    lab->config.max_in_flight = 1;
    lab_node_up(lab, "boot");
    lab_snapshot(lab);
    lab_peer_up(lab, "z", 99);
    lab_fresh(lab, 99, 50 * MS);
    inbound(lab, &(struct pd_advice){.kind = PD_KIND_MOVED, .reason = "moved"});
    lab_advise(lab, 99, PD_KIND_MOVED); /* takes the only place */
    expect_decision(lab, 99, VERDICT_MIGRATE);
    rows(lab, 4, NULL);
    expect_decision(lab, 17, VERDICT_QUEUED);
    routed(lab, true);
    lab_silent(lab, 17);
    expect_decision(lab, 17, VERDICT_SUPERSEDED);
    rows(lab, 4, NULL);
    expect_no_decision(lab);
}

/* Nor by anybody else but an operator; it is decided again when there is a route. */
static void not_dialled_without_a_route(void **state)
{
    struct lab *lab = *state;

    lab->config.prefer = PREFER_RECONNECT;
    up(lab, PD_ROLE_CLIENT);
    routed(lab, true);
    lab_advise(lab, 17, PD_KIND_DEAD);
    expect_decision(lab, 17, VERDICT_NO_TARGET);
    routed(lab, true); /* said twice */
    expect_no_decision(lab);
    routed(lab, false);
    expect_decision(lab, 17, VERDICT_RECONNECT);
}

static void dialled_by_an_operator(void **state)
{
    struct lab *lab = *state;

    up(lab, PD_ROLE_CLIENT);
    routed(lab, true);
    lab_operator(lab, "a", COMMAND_BY_RECONNECT);
    expect_decision(lab, 17, VERDICT_RECONNECT);
}

/* A client whose window is full cannot send a PING: it is moved to another port. */
static void moved_with_a_route_again(void **state)
{
    struct lab *lab = *state;

    up(lab, PD_ROLE_CLIENT);
    routed(lab, true);
    rows(lab, 3, NULL);
    routed(lab, false);
    assert_string_equal(expect_decision(lab, 17, VERDICT_MIGRATE)->reason->s,
                        "its route works again, and nothing got through for 3.0 s");
}

/* The node knows none: a dial would find none either. */
static void after_no_path(void **state)
{
    const struct record *record;
    struct lab *lab = *state;

    lab->config.retries = 0;
    client(lab, PD_KIND_MOVED);
    rows(lab, 5, NULL);
    lab_answer_error(lab, expect_migrate(lab, 17), NODE_NO_PATH);
    for (unsigned i = 0; i < 40; i++) {
        const struct lab_action *move;

        rows(lab, 1, NULL);
        while ((move = lab_next_move(lab))) { /* the same again, each 10 s */
            assert_int_equal(move->type, ACTION_MIGRATE);
            lab_answer_error(lab, move->request, NODE_NO_PATH);
        }
    }
    assert_true(lab_peer(lab, 17)->moves->watch.on);
    while ((record = lab_next(lab, RECORD_DECISION)))
        assert_string_not_equal(record->decision.trigger, "fallback");
}

/* It had no spare connection id, or no path at that time. Others have one since: a dial can work.
 */
static void after_no_path_and_others_live(void **state)
{
    struct lab *lab = *state;

    lab->config.retries = 0;
    client(lab, PD_KIND_MOVED);
    lab_peer_up(lab, "z", 99);
    lab_fresh(lab, 99, 50 * MS);
    rows(lab, 5, NULL);
    lab_answer_error(lab, expect_migrate(lab, 17), NODE_NO_PATH);
    expect_decision(lab, 17, VERDICT_BACKING_OFF);
    rows(lab, 4, NULL);
    expect_no_decision(lab); /* they lived before */
    lab_fresh(lab, 99, 50 * MS);
    rows(lab, 1, NULL);
    expect_fallback(lab, 17, "sign");
}

/* The last answer counts. */
static void after_no_path_and_a_timeout(void **state)
{
    struct lab *lab = *state;

    lab->config.retries = 1;
    client(lab, PD_KIND_MOVED);
    rows(lab, 5, NULL);
    lab_answer_error(lab, expect_migrate(lab, 17), NODE_NO_PATH);
    lab_time(lab, SEC);
    expect_no_decision(lab);
    lab_answer_error(lab, expect_migrate(lab, 17), NODE_TIMEOUT);
    expect_decision(lab, 17, VERDICT_BACKING_OFF); /* it is given again later */
    expect_fallback(lab, 17, "sign");
}

static void after_no_path_and_another_route(void **state)
{
    struct lab *lab = *state;

    lab->config.retries = 0;
    client(lab, PD_KIND_MOVED);
    rows(lab, 5, NULL);
    lab_answer_error(lab, expect_migrate(lab, 17), NODE_NO_PATH);
    rows(lab, 4, NULL);
    expect_decision(lab, 17, VERDICT_BACKING_OFF);
    expect_no_decision(lab);
    lab_advise(lab, 17, PD_KIND_MOVED);
    expect_decision(lab, 17, VERDICT_MIGRATE);
    lab_answer_error(lab, expect_migrate(lab, 17), NODE_DIAL_FAILED);
    expect_fallback(lab, 17, "sign");
}

/* ---- nothing says that it can work ---- */

static void blind_after_20_s(void **state)
{
    struct lab *lab = *state;

    inbound(lab, &(struct pd_advice){.kind = PD_KIND_DEAD, .reason = "dead"});
    rows(lab, 19, NULL);
    lab_time(lab, SEC - 1);
    lab_silent(lab, 17);
    expect_no_decision(lab);
    lab_time(lab, 1);
    lab_silent(lab, 17);
    expect_fallback(lab, 17, "blind");
}

/* A sign that comes meanwhile: it has waited long enough for that. */
static void no_longer_blind(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "z", 99);
    lab_silent(lab, 99);
    inbound(lab, &(struct pd_advice){.kind = PD_KIND_DEAD, .reason = "dead"});
    rows(lab, 10, NULL);
    expect_no_decision(lab);
    lab_fresh(lab, 99, 50 * MS);
    lab_silent(lab, 17);
    expect_fallback(lab, 17, "sign");
}

/* ---- idle ---- */

#define KEEP_ALIVE "srtt=50000 samples=1 in_flight=100 pto=1"

/* A keep-alive is not acknowledged, and others live. */
static void idle_after_30_s(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "z", 99);
    inbound(lab, &(struct pd_advice){.kind = PD_KIND_MOVED, .reason = "moved"});
    for (unsigned i = 0; i < 29; i++) {
        lab_fresh(lab, 99, 50 * MS);
        rows(lab, 1, KEEP_ALIVE);
    }
    lab_time(lab, SEC - 1);
    lab_row(lab, 17, KEEP_ALIVE);
    expect_no_decision(lab);
    lab_time(lab, 1);
    lab_row(lab, 17, KEEP_ALIVE);
    assert_string_equal(expect_decision(lab, 17, VERDICT_RECONNECT)->reason->s,
                        "no progress for 30.0 s in 31 polls, and something is outstanding; it is "
                        "only a keep-alive");
}

/* Nothing of anybody is acknowledged: a new connection would not work better. */
static void never_idle_where_nothing_is_heard(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "z", 99);
    inbound(lab, &(struct pd_advice){.kind = PD_KIND_MOVED, .reason = "moved"});
    rows(lab, 45, KEEP_ALIVE);
    expect_no_decision(lab);
    lab_fresh(lab, 99, 50 * MS);
    lab_row(lab, 17, KEEP_ALIVE);
    expect_fallback(lab, 17, "idle");
}

/* Within two rounds: what was acknowledged before that is old. */
static void idle_where_others_were_heard(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "z", 99);
    inbound(lab, &(struct pd_advice){.kind = PD_KIND_MOVED, .reason = "moved"});
    rows(lab, 25, KEEP_ALIVE);
    lab_fresh(lab, 99, 50 * MS);
    rows(lab, 4, KEEP_ALIVE);
    lab_time(lab, 6 * SEC);
    lab_row(lab, 17, KEEP_ALIVE);
    expect_no_decision(lab);
    lab_fresh(lab, 99, 50 * MS);
    lab_time(lab, 10 * SEC - 1);
    lab_row(lab, 17, KEEP_ALIVE);
    expect_fallback(lab, 17, "idle");
}

static int setup_uplinks(void **state)
{
    struct lab *lab = memory_new(1, sizeof(*lab));

    uplinks_init(lab, BINDS);
    lab->config.fallback = FALLBACK_RECONNECT;
    uplinks_begin(lab);
    uplinks_peer_role(lab, 17, ON_HOME, PD_ROLE_SERVER);
    *state = lab;
    return 0;
}

/* Of others on its uplink, where that is known. */
static void never_idle_where_nothing_is_heard_on_its_uplink(void **state)
{
    struct lab *lab = *state;

    uplinks_peer(lab, 2, ON_SAT);
    lab_advise(lab, 17, PD_KIND_MOVED);
    lab_skip(lab);
    for (unsigned i = 0; i < 45; i++) {
        lab_fresh(lab, 2, 50 * MS);
        rows(lab, 1, KEEP_ALIVE);
    }
    expect_no_decision(lab);
    lab_fresh(lab, 1, 50 * MS);
    lab_row(lab, 17, KEEP_ALIVE);
    expect_fallback(lab, 17, "idle");
}

/* Application data is sent: from now on that waits, and not only a keep-alive. */
static void no_longer_idle(void **state)
{
    struct lab *lab = *state;

    inbound(lab, &(struct pd_advice){.kind = PD_KIND_MOVED, .reason = "moved"});
    rows(lab, 10, KEEP_ALIVE);
    expect_no_decision(lab);
    lab_silent(lab, 17);
    expect_fallback(lab, 17, "sign");
}

/* A poll comes when that has waited for long enough, by what waits now. */
static void polled_when_it_is_time(void **state)
{
    struct lab *lab = *state;
    const struct deadline *deadline;
    uint64_t began_us;

    lab_peer_up(lab, "z", 99);
    inbound(lab, &(struct pd_advice){.kind = PD_KIND_MOVED, .reason = "moved"});
    deadline = &lab_peer(lab, 17)->moves->watch.deadline;
    began_us = lab->now_us;
    assert_int_equal(deadline->at_us, began_us + SEC);
    lab_time(lab, 900 * MS);
    lab_fresh(lab, 99, 50 * MS);
    lab_row(lab, 17, KEEP_ALIVE);
    assert_int_equal(deadline->at_us, began_us + 30 * SEC);
    lab_time(lab, 90 * MS);
    lab_silent(lab, 17);
    assert_int_equal(deadline->at_us, began_us + SEC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(never_without_a_way_out),
        LAB_TEST(with_a_way_out_again),
        LAB_TEST(never_without_a_route),
        LAB_TEST(alive_with_a_route_again),
        LAB_TEST(called_off_without_a_route),
        LAB_TEST(not_dialled_without_a_route),
        LAB_TEST(dialled_by_an_operator),
        LAB_TEST(moved_with_a_route_again),
        LAB_TEST(after_no_path),
        LAB_TEST(after_no_path_and_others_live),
        LAB_TEST(after_no_path_and_a_timeout),
        LAB_TEST(after_no_path_and_another_route),
        LAB_TEST(blind_after_20_s),
        LAB_TEST(no_longer_blind),
        LAB_TEST(idle_after_30_s),
        LAB_TEST(never_idle_where_nothing_is_heard),
        LAB_TEST(idle_where_others_were_heard),
        cmocka_unit_test_setup_teardown(never_idle_where_nothing_is_heard_on_its_uplink,
                                        setup_uplinks, lab_teardown),
        LAB_TEST(no_longer_idle),
        LAB_TEST(polled_when_it_is_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
