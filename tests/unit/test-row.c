/* SPDX-License-Identifier: Apache-2.0 */
/* What a row says: fresh, progress, first looks, columns that are missing. */
#include "engine-lab.h"

static void expect_row(struct lab *lab, const char *row, bool fresh, bool progress)
{
    lab_row(lab, 17, row);
    if (lab->poke.sample.fresh != fresh || lab->poke.sample.progress != progress)
        print_error("row %s\n", row);
    assert_int_equal(lab->poke.sample.fresh, fresh);
    assert_int_equal(lab->poke.sample.progress, progress);
    lab_time(lab, SEC);
}

static void fresh(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    expect_row(lab, "samples=3", false, false);        /* without an SRTT: not measured */
    expect_row(lab, "srtt=9 samples=0", false, false); /* nor without samples */
    expect_row(lab, "srtt=9 samples=3", true, true);
    expect_row(lab, "srtt=9 samples=3", false, false);
    expect_row(lab, "srtt=10 samples=3", false, false); /* the count says it is the same */
    expect_row(lab, "srtt=10 samples=4", true, true);
    expect_row(lab, "srtt=10 samples=2", true, true); /* another path: in either direction */
    expect_row(lab, "srtt=10 samples=2", false, false);
}

static void first_measured(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    expect_row(lab, "srtt=9", true, true);
    lab_peer_up(lab, "b", 18);
    lab_row(lab, 18, "samples=3");
    assert_false(lab->poke.sample.fresh);
    lab_row(lab, 18, "srtt=9 samples=3"); /* the count is the same, but it is the first */
    assert_true(lab->poke.sample.fresh);
}

static void fresh_without_samples(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    expect_row(lab, "srtt=9 latest=8 rttvar=7", true, true);
    expect_row(lab, "srtt=9 latest=8 rttvar=7", false, false);
    expect_row(lab, "srtt=9 latest=7 rttvar=8", true, true);
    expect_row(lab, "srtt=9 latest=7", false, false);        /* of what it lacks it says nothing */
    expect_row(lab, "srtt=9 latest=7 rttvar=0", true, true); /* 0 is not unknown */
    expect_row(lab, "srtt=8 latest=7 rttvar=0", true, true);
    expect_row(lab, "srtt=8 latest=7 rttvar=0 min=5", false, false);
}

static void progress(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    expect_row(lab, "received=100", false, false); /* the first: compared with nothing */
    expect_row(lab, "received=100", false, false);
    expect_row(lab, "received=101", false, true);
    expect_row(lab, "received=7", false, false); /* it never shrinks: not progress */
    expect_row(lab, "received=8", false, true);
    expect_row(lab, "", false, false);
    expect_row(lab, "received=8", false, false); /* compared with the last that was told */
    expect_row(lab, "received=9", false, true);
}

static void silence(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    expect_row(lab, "silent=0", false, false); /* no look before: compared with nothing */
    expect_row(lab, "silent=999", false, true);
    expect_row(lab, "silent=1000", false, false); /* exactly as long ago as the last look */
    expect_row(lab, "silent=2000", false, false);
}

static void last_look(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    lab_row(lab, 17, "srtt=1");
    assert_int_equal(lab->poke.sample.last_look_us, 0);
    lab_time(lab, 3 * SEC);
    lab_row(lab, 17, "srtt=1");
    assert_int_equal(lab->poke.sample.last_look_us, lab->now_us - 3 * SEC);
    assert_false(lab->poke.sample.in_flight);
    lab_advise(lab, 17, PD_KIND_MOVED);
    lab_row_only(lab, 17, "srtt=1");
    assert_true(lab->poke.sample.in_flight);
    assert_int_equal(lab->poke.sample.columns, 1u << PD_SRTT_US);
}

static void unknown_connections(void **state)
{
    struct lab *lab = *state;

    lab_row(lab, 99, "srtt=1");
    assert_int_equal(engine_counts(lab->engine).ignored, 1);
    lab_peer_up(lab, "a", 17);
    lab_node_down(lab);
    lab_row(lab, 17, "srtt=1");
    assert_int_equal(lab->poke.called[POKE_IN_SAMPLE], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(fresh),
        LAB_TEST(first_measured),
        LAB_TEST(fresh_without_samples),
        LAB_TEST(progress),
        LAB_TEST(silence),
        LAB_TEST(last_look),
        LAB_TEST(unknown_connections),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
