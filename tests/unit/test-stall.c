/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/stall: nothing gets through, by several rows; and nodes that say what is not
 * acknowledged. */
#include "stall-lab.h"

static void test_owed_and_no_progress(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    look(&mock, 5 * SECOND, 1200, 2200, false); /* suspect from here on */
    assert_int_equal(mock.n_advice, 0);
    assert_true(mock.peers[0].look_until_us > 5 * SECOND + 900 * MS);
    look(&mock, 5 * SECOND + 500 * MS, 1200, 2200, false);
    look(&mock, 5 * SECOND + 899 * MS, 1200, 2200, false);
    assert_int_equal(mock.n_advice, 0);
    look(&mock, 5 * SECOND + 900 * MS, 1200, 2200, false);
    assert_int_equal(mock.n_advice, 1);
    assert_int_equal(mock.advice[0].kind, PD_KIND_DEAD);
    assert_string_equal(mock.advice[0].reason,
                        "no progress for 900 ms (PTO 225 ms), 1200 bytes in flight");
    assert_string_equal(mock.advice[0].evidence,
                        "proof=silent stalled_us=900000 pto_us=225000 in_flight_bytes=1200");
    /* Still dead: again, but after twice as long. */
    look(&mock, 5 * SECOND + 2600 * MS, 1200, 2200, false);
    assert_int_equal(mock.n_advice, 1);
    look(&mock, 5 * SECOND + 2700 * MS, 1200, 2200, false);
    assert_int_equal(mock.n_advice, 2);
    mock_stop(&mock);
}

static void test_progress_clears(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    for (uint64_t at_us = 2 * SECOND; at_us < 20 * SECOND; at_us += SECOND) {
        look(&mock, at_us, 1200, 2200, false);
        look(&mock, at_us + 800 * MS, 1200, 2200, false);
        look(&mock, at_us + 890 * MS, 1200, 2200, true);
        assert_int_equal(mock.peers[0].look_until_us, 0);
    }
    assert_int_equal(mock.n_advice, 0);
    mock_stop(&mock);
}

static void test_idle_owes_nothing(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    for (uint64_t at_us = 2 * SECOND; at_us < 60 * SECOND; at_us += SECOND)
        look(&mock, at_us, 0, 1000, false);
    assert_int_equal(mock.n_advice, 0);
    assert_int_equal(mock.peers[0].look_until_us, 0);
    /* One packet that was acknowledged unseen, and then nothing. */
    look(&mock, 60 * SECOND, 1200, 2200, false);
    for (uint64_t at_us = 61 * SECOND; at_us < 80 * SECOND; at_us += SECOND)
        look(&mock, at_us, 0, 2200, false);
    assert_int_equal(mock.n_advice, 0);
    assert_int_equal(mock.peers[0].look_until_us, 0);
    mock_stop(&mock);
}

