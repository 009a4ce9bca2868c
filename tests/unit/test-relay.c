/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plugins/relay, its policy: what rows and the node say, and what is advised: from the direct path
 * to a relay, and from one relay to the next. The rules and the pick by themselves are in
 * test-relay-rules.c and test-relay-pick.c.
 */
#include "relay-policy-rig.h"

/* ---- direct → relay ---- */

static void test_silence_leads_over_the_pick(void **state)
{
    struct mock mock;
    uint32_t peer;
    uint64_t at_us;

    begin(&mock, OPTIONS);
    peer = add(&mock, "bravo");
    row(&mock, peer, 100 * SECOND, 500, 500, 0);
    row(&mock, peer, 101 * SECOND, 1000, 600, 0); /* the last that was received */
    at_us = silent_until_advised(&mock, peer, 101 * SECOND + 500 * MS, 60 * SECOND);
    /* 8 s is no miss; 8.5, 9 and 9.5 s are the three */
    assert_int_equal(at_us, 101 * SECOND + 9500 * MS);
    assert_int_equal(last(&mock)->kind, PD_KIND_DEAD);
    assert_string_equal(last(&mock)->via, "c"); /* 5d8b6dab modulo 3 is 2 */
    assert_string_equal(last(&mock)->reason,
                        "nothing received for 9.5 s though we send, 3 misses: over relay c, the "
                        "key's pick, 3 of 3 (RTT not measured)");
    assert_string_equal(last(&mock)->evidence,
                        "rule=silence silence_us=9500000 misses=3 relays=3 relay=c "
                        "address=192.0.2.3:4433 pick=key");
    mock_stop(&mock);
}

/* A row that comes each 5 s: close looks bring the others. */
static void test_silence_asks_for_close_looks(void **state)
{
    struct mock mock;
    uint32_t peer;

    begin(&mock, OPTIONS);
    peer = add(&mock, "bravo");
    row(&mock, peer, 100 * SECOND, 500, 500, 0);
    row(&mock, peer, 101 * SECOND, 1000, 600, 0);
    row(&mock, peer, 103 * SECOND, 1000, 700, 0);
    assert_int_equal(mock.peers[peer].look_until_us, 0); /* the next row comes before 8 s */
    row(&mock, peer, 106 * SECOND, 1000, 800, 0);
    assert_true(mock.peers[peer].look_until_us >= 109 * SECOND + 1500 * MS);
    row(&mock, peer, 107 * SECOND, 2000, 900, 0); /* it lives */
    assert_int_equal(mock.peers[peer].look_until_us, 0);
    mock_stop(&mock);
}

static void test_silence_of_one_that_sends_nothing_is_no_miss(void **state)
{
    struct mock mock;
    uint32_t peer;

    begin(&mock, OPTIONS);
    peer = add(&mock, "bravo");
    for (uint64_t at_us = 100 * SECOND; at_us < 300 * SECOND; at_us += SECOND)
        row(&mock, peer, at_us, 1000, 500, 0);
    assert_int_equal(mock.n_advice, 0);
    mock_stop(&mock);
}

