/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/relay, its policy: what is pinned to its relay, and what goes back to the direct path. */
#include "relay-policy-rig.h"

/* ---- pinned; relay → direct ---- */

static void tried(struct mock *mock, uint32_t peer, bool good)
{
    char fields[128];

    snprintf(fields, sizeof(fields), "peer=%u conn=%u %s", peer,
             (unsigned)mock->peers[peer].peer.conn, good ? "rtt_ns=41000000" : "error=none");
    mock_signal(mock, "direct", 7, fields);
}

static void test_flipped_are_pinned_and_never_go_back(void **state)
{
    struct mock mock;
    uint32_t peer;

    begin(&mock, OPTIONS);
    peer = add(&mock, "bravo");
    row(&mock, peer, 100 * SECOND, 500, 500, 0);
    silent_until_advised(&mock, peer, 101 * SECOND, 30 * SECOND);
    follow(&mock, peer, "a");
    assert_int_equal(mock.peers[peer].withdrawn, 1); /* what waits was about the direct path */
    mock_clear(&mock);
    mock_time(&mock, 500 * SECOND);
    assert_int_equal(mock.n_queries, 0); /* not tried */
    for (int i = 0; i < 10; i++)
        tried(&mock, peer, true);
    assert_int_equal(mock.n_advice, 0);
    assert_string_equal(mock_tell(&mock, peer),
                        "on relay a (silence), 0 of 3 misses; pinned: it does not go back by "
                        "itself");
    mock_stop(&mock);
}

/* The node's answer may come before it says which way is in use. */
static void test_pinned_whichever_comes_first(void **state)
{
    struct mock mock;
    uint32_t peer;

    begin(&mock, OPTIONS);
    peer = add(&mock, "bravo");
    mock_migrated(&mock, peer, "a", true);
    mock_peer_via(&mock, peer, "a");
    assert_string_equal(mock_tell(&mock, peer),
                        "on relay a (operator), 0 of 3 misses; pinned: it does not go back by "
                        "itself");
    mock_migrated(&mock, peer, "direct", true); /* an operator takes it back */
    mock_peer_via(&mock, peer, "direct");
    mock_peer_via(&mock, peer, "b"); /* the node's own choice: not pinned */
    assert_string_equal(mock_tell(&mock, peer),
                        "on relay b (node), 0 of 3 misses; the direct path answered 0 of 3 tries "
                        "in a row");
    mock_stop(&mock);
}

static void test_a_migration_without_a_relay_keeps_the_pin(void **state)
{
    struct mock mock;
    uint32_t peer;

    begin(&mock, OPTIONS);
    peer = add(&mock, "bravo");
    mock_peer_via(&mock, peer, "a");
    mock_migrated(&mock, peer, "a", true);
    mock_migrated(&mock, peer, NULL, false); /* stall: another port */
    mock_peer_via(&mock, peer, "b");         /* by the node */
    assert_non_null(strstr(mock_tell(&mock, peer), "pinned"));
    mock_stop(&mock);
}

/* Another trigger, as lease, has it moved to another relay: it is pinned, or not, as before. */
static void test_the_move_of_another_trigger_keeps_the_pin(void **state)
{
    struct mock mock;
    uint32_t loose, pinned;

    begin(&mock, OPTIONS);
    loose = add_relayed(&mock, "loose", "a");
    follow(&mock, loose, "b");
    assert_string_equal(mock_tell(&mock, loose),
                        "on relay b (node), 0 of 3 misses; the direct path "
                        "answered 0 of 3 tries in a row");
    pinned = add(&mock, "pinned");
    row(&mock, pinned, 100 * SECOND, 500, 500, 0);
    assert_true(silent_until_advised(&mock, pinned, 101 * SECOND, 30 * SECOND));
    follow(&mock, pinned, "a");
    follow(&mock, pinned, "b");
    assert_string_equal(mock_tell(&mock, pinned),
                        "on relay b (silence), 0 of 3 misses; pinned: it does not go back by "
                        "itself");
    mock_stop(&mock);
}

/* Advice that was not carried out pins nothing later. */
static void test_advice_that_came_to_nothing_pins_nothing(void **state)
{
    struct mock mock;
    uint32_t peer;
    uint64_t at_us;

    begin(&mock, OPTIONS);
    peer = add(&mock, "bravo");
    row(&mock, peer, 100 * SECOND, 500, 500, 0);
    at_us = silent_until_advised(&mock, peer, 101 * SECOND, 30 * SECOND);
    row(&mock, peer, at_us + SECOND, 9000, at_us + SECOND, 0); /* heard again */
    mock_peer_via(&mock, peer, "a");
    follow(&mock, peer, "b");
    assert_non_null(strstr(mock_tell(&mock, peer), "on relay b (node)"));
    mock_stop(&mock);
}