static void test_sent_bytes_that_grow_are_owed_too(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    look(&mock, 5 * SECOND, PD_UNKNOWN, 2000, false);
    look(&mock, 5 * SECOND + 500 * MS, PD_UNKNOWN, 3000, false);
    look(&mock, 5 * SECOND + 900 * MS, PD_UNKNOWN, 3000, false);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

static void test_not_sooner_than_min(void **state)
{
    struct mock mock;

    begin(&mock, "min=3000000");
    look(&mock, 5 * SECOND, 1200, 2200, false);
    look(&mock, 8 * SECOND - 1, 1200, 2200, false);
    assert_int_equal(mock.n_advice, 0);
    look(&mock, 8 * SECOND, 1200, 2200, false);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

static void test_a_move_under_way_is_waited_for(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    look(&mock, 5 * SECOND, 1200, 2200, false);
    mock.peers[0].in_flight = true;
    look(&mock, 7 * SECOND, 1200, 2200, false);
    look(&mock, 9 * SECOND, 1200, 2200, false);
    assert_int_equal(mock.n_advice, 0);
    mock.peers[0].in_flight = false;
    mock_peer_change(&mock, 0, PD_PEER_MIGRATED);
    look(&mock, 10 * SECOND, 1200, 2200, false);
    assert_int_equal(mock.n_advice, 0); /* the new path has its time */
    look(&mock, 11 * SECOND, 1200, 2200, false);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

/* Samples are 5 s apart; the rule that is quicker is switched off. */
static void test_silence(void **state)
{
    struct mock mock;

    begin(&mock, "min=600000000");
    silent(&mock, 6 * SECOND, 2000, 5000);   /* sent from here on, at the latest */
    silent(&mock, 14 * SECOND, 2001, 8000);  /* exactly 8 s is not over it */
    silent(&mock, 20 * SECOND, 2002, 14000); /* 1 */
    silent(&mock, 25 * SECOND, 2003, 19000);
    assert_int_equal(mock.n_advice, 0);
    silent(&mock, 30 * SECOND, 2004, 24000);
    assert_int_equal(mock.n_advice, 1);
    assert_int_equal(mock.advice[0].kind, PD_KIND_DEAD);
    assert_string_equal(mock.advice[0].reason,
                        "nothing received for 24000 ms though we send, 3 polls in a row");
    /* Not sent to in between: not in a row. */
    for (uint64_t i = 0, sent = 2004; i < 12; i++) {
        sent += i % 3 ? 1 : 0;
        silent(&mock, (35 + 5 * i) * SECOND, sent, 30000);
    }
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

/* Idle for a minute, then something is sent: what was silent before is no miss, and
 * close looks do not make misses out of one moment. */
static void test_silence_begins_when_something_is_owed(void **state)
{
    struct mock mock;
    uint64_t at_us;

    begin(&mock, "min=600000000");
    for (at_us = 6 * SECOND; at_us <= 61 * SECOND; at_us += 5 * SECOND)
        silent(&mock, at_us, 1000, at_us / MS - 1000);
    for (; at_us < 66 * SECOND + 8 * SECOND; at_us += 100 * MS) {
        silent(&mock, at_us, at_us / MS, at_us / MS - 1000);
        assert_int_equal(mock.n_advice, 0);
    }
    /* 8 s have gone: one miss now, and then one in 4 s, at the least. */
    for (; at_us < 66 * SECOND + 16 * SECOND; at_us += 100 * MS) {
        silent(&mock, at_us, at_us / MS, at_us / MS - 1000);
        assert_int_equal(mock.n_advice, 0);
    }
    silent(&mock, at_us, at_us / MS, at_us / MS - 1000);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

/* Without silent_ms the silence is the time since the last progress. */
static void test_silence_without_the_column(void **state)
{
    struct mock mock;

    begin(&mock, "min=600000000");
    for (uint64_t at_us = 6 * SECOND; at_us <= 21 * SECOND; at_us += 5 * SECOND)
        look(&mock, at_us, PD_UNKNOWN, at_us / MS, false); /* misses: 16 s, 21 s */
    assert_int_equal(mock.n_advice, 0);
    look(&mock, 26 * SECOND, PD_UNKNOWN, 26000, false);
    assert_int_equal(mock.n_advice, 1);
    assert_string_equal(mock.advice[0].evidence, "silence_us=25000000 misses=3");
    mock_stop(&mock);
}

static void test_without_telling_columns_nothing_is_dead(void **state)
{
    struct mock mock;
    struct pd_row row = row_of(1200, 2200);
    struct pd_sample sample;

    begin(&mock, NULL);
    sample = (struct pd_sample){
        .peer = &mock.peers[0].peer,
        .state = mock.peers[0].state,
        .row = &row,
        .columns = 1u << PD_SRTT_US | 1u << PD_IN_FLIGHT_BYTES | 1u << PD_BYTES_SENT,
    };
    for (uint64_t at_us = 2 * SECOND; at_us < 60 * SECOND; at_us += SECOND) {
        mock_time(&mock, at_us);
        assert_int_equal(pathdog_trigger_stall.sample(&mock.turn, &sample), 0);
    }
    assert_int_equal(mock.n_advice, 0);
    mock_stop(&mock);
}

/* ---- nodes that say what the peer has not acknowledged ---- */

/* The first row that shows it is enough, and its own ages count. */
/* A row is pushed at 4 PTO, and its ages are whole milliseconds: it proves it all the same. */
static void test_a_row_right_on_time(void **state)
{
    struct mock mock;
    struct pd_row row;

    (void)state;
    begin(&mock, NULL);
    row = row_of(1200, 0);
    row.v[PD_PTO_US] = 142041;
    row.v[PD_UNACKED_MS] = 567;
    row.v[PD_SILENT_MS] = 500;
    mock_time(&mock, 6 * SECOND);
    mock_sample(&mock, 0, &row, false);
    assert_int_equal(mock.n_advice, 0);
    row.v[PD_UNACKED_MS] = 568;
    mock_time(&mock, 6 * SECOND + MS);
    mock_sample(&mock, 0, &row, false);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

static void test_data_that_waits_in_silence(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    tell(&mock, 6 * SECOND, (struct told){899, 5000, 0, false});
    assert_int_equal(mock.n_advice, 0);
    assert_true(mock.peers[0].look_until_us > 6 * SECOND);
    /* What was on its way when the path died came up to a round trip later. */
    tell(&mock, 6 * SECOND + 1 * MS, (struct told){900, 799, 0, false});
    assert_int_equal(mock.n_advice, 0);
    tell(&mock, 6 * SECOND + 2 * MS, (struct told){901, 800, 0, false});
    assert_int_equal(mock.n_advice, 1);
    assert_string_equal(mock.advice[0].evidence,
                        "proof=silent stalled_us=800000 pto_us=225000 in_flight_bytes=1200");
    mock_stop(&mock);
}

/* What is in flight is a keep-alive, says the node: it may wait. Fast polls are not asked for. */
static void test_a_keep_alive_may_wait(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    for (uint64_t at_us = 6 * SECOND; at_us < 21 * SECOND; at_us += SECOND)
        tell(&mock, at_us, (struct told){0, at_us / MS - 1000, 0, false});
    assert_int_equal(mock.n_advice, 0);
    assert_int_equal(mock.peers[0].look_until_us, 0);
    tell(&mock, 21 * SECOND, (struct told){0, 20000, 0, false});
    assert_int_equal(mock.n_advice, 1);
    assert_string_equal(mock.advice[0].reason,
                        "no progress for 15000 ms (PTO 225 ms), only a keep-alive waits");
    mock_stop(&mock);
}

/* Others have left its uplink, where nothing is acknowledged any more: then it may not. */
static void test_a_keep_alive_where_others_have_left(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    mock.peers[0].deserted = true;
    tell(&mock, 6 * SECOND, (struct told){0, 5000, 0, false});
    assert_int_equal(mock.n_advice, 0);
    assert_true(mock.peers[0].look_until_us > 6 * SECOND);
    tell(&mock, 6 * SECOND + 900 * MS, (struct told){0, 5900, 0, false});
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

static void test_heard_and_nothing_acknowledged(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    tell(&mock, 6 * SECOND, (struct told){1499, 10, 7, false});
    assert_int_equal(mock.n_advice, 0);
    tell(&mock, 7 * SECOND, (struct told){1500, 10, 7, false});
    assert_int_equal(mock.n_advice, 1);
    assert_string_equal(mock.advice[0].reason,
                        "packets arrive, but nothing is acknowledged for 1500 ms (PTO 225 ms)");
    assert_string_equal(mock.advice[0].evidence, "proof=one-way unacked_us=1500000 pto_us=225000");
    mock_stop(&mock);
}

/* 6 PTO are 1.35 s. Each row has a new RTT sample: small packets are acknowledged. */
static void test_small_packets_only(void **state)
{
    struct mock mock;
    uint64_t i;

    begin(&mock, NULL);
    tell(&mock, 5 * SECOND, (struct told){0, 10, 7, true});
    for (i = 1; i < 6; i++)
        tell(&mock, 5 * SECOND + i * 500 * MS, (struct told){i * 500, 10, 7, true});
    assert_int_equal(mock.n_advice, 0);
    tell(&mock, 8 * SECOND, (struct told){3000, 10, 7, true});
    assert_int_equal(mock.n_advice, 1);
    assert_string_equal(
        mock.advice[0].reason,
        "small packets are acknowledged, but no data for 3000 ms: large packets may "
        "be lost");
    assert_string_equal(mock.advice[0].evidence,
                        "proof=starved starved_us=3000000 unacked_us=3000000 pto_us=225000");
    mock_stop(&mock);
}

/* A hole in the data that stays, while what comes after it is acknowledged, is no dead path. */
static void test_data_that_is_acknowledged_out_of_order(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    for (uint64_t i = 0; i < 20; i++)
        tell(&mock, (6 + i) * SECOND, (struct told){1000 * i, 10, 1000 * i, true});
    assert_int_equal(mock.n_advice, 0);
    mock_stop(&mock);
}

/* A node's own probe timeout goes before the one that is made of its RTT. */
static void test_the_probe_timeout_of_the_node(void **state)
{
    struct mock mock;
    struct pd_row row = row_of(1200, 9000);

    begin(&mock, NULL);
    row.v[PD_PTO_US] = 400 * MS;
    row.v[PD_UNACKED_MS] = 1599;
    row.v[PD_SILENT_MS] = 4000;
    mock_time(&mock, 6 * SECOND);
    mock_sample(&mock, 0, &row, false);
    assert_int_equal(mock.n_advice, 0);
    row.v[PD_UNACKED_MS] = 1600;
    mock_time(&mock, 6 * SECOND + 1 * MS);
    mock_sample(&mock, 0, &row, false);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_owed_and_no_progress),
        cmocka_unit_test(test_progress_clears),
        cmocka_unit_test(test_idle_owes_nothing),
        cmocka_unit_test(test_sent_bytes_that_grow_are_owed_too),
        cmocka_unit_test(test_not_sooner_than_min),
        cmocka_unit_test(test_a_move_under_way_is_waited_for),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_silence_begins_when_something_is_owed),
        cmocka_unit_test(test_silence_without_the_column),
        cmocka_unit_test(test_without_telling_columns_nothing_is_dead),
        cmocka_unit_test(test_data_that_waits_in_silence),
        cmocka_unit_test(test_a_row_right_on_time),
        cmocka_unit_test(test_a_keep_alive_may_wait),
        cmocka_unit_test(test_a_keep_alive_where_others_have_left),
        cmocka_unit_test(test_heard_and_nothing_acknowledged),
        cmocka_unit_test(test_small_packets_only),
        cmocka_unit_test(test_data_that_is_acknowledged_out_of_order),
        cmocka_unit_test(test_the_probe_timeout_of_the_node),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
