/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plugins/resume/policy.c: what is done after a sleep, of what length.
 */
#include "check.h"

#include <inttypes.h>
#include <pathdog/mock-host.h>
#include <stdio.h>

#define MS     1000ull
#define SECOND 1000000ull

extern const struct pd_trigger pathdog_trigger_resume;

static void begin(struct mock *mock, const char *options, unsigned peers)
{
    *mock = (struct mock){.turn.now_us = 100 * SECOND};
    assert_int_equal(mock_start(mock, &pathdog_trigger_resume, options), 0);
    for (unsigned i = 0; i < peers; i++)
        mock_peer_up(mock, "bravo", NULL, NULL);
}

static void slept_us(struct mock *mock, uint64_t us)
{
    char fields[64];

    snprintf(fields, sizeof(fields), "slept_us=%" PRIu64, us);
    mock_signal(mock, "slept", 0, fields);
}

static void slept(struct mock *mock, uint64_t s)
{
    slept_us(mock, s * SECOND);
}

/* A row of which all that matters is what came since the last one. */
static void row(struct mock *mock, uint32_t peer, bool alive, uint64_t in_flight)
{
    struct pd_row row = mock_row();

    row.v[PD_SRTT_US] = 40000;
    row.v[PD_IN_FLIGHT_BYTES] = in_flight;
    mock_sample(mock, peer, &row, alive);
}

static void later(struct mock *mock, uint64_t us)
{
    mock_time(mock, mock->turn.now_us + us);
}

static void test_a_long_sleep(void **state)
{
    struct mock mock;

    begin(&mock, NULL, 3);
    slept(&mock, 312);
    assert_int_equal(mock.n_advice, 0); /* the routes are still changing */
    for (unsigned i = 0; i < 3; i++) {
        assert_true(mock.peers[i].given_up);
        assert_int_equal(mock.peers[i].probed, 1);
        assert_int_equal(mock.peers[i].look_until_us, 105 * SECOND);
    }
    later(&mock, 600 * MS);
    mock_signal(&mock, "settled", 0, NULL);
    assert_int_equal(mock.n_advice, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(mock.advice[i].peer, i);
        assert_int_equal(mock.advice[i].kind, PD_KIND_MOVED);
        assert_int_equal(mock.advice[i].cause, 1);
        assert_string_equal(mock.advice[i].reason, "the machine slept for 5 min 12 s");
        assert_string_equal(mock.advice[i].evidence, "slept_us=312000000 settled_us=600000");
    }
    assert_int_equal(mock.causes, 1);
    assert_int_equal(mock.open_causes, 0);
    mock_signal(&mock, "settled", 0, NULL);
    later(&mock, 60 * SECOND);
    assert_int_equal(mock.n_advice, 3); /* once */
    mock_stop(&mock);
}

