/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plugins/lease/policy.c: each rule of docs/triggers.md "lease" by itself; those about circuits and
 * saved.c are in test-lease-circuits.c. The arithmetic is test-lease-term.c's.
 */
#include "lease-rig.h"

#include "util/util.h"

/* ---- when ---- */

static void test_time_told(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    ms_left(&mock, 20000);
    ms_left(&mock, 15000); /* not less than the lead */
    assert_int_equal(mock.n_advice, 0);
    ms_left(&mock, 14999);
    assert_int_equal(mock.n_advice, 1);
    assert_int_equal(mock.advice[0].kind, PD_KIND_MOVED);
    assert_string_equal(mock.advice[0].reason, "14.9 s left on relay A; a new circuit there");
    assert_string_equal(mock.advice[0].evidence, "relay=A to=A limit=time eta_ms=14999 attempt=1");
    assert_string_equal(mock.advice[0].via, "A");
    assert_int_equal(mock.n_notices, 0);
    mock_stop(&mock);
}

static void test_bytes_told(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    row(&mock, 0, 0, UN, 10000000, UN);
    row(&mock, 2500000, 0, UN, 7500000, UN); /* 0.95 × 7.5 MB at 500 kB/s: 14.25 s */
    assert_int_equal(mock.n_advice, 1);
    assert_string_equal(
        mock.advice[0].reason,
        "7.5 MB left to send on relay A, 14.2 s at 500.0 kB/s; a new circuit there");
    assert_string_equal(mock.advice[0].evidence, "relay=A to=A limit=sent eta_ms=14250 "
                                                 "left_bytes=7500000 bytes_per_s=500000 attempt=1");
    mock_stop(&mock);
}

static void test_limits_of_the_configuration(void **state)
{
    struct mock mock;

    begin(&mock, "max_data=10000000 max_duration=60000000");
    counters(&mock, 0, 0);
    counters(&mock, 100, 2000000); /* 9.5 - 2 MB at 400 kB/s: 18.75 s */
    assert_int_equal(mock.n_advice, 0);
    counters(&mock, 100, 4000000); /* 13.75 s */
    assert_int_equal(mock.n_advice, 1);
    assert_string_equal(mock.advice[0].reason, "6.0 MB left to receive on relay A, 13.7 s at "
                                               "400.0 kB/s; a new circuit there");
    mock_stop(&mock);

    begin(&mock, "max_duration=60000000");
    for (int i = 0; i < 9; i++)
        counters(&mock, 0, 0);
    assert_int_equal(mock.n_advice, 0); /* 45 s: 15 are left */
    counters(&mock, 0, 0);
    assert_int_equal(mock.n_advice, 1);
    assert_string_equal(mock.advice[0].reason, "10.0 s left on relay A; a new circuit there");
    mock_stop(&mock);
}

