/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plugins/stall: the table "what it cannot see" of docs/triggers.md, line by line.
 */
#include "check.h"

#include <pathdog/mock-host.h>

#define MS     1000ull
#define SECOND 1000000ull
#define ROWS   120u /* a minute of fast polls */

extern const struct pd_trigger pathdog_trigger_stall;

static void begin(struct mock *mock)
{
    *mock = (struct mock){.turn.now_us = SECOND};
    assert_int_equal(mock_start(mock, &pathdog_trigger_stall, NULL), 0);
    mock_peer_up(mock, "bravo", NULL, NULL);
}

/* PTO = 225 ms; nothing else is reported. */
static struct pd_row bare(void)
{
    struct pd_row row = mock_row();

    row.v[PD_SRTT_US] = 100000;
    row.v[PD_RTTVAR_US] = 25000;
    return row;
}

static void give(struct mock *mock, const struct pd_row *row, bool fresh)
{
    mock_sample(mock, 0, row, fresh);
    mock_time(mock, mock->turn.now_us + 500 * MS);
}

/* Data that waits for so long, by the i-th of ROWS rows. */
static uint64_t waits_ms(unsigned i)
{
    return i * 500;
}

static void test_idle(void **state)
{
    struct mock mock;
    struct pd_row row = bare();

    begin(&mock);
    row.v[PD_RTT_SAMPLES] = 7;
    row.v[PD_IN_FLIGHT_BYTES] = row.v[PD_PTO_COUNT] = row.v[PD_UNACKED_MS] = 0;
    row.v[PD_BYTES_SENT] = row.v[PD_BYTES_RECEIVED] = 1000;
    for (unsigned i = 0; i < ROWS; i++) {
        row.v[PD_SILENT_MS] = 10000 + waits_ms(i);
        give(&mock, &row, false);
    }
    assert_int_equal(mock.n_advice, 0);
    mock_stop(&mock);
}

/* Packets of the peer come all the time. */
static size_t heard(struct mock *mock, struct pd_row row, bool waits)
{
    begin(mock);
    for (unsigned i = 0; i < ROWS; i++) {
        row.v[PD_BYTES_RECEIVED] = 100000 + i * 100;
        if (waits)
            row.v[PD_UNACKED_MS] = waits_ms(i);
        give(mock, &row, false);
    }
    return mock->n_advice;
}

static void test_one_way_where_an_acknowledgement_would_not_show(void **state)
{
    struct mock mock;
    struct pd_row row = bare();

    row.v[PD_IN_FLIGHT_BYTES] = 1200;
    row.v[PD_PTO_COUNT] = 6;
    begin(&mock);
    for (unsigned i = 0; i < ROWS; i++) {
        row.v[PD_BYTES_RECEIVED] = 100000 + i * 100;
        mock_sample_columns(&mock, 0, &row, false, ~(1u << PD_RTT_SAMPLES));
        mock_time(&mock, mock.turn.now_us + 500 * MS);
    }
    assert_int_equal(mock.n_advice, 0);
    mock_stop(&mock);
    row.v[PD_RTT_SAMPLES] = 7; /* it would */
    assert_int_not_equal(heard(&mock, row, false), 0);
    mock_stop(&mock);
}

static void test_one_way_where_nothing_shows_since_when(void **state)
{
    struct mock mock;
    struct pd_row row = bare();

    begin(&mock);
    row.v[PD_RTT_SAMPLES] = 7;
    for (unsigned i = 0; i < ROWS; i++) {
        row.v[PD_BYTES_RECEIVED] = 100000 + i * 100;
        row.v[PD_BYTES_SENT] = 100000 + i * 1200;
        give(&mock, &row, false);
    }
    assert_int_equal(mock.n_advice, 0);
    mock_stop(&mock);
    assert_int_not_equal(heard(&mock, row, true), 0); /* unacked_ms does */
    mock_stop(&mock);
}

static void test_one_way_of_a_keep_alive(void **state)
{
    struct mock mock;
    struct pd_row row = bare();

    row.v[PD_RTT_SAMPLES] = 7;
    row.v[PD_IN_FLIGHT_BYTES] = 60;
    row.v[PD_PTO_COUNT] = 6;
    row.v[PD_UNACKED_MS] = 0;
    assert_int_equal(heard(&mock, row, false), 0);
    mock_stop(&mock);
    row.v[PD_UNACKED_MS] = PD_UNKNOWN; /* by size, too */
    assert_int_equal(heard(&mock, row, false), 0);
    mock_stop(&mock);
}