static void test_routes_that_do_not_settle(void **state)
{
    struct mock mock;

    begin(&mock, NULL, 1);
    slept(&mock, 31);
    later(&mock, 2 * SECOND - 1);
    assert_int_equal(mock.n_advice, 0);
    later(&mock, 1);
    assert_int_equal(mock.n_advice, 1);
    mock_signal(&mock, "settled", 0, NULL);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

/* Exactly 30 s is not over it, and exactly min_sleep is not below it. */
static void test_limits(void **state)
{
    static const struct {
        const char *options;
        uint64_t slept_us;
        unsigned probed, moved;
    } rows[] = {
        {NULL, 9999999, 0, 0},
        {NULL, 10 * SECOND, 1, 0},
        {NULL, 29900 * MS, 1, 0},
        {NULL, 30 * SECOND, 1, 0},
        {NULL, 30 * SECOND + 1, 1, 1},
        {"min_sleep=60000000", 59999999, 0, 0},
        {"min_sleep=60000000", 60 * SECOND, 1, 1},
        {"min_sleep=1000000", 1 * SECOND, 1, 0},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct mock mock;

        begin(&mock, rows[i].options, 1);
        slept_us(&mock, rows[i].slept_us);
        assert_int_equal(mock.peers[0].probed, rows[i].probed);
        assert_int_equal(mock.peers[0].given_up, rows[i].moved);
        later(&mock, 10 * SECOND);
        assert_int_equal(mock.n_advice, rows[i].moved);
        mock_stop(&mock);
    }
}

/* What answers before all are moved was not given up; it is moved all the same. */
static void test_one_that_answers(void **state)
{
    struct mock mock;

    begin(&mock, NULL, 2);
    later(&mock, SECOND);
    row(&mock, 0, true, 0);
    row(&mock, 1, true, 0);
    slept(&mock, 60);
    later(&mock, 50 * MS);
    row(&mock, 0, true, 0); /* may be of the time before the sleep */
    assert_true(mock.peers[0].given_up);
    later(&mock, 50 * MS);
    row(&mock, 0, true, 0);
    assert_false(mock.peers[0].given_up);
    row(&mock, 1, false, 1200);
    later(&mock, 50 * MS);
    row(&mock, 1, false, 1200);
    assert_true(mock.peers[1].given_up);
    mock_signal(&mock, "settled", 0, NULL);
    assert_int_equal(mock.n_advice, 2);
    later(&mock, SECOND);
    row(&mock, 1, true, 0); /* late, and before it was dialled */
    assert_false(mock.peers[1].given_up);
    mock_stop(&mock);
}

/* The first row after a sleep proves something where it says when the last packet came. */
static void test_silence_in_the_first_row(void **state)
{
    struct pd_row row = mock_row();
    struct mock mock;

    begin(&mock, NULL, 1);
    row.v[PD_BYTES_RECEIVED] = 1000;
    row.v[PD_SILENT_MS] = 10;
    mock_sample(&mock, 0, &row, true);
    slept(&mock, 60);
    later(&mock, 100 * MS);
    row.v[PD_BYTES_RECEIVED] = 2000;
    row.v[PD_SILENT_MS] = 100;
    mock_sample(&mock, 0, &row, true);
    assert_true(mock.peers[0].given_up);
    mock_stop(&mock);

    begin(&mock, NULL, 1);
    mock_sample(&mock, 0, &row, true);
    slept(&mock, 60);
    later(&mock, 100 * MS);
    row.v[PD_BYTES_RECEIVED] = 3000;
    row.v[PD_SILENT_MS] = 99;
    mock_sample(&mock, 0, &row, true);
    assert_false(mock.peers[0].given_up);
    mock_stop(&mock);
}

static void test_a_short_sleep(void **state)
{
    struct mock mock;

    begin(&mock, NULL, 3);
    for (uint32_t i = 0; i < 3; i++)
        row(&mock, i, true, 0);
    slept(&mock, 15);
    for (unsigned tenths = 1; tenths <= 9; tenths++) {
        later(&mock, 100 * MS);
        row(&mock, 0, tenths > 1, 0);
        row(&mock, 1, false, 1200);
        row(&mock, 2, false, 0); /* the node cannot probe: nothing is outstanding */
    }
    assert_int_equal(mock.n_advice, 0);
    later(&mock, 100 * MS);
    for (uint32_t i = 0; i < 3; i++)
        row(&mock, i, i == 0, i == 1 ? 1200 : 0);
    assert_int_equal(mock.n_advice, 1);
    assert_int_equal(mock.advice[0].peer, 1);
    assert_int_equal(mock.advice[0].kind, PD_KIND_DEAD);
    assert_int_equal(mock.advice[0].cause, 0);
    assert_string_equal(mock.advice[0].reason,
                        "no answer for 1.0 s after the machine slept for 15 s");
    assert_string_equal(mock.advice[0].evidence, "slept_us=15000000 waited_us=1000000");
    assert_false(mock.peers[1].given_up);
    later(&mock, 5 * SECOND);
    row(&mock, 1, false, 1200);
    assert_int_equal(mock.n_advice, 1); /* from here on it is for stall */
    mock_stop(&mock);
}

static void test_far_peers_are_waited_for(void **state)
{
    struct pd_row row = mock_row();
    struct mock mock;

    begin(&mock, NULL, 1);
    row.v[PD_SRTT_US] = 600000;
    row.v[PD_IN_FLIGHT_BYTES] = 100;
    mock_sample(&mock, 0, &row, true);
    slept(&mock, 20);
    later(&mock, SECOND);
    mock_sample(&mock, 0, &row, false);
    later(&mock, 1399 * MS);
    mock_sample(&mock, 0, &row, false);
    assert_int_equal(mock.n_advice, 0);
    later(&mock, MS);
    mock_sample(&mock, 0, &row, false); /* four round trips */
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

/* One whose request is open is evaluated after it. */
static void test_in_flight(void **state)
{
    struct mock mock;

    begin(&mock, NULL, 1);
    row(&mock, 0, true, 0);
    slept(&mock, 15);
    mock.peers[0].in_flight = true;
    for (unsigned i = 0; i < 4; i++) {
        later(&mock, SECOND);
        row(&mock, 0, false, 1200);
    }
    assert_int_equal(mock.n_advice, 0);
    mock.peers[0].in_flight = false;
    later(&mock, SECOND);
    row(&mock, 0, false, 1200);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

/* Those that have come, or answered on another path, since. */
static void test_new_ones_stay(void **state)
{
    struct mock mock;
    uint32_t peer;

    begin(&mock, NULL, 3);
    slept(&mock, 60);
    mock_peer_change(&mock, 0, PD_PEER_MIGRATED); /* the route trigger was faster */
    assert_false(mock.peers[0].given_up);
    mock_peer_change(&mock, 1, PD_PEER_PATH); /* the node's socket follows the routes */
    assert_true(mock.peers[1].given_up);
    mock_peer_down(&mock, 2);
    peer = mock_peer_up(&mock, "new", NULL, NULL);
    assert_int_equal(peer, 2);
    later(&mock, 2 * SECOND);
    assert_int_equal(mock.n_advice, 1);
    assert_int_equal(mock.advice[0].peer, 1);
    /* What waits behind another request has no reason any more when that one succeeds. */
    mock_peer_change(&mock, 1, PD_PEER_MIGRATED);
    assert_int_equal(mock.peers[1].withdrawn, 1);
    assert_int_equal(mock.peers[0].withdrawn, 0);
    mock_stop(&mock);
}

/* It wakes for a moment, and sleeps on. */
static void test_again_before_anything_was_done(void **state)
{
    struct mock mock;

    begin(&mock, NULL, 1);
    slept(&mock, 40);
    later(&mock, SECOND);
    slept(&mock, 20);
    later(&mock, SECOND);
    assert_int_equal(mock.n_advice, 0); /* the wait begins anew */
    later(&mock, SECOND);
    assert_int_equal(mock.n_advice, 1);
    assert_string_equal(mock.advice[0].reason, "the machine slept for 1 min");
    later(&mock, SECOND);
    slept(&mock, 50);
    later(&mock, 2 * SECOND);
    assert_int_equal(mock.n_advice, 2);
    assert_string_equal(mock.advice[1].reason, "the machine slept for 50 s");
    mock_stop(&mock);
}

/* Awake for too short a time to prove anything: they are one. */
static void test_several_sleeps_in_a_row(void **state)
{
    static const struct {
        uint64_t slept_s, awake_us;
        unsigned count, probed, moved;
    } rows[] = {
        {6, 2 * SECOND - 1, 1, 0, 0},  {6, 2 * SECOND - 1, 2, 1, 0},  {6, 2 * SECOND, 9, 0, 0},
        {15, 2 * SECOND - 1, 2, 2, 0}, {15, 2 * SECOND - 1, 3, 3, 1}, {15, 2 * SECOND, 9, 9, 0},
        {40, 10 * SECOND, 5, 5, 5},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct mock mock;

        begin(&mock, NULL, 1);
        for (unsigned n = 0; n < rows[i].count; n++) {
            later(&mock, rows[i].awake_us);
            slept(&mock, rows[i].slept_s);
        }
        later(&mock, 10 * SECOND);
        assert_int_equal(mock.peers[0].probed, rows[i].probed);
        assert_int_equal(mock.n_advice, rows[i].moved);
        mock_stop(&mock);
    }
}

/* What was moved already is not moved once more for a sleep that is over. */
static void test_a_short_sleep_after_a_long_one(void **state)
{
    struct mock mock;

    begin(&mock, NULL, 1);
    slept(&mock, 60);
    later(&mock, 600 * MS);
    mock_signal(&mock, "settled", 0, NULL);
    assert_int_equal(mock.n_advice, 1);
    later(&mock, 100 * MS);
    slept(&mock, 20);
    later(&mock, 10 * SECOND);
    assert_int_equal(mock.n_advice, 1);
    assert_int_equal(mock.peers[0].probed, 2);
    mock_stop(&mock);
}

/* A connection that leaves this instance is nobody's to take back. */
static void test_one_that_leaves(void **state)
{
    struct mock mock;

    begin(&mock, NULL, 1);
    slept(&mock, 60);
    assert_true(mock.peers[0].given_up);
    mock_peer_change(&mock, 0, PD_PEER_DOWN);
    assert_false(mock.peers[0].given_up);
    mock_stop(&mock);
}

static void test_signals_that_mean_nothing(void **state)
{
    struct mock mock;

    begin(&mock, NULL, 1);
    mock_signal(&mock, "settled", 0, NULL);
    mock_signal(&mock, "slept", 0, NULL);
    mock_signal(&mock, "slept", 0, "slept_us=long");
    mock_signal(&mock, "slept", 0, "other=60000000");
    mock_signal(&mock, "snored", 0, "slept_us=60000000");
    later(&mock, 10 * SECOND);
    assert_int_equal(mock.n_advice, 0);
    assert_int_equal(mock.peers[0].probed, 0);
    mock_signal(&mock, "slept", 0, "slept_us=18446744073709551615");
    mock_signal(&mock, "slept", 0, "slept_us=18446744073709551615");
    later(&mock, 2 * SECOND);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

static void test_what_it_tells(void **state)
{
    struct mock mock;

    begin(&mock, NULL, 2);
    assert_string_equal(mock_tell(&mock, 0),
                        "the machine has not slept for 10 s or longer since this trigger started");
    slept(&mock, 45);
    later(&mock, 1500 * MS);
    assert_string_equal(mock_tell(&mock, 0),
                        "the machine slept for 45 s, 1.5 s ago: probed, without an answer so far");
    later(&mock, SECOND);
    assert_string_equal(
        mock_tell(&mock, 0),
        "the machine slept for 45 s, 2.5 s ago: this connection was advised to move");
    mock_peer_change(&mock, 0, PD_PEER_MIGRATED);
    assert_string_equal(
        mock_tell(&mock, 0),
        "the machine slept for 45 s, 2.5 s ago: this connection or its path is newer");
    mock_stop(&mock);
}

static void test_two_thousand(void **state)
{
    struct mock mock;

    begin(&mock, NULL, 2000);
    mock.count_only = true;
    slept(&mock, 60);
    later(&mock, 2 * SECOND);
    assert_int_equal(mock.n_advice, 2000);
    assert_int_equal(mock.causes, 1);
    assert_true(pathdog_trigger_resume.peer_size <= 8);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_long_sleep),
        cmocka_unit_test(test_routes_that_do_not_settle),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_one_that_answers),
        cmocka_unit_test(test_silence_in_the_first_row),
        cmocka_unit_test(test_a_short_sleep),
        cmocka_unit_test(test_far_peers_are_waited_for),
        cmocka_unit_test(test_in_flight),
        cmocka_unit_test(test_new_ones_stay),
        cmocka_unit_test(test_again_before_anything_was_done),
        cmocka_unit_test(test_several_sleeps_in_a_row),
        cmocka_unit_test(test_a_short_sleep_after_a_long_one),
        cmocka_unit_test(test_one_that_leaves),
        cmocka_unit_test(test_signals_that_mean_nothing),
        cmocka_unit_test(test_what_it_tells),
        cmocka_unit_test(test_two_thousand),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
