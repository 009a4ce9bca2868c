/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plugins/relay, its policy: what rows, the node and the source say, and what is advised. The rules
 * and the pick by themselves are in test-relay-rules.c and test-relay-pick.c.
 */
#include "check.h"

#include <pathdog/mock-host.h>

#include "util/util.h"

#define MS     1000ull
#define SECOND 1000000ull

extern const struct pd_trigger pathdog_trigger_relay;

#define DIRECT  "198.51.100.7:443"
#define OPTIONS "relays=a=192.0.2.1:4433+b=192.0.2.2:4433+c=192.0.2.3:4433 key=616c706861 "

/* The node obeys `via`, and leaves the list to others. */
static void node_obeys(struct mock *mock)
{
    mock_node(mock, 1000);
    mock_relays(mock, &(struct pd_relays){.obeys = true});
}

static void begin(struct mock *mock, const char *options)
{
    *mock = (struct mock){.turn.now_us = 100 * SECOND};
    assert_int_equal(mock_start(mock, &pathdog_trigger_relay, options), 0);
    node_obeys(mock);
}

static uint32_t add(struct mock *mock, const char *name)
{
    return mock_peer_up(mock, name, "10.0.0.2:5000", DIRECT);
}

/* One that comes up on a relay by the node's own choice. */
static uint32_t add_relayed(struct mock *mock, const char *name, const char *via)
{
    uint32_t peer = add(mock, name);

    mock_peer_via(mock, peer, via);
    return peer;
}

/* A row: what was received and sent so far, and send errors in a row. */
static void row(struct mock *mock, uint32_t peer, uint64_t at_us, uint64_t received, uint64_t sent,
                uint64_t errors)
{
    struct pd_row r = mock_row();

    r.v[PD_BYTES_RECEIVED] = received;
    r.v[PD_BYTES_SENT] = sent;
    r.v[PD_IN_FLIGHT_BYTES] = 0;
    if (errors != PD_UNKNOWN)
        r.v[PD_SEND_ERRORS] = errors;
    mock_time(mock, at_us);
    mock_sample(mock, peer, &r, false);
}

/* Rows each 500 ms in which it sends and receives nothing, until something is advised. Returns the
 * time; 0: nothing was. */
static uint64_t silent_until_advised(struct mock *mock, uint32_t peer, uint64_t from_us,
                                     uint64_t most_us)
{
    size_t before = mock->n_advice;

    for (uint64_t at_us = from_us; at_us <= from_us + most_us; at_us += 500 * MS) {
        row(mock, peer, at_us, 1000, at_us, PD_UNKNOWN);
        if (mock->n_advice != before)
            return at_us;
    }
    return 0;
}

static const struct mock_advice *last(const struct mock *mock)
{
    assert_true(mock->n_advice > 0);
    return &mock->advice[mock->n_advice - 1];
}

/* What the node then does. */
static void follow(struct mock *mock, uint32_t peer, const char *via)
{
    mock_peer_via(mock, peer, via);
    mock_migrated(mock, peer, via, false);
}

static bool told_of(struct mock *mock, size_t place, struct pd_relay_report *ret)
{
    *ret = (struct pd_relay_report){.rtt_ns = PD_UNKNOWN};
    return pathdog_trigger_relay.tell_relay(mock->turn.self, place, ret);
}

static bool noticed(const struct mock *mock, const char *what)
{
    for (size_t i = 0; i < mock->n_notices; i++)
        if (!strcmp(mock->notices[i].what, what))
            return true;
    return false;
}

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

static void test_a_request_that_is_open_counts_nothing(void **state)
{
    struct mock mock;
    uint32_t peer;

    begin(&mock, OPTIONS);
    peer = add(&mock, "bravo");
    row(&mock, peer, 100 * SECOND, 500, 500, 0);
    mock.peers[peer].in_flight = true;
    assert_int_equal(silent_until_advised(&mock, peer, 101 * SECOND, 30 * SECOND), 0);
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

/* ---- pinned; relay → relay; relay → direct ---- */

static const struct mock_query *last_query(const struct mock *mock)
{
    assert_true(mock->n_queries > 0);
    return &mock->queries[mock->n_queries - 1];
}

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
    assert_int_equal(mock.peers[peer].withdrawn, 1); /* what waits was about the direct way */
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
                        "on relay b (node), 0 of 3 misses; the direct way answered 0 of 3 tries "
                        "in a row");
    mock_stop(&mock);
}