static void test_back_after_three_good_tries_in_a_row(void **state)
{
    struct mock mock;
    uint32_t peer;

    begin(&mock, OPTIONS);
    peer = add_relayed(&mock, "bravo", "b");
    mock_clear(&mock);
    mock_time(&mock, 120 * SECOND);
    assert_string_equal(last_query(&mock)->fields, "ask=direct peer=0 conn=1 address=" DIRECT);
    tried(&mock, peer, true);
    tried(&mock, peer, true);
    tried(&mock, peer, false); /* really in a row */
    tried(&mock, peer, true);
    tried(&mock, peer, true);
    assert_int_equal(mock.n_advice, 0);
    tried(&mock, peer, true);
    assert_int_equal(mock.n_advice, 1);
    assert_int_equal(last(&mock)->kind, PD_KIND_BETTER);
    assert_string_equal(last(&mock)->via, "direct");
    assert_string_equal(last(&mock)->reason,
                        "the direct path has answered 3 times in a row, RTT 41 ms: back from relay "
                        "b");
    assert_string_equal(last(&mock)->evidence,
                        "rule=cleared left=b cleared=3 direct_rtt_ms=41 relays=3");
    mock_clear(&mock);
    mock_time(&mock, 160 * SECOND); /* two more rounds */
    assert_int_equal(mock.n_queries, 2);
    follow(&mock, peer, "direct");
    mock_clear(&mock);
    mock_time(&mock, 300 * SECOND); /* nobody is relayed: nothing is tried */
    assert_int_equal(mock.n_queries, 0);
    assert_int_equal(mock.timer_us, 0);
    mock_stop(&mock);
}

/* With pin = no those that were flipped go back, too. */
static void test_without_pin_flipped_ones_go_back(void **state)
{
    struct mock mock;
    uint32_t peer;

    begin(&mock, OPTIONS "pin=0");
    peer = add(&mock, "bravo");
    row(&mock, peer, 100 * SECOND, 500, 500, 0);
    silent_until_advised(&mock, peer, 101 * SECOND, 30 * SECOND);
    follow(&mock, peer, "a");
    mock_clear(&mock);
    for (int i = 0; i < 3; i++)
        tried(&mock, peer, true);
    assert_int_equal(mock.n_advice, 1);
    assert_string_equal(last(&mock)->via, "direct");
    mock_clear(&mock);
    mock_migrated(&mock, peer, "b", true); /* an operator's is pinned all the same */
    for (int i = 0; i < 3; i++)
        tried(&mock, peer, true);
    assert_int_equal(mock.n_advice, 0);
    mock_stop(&mock);
}

/* The address of the relay is not that of the peer. */
static void test_direct_address_is_no_relays(void **state)
{
    struct mock mock;
    uint32_t peer;

    begin(&mock, OPTIONS);
    peer = mock_peer_up(&mock, "bravo", NULL, NULL);
    mock_peer_set(&mock, peer, "10.0.0.2:5000", "192.0.2.2:4433");
    mock_peer_via(&mock, peer, "b");
    mock_clear(&mock);
    mock_time(&mock, 200 * SECOND);
    assert_int_equal(mock.n_queries, 0);
    assert_non_null(strstr(mock_tell(&mock, peer), "its direct address is not known"));
    mock_peer_set(&mock, peer, "10.0.0.2:5000", "192.0.2.2:4434"); /* the port differs */
    mock_peer_change(&mock, peer, PD_PEER_PATH);
    mock_time(&mock, 221 * SECOND);
    assert_string_equal(last_query(&mock)->fields,
                        "ask=direct peer=0 conn=1 address=192.0.2.2:4434");
    mock_stop(&mock);
}

/* An answer about a connection that went meanwhile is none about the one in its place. */
static void test_tries_of_another_connection_do_not_count(void **state)
{
    struct mock mock;
    uint32_t peer;

    begin(&mock, OPTIONS "clear_after=1");
    peer = add_relayed(&mock, "bravo", "b");
    mock_signal(&mock, "direct", 7, "peer=0 conn=99 rtt_ns=5");
    mock_signal(&mock, "direct", 7, "peer=77 conn=1 rtt_ns=5");
    mock_signal(&mock, "direct", 7, "conn=1 rtt_ns=5");
    mock_signal(&mock, "direct", 7, "peer=0 rtt_ns=5");
    assert_int_equal(mock.n_advice, 0);
    tried(&mock, peer, true);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

/* Many are tried in slices. */
static void test_tries_of_many_in_slices(void **state)
{
    struct mock mock;

    begin(&mock, OPTIONS);
    for (unsigned i = 0; i < 200; i++)
        add_relayed(&mock, "many", "b");
    mock_clear(&mock);
    mock_time(&mock, 120 * SECOND);
    assert_int_equal(mock.n_queries, 64);
    mock_time(&mock, 122 * SECOND); /* the source has no room before the first ones are over */
    assert_int_equal(mock.n_queries, 64);
    mock_time(&mock, 122 * SECOND + 100 * MS);
    assert_int_equal(mock.n_queries, 128);
    mock_time(&mock, 129 * SECOND);
    assert_int_equal(mock.n_queries, 200);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flipped_are_pinned_and_never_go_back),
        cmocka_unit_test(test_pinned_whichever_comes_first),
        cmocka_unit_test(test_a_migration_without_a_relay_keeps_the_pin),
        cmocka_unit_test(test_the_move_of_another_trigger_keeps_the_pin),
        cmocka_unit_test(test_advice_that_came_to_nothing_pins_nothing),
        cmocka_unit_test(test_back_after_three_good_tries_in_a_row),
        cmocka_unit_test(test_without_pin_flipped_ones_go_back),
        cmocka_unit_test(test_direct_address_is_no_relays),
        cmocka_unit_test(test_tries_of_another_connection_do_not_count),
        cmocka_unit_test(test_tries_of_many_in_slices),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
