/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plugins/lease/policy.c and saved.c: each rule of docs/triggers.md "lease" by itself. The
 * arithmetic is test-lease-term.c's.
 */
#include "check.h"

#include <errno.h>
#include <pathdog/mock-host.h>

#include "util/util.h"

#define SECOND 1000000ull

extern const struct pd_trigger pathdog_trigger_lease;

static void relays(struct mock *mock, bool obeys, const char *one, const char *two)
{
    const struct pd_relay list[] = {{.name = one}, {.name = two}};

    mock_relays(mock, &(struct pd_relays){.obeys = obeys,
                                          .told = one,
                                          .list = list,
                                          .n = one && two ? 2
                                               : one      ? 1
                                                          : 0});
}

/* One connection on relay A, of a node that told no list. */
static void begin(struct mock *mock, const char *options)
{
    *mock = (struct mock){0};
    assert_int_equal(mock_start(mock, &pathdog_trigger_lease, options), 0);
    relays(mock, true, NULL, NULL);
    mock_peer_up(mock, "bravo", NULL, NULL);
    mock_peer_via(mock, 0, "A");
}

static void later(struct mock *mock, uint64_t us)
{
    mock_time(mock, mock->turn.now_us + us);
}

/* 5 s after the row before; values as the node tells them. */
static void row(struct mock *mock, uint64_t sent, uint64_t received, uint64_t ms,
                uint64_t sent_left, uint64_t received_left)
{
    struct pd_row row = mock_row();

    row.v[PD_BYTES_SENT] = sent;
    row.v[PD_BYTES_RECEIVED] = received;
    row.v[PD_LEASE_MS] = ms;
    row.v[PD_LEASE_SENT_BYTES] = sent_left;
    row.v[PD_LEASE_RECEIVED_BYTES] = received_left;
    later(mock, 5 * SECOND);
    mock_sample(mock, 0, &row, true);
}

#define UN PD_UNKNOWN

static void counters(struct mock *mock, uint64_t sent, uint64_t received)
{
    row(mock, sent, received, UN, UN, UN);
}

static void ms_left(struct mock *mock, uint64_t ms)
{
    row(mock, 1000, 1000, ms, UN, UN);
}

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
    counters(&mock, 0, 0);
    counters(&mock, 0, 0);
    assert_int_equal(mock.n_advice, 0); /* nothing says that it is on a relay */
    ms_left(&mock, 9000);
    assert_int_equal(mock.n_advice, 1);
    assert_string_equal(mock.advice[0].reason, "9.0 s left on the relay");
    assert_string_equal(mock.advice[0].evidence, "limit=time eta_ms=9000 attempt=1");
    assert_string_equal(mock.advice[0].via, "");
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
    assert_string_equal(mock_tell(&mock, 0), "no row since it is on relay B");
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
        cmocka_unit_test(test_a_new_circuit_on_the_same_relay),
        cmocka_unit_test(test_another_migration),
        cmocka_unit_test(test_another_relay_begins_anew),
        cmocka_unit_test(test_rows_of_the_old_circuit),
        cmocka_unit_test(test_a_short_circuit),
        cmocka_unit_test(test_renewed_by_the_node),
        cmocka_unit_test(test_looks),
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_lease_bytes),
        cmocka_unit_test(test_relayed),
        cmocka_unit_test(test_saved),
        cmocka_unit_test(test_saved_wrongly),
        cmocka_unit_test(test_rubbish),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