static void test_a_migration_without_a_relay_keeps_the_pin(void **state)
{
    struct mock mock;
    uint32_t peer;

    begin(&mock, OPTIONS);
    peer = add(&mock, "bravo");
    follow(&mock, peer, "a");
    mock_migrated(&mock, peer, NULL, false); /* stall: another port */
    mock_peer_via(&mock, peer, "b");         /* by the node */
    assert_non_null(strstr(mock_tell(&mock, peer), "pinned"));
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
                        "the direct way has answered 3 times in a row, RTT 41 ms: back from relay "
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
    mock_time(&mock, 120 * SECOND + 100 * MS);
    assert_int_equal(mock.n_queries, 128);
    mock_time(&mock, 121 * SECOND);
    assert_int_equal(mock.n_queries, 200);
    mock_stop(&mock);
}

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
    /* the silence of the direct way is not this one's */
    assert_int_equal(silent_until_advised(&mock, peer, at_us + 500 * MS, 8 * SECOND), 0);
    assert_true(silent_until_advised(&mock, peer, at_us + 9000 * MS, 10 * SECOND));
    assert_int_equal(last(&mock)->kind, PD_KIND_DEAD);
    assert_true(!strcmp(last(&mock)->via, "b") || !strcmp(last(&mock)->via, "c"));
    assert_non_null(strstr(last(&mock)->reason, " over relay a: over relay "));
    assert_non_null(strstr(last(&mock)->evidence, "rule=silence"));
    assert_non_null(strstr(last(&mock)->evidence, "left=a"));
    mock_stop(&mock);
}

static void test_relay_that_is_dead_and_the_only_one(void **state)
{
    struct mock mock;
    uint32_t pinned, loose;

    begin(&mock, "relays=a=192.0.2.1:4433");
    pinned = add(&mock, "pinned");
    follow(&mock, pinned, "a");
    loose = add_relayed(&mock, "loose", "a");
    assert_int_equal(silent_until_advised(&mock, pinned, 101 * SECOND, 60 * SECOND), 0);
    assert_true(silent_until_advised(&mock, loose, 101 * SECOND, 60 * SECOND));
    assert_string_equal(last(&mock)->via, "direct");
    assert_int_equal(last(&mock)->kind, PD_KIND_DEAD);
    assert_non_null(strstr(last(&mock)->reason, "back to the direct way"));
    mock_stop(&mock);
}

/* ---- which relay ---- */

static void test_measured_times_and_hysteresis(void **state)
{
    struct mock mock;
    struct pd_relay_report told;
    size_t picks = 0;

    begin(&mock, OPTIONS);
    mock_signal(&mock, "rtts", 1, "name=c rtt_ns=100000001 name=b rtt_ns=50000000 name=a error=no");
    assert_true(told_of(&mock, 1, &told));
    assert_true(told.pick);
    assert_int_equal(told.rtt_ns, 50000000);
    assert_string_equal(told.why, "the fastest; the key's pick takes more than twice as long");
    assert_true(told_of(&mock, 0, &told));
    assert_string_equal(told.error, "no");
    assert_true(told.rtt_ns == PD_UNKNOWN);
    assert_true(told.probed_us == mock.turn.now_us);
    for (int i = 0; i < 20; i++) {
        mock_signal(&mock, "rtts", 0,
                    i % 2 ? "name=c rtt_ns=100000001 name=b rtt_ns=50000000"
                          : "name=c rtt_ns=99000000 name=b rtt_ns=50000000");
        assert_true(told_of(&mock, 1, &told));
        picks += told.pick;
    }
    assert_int_equal(picks, 20); /* not once another one */
    mock_signal(&mock, "rtts", 0, "name=c rtt_ns=60000000 name=b rtt_ns=50000000");
    assert_true(told_of(&mock, 2, &told));
    assert_true(told.pick);
    mock_stop(&mock);
}

