/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/stall: what one row proves by itself. */
#include "stall-lab.h"

/* ---- what one row proves by itself; PTO is 225 ms, four of them are 900 ms ---- */

/* Something came since the row before, and nothing for `silent_ms` up to now. */
static void at_sight(struct mock *mock, uint64_t at_us, uint64_t in_flight, uint64_t pto_count,
                     uint64_t silent_ms)
{
    struct pd_row row = row_of(in_flight, at_us / MS);

    row.v[PD_PTO_COUNT] = pto_count;
    row.v[PD_SILENT_MS] = silent_ms;
    mock_time(mock, at_us);
    mock_sample(mock, 0, &row, false);
}

static void test_silent_at_first_sight(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    at_sight(&mock, 6 * SECOND, 1200, 2, 900);
    assert_int_equal(mock.n_advice, 1);
    assert_int_equal(mock.advice[0].kind, PD_KIND_DEAD);
    assert_string_equal(mock.advice[0].reason,
                        "no progress for 900 ms (PTO 225 ms), 1200 bytes in flight");
    assert_string_equal(mock.advice[0].evidence,
                        "proof=silent stalled_us=900000 pto_us=225000 in_flight_bytes=1200");
    mock_stop(&mock);
}

static void test_not_silent_for_long_enough_at_sight(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    at_sight(&mock, 6 * SECOND, 1200, 2, 899);
    assert_int_equal(mock.n_advice, 0);
    mock_stop(&mock);

    begin(&mock, "min=3000000");
    at_sight(&mock, 6 * SECOND, 1200, 2, 2999);
    assert_int_equal(mock.n_advice, 0);
    at_sight(&mock, 11 * SECOND, 1200, 2, 3000);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

/* One probe timeout is a lost packet; but somebody should look again soon. */
static void test_one_timeout_is_looked_at_closely(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    at_sight(&mock, 6 * SECOND, 1200, 1, 4000);
    assert_int_equal(mock.n_advice, 0);
    assert_true(mock.peers[0].look_until_us > 6 * SECOND + 900 * MS);
    mock_stop(&mock);
}

/* Something comes, and ends the suspicion; but not the close look. */
static void test_heard_with_a_timeout_is_looked_at_closely(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    look(&mock, 6 * SECOND, 1200, 2200, false);
    assert_true(mock.peers[0].look_until_us);
    at_sight(&mock, 6500 * MS, 1200, 1, 10);
    assert_int_equal(mock.n_advice, 0);
    assert_true(mock.peers[0].look_until_us > 6500 * MS + 900 * MS);
    look(&mock, 7 * SECOND, 0, 9000, true);
    mock_stop(&mock);
}

/* An idle connection may have a count left; nothing is owed. */
static void test_nothing_in_flight_proves_nothing_at_sight(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    at_sight(&mock, 6 * SECOND, 0, 3, 4000);
    assert_int_equal(mock.n_advice, 0);
    mock_stop(&mock);
}

/* Where a node does not tell what is in flight, its timeouts say that something is. */
static void test_in_flight_need_not_be_told(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    at_sight(&mock, 6 * SECOND, PD_UNKNOWN, 2, 900);
    assert_int_equal(mock.n_advice, 1);
    assert_string_equal(mock.advice[0].evidence, "proof=silent stalled_us=900000 pto_us=225000");
    mock_stop(&mock);
}

/* The first row of all has nothing to compare with. */
static void test_the_first_row_is_not_judged(void **state)
{
    struct mock mock = {.turn.now_us = SECOND};

    assert_int_equal(mock_start(&mock, &pathdog_trigger_stall, NULL), 0);
    mock_peer_up(&mock, "bravo", NULL, NULL);
    at_sight(&mock, SECOND, 1200, 5, 5000);
    assert_int_equal(mock.n_advice, 0);
    mock_stop(&mock);
}

static void test_a_move_under_way_is_not_judged_at_sight(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    mock.peers[0].in_flight = true;
    at_sight(&mock, 6 * SECOND, 1200, 5, 4000);
    assert_int_equal(mock.n_advice, 0);
    mock.peers[0].in_flight = false;
    at_sight(&mock, 11 * SECOND, 1200, 5, 4000);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

/* The peer's packets arrive: it was heard 10 ms ago. */
static void one_way(struct mock *mock, uint64_t at_us, uint64_t pto_count)
{
    at_sight(mock, at_us, 1200, pto_count, 10);
}

static void test_one_way(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    one_way(&mock, 6 * SECOND, 2);
    assert_int_equal(mock.n_advice, 0);
    one_way(&mock, 7 * SECOND, 3);
    assert_int_equal(mock.n_advice, 1);
    assert_int_equal(mock.advice[0].kind, PD_KIND_DEAD);
    assert_string_equal(mock.advice[0].reason,
                        "packets arrive, but nothing is acknowledged: 3 probe timeouts in a row");
    assert_string_equal(mock.advice[0].evidence,
                        "proof=one-way unacked_us=1000000 pto_us=225000 pto_count=3");
    mock_stop(&mock);
}

/* Each repeat after twice as long: 1.8 s, 3.6 s, 7.2 s … up to 30 s. */
static void test_repeats_at_sight_double(void **state)
{
    static const uint64_t after_ms[] = {1800, 3600, 7200, 14400, 28800, 30000, 30000};
    struct mock mock;
    uint64_t at_us = 6 * SECOND;

    begin(&mock, NULL);
    one_way(&mock, at_us, 3);
    assert_string_equal(mock_tell(&mock, 0),
                        "dead, as its rows prove; 0 of 3 misses of 8000 ms; advised 1 time since "
                        "the last progress");
    for (size_t i = 0; i < sizeof(after_ms) / sizeof(*after_ms); i++) {
        one_way(&mock, at_us + after_ms[i] * MS / 2, 4);
        one_way(&mock, at_us + (after_ms[i] - 20) * MS, 4);
        assert_int_equal(mock.n_advice, i + 1);
        at_us += after_ms[i] * MS;
        one_way(&mock, at_us, 4);
        assert_int_equal(mock.n_advice, i + 2);
    }
    assert_string_equal(mock_tell(&mock, 0),
                        "dead, as its rows prove; 0 of 3 misses of 8000 ms; advised at least 6 "
                        "times since the last progress");
    look(&mock, at_us + SECOND, 0, 2200, true);
    assert_string_equal(mock_tell(&mock, 0), "no suspicion; 0 of 3 misses of 8000 ms; advised 0 "
                                             "times since the last progress");
    mock_stop(&mock);
}

/* Where a probe timeout is so long that the first advice takes longer than that, so do the others.
 */
static void test_repeats_with_a_long_probe_timeout(void **state)
{
    struct mock mock;
    struct pd_row row = row_of(1200, 2200);

    begin(&mock, NULL);
    row.v[PD_PTO_US] = 10 * SECOND;
    row.v[PD_UNACKED_MS] = row.v[PD_SILENT_MS] = 40000;
    mock_time(&mock, 50 * SECOND);
    mock_sample(&mock, 0, &row, false);
    assert_int_equal(mock.n_advice, 1);
    mock_time(&mock, 90 * SECOND - 1);
    mock_sample(&mock, 0, &row, false);
    assert_int_equal(mock.n_advice, 1);
    mock_time(&mock, 90 * SECOND);
    mock_sample(&mock, 0, &row, false);
    assert_int_equal(mock.n_advice, 2);
    mock_stop(&mock);
}

/* Another port may go another way (ECMP): after a move that did not help the next follows, with the
 * same doubling gaps, from the first row after the answer on. */
static void test_after_a_move_that_did_not_help(void **state)
{
    static const uint64_t after_ms[] = {1800, 3600, 7200, 14400, 28800, 30000, 30000};
    struct mock mock;
    uint64_t at_us = 6 * SECOND;

    begin(&mock, NULL);
    tell(&mock, at_us, (struct told){900, 900, 0, false});
    assert_int_equal(mock.n_advice, 1);
    for (size_t i = 0; i < sizeof(after_ms) / sizeof(*after_ms); i++) {
        mock.peers[0].in_flight = true;
        tell(&mock, at_us + 50 * MS, (struct told){950, 950, 0, false});
        mock.peers[0].in_flight = false;
        mock_peer_change(&mock, 0, PD_PEER_MIGRATED);
        at_us += 100 * MS;
        tell(&mock, at_us, (struct told){1000, 1000, 0, false});
        tell(&mock, at_us + after_ms[i] * MS - 1, (struct told){40000, 40000, 0, false});
        assert_int_equal(mock.n_advice, i + 1);
        at_us += after_ms[i] * MS;
        tell(&mock, at_us, (struct told){40000, 40000, 0, false});
        assert_int_equal(mock.n_advice, i + 2);
    }
    mock_stop(&mock);
}

/* A keep-alive that waits: never before its patience is over, nor again before twice of it. */
static void test_a_keep_alive_is_patient_again(void **state)
{
    struct mock mock;
    uint64_t at_us = 6 * SECOND;

    begin(&mock, NULL);
    for (uint64_t wait_us = 15 * SECOND; wait_us <= 240 * SECOND; wait_us *= 2) {
        uint32_t advised = (uint32_t)mock.n_advice;

        tell(&mock, at_us, (struct told){0, at_us / MS, 0, false});
        tell(&mock, at_us + wait_us - 1, (struct told){0, (at_us + wait_us) / MS, 0, false});
        assert_int_equal(mock.n_advice, advised);
        at_us += wait_us;
        tell(&mock, at_us, (struct told){0, at_us / MS, 0, false});
        assert_int_equal(mock.n_advice, advised + 1);
        mock_peer_change(&mock, 0, PD_PEER_MIGRATED);
    }
    mock_stop(&mock);
}

/* An acknowledgement: what comes then is another fault, and is advised at once. */
static void test_a_fresh_sample_ends_it(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    one_way(&mock, 6 * SECOND, 3);
    assert_int_equal(mock.n_advice, 1);
    look(&mock, 6500 * MS, 0, 9000, true);
    one_way(&mock, 7 * SECOND, 3);
    assert_int_equal(mock.n_advice, 2);
    mock_stop(&mock);
}

/* Where samples are not told, what is heard is all that there is. */
static void test_one_way_needs_samples(void **state)
{
    struct mock mock;
    struct pd_row row = row_of(1200, 2200);

    begin(&mock, NULL);
    row.v[PD_PTO_COUNT] = 6;
    row.v[PD_SILENT_MS] = 10;
    mock_time(&mock, 6 * SECOND);
    mock_sample_columns(&mock, 0, &row, false, ~(1u << PD_RTT_SAMPLES));
    assert_int_equal(mock.n_advice, 0);
    mock_time(&mock, 7 * SECOND);
    mock_sample_columns(&mock, 0, &row, false, UINT32_MAX);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_silent_at_first_sight),
        cmocka_unit_test(test_not_silent_for_long_enough_at_sight),
        cmocka_unit_test(test_one_timeout_is_looked_at_closely),
        cmocka_unit_test(test_heard_with_a_timeout_is_looked_at_closely),
        cmocka_unit_test(test_nothing_in_flight_proves_nothing_at_sight),
        cmocka_unit_test(test_in_flight_need_not_be_told),
        cmocka_unit_test(test_the_first_row_is_not_judged),
        cmocka_unit_test(test_a_move_under_way_is_not_judged_at_sight),
        cmocka_unit_test(test_one_way),
        cmocka_unit_test(test_repeats_at_sight_double),
        cmocka_unit_test(test_repeats_with_a_long_probe_timeout),
        cmocka_unit_test(test_after_a_move_that_did_not_help),
        cmocka_unit_test(test_a_keep_alive_is_patient_again),
        cmocka_unit_test(test_a_fresh_sample_ends_it),
        cmocka_unit_test(test_one_way_needs_samples),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
