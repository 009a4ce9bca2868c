/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plugins/congestion.c and plugins/send-errors.c: small rules, all of them.
 */
#include "check.h"

#include <pathdog/mock-host.h>

#define SECOND 1000000ull
#define MINUTE (60 * SECOND)

extern const struct pd_trigger pathdog_trigger_congestion;
extern const struct pd_trigger pathdog_trigger_send_errors;

static void look(struct mock *mock, uint64_t at_us, uint64_t cwnd, uint64_t in_flight,
                 uint64_t congested)
{
    struct pd_row row = mock_row();

    row.v[PD_CWND_BYTES] = cwnd;
    row.v[PD_IN_FLIGHT_BYTES] = in_flight;
    row.v[PD_CONGESTED] = congested;
    mock_time(mock, at_us);
    mock_sample(mock, 0, &row, true);
}

static void begin(struct mock *mock, const struct pd_trigger *trigger)
{
    *mock = (struct mock){.turn.now_us = SECOND};
    assert_int_equal(mock_start(mock, trigger, NULL), 0);
    mock_peer_up(mock, "bravo", NULL, NULL);
}

static void test_congested(void **state)
{
    struct mock mock;

    begin(&mock, &pathdog_trigger_congestion);
    look(&mock, 5 * SECOND, PD_UNKNOWN, PD_UNKNOWN, 1);
    look(&mock, 6 * SECOND, PD_UNKNOWN, PD_UNKNOWN, 1); /* a close look does not count */
    look(&mock, 10 * SECOND, PD_UNKNOWN, PD_UNKNOWN, 1);
    assert_int_equal(mock.n_advice, 0);
    look(&mock, 15 * SECOND, PD_UNKNOWN, PD_UNKNOWN, 1);
    assert_int_equal(mock.n_advice, 1);
    assert_int_equal(mock.advice[0].kind, PD_KIND_DEGRADED);
    assert_string_equal(mock.advice[0].reason, "congested, 3 samples in a row");
    look(&mock, 20 * SECOND, PD_UNKNOWN, PD_UNKNOWN, 1);
    look(&mock, 25 * SECOND, PD_UNKNOWN, PD_UNKNOWN, 1);
    look(&mock, 30 * SECOND, PD_UNKNOWN, PD_UNKNOWN, 0); /* a good one: from none */
    look(&mock, 35 * SECOND, PD_UNKNOWN, PD_UNKNOWN, 1);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

static void test_a_window_that_shrank(void **state)
{
    struct mock mock;

    begin(&mock, &pathdog_trigger_congestion);
    look(&mock, 5 * SECOND, 100000, 90000, 0);
    for (uint64_t i = 2; i < 6; i++)
        look(&mock, i * 5 * SECOND, 25000, 25000, 0); /* exactly a quarter */
    assert_int_equal(mock.n_advice, 0);
    for (uint64_t i = 6; i < 9; i++)
        look(&mock, i * 5 * SECOND, 24999, 24999, 0);
    assert_int_equal(mock.n_advice, 1);
    assert_string_equal(mock.advice[0].reason,
                        "window 24999 bytes, below 250/1000 of 100000, 3 samples in a row");
    assert_string_equal(mock.advice[0].evidence,
                        "strikes=3 congested=0 cwnd_bytes=24999 cwnd_max_bytes=100000");
    mock_stop(&mock);
}

static void test_application_limited(void **state)
{
    struct mock mock;

    begin(&mock, &pathdog_trigger_congestion);
    look(&mock, 5 * SECOND, 100000, 90000, 0);
    for (uint64_t i = 2; i < 10; i++)
        look(&mock, i * 5 * SECOND, 10000, 4999, 1);
    assert_int_equal(mock.n_advice, 0);
    for (uint64_t i = 10; i < 13; i++)
        look(&mock, i * 5 * SECOND, 10000, 5000, 0);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

static void test_the_maximum_is_forgotten(void **state)
{
    struct mock mock;

    begin(&mock, &pathdog_trigger_congestion);
    look(&mock, 5 * SECOND, 100000, 90000, 0);
    for (uint64_t i = 2; i < 90; i++) /* five minutes and more at the limit, but not below */
        look(&mock, i * 5 * SECOND, 30000, 30000, 0);
    for (uint64_t i = 90; i < 96; i++)
        look(&mock, i * 5 * SECOND, 20000, 20000, 0); /* of 30000 now */
    assert_int_equal(mock.n_advice, 0);
    look(&mock, 100 * MINUTE, 5000, 5000, 0); /* long not looked at */
    look(&mock, 101 * MINUTE, 4000, 4000, 0);
    look(&mock, 102 * MINUTE, 3000, 3000, 0);
    look(&mock, 103 * MINUTE, 2000, 2000, 0);
    assert_int_equal(mock.n_advice, 0);
    mock_stop(&mock);
}

/* The number of the minute is kept in 16 bits. */
static void test_the_minute_wraps(void **state)
{
    const uint64_t wrap_us = 65536 * MINUTE;
    struct mock mock;

    begin(&mock, &pathdog_trigger_congestion);
    look(&mock, wrap_us - 2 * MINUTE, 100000, 90000, 0);
    for (uint64_t i = 0; i < 3; i++)
        look(&mock, wrap_us + MINUTE + i * 5 * SECOND, 20000, 20000, 0);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);

    begin(&mock, &pathdog_trigger_congestion);
    look(&mock, wrap_us - 2 * MINUTE, 100000, 90000, 0);
    for (uint64_t i = 0; i < 90; i++)
        look(&mock, wrap_us - MINUTE + i * 5 * SECOND, 30000, 30000, 0);
    for (uint64_t i = 0; i < 6; i++)
        look(&mock, wrap_us + 7 * MINUTE + i * 5 * SECOND, 20000, 20000, 0); /* of 30000 now */
    assert_int_equal(mock.n_advice, 0);
    mock_stop(&mock);
}

static void test_another_path(void **state)
{
    static const enum pd_peer_change changes[] = {PD_PEER_PATH, PD_PEER_MIGRATED};

    for (size_t i = 0; i < 2; i++) {
        struct mock mock;

        begin(&mock, &pathdog_trigger_congestion);
        look(&mock, 5 * SECOND, 100000, 90000, 0);
        mock_peer_change(&mock, 0, changes[i]);
        for (uint64_t j = 2; j < 8; j++)
            look(&mock, j * 5 * SECOND, 10000, 10000, 0);
        assert_int_equal(mock.n_advice, 0);
        mock_stop(&mock);
    }
}

static void send_errors(struct mock *mock, uint64_t errors)
{
    struct pd_row row = mock_row();

    row.v[PD_SEND_ERRORS] = errors;
    mock_sample(mock, 0, &row, false);
}

static void test_send_errors(void **state)
{
    struct mock mock;

    begin(&mock, &pathdog_trigger_send_errors);
    send_errors(&mock, PD_UNKNOWN);
    send_errors(&mock, 0);
    send_errors(&mock, 2);
    assert_int_equal(mock.n_advice, 0);
    send_errors(&mock, 3);
    assert_int_equal(mock.n_advice, 1);
    assert_int_equal(mock.advice[0].kind, PD_KIND_DEAD);
    assert_string_equal(mock.advice[0].reason, "3 send errors in a row");
    send_errors(&mock, 4);
    send_errors(&mock, 1);
    send_errors(&mock, PD_UNKNOWN);
    send_errors(&mock, 5);
    assert_int_equal(mock.n_advice, 1); /* once, until it was 0 */
    send_errors(&mock, 0);
    send_errors(&mock, 1000);
    assert_int_equal(mock.n_advice, 2);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_congested),           cmocka_unit_test(test_a_window_that_shrank),
        cmocka_unit_test(test_application_limited), cmocka_unit_test(test_the_maximum_is_forgotten),
        cmocka_unit_test(test_the_minute_wraps),    cmocka_unit_test(test_another_path),
        cmocka_unit_test(test_send_errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
