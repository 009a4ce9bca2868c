/* SPDX-License-Identifier: Apache-2.0 */
/* engine/liveness/fallback.[ch]: when a connection is closed and dialled anew, by what says that
 * this can work (engine/liveness/dial.[ch]): proof that
 * nothing can arrive, and a change of the route. */
#include "fallback-lab.h"

/* ---- unreachable ---- */

static void unreachable_after_50_ms(void **state)
{
    struct lab *lab = *state;

    inbound(lab, &gone);
    lab_time(lab, 50 * MS - 1);
    lab_silent(lab, 17);
    expect_no_decision(lab);
    lab_time(lab, 1);
    lab_silent(lab, 17);
    expect_fallback(lab, 17, "unreachable");
    expect_reconnect(lab, 17);
}

/* A poll comes at that time; its row is enough. */
static void unreachable_after_one_row(void **state)
{
    struct lab *lab = *state;

    const struct lab_action *poll;

    inbound(lab, &gone);
    lab_time(lab, 20 * MS);
    poll = lab_next_poll(lab);
    assert_non_null(poll);
    lab_summary_done(lab, poll->poll, false);
    lab_time(lab, 30 * MS - 1);
    assert_null(lab_next_poll(lab));
    lab_time(lab, 1);
    assert_non_null(lab_next_poll(lab));
    expect_no_decision(lab);
    lab_silent(lab, 17);
    expect_fallback(lab, 17, "unreachable");
}

/* Nothing need be outstanding: what it waits for cannot come. */
static void unreachable_and_idle(void **state)
{
    struct lab *lab = *state;

    inbound(lab, &gone);
    lab_time(lab, 50 * MS - 1);
    lab_row(lab, 17, "srtt=50000 samples=1 in_flight=0 unacked=0");
    expect_no_decision(lab);
    lab_time(lab, 1);
    lab_row(lab, 17, "srtt=50000 samples=1 in_flight=0 unacked=0");
    expect_fallback(lab, 17, "unreachable");
}

/* The reason says nothing of what is outstanding: it may be nothing. */
static void unreachable_in_words(void **state)
{
    struct lab *lab = *state;

    inbound(lab, &gone);
    lab_time(lab, 50 * MS);
    lab_row(lab, 17, "srtt=50000 samples=1 in_flight=0 unacked=0");
    assert_string_equal(expect_decision(lab, 17, VERDICT_RECONNECT)->reason->s,
                        "no progress for 50 ms in 1 poll; the kernel says that nothing can arrive, "
                        "and the connection cannot be migrated");
}

/* For pathdogctl explain: when it would be closed, and why; `after_us` INSPECT_NEVER: not now. */
static void expect_plan(struct lab *lab, const char *dial, uint64_t after_us, const char *why)
{
    struct inspect_explain explain;

    assert_true(inspect_explain(lab->engine, lab->now_us, "a", &explain));
    assert_string_equal(explain.dial, dial);
    assert_string_equal(explain.dial_why, why);
    assert_int_equal(explain.dial_after_us, after_us);
}

static void told_of(void **state)
{
    struct lab *lab = *state;
    struct inspect_explain explain;

    up(lab, PD_ROLE_SERVER);
    assert_true(inspect_explain(lab->engine, lab->now_us, "a", &explain));
    assert_null(explain.dial); /* it is not watched */
    lab_advise(lab, 17, PD_KIND_DEAD);
    lab_time(lab, 20 * SEC);
    lab_silent(lab, 17);
    expect_plan(lab, "blind", 20 * SEC, "nothing says that a new connection can work");
    lab_advise_full(lab, 17, &lost);
    expect_plan(lab, "never", INSPECT_NEVER, "there is no way out");
    lab_advise(lab, 17, PD_KIND_MOVED);
    expect_plan(lab, "sign", SEC, "a new connection can work");
    lab_advise_full(lab, 17, &gone);
    expect_plan(lab, "unreachable", 50 * MS,
                "the kernel says that nothing can arrive, and the connection cannot be migrated");
    lab->config.fallback = FALLBACK_OFF;
    uplinks_config(lab);
    assert_true(inspect_explain(lab->engine, lab->now_us, "a", &explain));
    assert_null(explain.dial);
}

/* Where it may not be dialled it is polled no faster for that. */
static void unreachable_and_idle_for_long(void **state)
{
    (void)state;
    for (unsigned held = 0; held < 2; held++) {
        struct lab lab;
        unsigned polls = 0;

        lab_init(&lab);
        if (!held)
            lab.features = 0;
        lab_begin(&lab);
        inbound(&lab, &gone);
        if (held)
            lab_hold(&lab, "a", 0);
        for (unsigned i = 0; i < 1000; i++) {
            const struct lab_action *poll;

            lab_time(&lab, 10 * MS);
            while ((poll = lab_next_poll(&lab))) {
                lab_row(&lab, 17, "srtt=50000 samples=1 in_flight=0 unacked=0");
                lab_summary_done(&lab, poll->poll, false);
                polls++;
            }
        }
        if (held)
            expect_decision(&lab, 17, VERDICT_HELD);
        expect_no_decision(&lab);
        assert_in_range(polls, 20, 25);
        lab_end(&lab);
    }
}

