/* SPDX-License-Identifier: Apache-2.0 */
/* engine/stages/deferred.[ch]: degraded advice waits for a moment with nothing in flight. */
#include "engine-lab.h"

#include "engine/inspect.h"

/* SRTT 100 ms, variance 25 ms: a probe timeout is 225 ms. */
#define BUSY    "srtt=100000 rttvar=25000 samples=3 in_flight=1200"
#define QUIET   "srtt=100000 rttvar=25000 samples=4 in_flight=0"
#define PTO3_US (3 * 225 * MS)

static void advised(struct lab *lab, const char *row)
{
    lab_peer_up(lab, "a", 1);
    lab_row(lab, 1, row);
    lab_skip(lab);
    lab_advise(lab, 1, PD_KIND_DEGRADED);
}

static void at_once_if_quiet(void **state)
{
    struct lab *lab = *state;

    advised(lab, QUIET);
    expect_migrate(lab, 1);
}

/* Nobody knows whether it is. */
static void at_once_if_not_reported(void **state)
{
    struct lab *lab = *state;

    advised(lab, "srtt=100000 samples=3");
    expect_migrate(lab, 1);
}

static void with_the_first_quiet_row(void **state)
{
    struct lab *lab = *state;
    const struct lab_action *poll;

    advised(lab, BUSY);
    expect_no_decision(lab);
    expect_no_move(lab);
    lab_time(lab, 20 * MS);
    poll = lab_find_action(lab, ACTION_SUMMARY); /* it is polled fast meanwhile */
    assert_non_null(poll);
    lab_row(lab, 1, BUSY);
    expect_no_move(lab);
    lab_row(lab, 1, QUIET);
    expect_migrate(lab, 1);
    expect_decision(lab, 1, VERDICT_MIGRATE);
}

/* What is in flight is only an acknowledgement or a probe. */
static void quiet_without_application_data(void **state)
{
    struct lab *lab = *state;

    advised(lab, BUSY);
    lab_row(lab, 1, BUSY " unacked_bytes=0");
    expect_migrate(lab, 1);
}

static void after_three_probe_timeouts(void **state)
{
    struct lab *lab = *state;

    advised(lab, BUSY);
    lab_time(lab, PTO3_US - 1);
    expect_no_move(lab);
    lab_time(lab, 1);
    expect_migrate(lab, 1);
}

static void the_wait_is_bounded(void **state)
{
    struct lab *lab = *state;

    advised(lab, "srtt=60000000 rttvar=30000000 samples=3 in_flight=1200");
    lab_time(lab, 10 * SEC);
    expect_migrate(lab, 1);
}

static void without_an_rtt(void **state)
{
    struct lab *lab = *state;

    advised(lab, "samples=0 in_flight=1200");
    lab_time(lab, 3072 * MS - 1);
    expect_no_move(lab);
    lab_time(lab, 1);
    expect_migrate(lab, 1);
}

static void only_degraded_waits(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 1);
    lab_row(lab, 1, BUSY);
    lab_advise(lab, 1, PD_KIND_MOVED);
    expect_migrate(lab, 1);
}

/* Stronger advice goes at once; what waited joins it then. */
static void stronger_advice_goes_first(void **state)
{
    struct lab *lab = *state;

    advised(lab, BUSY);
    lab_advise(lab, 1, PD_KIND_MOVED);
    expect_migrate(lab, 1);
    expect_decision(lab, 1, VERDICT_MIGRATE);
    lab_time(lab, PTO3_US);
    expect_decision(lab, 1, VERDICT_IN_FLIGHT);
    expect_no_move(lab);
}

static void once_for_all_advice(void **state)
{
    struct lab *lab = *state;

    advised(lab, BUSY);
    lab_advise(lab, 1, PD_KIND_DEGRADED);
    expect_decision(lab, 1, VERDICT_AWAITING);
    lab_row(lab, 1, QUIET);
    expect_migrate(lab, 1);
    expect_no_move(lab);
}

static void ends(void **state)
{
    struct lab *lab = *state;

    advised(lab, BUSY);
    lab_withdraw(lab, 1);
    expect_decision(lab, 1, VERDICT_SUPERSEDED);
    lab_advise(lab, 1, PD_KIND_DEGRADED);
    lab_peer_down(lab, 1);
    expect_decision(lab, 1, VERDICT_GONE);
    lab_peer_up(lab, "a", 2);
    lab_row(lab, 2, BUSY);
    lab_advise(lab, 2, PD_KIND_DEGRADED);
    lab_stop(lab);
    expect_decision(lab, 2, VERDICT_EXPIRED);
    expect_no_move(lab);
}

static void told_of(void **state)
{
    struct lab *lab = *state;
    struct inspect_explain explain;

    advised(lab, BUSY);
    lab_time(lab, 75 * MS);
    assert_true(inspect_explain(lab->engine, lab->now_us, "a", &explain));
    assert_string_equal(explain.waits, "for a moment with nothing in flight, at most 600 ms more");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(at_once_if_quiet),
        LAB_TEST(at_once_if_not_reported),
        LAB_TEST(with_the_first_quiet_row),
        LAB_TEST(quiet_without_application_data),
        LAB_TEST(after_three_probe_timeouts),
        LAB_TEST(the_wait_is_bounded),
        LAB_TEST(without_an_rtt),
        LAB_TEST(only_degraded_waits),
        LAB_TEST(stronger_advice_goes_first),
        LAB_TEST(once_for_all_advice),
        LAB_TEST(ends),
        LAB_TEST(told_of),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