static void test_silence_is_the_nodes_own_where_it_says_it(void **state)
{
    struct mock mock;
    struct pd_row r = mock_row();
    uint32_t peer;

    begin(&mock, OPTIONS);
    peer = add(&mock, "bravo");
    r.v[PD_IN_FLIGHT_BYTES] = 1200;
    r.v[PD_SILENT_MS] = 9000;     /* before pathdog has seen it, too */
    for (int i = 0; i < 4; i++) { /* the first shows something outstanding for the first time */
        assert_int_equal(mock.n_advice, 0);
        mock_time(&mock, 100 * SECOND + (uint64_t)i * 500 * MS);
        mock_sample(&mock, peer, &r, false);
        r.v[PD_SILENT_MS] += 500;
    }
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

/* No receipt, no send: no silence. */
static void test_silence_begins_with_the_first_send(void **state)
{
    struct mock mock;
    uint32_t peer;

    begin(&mock, OPTIONS);
    peer = add(&mock, "bravo");
    row(&mock, peer, 100 * SECOND, 0, 0, 0);
    row(&mock, peer, 130 * SECOND, 0, 0, 0);
    assert_non_null(strstr(mock_tell(&mock, peer), "direct, nothing sent or received yet; 0 of 3"));
    row(&mock, peer, 131 * SECOND, 0, 1200, 0);
    for (unsigned i = 1; i <= 8; i++)
        row(&mock, peer, (131 + i) * SECOND, 0, 1200 + i, 0);
    assert_non_null(strstr(mock_tell(&mock, peer), "direct, silent for 8.0 s; 0 of 3 misses"));
    row(&mock, peer, 139 * SECOND + 1, 0, 1300, 0);
    row(&mock, peer, 139 * SECOND + 2, 0, 1400, 0);
    assert_int_equal(mock.n_advice, 0);
    row(&mock, peer, 139 * SECOND + 3, 0, 1500, 0);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

static void test_receipt_ends_the_misses(void **state)
{
    struct mock mock;
    uint32_t peer;

    begin(&mock, OPTIONS);
    peer = add(&mock, "bravo");
    row(&mock, peer, 100 * SECOND, 500, 500, 0);
    row(&mock, peer, 101 * SECOND, 1000, 600, 0);
    row(&mock, peer, 110 * SECOND, 1000, 700, 0);
    row(&mock, peer, 111 * SECOND, 1000, 800, 0); /* two misses */
    row(&mock, peer, 112 * SECOND, 1001, 900, 0);
    row(&mock, peer, 121 * SECOND, 1001, 1000, 0);
    row(&mock, peer, 122 * SECOND, 1001, 1100, 0);
    assert_int_equal(mock.n_advice, 0);
    row(&mock, peer, 123 * SECOND, 1001, 1200, 0);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

static void test_send_errors_lead_over_the_pick(void **state)
{
    struct mock mock;
    uint32_t peer;

    begin(&mock, OPTIONS);
    peer = add(&mock, "bravo");
    row(&mock, peer, 100 * SECOND, 500, 500, 0);
    row(&mock, peer, 101 * SECOND, 500, 500, 2);
    assert_int_equal(mock.n_advice, 0);
    row(&mock, peer, 102 * SECOND, 500, 500, 2); /* the same two */
    assert_int_equal(mock.n_advice, 0);
    row(&mock, peer, 103 * SECOND, 500, 500, 3);
    assert_int_equal(mock.n_advice, 1);
    assert_string_equal(last(&mock)->via, "c");
    assert_string_equal(last(&mock)->reason,
                        "3 send errors, and nothing received: over relay c, the key's pick, 3 of "
                        "3 (RTT not measured)");
    assert_string_equal(last(&mock)->evidence, "rule=send-errors send_errors=3 relays=3 relay=c "
                                               "address=192.0.2.3:4433 pick=key");
    mock_stop(&mock);
}

/* Sending that works again is no receipt; a packet is. */
static void test_send_errors_are_reset_by_a_receipt_only(void **state)
{
    struct mock mock;
    uint32_t peer;

    begin(&mock, OPTIONS);
    peer = add(&mock, "bravo");
    row(&mock, peer, 100 * SECOND, 500, 500, 2);
    row(&mock, peer, 101 * SECOND, 600, 500, 2);
    row(&mock, peer, 102 * SECOND, 600, 600, 0);
    row(&mock, peer, 103 * SECOND, 600, 600, 2);
    assert_int_equal(mock.n_advice, 0);
    row(&mock, peer, 104 * SECOND, 600, 700, 0);
    row(&mock, peer, 105 * SECOND, 600, 700, 1);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

static void test_without_a_relay_it_says_so(void **state)
{
    struct mock mock;
    uint32_t peer;

    begin(&mock, NULL);
    peer = add(&mock, "bravo");
    row(&mock, peer, 100 * SECOND, 500, 500, 0);
    assert_int_equal(silent_until_advised(&mock, peer, 101 * SECOND, 30 * SECOND), 0);
    assert_true(noticed(&mock, "relay-none"));
    mock_stop(&mock);
}

static void test_without_the_feature_nothing_is_advised(void **state)
{
    struct mock mock;
    uint32_t peer;

    mock = (struct mock){.turn.now_us = 100 * SECOND};
    assert_int_equal(mock_start(&mock, &pathdog_trigger_relay, OPTIONS), 0);
    mock_relays(&mock, &(struct pd_relays){0});
    assert_true(noticed(&mock, "relay-no-feature"));
    peer = add(&mock, "bravo");
    row(&mock, peer, 100 * SECOND, 500, 500, 0);
    assert_int_equal(silent_until_advised(&mock, peer, 101 * SECOND, 30 * SECOND), 0);
    assert_string_equal(mock_tell(&mock, peer), "the node does not offer the feature \"relay\"");
    mock_stop(&mock);
}

/* The peer opened it: only the peer can. */
static void test_inbound_ones_are_not_advised(void **state)
{
    struct mock mock;
    uint32_t peer;

    begin(&mock, OPTIONS);
    peer = add(&mock, "bravo");
    mock.peers[peer].peer.role = PD_ROLE_SERVER;
    row(&mock, peer, 100 * SECOND, 500, 500, 0);
    assert_int_equal(silent_until_advised(&mock, peer, 101 * SECOND, 30 * SECOND), 0);
    mock_stop(&mock);
}

/* Of what another trigger tries the looks go on; what was advised here has 10 s. */
static void test_a_request_that_is_open(void **state)
{
    struct mock mock;
    uint32_t peer;
    uint64_t at_us;

    begin(&mock, OPTIONS);
    peer = add(&mock, "bravo");
    row(&mock, peer, 100 * SECOND, 500, 500, 0);
    mock.peers[peer].in_flight = true;
    at_us = silent_until_advised(&mock, peer, 101 * SECOND, 30 * SECOND);
    assert_in_range(at_us, 108 * SECOND, 112 * SECOND);
    assert_int_equal(silent_until_advised(&mock, peer, at_us + 500 * MS, 10 * SECOND), 0);
    assert_true(silent_until_advised(&mock, peer, at_us + 10500 * MS, 10 * SECOND));
    mock_stop(&mock);
}

/* Where the node did not get there, the next one is tried, and then the pick again. */
static void test_the_next_relay_where_the_pick_was_no_way(void **state)
{
    struct mock mock;
    uint32_t peer;
    uint64_t at_us;

    begin(&mock, "relays=a=192.0.2.1:1+b=192.0.2.2:1 key=616c706861");
    peer = add(&mock, "bravo");
    row(&mock, peer, 100 * SECOND, 500, 500, 0);
    row(&mock, peer, 101 * SECOND, 1000, 600, 0);
    at_us = silent_until_advised(&mock, peer, 102 * SECOND, 30 * SECOND);
    assert_string_equal(last(&mock)->via, "b"); /* 5d8b6dab is odd */
    at_us = silent_until_advised(&mock, peer, at_us + 500 * MS, 30 * SECOND);
    assert_true(at_us);
    assert_string_equal(last(&mock)->via, "a");
    assert_non_null(strstr(last(&mock)->evidence, "pick=next"));
    assert_true(silent_until_advised(&mock, peer, at_us + 500 * MS, 30 * SECOND));
    assert_string_equal(last(&mock)->via, "b");
    mock_stop(&mock);
}

/* ---- cap ---- */

static void test_cap_holds_for_what_is_on_its_way_too(void **state)
{
    struct mock mock;
    uint32_t peers[3];

    begin(&mock, OPTIONS "max_relayed=2");
    for (size_t i = 0; i < 3; i++) {
        peers[i] = add(&mock, "bravo");
        row(&mock, peers[i], 100 * SECOND, 500, 500, 0);
    }
    for (size_t i = 0; i < 3; i++)
        mock.peers[peers[i]].waits = true; /* in the queue */
    for (uint64_t at_us = 109 * SECOND; at_us < 112 * SECOND; at_us += SECOND)
        for (size_t i = 0; i < 3; i++)
            row(&mock, peers[i], at_us, 500, at_us, 0);
    assert_int_equal(mock.n_advice, 2);
    assert_true(noticed(&mock, "relay-full"));
    follow(&mock, peers[0], "a");
    follow(&mock, peers[1], "a");
    row(&mock, peers[2], 113 * SECOND, 500, 113 * SECOND, 0);
    assert_int_equal(mock.n_advice, 2);
    mock_peer_down(&mock, peers[0]); /* one has gone: room again */
    for (uint64_t at_us = 114 * SECOND; at_us < 117 * SECOND; at_us += SECOND)
        row(&mock, peers[2], at_us, 500, at_us, 0);
    assert_int_equal(mock.n_advice, 3);
    mock_stop(&mock);
}

/* What was refused or has failed takes no room. */
static void test_cap_forgets_what_was_refused(void **state)
{
    struct mock mock;
    uint32_t one, two;

    begin(&mock, OPTIONS "max_relayed=1");
    one = add(&mock, "one");
    two = add(&mock, "two");
    row(&mock, one, 100 * SECOND, 1000, 500, 0);
    row(&mock, two, 100 * SECOND, 1000, 500, 0);
    assert_true(silent_until_advised(&mock, one, 109 * SECOND, 5 * SECOND));
    row(&mock, one, 112 * SECOND, 1000, 112 * SECOND, 0); /* neither open nor waiting */
    assert_true(silent_until_advised(&mock, two, 113 * SECOND, 5 * SECOND));
    mock_stop(&mock);
}

/* ---- relay → relay ---- */

static void test_relay_that_is_dead_next_relay(void **state)
{
    struct mock mock;
    uint32_t peer;
    uint64_t at_us;

    begin(&mock, OPTIONS);
    peer = add(&mock, "bravo");
    row(&mock, peer, 100 * SECOND, 500, 500, 0);
    at_us = silent_until_advised(&mock, peer, 101 * SECOND, 30 * SECOND);
    follow(&mock, peer, "a");
    /* the silence of the direct path is not this one's */
    assert_int_equal(silent_until_advised(&mock, peer, at_us + 500 * MS, 8 * SECOND), 0);
    assert_true(silent_until_advised(&mock, peer, at_us + 9000 * MS, 10 * SECOND));
    assert_int_equal(last(&mock)->kind, PD_KIND_DEAD);
    assert_true(!strcmp(last(&mock)->via, "b") || !strcmp(last(&mock)->via, "c"));
    assert_non_null(strstr(last(&mock)->reason, " over relay a: over relay "));
    assert_non_null(strstr(last(&mock)->evidence, "rule=silence"));
    assert_non_null(strstr(last(&mock)->evidence, "left=a"));
    mock_stop(&mock);
}

/* A relay that answers probes and hands on nothing is not gone back to before the others were
 * tried. */
static void test_relays_that_are_dead_one_after_the_other(void **state)
{
    struct mock mock;
    uint32_t peer;
    uint64_t at_us;
    char been[4] = "";

    begin(&mock, OPTIONS);
    peer = add(&mock, "bravo");
    row(&mock, peer, 100 * SECOND, 500, 500, 0);
    at_us = 101 * SECOND;
    for (size_t i = 0; i < 3; i++) {
        const char *via;

        at_us = silent_until_advised(&mock, peer, at_us, 30 * SECOND);
        assert_true(at_us);
        via = last(&mock)->via;
        assert_null(strchr(been, via[0]));
        been[i] = via[0];
        follow(&mock, peer, (const char[]){via[0], '\0'});
    }
    assert_int_equal(strlen(been), 3);
    mock_stop(&mock);
}

static void test_relay_that_is_dead_and_the_only_one(void **state)
{
    struct mock mock;
    uint32_t pinned, loose;

    begin(&mock, "relays=a=192.0.2.1:4433");
    pinned = add(&mock, "pinned");
    mock_peer_via(&mock, pinned, "a");
    mock_migrated(&mock, pinned, "a", true);
    loose = add_relayed(&mock, "loose", "a");
    assert_int_equal(silent_until_advised(&mock, pinned, 101 * SECOND, 60 * SECOND), 0);
    assert_true(silent_until_advised(&mock, loose, 101 * SECOND, 60 * SECOND));
    assert_string_equal(last(&mock)->via, "direct");
    assert_int_equal(last(&mock)->kind, PD_KIND_DEAD);
    assert_non_null(strstr(last(&mock)->reason, "back to the direct path"));
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_silence_leads_over_the_pick),
        cmocka_unit_test(test_silence_asks_for_close_looks),
        cmocka_unit_test(test_silence_of_one_that_sends_nothing_is_no_miss),
        cmocka_unit_test(test_silence_is_the_nodes_own_where_it_says_it),
        cmocka_unit_test(test_silence_begins_with_the_first_send),
        cmocka_unit_test(test_receipt_ends_the_misses),
        cmocka_unit_test(test_send_errors_lead_over_the_pick),
        cmocka_unit_test(test_send_errors_are_reset_by_a_receipt_only),
        cmocka_unit_test(test_without_a_relay_it_says_so),
        cmocka_unit_test(test_without_the_feature_nothing_is_advised),
        cmocka_unit_test(test_inbound_ones_are_not_advised),
        cmocka_unit_test(test_a_request_that_is_open),
        cmocka_unit_test(test_the_next_relay_where_the_pick_was_no_way),
        cmocka_unit_test(test_cap_holds_for_what_is_on_its_way_too),
        cmocka_unit_test(test_cap_forgets_what_was_refused),
        cmocka_unit_test(test_relay_that_is_dead_next_relay),
        cmocka_unit_test(test_relays_that_are_dead_one_after_the_other),
        cmocka_unit_test(test_relay_that_is_dead_and_the_only_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
