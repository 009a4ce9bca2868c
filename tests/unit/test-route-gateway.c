/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plugins/route/gateway.c: what is advised while the gateway in use does not answer.
 */
#include "check.h"
#include "mock-kernel.h"

#include "util/util.h"

#define REMOTE "192.0.2.1:443"
#define FAILS  "oif=2 gateway=10.0.1.1 failed=1"
#define WELL   "oif=2 gateway=10.0.1.1 failed=0"
#define REASON "gateway 10.0.1.1 on up0 does not answer ARP"

/* PTO = 100 + 4 × 25 + 25 = 225 ms. */
static struct pd_row row_of(uint64_t in_flight, uint64_t silent_ms, uint64_t unacked_ms)
{
    struct pd_row row = mock_row();

    row.v[PD_SRTT_US] = 100000;
    row.v[PD_RTTVAR_US] = 25000;
    row.v[PD_IN_FLIGHT_BYTES] = in_flight;
    row.v[PD_SILENT_MS] = silent_ms;
    row.v[PD_UNACKED_MS] = unacked_ms;
    return row;
}

static void row(struct mock *mock, uint32_t peer, uint64_t in_flight, uint64_t silent_ms,
                uint64_t unacked_ms)
{
    struct pd_row row = row_of(in_flight, silent_ms, unacked_ms);

    mock_sample(mock, peer, &row, false);
}

/* One that waits, and hears nothing, for so long. */
static void stalled(struct mock *mock, uint32_t peer, uint64_t ms)
{
    row(mock, peer, 1200, ms, ms);
}

static void gateway(struct mock *mock, const char *fields)
{
    mock_signal(mock, "gateway", 0, fields);
    kernel_changed(mock);
}

static void begin(struct mock *mock, struct kernel *kernel, uint32_t n_peers)
{
    kernel_begin(mock, kernel, "settle=0");
    for (uint32_t i = 0; i < n_peers; i++) {
        kernel_peer_up(mock, "a", NULL, REMOTE);
        row(mock, i, 0, 0, 0);
    }
    mock_time(mock, 5 * SECOND);
}

static void test_those_that_stall_behind_it(void **state)
{
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, NULL);
    kernel.rules[0] = (struct rule){"192.0.2.9", UP1};
    kernel.rules[1] = (struct rule){"", UP0};
    for (uint32_t i = 0; i < 4; i++) {
        kernel_peer_up(&mock, "a", NULL, i == 3 ? "192.0.2.9:443" : REMOTE);
        row(&mock, i, 0, 0, 0);
    }
    mock_time(&mock, 5 * SECOND);
    gateway(&mock, FAILS);
    assert_int_equal(mock.n_advice, 0); /* by itself it moves nobody */
    assert_true(mock.peers[0].look_until_us > mock.turn.now_us);
    assert_int_equal(mock.peers[3].look_until_us, 0);
    for (uint32_t i = 0; i < 4; i++)
        if (i != 2)
            stalled(&mock, i, 3000);
    row(&mock, 2, 1200, 40, 30); /* it makes progress: its packets go another way */
    assert_int_equal(mock.n_advice, 2);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(mock.advice[i].peer, i);
        assert_int_equal(mock.advice[i].kind, PD_KIND_DEAD);
        assert_string_equal(mock.advice[i].reason, REASON);
        assert_string_equal(mock.advice[i].evidence,
                            "proof=no-gateway interface=up0 gateway=10.0.1.1");
        assert_int_equal(mock.advice[i].cause, 1);
    }
    assert_string_equal(mock.cause_reason, REASON);
    assert_non_null(strstr(mock_tell(&mock, 0), "up0 via 10.0.1.1 (the gateway does not answer)"));
    assert_null(strstr(mock_tell(&mock, 3), "does not answer"));
    mock_stop(&mock);
}

