/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/lease/policy.c and saved.c: when a circuit is a new one; what is told and kept of it. */
#include "lease-rig.h"

#include <errno.h>

#include "util/util.h"

/* ---- circuits ---- */

static void test_a_new_circuit_on_the_same_relay(void **state)
{
    struct mock mock;

    begin(&mock, "max_data=10000000 max_duration=60000000");
    counters(&mock, 0, 0);
    counters(&mock, 4000000, 0);
    assert_int_equal(mock.n_advice, 1);
    assert_true(mock.peers[0].look_until_us > mock.turn.now_us);
    mock_migrated(&mock, 0, "A", false);
    assert_int_equal(mock.peers[0].look_until_us, 0);
    counters(&mock, 5000000, 0); /* 9.5 - 1 MB at 500 kB/s: 17 s */
    assert_int_equal(mock.n_advice, 1);
    counters(&mock, 8000000, 0); /* 5.5 MB at 600 kB/s: 9.1 s; more than half of the 17 s */
    assert_int_equal(mock.n_advice, 1);
    counters(&mock, 10000000, 0);
    assert_int_equal(mock.n_advice, 2);
    assert_string_equal(mock.advice[1].reason, "4.0 MB left to send on relay A, 7.0 s at 500.0 "
                                               "kB/s; a new circuit there");
    mock_stop(&mock);
}

/* A migration for another reason, without a relay's name, is no new circuit. */
static void test_another_migration(void **state)
{
    struct mock mock;

    begin(&mock, "max_duration=60000000");
    for (int i = 0; i < 8; i++)
        counters(&mock, 0, 0);
    mock_migrated(&mock, 0, NULL, false);
    mock_peer_change(&mock, 0, PD_PEER_PATH);
    counters(&mock, 0, 0);
    counters(&mock, 0, 0);
    assert_int_equal(mock.n_advice, 1); /* 10 s are left */
    mock_stop(&mock);
}

static void test_another_relay_begins_anew(void **state)
{
    struct mock mock;

    begin(&mock, "max_data=10000000 max_duration=60000000");
    counters(&mock, 0, 0);
    for (uint64_t i = 1; i < 8; i++)
        counters(&mock, i * 900000, 0);
    assert_int_equal(mock.n_advice, 0); /* 16.5 s at 180 kB/s */
    mock_peer_via(&mock, 0, "B");
    assert_string_equal(mock_tell(&mock, 0), "no row since the connection is on relay B");
    counters(&mock, 7200000, 0);
    assert_string_equal(mock_tell(&mock, 0),
                        "9.1 MB to send, 10.0 MB to receive and 55.0 s left on relay B, at this "
                        "rate 47.7 s");
    mock_stop(&mock);
}

