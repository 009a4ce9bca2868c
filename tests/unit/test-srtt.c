/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plugins/srtt.c: each rule of docs/triggers.md "srtt" by itself.
 */
#include "check.h"

#include <pathdog/mock-host.h>

#include <errno.h>

#define SECOND 1000000ull

extern const struct pd_trigger pathdog_trigger_srtt;

static void look(struct mock *mock, uint64_t at_us, uint64_t srtt_us, bool fresh)
{
    struct pd_row row = mock_row();

    row.v[PD_SRTT_US] = srtt_us;
    mock_time(mock, at_us);
    mock_sample(mock, 0, &row, fresh);
}

static void begin(struct mock *mock, const char *options)
{
    *mock = (struct mock){0};
    assert_int_equal(mock_start(mock, &pathdog_trigger_srtt, options), 0);
    mock_peer_up(mock, "bravo", NULL, NULL);
}

static void test_fires_after_strikes(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    look(&mock, 5 * SECOND, 312000, true);
    assert_int_equal(mock.n_advice, 0);
    look(&mock, 10 * SECOND, 312400, true);
    assert_int_equal(mock.n_advice, 1);
    assert_int_equal(mock.advice[0].kind, PD_KIND_DEGRADED);
    assert_int_equal(mock.advice[0].cause, 0);
    assert_string_equal(mock.advice[0].reason, "srtt 312 ms > 200 ms, 2 samples in a row");
    assert_string_equal(mock.advice[0].evidence, "srtt_us=312400 threshold_us=200000 strikes=2");
    /* From none again: one more is not enough, two are. */
    look(&mock, 15 * SECOND, 312000, true);
    assert_int_equal(mock.n_advice, 1);
    look(&mock, 20 * SECOND, 312000, true);
    assert_int_equal(mock.n_advice, 2);
    assert_int_equal(mock.peers[0].look_until_us, 0);
    mock_stop(&mock);
}

static void test_threshold_is_not_above(void **state)
{
    struct mock mock;

    begin(&mock, "strikes=1");
    look(&mock, 5 * SECOND, 200000, true);
    assert_int_equal(mock.n_advice, 0);
    look(&mock, 10 * SECOND, 200001, true);
    assert_int_equal(mock.n_advice, 1);
    assert_string_equal(mock.advice[0].reason, "srtt 200.001 ms > 200 ms, 1 sample in a row");
    mock_stop(&mock);
}

static void test_spacing(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    look(&mock, 5 * SECOND, 300000, true);
    for (uint64_t at_us = 5 * SECOND; at_us < 9 * SECOND; at_us += SECOND / 2)
        look(&mock, at_us, 300000, true);
    look(&mock, 9 * SECOND - 1, 300000, true);
    assert_int_equal(mock.n_advice, 0);
    look(&mock, 9 * SECOND, 300000, true); /* exactly 0.8 × 5 s */
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

static void test_a_good_close_look_does_not_clear(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    look(&mock, 5 * SECOND, 300000, true);
    look(&mock, 6 * SECOND, 10000, true); /* does not count */
    look(&mock, 10 * SECOND, 300000, true);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

static void test_clears(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    look(&mock, 5 * SECOND, 300000, true);
    look(&mock, 10 * SECOND, 200000, true);
    look(&mock, 15 * SECOND, 300000, true);
    assert_int_equal(mock.n_advice, 0);
    look(&mock, 20 * SECOND, 300000, true);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

static void test_neither(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    look(&mock, 5 * SECOND, 300000, true);
    look(&mock, 10 * SECOND, 300000, false);     /* not fresh: no strike */
    look(&mock, 15 * SECOND, 100000, false);     /* not fresh: does not clear */
    look(&mock, 20 * SECOND, PD_UNKNOWN, false); /* never measured */
    assert_int_equal(mock.n_advice, 0);
    look(&mock, 25 * SECOND, 300000, true);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

static void test_recover(void **state)
{
    struct mock mock;

    begin(&mock, "recover=150000");
    look(&mock, 5 * SECOND, 300000, true);
    look(&mock, 10 * SECOND, 150001, true); /* between: neither */
    look(&mock, 15 * SECOND, 300000, true);
    assert_int_equal(mock.n_advice, 1);
    look(&mock, 20 * SECOND, 300000, true);
    look(&mock, 25 * SECOND, 150000, true); /* at it: cleared */
    look(&mock, 30 * SECOND, 300000, true);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

static void test_recover_above_threshold_is_refused(void **state)
{
    struct mock mock = {0};

    assert_int_equal(mock_start(&mock, &pathdog_trigger_srtt, "recover=200001"), -EINVAL);
    assert_int_equal(mock.n_notices, 1);
    mock_stop(&mock);
}

static void test_changes_clear(void **state)
{
    static const enum pd_peer_change clears[] = {PD_PEER_MISSING, PD_PEER_PATH, PD_PEER_MIGRATED};

    for (size_t i = 0; i < 3; i++) {
        struct mock mock;

        begin(&mock, NULL);
        look(&mock, 5 * SECOND, 300000, true);
        mock_peer_change(&mock, 0, clears[i]);
        look(&mock, 10 * SECOND, 300000, true);
        assert_int_equal(mock.n_advice, 0);
        look(&mock, 15 * SECOND, 300000, true);
        assert_int_equal(mock.n_advice, 1);
        mock_stop(&mock);
    }
    struct mock mock;

    begin(&mock, NULL);
    look(&mock, 5 * SECOND, 300000, true);
    mock_peer_change(&mock, 0, PD_PEER_TOLD); /* the same connection: does not */
    look(&mock, 10 * SECOND, 300000, true);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

static void far_look(struct mock *mock, uint64_t at_us, uint64_t srtt_us, uint64_t min_rtt_us)
{
    struct pd_row row = mock_row();

    row.v[PD_SRTT_US] = srtt_us;
    row.v[PD_MIN_RTT_US] = min_rtt_us;
    mock_time(mock, at_us);
    mock_sample(mock, 0, &row, true);
}

static void test_far_is_not_slow(void **state)
{
    struct mock mock;

    begin(&mock, "strikes=1");
    far_look(&mock, 5 * SECOND, 600000, 300000); /* exactly twice its own */
    assert_int_equal(mock.n_advice, 0);
    far_look(&mock, 10 * SECOND, 640000, 300000);
    assert_int_equal(mock.n_advice, 1);
    assert_string_equal(mock.advice[0].reason,
                        "srtt 640 ms > 600 ms (2 × min RTT 300 ms), 1 sample in a row");
    assert_string_equal(mock.advice[0].evidence,
                        "srtt_us=640000 threshold_us=600000 strikes=1 min_rtt_us=300000");
    far_look(&mock, 15 * SECOND, 210000, 10000); /* near: the plain threshold */
    assert_int_equal(mock.n_advice, 2);
    mock_stop(&mock);

    begin(&mock, "strikes=1 factor=0");
    far_look(&mock, 5 * SECOND, 210000, 190000);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

static void test_state_is_small(void **state)
{
    assert_true(pathdog_trigger_srtt.peer_size <= 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fires_after_strikes),
        cmocka_unit_test(test_threshold_is_not_above),
        cmocka_unit_test(test_spacing),
        cmocka_unit_test(test_a_good_close_look_does_not_clear),
        cmocka_unit_test(test_clears),
        cmocka_unit_test(test_neither),
        cmocka_unit_test(test_recover),
        cmocka_unit_test(test_recover_above_threshold_is_refused),
        cmocka_unit_test(test_changes_clear),
        cmocka_unit_test(test_far_is_not_slow),
        cmocka_unit_test(test_state_is_small),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