/* Each row has a new RTT sample: small packets are acknowledged. */
static size_t small_only(struct mock *mock, bool acked_told, bool unacked_told, uint64_t acked_more)
{
    struct pd_row row = bare();

    begin(mock);
    row.v[PD_IN_FLIGHT_BYTES] = 1200;
    for (unsigned i = 0; i < ROWS; i++) {
        row.v[PD_RTT_SAMPLES] = i + 1;
        row.v[PD_ACKED_BYTES] = acked_told ? 5000 + i * acked_more : PD_UNKNOWN;
        row.v[PD_UNACKED_MS] = unacked_told ? waits_ms(i) : PD_UNKNOWN;
        give(mock, &row, true);
    }
    return mock->n_advice;
}

static void test_large_packets_where_the_columns_are_missing(void **state)
{
    struct mock mock;

    assert_int_equal(small_only(&mock, false, true, 0), 0);
    mock_stop(&mock);
    assert_int_equal(small_only(&mock, true, false, 0), 0);
    mock_stop(&mock);
    assert_int_not_equal(small_only(&mock, true, true, 0), 0); /* with both it is seen */
    mock_stop(&mock);
}

static void test_large_packets_beside_other_data(void **state)
{
    struct mock mock;

    assert_int_equal(small_only(&mock, true, true, 40), 0);
    mock_stop(&mock);
}

static void test_one_way_by_bytes_in_flight(void **state)
{
    struct mock mock;
    struct pd_row row = bare();

    row.v[PD_RTT_SAMPLES] = 7;
    row.v[PD_IN_FLIGHT_BYTES] = 1200;
    assert_int_not_equal(heard(&mock, row, false), 0);
    assert_string_equal(mock.advice[0].evidence, "proof=one-way unacked_us=2500000 pto_us=225000");
    mock_stop(&mock);
}

/* By the patience that was asked for, not by the one that ends progress. */
static void test_large_packets_and_much_patience(void **state)
{
    struct mock mock = {.turn.now_us = SECOND};
    struct pd_row row = bare();

    assert_int_equal(mock_start(&mock, &pathdog_trigger_stall, "starve=10000000"), 0);
    mock_peer_up(&mock, "bravo", NULL, NULL);
    row.v[PD_IN_FLIGHT_BYTES] = 1200;
    row.v[PD_ACKED_BYTES] = 5000;
    for (unsigned i = 0; i < ROWS && !mock.n_advice; i++) {
        row.v[PD_RTT_SAMPLES] = i + 1;
        row.v[PD_UNACKED_MS] = waits_ms(i);
        give(&mock, &row, true);
    }
    assert_string_equal(mock.advice[0].evidence,
                        "proof=starved starved_us=10000000 unacked_us=10000000 pto_us=225000");
    mock_stop(&mock);
}

/* Rows each second, of a node that sends keep-alives. */
static void test_keep_alives_and_the_slower_rule(void **state)
{
    struct mock mock;
    struct pd_row row = bare();
    uint64_t began_us;

    begin(&mock);
    began_us = mock.turn.now_us;
    row.v[PD_IN_FLIGHT_BYTES] = 40;
    for (unsigned i = 0; i < ROWS && !mock.n_advice; i++) {
        row.v[PD_SILENT_MS] = i * 1000;
        row.v[PD_BYTES_SENT] = 1000 + 40 * i;
        mock_sample(&mock, 0, &row, false);
        mock_time(&mock, mock.turn.now_us + SECOND);
    }
    assert_int_equal(mock.n_advice, 1);
    assert_true(mock.turn.now_us - began_us >= 15 * SECOND);
    mock_stop(&mock);
}

static void test_slow_and_lossy_and_alive(void **state)
{
    struct mock mock;
    struct pd_row row = bare();

    begin(&mock);
    row.v[PD_SRTT_US] = 3 * SECOND;
    row.v[PD_IN_FLIGHT_BYTES] = 120000;
    for (unsigned i = 0; i < ROWS; i++) {
        row.v[PD_RTT_SAMPLES] = i + 1;
        row.v[PD_PACKETS_SENT] = i * 100;
        row.v[PD_PACKETS_LOST] = i * 30;
        row.v[PD_ACKED_BYTES] = i * 70000;
        row.v[PD_UNACKED_MS] = 3000;
        row.v[PD_SILENT_MS] = 200;
        give(&mock, &row, true);
    }
    assert_int_equal(mock.n_advice, 0);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_one_way_where_an_acknowledgement_would_not_show),
        cmocka_unit_test(test_one_way_where_nothing_shows_since_when),
        cmocka_unit_test(test_one_way_of_a_keep_alive),
        cmocka_unit_test(test_large_packets_where_the_columns_are_missing),
        cmocka_unit_test(test_large_packets_beside_other_data),
        cmocka_unit_test(test_one_way_by_bytes_in_flight),
        cmocka_unit_test(test_large_packets_and_much_patience),
        cmocka_unit_test(test_keep_alives_and_the_slower_rule),
        cmocka_unit_test(test_slow_and_lossy_and_alive),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