/* The rows may be about the circuit that was left, until the node knows of the new one. */
static void test_rows_of_the_old_circuit(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    relays(&mock, true, "A", "B");
    ms_left(&mock, 14000);
    mock_migrated(&mock, 0, "B", false);
    mock_peer_via(&mock, 0, "B");
    mock.fast_polls = true;
    for (int i = 0; i < 8; i++) {
        struct pd_row old = mock_row();

        old.v[PD_LEASE_MS] = 13500 - 500u * (unsigned)i;
        later(&mock, SECOND / 2);
        mock_sample(&mock, 0, &old, true);
    }
    assert_int_equal(mock.n_advice, 1);
    mock.fast_polls = false;
    ms_left(&mock, 1800000);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

/* One that was asked for, and is shorter than `lead`: half of it is used. */
static void test_a_short_circuit(void **state)
{
    struct mock mock;

    begin(&mock, "repeat=600000000");
    relays(&mock, true, "A", "B");
    ms_left(&mock, 1000);
    mock_peer_via(&mock, 0, "B");
    ms_left(&mock, 14000); /* more than was left: of the new one */
    ms_left(&mock, 9000);
    assert_int_equal(mock.n_advice, 1);
    ms_left(&mock, 6999);
    assert_int_equal(mock.n_advice, 2);
    assert_string_equal(mock.advice[1].via, "A");
    mock_stop(&mock);
}

/* The node got a new circuit by itself. */
static void test_renewed_by_the_node(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    ms_left(&mock, 14000);
    ms_left(&mock, 1800000);
    ms_left(&mock, 14000);
    assert_int_equal(mock.n_advice, 2);
    assert_string_equal(mock.advice[1].evidence, "relay=A to=A limit=time eta_ms=14000 attempt=1");
    mock_stop(&mock);
}

/* ---- what is told of it ---- */

/* For "pathdogctl relays". */
static void test_relayed(void **state)
{
    struct pd_relayed_report report = {false, NULL, UN, UN, UN};
    struct mock mock;

    begin(&mock, "max_data=10000000");
#define TELLS()                                                                                    \
    pathdog_trigger_lease.tell_relayed(mock.turn.self, &mock.peers[0].peer, mock.peers[0].state,   \
                                       &report)
    assert_false(TELLS()); /* no row yet */
    row(&mock, 0, 0, 60000, UN, 5000);
    row(&mock, 400, 0, 55000, UN, 5000);
    assert_true(TELLS());
    assert_int_equal(report.lease_ms, 55000);
    assert_int_equal(report.lease_sent_bytes, 9999600);
    assert_int_equal(report.lease_received_bytes, 5000);
    assert_null(report.rule);
    mock_peer_via(&mock, 0, "direct");
    assert_false(TELLS());
#undef TELLS
    mock_stop(&mock);
}

/* ---- across a restart ---- */

static void test_saved(void **state)
{
    char text[PD_SAVED_MAX];
    struct mock mock, next;
    struct pd_peer_event event;

    begin(&mock, "max_data=10000000 max_duration=60000000");
    counters(&mock, 0, 0);
    counters(&mock, 1000000, 2000000);
    assert_true(pathdog_trigger_lease.save(mock.turn.self, &mock.peers[0].peer, mock.peers[0].state,
                                           text, sizeof(text)) > 0);
    begin(&next, "max_data=10000000 max_duration=60000000");
    mock_time(&next, mock.turn.now_us + 10 * SECOND);
    event = (struct pd_peer_event){PD_PEER_UP, &next.peers[0].peer, next.peers[0].state, NULL, 0};
    assert_int_equal(pathdog_trigger_lease.restore(&next.turn, &event, text), 0);
    counters(&next, 2000000, 2000000);
    assert_string_equal(mock_tell(&next, 0),
                        "8.0 MB to send, 8.0 MB to receive and 35.0 s left on relay A, at this "
                        "rate 35.0 s");
    /* It is on another relay now. */
    mock_peer_via(&next, 0, "B");
    assert_int_equal(pathdog_trigger_lease.restore(&next.turn, &event, text), 0);
    counters(&next, 2000000, 2000000);
    assert_string_equal(mock_tell(&next, 0),
                        "10.0 MB to send, 10.0 MB to receive and 55.0 s left on relay B, at this "
                        "rate 55.0 s");
    /* Nobody needs to know of a direct one. */
    mock_peer_via(&mock, 0, "direct");
    assert_int_equal(pathdog_trigger_lease.save(mock.turn.self, &mock.peers[0].peer,
                                                mock.peers[0].state, text, sizeof(text)),
                     0);
    mock_stop(&mock);
    mock_stop(&next);
}

static void test_saved_wrongly(void **state)
{
    static const char *const texts[] = {
        "",
        "x",
        "1",
        "1 1 1 1 1 1",
        "1 1 1 1 1 1 1 1",
        "1 1 1 1 1 1 -1",
        "1 1 1 1 1 1 x",
        "1  1 1 1 1 1 1",
        "4294967296 1 1 1 1 1 1",
        "1 99999999999999999999 1 1 1 1 1",
        "1 9000000000 1 1 1 1 1",
        "1 1 9000000000 1 1 1 1",
        "1 1 1 9007199254740993 1 1 1",
        "1 1 1 1 1 1 18446744073709551615",
        "1,1,1,1,1,1,1",
    };
    struct mock mock;
    struct pd_peer_event event;

    begin(&mock, NULL);
    event = (struct pd_peer_event){PD_PEER_UP, &mock.peers[0].peer, mock.peers[0].state, NULL, 0};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        if (pathdog_trigger_lease.restore(&mock.turn, &event, texts[i]) != -EINVAL)
            fail_msg("\"%s\" is taken", texts[i]);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_new_circuit_on_the_same_relay),
        cmocka_unit_test(test_another_migration),
        cmocka_unit_test(test_another_relay_begins_anew),
        cmocka_unit_test(test_rows_of_the_old_circuit),
        cmocka_unit_test(test_a_short_circuit),
        cmocka_unit_test(test_renewed_by_the_node),
        cmocka_unit_test(test_relayed),
        cmocka_unit_test(test_saved),
        cmocka_unit_test(test_saved_wrongly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