/* The proof is of a path, and it is old: what comes proves more. */
static void unreachable_and_heard(void **state)
{
    struct lab *lab = *state;

    inbound(lab, &gone);
    lab_time(lab, 50 * MS);
    lab_fresh(lab, 17, 50 * MS);
    lab_time(lab, 50 * MS - 1);
    lab_silent(lab, 17);
    expect_no_decision(lab);
}

/* At once, and only once: what has failed waits as any other does. */
static void unreachable_is_no_reason_twice(void **state)
{
    struct lab *lab = *state;

    inbound(lab, &gone);
    lab_time(lab, 50 * MS);
    lab_silent(lab, 17);
    expect_fallback(lab, 17, "unreachable");
    lab_answer_error(lab, expect_reconnect(lab, 17), NODE_DIAL_FAILED);
    for (unsigned i = 0; i < 29; i++) {
        lab_time(lab, 100 * MS);
        lab_silent(lab, 17);
    }
    expect_no_decision(lab);
    lab_time(lab, 100 * MS);
    lab_silent(lab, 17);
    assert_string_equal(expect_decision(lab, 17, VERDICT_BACKING_OFF)->evidence->fields[0].text,
                        "sign");
}

/* ---- a change of the route is a sign until something is acknowledged ---- */

static bool flipped(struct lab *lab)
{
    return lab_peer(lab, 17)->moves->watch.flipped;
}

static void flipped_until_it_is_acknowledged(void **state)
{
    struct lab *lab = *state;

    client(lab, PD_KIND_MOVED); /* the request stays open, so it is watched all the time */
    assert_true(flipped(lab));
    lab_row(lab, 17, "srtt=50000 samples=1 in_flight=100 received=1");
    lab_time(lab, 2 * SEC);
    lab_row(lab, 17, "srtt=50000 samples=1 in_flight=100 received=2");
    assert_true(flipped(lab)); /* heard */
    lab_row(lab, 17, "srtt=50000 samples=2 in_flight=100 received=2");
    assert_false(flipped(lab)); /* acknowledged */
    assert_true(lab_peer(lab, 17)->moves->watch.on);
}

/* What is acknowledged within a second of the advice may have been sent before it. */
static void flipped_while_that_is_not_sure(void **state)
{
    struct lab *lab = *state;

    client(lab, PD_KIND_MOVED);
    lab_fresh(lab, 17, 50 * MS);
    lab_time(lab, SEC);
    lab_fresh(lab, 17, 50 * MS);
    assert_true(flipped(lab));
    lab_time(lab, 1);
    lab_fresh(lab, 17, 50 * MS);
    assert_false(flipped(lab));
}

/* Nor is the proof that nothing arrives there any more true then; a migration is another path. */
static void unreachable_until_then(void **state)
{
    struct lab *lab = *state;
    const struct watch *watch;

    up(lab, PD_ROLE_CLIENT);
    lab_advise_full(lab, 17, &gone);
    watch = &lab_peer(lab, 17)->moves->watch;
    assert_true(watch->gone);
    lab_answer_ok(lab, expect_migrate(lab, 17));
    assert_false(watch->gone);
    assert_true(watch->flipped);
    lab_advise_full(lab, 17, &gone);
    (void)expect_migrate(lab, 17);
    lab_silent(lab, 17);
    lab_time(lab, 2 * SEC);
    assert_true(watch->gone);
    lab_fresh(lab, 17, 50 * MS);
    assert_false(watch->gone);
}

/* Advised anew after the watch: nothing is left of what was known before. */
static void a_new_watch_knows_nothing(void **state)
{
    struct lab *lab = *state;
    const struct watch *watch;

    inbound(lab, &gone);
    watch = &lab_peer(lab, 17)->moves->watch;
    lab_time(lab, 61 * SEC);
    assert_false(watch->on);
    lab_advise(lab, 17, PD_KIND_DEAD);
    assert_true(watch->on);
    assert_false(watch->gone);
    assert_false(watch->flipped);
    assert_true(watch->application);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(unreachable_after_50_ms),
        LAB_TEST(unreachable_after_one_row),
        LAB_TEST(unreachable_and_idle),
        LAB_TEST(unreachable_in_words),
        LAB_TEST(told_of),
        cmocka_unit_test(unreachable_and_idle_for_long),
        LAB_TEST(unreachable_and_heard),
        LAB_TEST(unreachable_is_no_reason_twice),
        LAB_TEST(flipped_until_it_is_acknowledged),
        LAB_TEST(flipped_while_that_is_not_sure),
        LAB_TEST(unreachable_until_then),
        LAB_TEST(a_new_watch_knows_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