/* What waits behind it is tried at once, and nothing else. */
static void test_tried_when_it_answers_again(void **state)
{
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, NULL);
    kernel.rules[0] = (struct rule){"192.0.2.9", UP1};
    kernel.rules[1] = (struct rule){"", UP0};
    kernel_peer_up(&mock, "a", NULL, REMOTE);
    kernel_peer_up(&mock, "b", NULL, "192.0.2.9:443");
    gateway(&mock, WELL); /* it had not failed */
    assert_int_equal(mock.peers[0].routed, 0);
    gateway(&mock, FAILS);
    mock_signal(&mock, "gateways", 0, NULL); /* it is not known to answer */
    assert_int_equal(mock.peers[0].routed, 0);
    gateway(&mock, FAILS);
    assert_false(mock.peers[0].no_route); /* packets may go another way */
    gateway(&mock, WELL);
    assert_int_equal(mock.peers[0].routed, 1);
    assert_int_equal(mock.peers[1].routed, 0);
    gateway(&mock, FAILS); /* it answers, but there is no route over it any more */
    kernel_flip(&mock, NO_NEXTHOP);
    gateway(&mock, WELL);
    assert_true(mock.peers[0].no_route);
    assert_int_equal(mock.peers[0].routed, 1);
    mock_stop(&mock);
}

static void test_until_it_answers_again(void **state)
{
    struct mock mock;
    struct kernel kernel;

    begin(&mock, &kernel, 1);
    gateway(&mock, FAILS);
    stalled(&mock, 0, 3000);
    assert_int_equal(mock.n_advice, 1);
    gateway(&mock, FAILS); /* said again, and one more row: advised once */
    stalled(&mock, 0, 4000);
    assert_int_equal(mock.n_advice, 1);
    assert_int_equal(mock.peers[0].withdrawn, 0);
    gateway(&mock, WELL);
    assert_int_equal(mock.peers[0].withdrawn, 1);
    assert_null(strstr(mock_tell(&mock, 0), "does not answer"));
    stalled(&mock, 0, 5000); /* what is wrong with it now is another thing */
    assert_int_equal(mock.n_advice, 1);
    gateway(&mock, FAILS);
    stalled(&mock, 0, 6000);
    assert_int_equal(mock.n_advice, 2);
    assert_int_equal(mock.advice[1].cause, 2);
    mock_signal(&mock, "gateways", 0, NULL); /* events were lost: it may answer by now */
    assert_int_equal(mock.peers[0].withdrawn, 2);
    stalled(&mock, 0, 7000);
    assert_int_equal(mock.n_advice, 2);
    assert_int_equal(mock.open_causes, 0);
    mock_stop(&mock);
}

/* It lives after all: what waits is taken back. It stalls again: another advice. */
static void test_progress(void **state)
{
    struct mock mock;
    struct kernel kernel;

    begin(&mock, &kernel, 1);
    gateway(&mock, FAILS);
    stalled(&mock, 0, 3000);
    assert_int_equal(mock.n_advice, 1);
    mock_time(&mock, 6 * SECOND);
    row(&mock, 0, 1200, 20, 0);
    assert_int_equal(mock.peers[0].withdrawn, 1);
    for (unsigned i = 0; i < 20; i++) {
        mock_time(&mock, mock.turn.now_us + SECOND);
        row(&mock, 0, 1200, 100, 100);
    }
    assert_int_equal(mock.n_advice, 1);
    assert_int_equal(mock.peers[0].withdrawn, 1);
    mock_time(&mock, mock.turn.now_us + SECOND);
    stalled(&mock, 0, 1000);
    assert_int_equal(mock.n_advice, 2);
    mock_stop(&mock);
}

static void test_what_is_not_enough(void **state)
{
    static const struct {
        uint64_t in_flight, silent_ms, unacked_ms;
        size_t advised;
    } rows[] = {
        {0, 4000, 0, 0},      /* idle */
        {1200, 224, 4000, 0}, /* heard within a probe timeout */
        {1200, 4000, 224, 0}, /* sent within a probe timeout */
        {1200, 225, 225, 1},  /* neither */
        {1200, 0, 4000, 0},   /* the peer is heard: that is for stall to judge */
        {40, 4000, 0, 0},     /* a keep-alive, for how long is not known yet */
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct mock mock;
        struct kernel kernel;

        begin(&mock, &kernel, 1);
        gateway(&mock, FAILS);
        row(&mock, 0, rows[i].in_flight, rows[i].silent_ms, rows[i].unacked_ms);
        assert_int_equal(mock.n_advice, rows[i].advised);
        mock_stop(&mock);
    }
}