static void test_list_of_the_node_and_its_key(void **state)
{
    static const uint8_t key[] = {'a', 'l', 'p', 'h', 'a'};
    const struct pd_relay list[] = {{"n1", "10.0.0.1:1", "reg-ack"},
                                    {"n2", "10.0.0.2:2", "pilot"},
                                    {"n3", "10.0.0.3:3", "reg-ack"},
                                    {"n4", "10.0.0.4:4", "reg-ack"}};
    struct pd_relay_report told;
    struct mock mock;

    begin(&mock, NULL);
    mock_clear(&mock);
    mock_relays(&mock, &(struct pd_relays){true, true, list, 4, key, sizeof(key)});
    assert_string_equal(last_query(&mock)->fields,
                        "ask=probe relay=n1=10.0.0.1:1 reg-ack relay=n2=10.0.0.2:2 pilot "
                        "relay=n3=10.0.0.3:3 reg-ack relay=n4=10.0.0.4:4 reg-ack");
    assert_true(told_of(&mock, 3, &told));
    assert_true(told.pick); /* d:4 of the vectors */
    assert_string_equal(told.from, "node");
    assert_string_equal(told.relay.name, "n4");
    mock_clear(&mock);
    mock_relays(&mock, &(struct pd_relays){true, true, list, 4, key, sizeof(key)});
    assert_int_equal(mock.n_queries, 0); /* the same list is not probed anew */
    mock_relays(&mock, &(struct pd_relays){true, true, list, 0, NULL, 0});
    assert_string_equal(last_query(&mock)->fields, "ask=probe");
    assert_false(told_of(&mock, 0, &told));
    mock_stop(&mock);
}

static void test_list_of_the_file_is_filtered_and_says_so(void **state)
{
    struct pd_relay_report told;
    struct mock mock;

    begin(&mock, "relays=own=10.0.0.1:1");
    mock_signal(&mock, "list", 0,
                "from=file relay=f=203.0.113.1:1 relay=private=192.168.0.1:1 relay=rubbish "
                "relay=own=203.0.113.9:1");
    assert_true(told_of(&mock, 0, &told));
    assert_string_equal(told.relay.name, "own");
    assert_string_equal(told.from, "config");
    assert_true(told_of(&mock, 1, &told));
    assert_string_equal(told.from, "file");
    assert_null(told.left_out);
    assert_true(told_of(&mock, 2, &told));
    assert_string_equal(told.relay.name, "private");
    assert_string_equal(told.left_out, "private address");
    assert_false(told_of(&mock, 3, &told));
    assert_true(noticed(&mock, "relay-left-out"));
    mock_signal(&mock, "list", 0, "from=cache age_us=5 relay=g=203.0.113.2:1");
    assert_true(told_of(&mock, 1, &told));
    assert_string_equal(told.from, "cache");
    mock_stop(&mock);
}

/* ---- bad options; what is kept; what it costs ---- */