static void test_told_wins(void **state)
{
    struct mock mock;

    begin(&mock, "max_data=1000 max_duration=10000000");
    for (uint64_t i = 0; i < 10; i++)
        row(&mock, i * 1000, i * 1000, 900000, 1000000000, 1000000000);
    assert_int_equal(mock.n_advice, 0);
    /* The time is not told any more: the configuration's is over. */
    row(&mock, 10000, 10000, UN, 1000000000, 1000000000);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

static void test_no_limit_no_rate(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    for (uint64_t i = 0; i < 100; i++)
        counters(&mock, i * 1000000000, i * 1000000000);
    assert_int_equal(mock.n_advice, 0);
    assert_string_equal(mock_tell(&mock, 0), "no limit is known of relay A");
    mock_stop(&mock);

    begin(&mock, "max_data=1000000");
    counters(&mock, 0, 0);
    for (int i = 0; i < 100; i++)
        counters(&mock, 0, 0);
    assert_int_equal(mock.n_advice, 0);
    assert_string_equal(mock_tell(&mock, 0), "1.0 MB to send, 1.0 MB to receive left on relay A, "
                                             "at this rate for ever");
    mock_stop(&mock);
}

static void test_other_relays_have_other_limits(void **state)
{
    struct mock mock;

    begin(&mock, "max_duration=20000000 relays=eu-*+us-*");
    for (int i = 0; i < 10; i++)
        counters(&mock, 0, 0);
    assert_int_equal(mock.n_advice, 0);
    mock_peer_via(&mock, 0, "us-1");
    counters(&mock, 0, 0);
    assert_int_equal(mock.n_advice, 0);
    counters(&mock, 0, 0); /* 10 s are left */
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

/* ---- of whom ---- */

static void test_direct(void **state)
{
    struct mock mock;

    begin(&mock, "max_duration=20000000");
    mock_peer_via(&mock, 0, "direct");
    for (int i = 0; i < 10; i++)
        ms_left(&mock, 100); /* it contradicts itself */
    assert_int_equal(mock.n_advice, 0);
    assert_string_equal(mock_tell(&mock, 0), "on no relay");
    mock_stop(&mock);
}

/* The node has not told `via`, but says what is left. */
static void test_a_relay_without_a_name(void **state)
{
    struct mock mock = {0};

    assert_int_equal(mock_start(&mock, &pathdog_trigger_lease, "max_duration=1000000"), 0);
    relays(&mock, true, "A", "B");
    mock_peer_up(&mock, "bravo", NULL, NULL);
    assert_string_equal(mock_tell(&mock, 0), "the node tells of no relay");
    counters(&mock, 0, 0);
    counters(&mock, 0, 0);
    assert_int_equal(mock.n_advice, 0); /* nothing says that it is on a relay */
    assert_string_equal(mock_tell(&mock, 0), "the node tells of no relay, and of no limit");
    ms_left(&mock, 9000);
    assert_int_equal(mock.n_advice, 1);
    assert_string_equal(mock.advice[0].reason, "9.0 s left on the relay");
    assert_string_equal(mock.advice[0].evidence, "limit=time eta_ms=9000 attempt=1");
    assert_string_equal(mock.advice[0].via, "");
    assert_string_equal(mock_tell(&mock, 0), "9.0 s left on the relay");
    mock_stop(&mock);
}

/* ---- where to ---- */

static void test_another_relay(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    relays(&mock, true, "A", "B");
    ms_left(&mock, 14000);
    assert_string_equal(mock.advice[0].via, "B");
    assert_string_equal(mock.advice[0].reason, "14.0 s left on relay A; relay B instead");
    ms_left(&mock, 9000); /* that did not work */
    assert_string_equal(mock.advice[1].via, "A");
    ms_left(&mock, 4000);
    assert_string_equal(mock.advice[2].via, "B");
    mock_stop(&mock);

    begin(&mock, "stay=1");
    relays(&mock, true, "A", "B");
    ms_left(&mock, 14000);
    assert_string_equal(mock.advice[0].via, "A");
    ms_left(&mock, 9000);
    assert_string_equal(mock.advice[1].via, "B");
    mock_stop(&mock);
}

/* A node that does not obey `via` is asked for a migration, and not again and again. */
static void test_a_node_without_relays(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    relays(&mock, false, "A", "B");
    ms_left(&mock, 14000);
    assert_string_equal(mock.advice[0].via, "");
    assert_string_equal(mock.advice[0].reason, "14.0 s left on relay A");
    mock_migrated(&mock, 0, NULL, false);
    ms_left(&mock, 9000);
    ms_left(&mock, 4000);
    ms_left(&mock, 0);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

/* ---- again ---- */

static void test_repeats(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    ms_left(&mock, 14000);
    assert_int_equal(mock.n_advice, 1);
    mock.peers[0].in_flight = true; /* there is no other place: the request goes on */
    ms_left(&mock, 9000);
    assert_int_equal(mock.n_advice, 1);
    mock.peers[0].in_flight = false;
    mock.peers[0].waits = true; /* an operator holds it */
    ms_left(&mock, 4000);
    assert_int_equal(mock.n_advice, 1);
    mock.peers[0].waits = false;
    ms_left(&mock, 0);
    assert_int_equal(mock.n_advice, 2);
    assert_string_equal(mock.advice[1].evidence, "relay=A to=A limit=time eta_ms=0 attempt=2");
    mock_stop(&mock);
}

/* An open request gives way to one to another place. */
static void test_a_request_that_hangs(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    relays(&mock, true, "A", "B");
    ms_left(&mock, 14000);
    mock.peers[0].in_flight = true;
    ms_left(&mock, 9000);
    assert_int_equal(mock.n_advice, 2);
    assert_string_equal(mock.advice[0].via, "B");
    assert_string_equal(mock.advice[1].via, "A");
    mock_stop(&mock);
}

/* Where the relay does not do what was said, it is said more and more rarely: at 0, 5, 10, 20, 40,
 * 80, 160 s, and from 320 s on each 320 s. */
static void test_after_the_end(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    ms_left(&mock, 4000);
    for (int i = 0; i < 2 * 3600 / 5; i++)
        ms_left(&mock, 0);
    assert_int_equal(mock.n_advice, 7 + 22);
    mock_stop(&mock);
}

static void test_refused_at_first(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    mock.peers[0].in_flight = true; /* a request of another trigger: the gate remembers this */
    ms_left(&mock, 14000);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

static void test_withdrawn(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    row(&mock, 0, 0, UN, 10000000, UN);
    row(&mock, 5000000, 0, UN, 5000000, UN);
    assert_int_equal(mock.n_advice, 1);
    mock.peers[0].waits = true;
    row(&mock, 5500000, 0, UN, 4500000, UN); /* 550 kB/s: 7.7 s */
    assert_int_equal(mock.peers[0].withdrawn, 0);
    row(&mock, 5500000, 0, UN, 4500000, UN); /* nothing is sent */
    assert_int_equal(mock.peers[0].withdrawn, 1);
    mock_stop(&mock);
}

/* ---- fast polls ---- */

static void test_looks(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    row(&mock, 0, 0, 100000, 10000000, UN); /* how fast it is shows sooner so */
    assert_true(mock.peers[0].look_until_us == mock.turn.now_us + 2 * SECOND);
    row(&mock, 100, 0, 95000, 10000000, UN);
    row(&mock, 200, 0, 16000, 10000000, UN); /* the next row comes when 11 s are left */
    assert_true(mock.peers[0].look_until_us < mock.turn.now_us);
    mock_stop(&mock);

    begin(&mock, "lead=2000000"); /* the next row would come when it is over */
    ms_left(&mock, 6000);
    assert_int_equal(mock.n_advice, 0);
    assert_int_equal(mock.peers[0].look_until_us, 0);
    ms_left(&mock, 5000);
    assert_true(mock.peers[0].look_until_us == mock.turn.now_us + 5 * SECOND);
    mock_stop(&mock);
}

/* ---- the node ---- */

static void test_columns(void **state)
{
    struct mock mock;
    struct pd_row some = mock_row();

    begin(&mock, NULL);
    some.v[PD_LEASE_SENT_BYTES] = 5;
    for (int i = 0; i < 3; i++) {
        later(&mock, 5 * SECOND);
        mock_sample_columns(&mock, 0, &some, true, 1u << PD_LEASE_SENT_BYTES);
    }
    assert_int_equal(mock.n_advice, 0);
    assert_int_equal(mock.n_notices, 1);
    assert_string_equal(mock.notices[0].what, "lease-columns");
    assert_string_equal(mock.notices[0].text,
                        "the node reports no bytes_sent and no bytes_received: how fast a relay's "
                        "limit of bytes is used up is not known, and no connection leaves before "
                        "it is reached");
    mock_node(&mock, 0); /* another one */
    later(&mock, 5 * SECOND);
    mock_sample_columns(&mock, 0, &some, true, 1u << PD_LEASE_SENT_BYTES | 1u << PD_BYTES_RECEIVED);
    assert_int_equal(mock.n_notices, 2);
    assert_memory_equal(mock.notices[1].text, "the node reports no bytes_sent: ", 32);
    mock_stop(&mock);
}

static void test_lease_bytes(void **state)
{
    struct mock mock;
    struct pd_row some = mock_row();

    begin(&mock, NULL);
    some.v[PD_LEASE_BYTES] = 1000000;
    for (uint64_t i = 0; i < 2; i++) {
        some.v[PD_BYTES_SENT] = 100;
        some.v[PD_BYTES_RECEIVED] = i * 500000;
        later(&mock, 5 * SECOND);
        mock_sample(&mock, 0, &some, true);
    }
    assert_int_equal(mock.n_advice, 1);
    assert_string_equal(mock.advice[0].reason, "1.0 MB left to receive on relay A, 9.5 s at 100.0 "
                                               "kB/s; a new circuit there");
    mock_stop(&mock);
}

/* ---- any row ---- */

/* Whatever a node says: no more advice than one in `repeat`, of each second of rows. */
static void test_rubbish(void **state)
{
    static const uint64_t values[] = {
        0, 1, 999, 1000000, 14999, (UINT64_C(1) << 53) - 1, UN, 4200000, 20,
    };
    struct mock mock;
    uint64_t seed = 12, begun_us;

    begin(&mock, "max_data=1000000 max_duration=30000000");
    relays(&mock, true, "A", "B");
    begun_us = mock.turn.now_us;
    for (int i = 0; i < 100000; i++) {
        struct pd_row row = mock_row();

        for (size_t c = 0; c < PD_COLUMN_COUNT; c++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            row.v[c] = values[(seed >> 33) % ARRAY_SIZE(values)];
        }
        mock.count_only = true;
        later(&mock, seed >> 44);
        mock_sample(&mock, 0, &row, true);
        assert_true(strlen(mock_tell(&mock, 0)) > 0);
        if (i % 1000 == 0)
            mock_peer_via(&mock, 0, (const char *[]){"A", "B", "direct"}[i / 1000 % 3]);
    }
    assert_true(mock.peers[0].advised <= 1 + (mock.turn.now_us - begun_us) / SECOND);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_time_told),
        cmocka_unit_test(test_bytes_told),
        cmocka_unit_test(test_limits_of_the_configuration),
        cmocka_unit_test(test_told_wins),
        cmocka_unit_test(test_no_limit_no_rate),
        cmocka_unit_test(test_other_relays_have_other_limits),
        cmocka_unit_test(test_direct),
        cmocka_unit_test(test_a_relay_without_a_name),
        cmocka_unit_test(test_another_relay),
        cmocka_unit_test(test_a_node_without_relays),
        cmocka_unit_test(test_repeats),
        cmocka_unit_test(test_a_request_that_hangs),
        cmocka_unit_test(test_after_the_end),
        cmocka_unit_test(test_refused_at_first),
        cmocka_unit_test(test_withdrawn),
        cmocka_unit_test(test_looks),
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_lease_bytes),
        cmocka_unit_test(test_rubbish),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