/* A keep-alive: how long it waits is known from the second row on, which is asked for. */
static void test_a_keep_alive(void **state)
{
    struct mock mock;
    struct kernel kernel;

    begin(&mock, &kernel, 1);
    gateway(&mock, FAILS);
    mock_time(&mock, 60 * SECOND);
    row(&mock, 0, 0, 55000, 0);
    mock.peers[0].look_until_us = 0;
    row(&mock, 0, 40, 55000, 0);
    assert_int_equal(mock.n_advice, 0);
    assert_true(mock.peers[0].look_until_us > mock.turn.now_us);
    mock_time(&mock, 60 * SECOND + 224 * MS);
    row(&mock, 0, 40, 55224, 0);
    assert_int_equal(mock.n_advice, 0);
    mock_time(&mock, 60 * SECOND + 225 * MS);
    row(&mock, 0, 40, 55225, 0);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

/* Without silent_ms a row with progress may tell of a time before it failed, and what follows
 * counts. */
static void test_without_ages(void **state)
{
    struct mock mock;
    struct kernel kernel;
    struct pd_row row = row_of(1200, PD_UNKNOWN, PD_UNKNOWN);

    begin(&mock, &kernel, 1);
    gateway(&mock, FAILS);
    mock_sample(&mock, 0, &row, true);
    mock_time(&mock, 5 * SECOND + 224 * MS);
    mock_sample(&mock, 0, &row, false);
    assert_int_equal(mock.n_advice, 0);
    mock_time(&mock, 5 * SECOND + 225 * MS);
    mock_sample(&mock, 0, &row, false);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

static void test_one_that_nobody_uses(void **state)
{
    static const char *const fields[] = {
        "oif=2 gateway=10.0.1.9 failed=1", "oif=3 gateway=10.0.1.1 failed=1",
        "oif=0 gateway=10.0.1.1 failed=1", "oif=2 failed=1", "failed=1"};
    struct mock mock;
    struct kernel kernel;

    begin(&mock, &kernel, 1);
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
        gateway(&mock, fields[i]);
    stalled(&mock, 0, 4000);
    assert_int_equal(mock.n_advice, 0);
    assert_int_equal(mock.peers[0].look_until_us, 0);
    mock_time(&mock, 6 * SECOND);
    kernel_flip(&mock, "oif=9 ifname=wg0 source=10.8.0.2"); /* without a gateway */
    kernel_migrated(&mock, 0, NULL);
    stalled(&mock, 0, 4000);
    assert_int_equal(mock.n_advice, 1);
    kernel_flip(&mock, "oif=2 ifname=up0 gateway=10.0.1.9 source=10.0.1.2");
    assert_int_equal(mock.n_advice, 2);
    assert_int_equal(mock.advice[1].kind, PD_KIND_MOVED);
    kernel_migrated(&mock, 0, NULL); /* now it is in use */
    stalled(&mock, 0, 4000);
    assert_int_equal(mock.n_advice, 3);
    assert_int_equal(mock.advice[2].kind, PD_KIND_DEAD);
    mock_stop(&mock);
}

/* The kernel takes another route: that is `moved`, and enough. */
static void test_the_route_changes_with_it(void **state)
{
    struct mock mock;
    struct kernel kernel;

    begin(&mock, &kernel, 1);
    mock_signal(&mock, "gateway", 0, FAILS);
    mock_time(&mock, 6 * SECOND);
    kernel_flip(&mock, UP1);
    assert_int_equal(mock.n_advice, 1);
    assert_int_equal(mock.advice[0].kind, PD_KIND_MOVED);
    stalled(&mock, 0, 4000);
    assert_int_equal(mock.n_advice, 1);
    kernel_flip(&mock, UP0); /* and back, before it was moved */
    assert_int_equal(mock.peers[0].withdrawn, 1);
    stalled(&mock, 0, 4000);
    assert_int_equal(mock.n_advice, 2);
    assert_int_equal(mock.advice[1].kind, PD_KIND_DEAD);
    kernel_flip(&mock, UP1); /* what was advised goes with what replaces it */
    kernel_flip(&mock, UP0);
    stalled(&mock, 0, 4000);
    assert_int_equal(mock.n_advice, 4);
    assert_int_equal(mock.advice[3].kind, PD_KIND_DEAD);
    kernel_flip(&mock, UP1);
    kernel_migrated(&mock, 0, NULL);
    stalled(&mock, 0, 4000);
    assert_int_equal(mock.n_advice, 5);
    gateway(&mock, WELL); /* what it left does not concern it */
    assert_int_equal(mock.peers[0].withdrawn, 2);
    mock_stop(&mock);
}

/* It leads elsewhere only as long as the gateway is asked again: that waits for 50 ms. */
static void test_for_a_moment(void **state)
{
    struct mock mock;
    struct kernel kernel;

    begin(&mock, &kernel, 1);
    mock_signal(&mock, "gateway", 0, FAILS);
    kernel_flip(&mock, UP1);
    stalled(&mock, 0, 4000); /* not yet, as it may be moved instead */
    assert_int_equal(mock.n_advice, 0);
    mock_time(&mock, 5 * SECOND + 49 * MS);
    mock_signal(&mock, "gateway", 0, WELL);
    kernel_flip(&mock, UP0);
    mock_time(&mock, 6 * SECOND);
    kernel_answer_all(&mock);
    assert_int_equal(mock.n_advice, 0);
    mock_signal(&mock, "gateway", 0, FAILS);
    kernel_flip(&mock, UP1);
    mock_time(&mock, 6 * SECOND + 50 * MS);
    kernel_answer_all(&mock);
    assert_int_equal(mock.n_advice, 1);
    assert_int_equal(mock.advice[0].kind, PD_KIND_MOVED);
    mock_stop(&mock);
}

static void test_a_request_is_open(void **state)
{
    struct mock mock;
    struct kernel kernel;

    begin(&mock, &kernel, 1);
    gateway(&mock, FAILS);
    mock.peers[0].in_flight = true;
    stalled(&mock, 0, 4000);
    assert_int_equal(mock.n_advice, 0);
    mock.peers[0].in_flight = false;
    stalled(&mock, 0, 4000);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

/* What the lookup names is not what the connection must use. */
static void test_not_known(void **state)
{
    static const char *const nexthops[] = {UP0 " redirected=1", UP0 " also=up1+via+fe80::1"};

    for (size_t i = 0; i < ARRAY_SIZE(nexthops); i++) {
        struct mock mock;
        struct kernel kernel;

        begin(&mock, &kernel, 0);
        kernel.rules[0] = (struct rule){"", nexthops[i]};
        kernel_peer_up(&mock, "a", NULL, REMOTE);
        row(&mock, 0, 0, 0, 0);
        gateway(&mock, FAILS);
        stalled(&mock, 0, 4000);
        assert_int_equal(mock.n_advice, 0);
        kernel_flip(&mock, UP0); /* the redirect has timed out */
        stalled(&mock, 0, 4000);
        assert_int_equal(mock.n_advice, i ? 0 : 1);
        mock_stop(&mock);
    }
}

/* Routers of two links may have the same link-local address. */
static void test_link_local(void **state)
{
    struct mock mock;
    struct kernel kernel;

    begin(&mock, &kernel, 0);
    kernel.rules[0] = (struct rule){"db8::1 ", "oif=2 ifname=up0 gateway=fe80::1 source=fd00::2"};
    kernel.rules[1] = (struct rule){"db8::2 ", "oif=3 ifname=up1 gateway=fe80::1 source=fd01::2"};
    kernel_peer_up(&mock, "a", NULL, "[2001:db8::1]:443");
    kernel_peer_up(&mock, "b", NULL, "[2001:db8::2]:443");
    for (uint32_t i = 0; i < 2; i++)
        row(&mock, i, 0, 0, 0);
    gateway(&mock, "oif=3 gateway=fe80::1 failed=1");
    for (uint32_t i = 0; i < 2; i++)
        stalled(&mock, i, 4000);
    assert_int_equal(mock.n_advice, 1);
    assert_int_equal(mock.advice[0].peer, 1);
    assert_string_equal(mock.advice[0].reason,
                        "gateway fe80::1 on up1 does not answer neighbour solicitations");
    mock_stop(&mock);
}

/* Of equal-cost next hops on one link only one fails: its connections only. */
static void test_equal_cost(void **state)
{
    struct mock mock;
    struct kernel kernel;

    begin(&mock, &kernel, 0);
    mock_signal(&mock, "keys", 0, "ports=1");
    kernel.rules[0] = (struct rule){"dport=443", UP0};
    kernel.rules[1] = (struct rule){"dport=444", "oif=2 ifname=up0 gateway=10.0.1.9"};
    for (uint32_t i = 0; i < 4; i++) {
        kernel_peer_up(&mock, "a", "10.0.1.2:4000", i & 1 ? "192.0.2.1:444" : "192.0.2.1:443");
        row(&mock, i, 0, 0, 0);
    }
    gateway(&mock, "oif=2 gateway=10.0.1.9 failed=1");
    for (uint32_t i = 0; i < 4; i++)
        stalled(&mock, i, 4000);
    assert_int_equal(mock.n_advice, 2);
    assert_int_equal(mock.advice[0].peer, 1);
    assert_int_equal(mock.advice[1].peer, 3);
    mock_stop(&mock);
}

/* Rows come one by one: advice of the first two seconds has one cause. */
static void test_causes(void **state)
{
    struct mock mock;
    struct kernel kernel;

    begin(&mock, &kernel, 3);
    gateway(&mock, FAILS);
    stalled(&mock, 0, 3000);
    mock_time(&mock, 7 * SECOND - 1);
    stalled(&mock, 1, 3000);
    assert_int_equal(mock.advice[1].cause, mock.advice[0].cause);
    assert_int_equal(mock.open_causes, 1);
    mock_time(&mock, 7 * SECOND);
    assert_int_equal(mock.open_causes, 0);
    mock_time(&mock, 8 * SECOND);
    stalled(&mock, 2, 3000);
    assert_int_equal(mock.n_advice, 3);
    assert_int_equal(mock.advice[2].cause, mock.advice[0].cause + 1);
    assert_int_equal(mock.open_causes, 1);
    mock_time(&mock, 11 * SECOND);
    assert_int_equal(mock.open_causes, 0);
    assert_int_equal(mock.timer_us, 0);
    mock_stop(&mock);
}

/* More than are remembered are ignored, until one of the others answers. */
static void test_many(void **state)
{
    struct mock mock;
    struct kernel kernel;
    char text[64];

    begin(&mock, &kernel, 1);
    for (unsigned i = 100; i < 200; i++) {
        snprintf(text, sizeof(text), "oif=2 gateway=10.0.1.%u failed=1", i);
        mock_signal(&mock, "gateway", 0, text);
    }
    gateway(&mock, FAILS);
    stalled(&mock, 0, 4000);
    assert_int_equal(mock.n_advice, 0);
    gateway(&mock, "oif=2 gateway=10.0.1.100 failed=0");
    gateway(&mock, FAILS);
    stalled(&mock, 0, 4000);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

/* Of very many only some are polled fast; the others have their turn with the next round. */
static void test_many_peers(void **state)
{
    struct mock mock;
    struct kernel kernel;
    uint32_t polled = 0;

    begin(&mock, &kernel, 2000);
    gateway(&mock, FAILS);
    for (uint32_t i = 0; i < 2000; i++)
        polled += mock.peers[i].look_until_us > 0;
    assert_int_equal(polled, 1024);
    for (uint32_t i = 0; i < 2000; i++)
        stalled(&mock, i, 4000);
    assert_int_equal(mock.n_advice, 2000);
    assert_int_equal(mock.causes, 1);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_those_that_stall_behind_it),
        cmocka_unit_test(test_tried_when_it_answers_again),
        cmocka_unit_test(test_until_it_answers_again),
        cmocka_unit_test(test_progress),
        cmocka_unit_test(test_what_is_not_enough),
        cmocka_unit_test(test_a_keep_alive),
        cmocka_unit_test(test_without_ages),
        cmocka_unit_test(test_one_that_nobody_uses),
        cmocka_unit_test(test_the_route_changes_with_it),
        cmocka_unit_test(test_for_a_moment),
        cmocka_unit_test(test_a_request_is_open),
        cmocka_unit_test(test_not_known),
        cmocka_unit_test(test_link_local),
        cmocka_unit_test(test_equal_cost),
        cmocka_unit_test(test_causes),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_many_peers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