static void test_bad_options(void **state)
{
    static const struct {
        const char *options, *words;
    } rows[] = {
        {"relays=a", "relays: a: there is no ="},
        {"relays=a=1.2.3.4", "relays: a=1.2.3.4: not an IP address and port"},
        {"relays=direct=1.2.3.4:5", "relays: direct=1.2.3.4:5: \"direct\" is no relay's name"},
        {"relays=a=1.2.3.4:5+a=1.2.3.4:6", "relays: a=1.2.3.4:6: a relay of that name"},
        {"relays=a=1.2.3.4:5,odd", "relays: a=1.2.3.4:5,odd: what it speaks is not known"},
        {"relays=a=0.0.0.0:5", "relays: a=0.0.0.0:5: the address is unspecified"},
        {"relays=a=1.2.3.4:0", "relays: a=1.2.3.4:0: the port is 0"},
        {"speaks=masque", "speaks: allowed are reg-ack and pilot"},
        {"key=abc", "key: not an even number of hexadecimal digits"},
        {"key=zz", "key: not an even number of hexadecimal digits"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct mock mock = {0};

        assert_int_equal(mock_start(&mock, &pathdog_trigger_relay, rows[i].options), -22);
        assert_int_equal(mock.n_notices, 1);
        assert_string_equal(mock.notices[0].what, "bad-option");
        if (strncmp(mock.notices[0].text, rows[i].words, strlen(rows[i].words)) != 0)
            fail_msg("%s: %s", rows[i].options, mock.notices[0].text);
        mock_stop(&mock);
    }
}

static void test_speaks(void **state)
{
    struct mock mock;

    begin(&mock, "speaks=pilot relays=a=192.0.2.1:1+b=192.0.2.2:1,reg-ack+c=192.0.2.3:1,pilot");
    assert_string_equal(mock.queries[0].fields,
                        "ask=probe relay=a=192.0.2.1:1 pilot relay=b=192.0.2.2:1 reg-ack "
                        "relay=c=192.0.2.3:1 pilot");
    mock_stop(&mock);
}

static void restore_into(struct mock *mock, const char *via, const char *text, int expected)
{
    uint32_t peer = mock_peer_up(mock, "restored", NULL, NULL);
    struct pd_peer_event event = {.change = PD_PEER_UP};

    if (via)
        mock_peer_via(mock, peer, via);
    event.peer = &mock->peers[peer].peer;
    event.state = mock->peers[peer].state;
    assert_int_equal(pathdog_trigger_relay.restore(&mock->turn, &event, text), expected);
}

static void test_save_and_restore(void **state)
{
    static const char *const bad[] = {"",
                                      "silence",
                                      "silence ",
                                      "silence pinned",
                                      "odd pinned -",
                                      "silence odd -",
                                      "silence pinned x",
                                      "silence pinned 0.0.0.0:1",
                                      "silence pinned 1.2.3.4:0",
                                      "silencepinned - -"};
    struct mock mock;
    char text[PD_SAVED_MAX];
    uint32_t peer;

    begin(&mock, OPTIONS);
    peer = add(&mock, "bravo");
    assert_int_equal(pathdog_trigger_relay.save(mock.turn.self, &mock.peers[peer].peer,
                                                mock.peers[peer].state, text, sizeof(text)),
                     0);
    follow(&mock, peer, "a");
    assert_true(pathdog_trigger_relay.save(mock.turn.self, &mock.peers[peer].peer,
                                           mock.peers[peer].state, text, sizeof(text)) > 0);
    assert_string_equal(text, "node pinned " DIRECT);
    restore_into(&mock, "a", "silence pinned " DIRECT, 0);
    assert_string_equal(mock_tell(&mock, 1), "on relay a (silence), 0 of 3 misses; pinned: it does "
                                             "not go back by itself");
    restore_into(&mock, "a", "node free " DIRECT, 0);
    assert_non_null(strstr(mock_tell(&mock, 2), "the direct way answered 0 of 3"));
    restore_into(&mock, NULL, "silence pinned -", 0); /* it went back meanwhile */
    assert_non_null(strstr(mock_tell(&mock, 3), "direct, silent for"));
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        restore_into(&mock, "a", bad[i], -22);
    mock_stop(&mock);
}

static void test_told_of_connections(void **state)
{
    struct pd_relayed_report told = {0};
    struct mock mock;
    uint32_t peer;

    begin(&mock, OPTIONS);
    peer = add(&mock, "bravo");
    assert_false(pathdog_trigger_relay.tell_relayed(mock.turn.self, &mock.peers[peer].peer,
                                                    mock.peers[peer].state, &told));
    assert_non_null(strstr(mock_tell(&mock, peer), "it would go over relay c (by the key)"));
    mock_migrated(&mock, peer, "c", true);
    mock_peer_via(&mock, peer, "c");
    assert_true(pathdog_trigger_relay.tell_relayed(mock.turn.self, &mock.peers[peer].peer,
                                                   mock.peers[peer].state, &told));
    assert_true(told.pinned);
    assert_string_equal(told.rule, "operator");
    mock_stop(&mock);
}

/* Signals of a recording that somebody has edited. */
static void test_rubbish_signals(void **state)
{
    static const struct pd_field fields[] = {
        {"name", NULL, 5},
        {"rtt_ns", "soon", 0},
        {"name", "a", 0},
        {"rtt_ns", "soon", 0},
        {"error", NULL, 5},
        {"name", "nobody", 0},
        {"rtt_ns", NULL, 5},
        {"relay", NULL, 5},
        {"relay", "direct=1.2.3.4:5", 0},
        {"from", NULL, 1},
        {"relay", "a=192.0.2.1:1", 0},
        {"relay", "a=192.0.2.9:1", 0},
        {"peer", "x", 0},
    };
    static const char *const kinds[] = {"list", "rtts", "direct", "other"};
    struct mock mock;

    begin(&mock, OPTIONS);
    add_relayed(&mock, "bravo", "b");
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        mock_signal_fields(&mock, &(struct pd_signal){kinds[i], 0, fields, ARRAY_SIZE(fields)});
    assert_int_equal(mock.n_advice, 0);
    mock_stop(&mock);
}

static void test_state_of_a_connection_is_small(void **state)
{
    assert_true(pathdog_trigger_relay.peer_size <= 56);
    assert_true(pathdog_trigger_relay.instance_size < 256 * 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_silence_leads_over_the_pick),
        cmocka_unit_test(test_silence_asks_for_close_looks),
        cmocka_unit_test(test_silence_of_one_that_sends_nothing_is_no_miss),
        cmocka_unit_test(test_silence_is_the_nodes_own_where_it_says_it),
        cmocka_unit_test(test_receipt_ends_the_misses),
        cmocka_unit_test(test_send_errors_lead_over_the_pick),
        cmocka_unit_test(test_send_errors_are_reset_by_a_receipt_only),
        cmocka_unit_test(test_without_a_relay_it_says_so),
        cmocka_unit_test(test_without_the_feature_nothing_is_advised),
        cmocka_unit_test(test_inbound_ones_are_not_advised),
        cmocka_unit_test(test_a_request_that_is_open_counts_nothing),
        cmocka_unit_test(test_the_next_relay_where_the_pick_was_no_way),
        cmocka_unit_test(test_cap_holds_for_what_is_on_its_way_too),
        cmocka_unit_test(test_cap_forgets_what_was_refused),
        cmocka_unit_test(test_flipped_are_pinned_and_never_go_back),
        cmocka_unit_test(test_pinned_whichever_comes_first),
        cmocka_unit_test(test_a_migration_without_a_relay_keeps_the_pin),
        cmocka_unit_test(test_back_after_three_good_tries_in_a_row),
        cmocka_unit_test(test_without_pin_flipped_ones_go_back),
        cmocka_unit_test(test_direct_address_is_no_relays),
        cmocka_unit_test(test_tries_of_another_connection_do_not_count),
        cmocka_unit_test(test_tries_of_many_in_slices),
        cmocka_unit_test(test_relay_that_is_dead_next_relay),
        cmocka_unit_test(test_relay_that_is_dead_and_the_only_one),
        cmocka_unit_test(test_measured_times_and_hysteresis),
        cmocka_unit_test(test_list_of_the_node_and_its_key),
        cmocka_unit_test(test_list_of_the_file_is_filtered_and_says_so),
        cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_speaks),
        cmocka_unit_test(test_save_and_restore),
        cmocka_unit_test(test_told_of_connections),
        cmocka_unit_test(test_rubbish_signals),
        cmocka_unit_test(test_state_of_a_connection_is_small),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
