/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plugins/route*.c: rounds over many keys, lost answers, and peers that come and go at random.
 */
#include "check.h"
#include "mock-kernel.h"

#include "util/util.h"

#include <inttypes.h>
#include <time.h>

static void test_slices_busiest_first(void **state)
{
    struct mock mock;
    struct kernel kernel;
    char remote[32];

    kernel_begin(&mock, &kernel, NULL);
    mock.count_only = true;
    for (unsigned i = 0; i < 1000; i++) {
        struct pd_row row = mock_row();

        snprintf(remote, sizeof(remote), "192.0.%u.%u:443", i / 250, i % 250);
        kernel_peer_up(&mock, "p", NULL, remote);
        row.v[PD_IN_FLIGHT_BYTES] = i * 100;
        mock_sample(&mock, i, &row, true);
    }
    kernel.rules[0].answer = UP1;
    mock_signal(&mock, "changed", 0, NULL);
    assert_int_equal(kernel.n_pending, 256);                /* a slice, no more */
    assert_non_null(strstr(kernel.queries[0], "address=")); /* before all that may hang on it */
    assert_non_null(strstr(kernel.queries[1], "192.0.3."));
    kernel_answer(&mock, 2);
    assert_int_equal(mock.n_advice, 1);
    assert_in_range(mock.timer_us, mock.turn.now_us + 1, mock.turn.now_us + 10 * SECOND);
    kernel_answer(&mock, 300);
    assert_true(kernel.n_pending <= 256);
    assert_int_equal(mock.n_advice, 301);
    for (uint32_t i = 900; i < 1000; i++)
        assert_int_equal(mock.peers[i].advised, 1);
    assert_int_equal(mock.peers[0].advised, 0);
    /* All of the round belongs to what opened the window, however late it answers. */
    mock_time(&mock, mock.turn.now_us + 1500 * MS);
    kernel_answer_all(&mock);
    assert_int_equal(mock.n_advice, 1000);
    assert_int_equal(mock.causes, 1);
    mock_time(&mock, mock.turn.now_us + 3 * SECOND);
    kernel_answer_all(&mock);
    assert_int_equal(mock.open_causes, 0);
    mock_stop(&mock);
}

static void test_events_during_a_round(void **state)
{
    struct mock mock;
    struct kernel kernel;
    char remote[32];

    kernel_begin(&mock, &kernel, "settle=0");
    for (unsigned i = 0; i < 300; i++) {
        snprintf(remote, sizeof(remote), "192.0.%u.%u:443", i / 250, i % 250);
        kernel_peer_up(&mock, "p", NULL, remote);
    }
    mock_signal(&mock, "changed", 0, NULL);
    kernel_answer(&mock, 200); /* these say up0 */
    kernel.rules[0].answer = UP1;
    mock_signal(&mock, "changed", 0, NULL);
    kernel_answer_all(&mock);
    mock_time(&mock, mock.turn.now_us + SECOND);
    kernel_answer_all(&mock);
    assert_int_equal(mock.n_advice, 300);
    for (uint32_t i = 0; i < 300; i++)
        assert_int_equal(mock.peers[i].advised, 1);
    mock_stop(&mock);
}

static void test_lost_answers(void **state)
{
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, NULL);
    kernel_peer_up(&mock, "a", NULL, "192.0.2.1:443");
    mock_signal(&mock, "changed", 0, NULL);
    uint64_t late = kernel.ids[0];

    assert_true(kernel.n_pending > 0);
    kernel.n_pending = 0; /* nobody answers */
    mock_time(&mock, 4 * SECOND);
    assert_int_equal(mock.n_notices, 1);
    assert_string_equal(mock.notices[0].what, "route-lookups-lost");
    mock_signal(&mock, "answer", late, UP2); /* too late: not believed */
    assert_int_equal(mock.n_advice, 0);
    kernel.rules[0].answer = UP1;
    kernel_answer_all(&mock);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

#define PEERS 64u

/* A gateway fails, or answers again; or a row comes, of a connection that stalls or does not. */
static void shake_gateways(struct mock *mock, uint32_t peer, uint32_t chance)
{
    struct pd_row row = mock_row();
    char fields[48];

    if (chance & 1u << 16) {
        row.v[PD_IN_FLIGHT_BYTES] = chance >> 10 & 1023;
        row.v[PD_SILENT_MS] = row.v[PD_UNACKED_MS] = chance >> 8 & 1023;
        if (mock->peers[peer].up)
            mock_sample(mock, peer, &row, chance & 1u << 12);
    } else if (!(chance >> 8 & 31)) {
        mock_signal(mock, "gateways", 0, NULL);
    } else {
        snprintf(fields, sizeof(fields), "oif=%u gateway=10.0.%u.1 failed=%u",
                 (chance >> 13) % 3 + 2, (chance >> 13) % 3 + 1, chance >> 17 & 1);
        mock_signal(mock, "gateway", 0, fields);
    }
}

/* One thing that may happen. */
static void shake(struct mock *mock, struct kernel *kernel, uint32_t chance)
{
    static const char *const nexthops[] = {UP0, UP1, UP2, NO_NEXTHOP};
    uint32_t peer = chance >> 26;
    bool up = mock->peers[peer].up;
    char remote[32];

    snprintf(remote, sizeof(remote), "192.0.2.%u:443", chance >> 10 & 7);
    switch (chance >> 20 & 7) {
    case 0:
    case 1:
        if (up)
            mock_peer_down(mock, peer);
        else
            mock_peer_up(mock, "p", NULL, remote);
        break;
    case 2:
        if (!up)
            break;
        mock_peer_set(mock, peer, "10.0.1.2:1", remote);
        mock_peer_change(mock, peer, chance & 1u << 15 ? PD_PEER_PATH : PD_PEER_MIGRATED);
        break;
    case 3:
        mock->peers[peer].in_flight = up && !mock->peers[peer].in_flight;
        mock->peers[peer].waits = chance & 1u << 15;
        break;
    case 4:
        kernel->rules[0].answer = nexthops[chance >> 13 & 3];
        mock_signal(mock, "changed", 0, NULL);
        break;
    case 5:
        mock_signal(mock, "keys", 0, chance & 1u << 14 ? "ports=1" : "ports=0");
        break;
    case 6:
        shake_gateways(mock, peer, chance);
        break;
    default:
        kernel_answer(mock, chance >> 12 & 15);
        mock_time(mock, mock->turn.now_us + (chance >> 8 & 4095));
    }
}

static void rest(struct mock *mock)
{
    for (int i = 0; i < 4; i++) {
        mock_time(mock, mock->turn.now_us + SECOND);
        kernel_changed(mock);
    }
}

/* However that went: at rest on one next hop, and then another, all are told, once. */
static void check_all_are_told(struct mock *mock, struct kernel *kernel)
{
    mock_signal(mock, "gateways", 0, NULL);
    kernel->rules[0].answer = UP0;
    for (uint32_t i = 0; i < PEERS; i++) {
        mock->peers[i].in_flight = mock->peers[i].waits = false;
        if (!mock->peers[i].up)
            mock_peer_up(mock, "p", NULL, "192.0.2.1:443");
        mock_peer_change(mock, i, PD_PEER_MIGRATED);
    }
    rest(mock);
    for (uint32_t i = 0; i < PEERS; i++)
        mock_peer_change(mock, i, PD_PEER_PATH);
    rest(mock);
    for (uint32_t i = 0; i < PEERS; i++)
        mock->peers[i].advised = 0;
    kernel_flip(mock, UP1);
    mock_time(mock, mock->turn.now_us + SECOND); /* after the pause of a long round */
    kernel_answer_all(mock);
    for (uint32_t i = 0; i < PEERS; i++)
        assert_int_equal(mock->peers[i].advised, 1);
}

static void test_peers_come_and_go(void **state)
{
    for (uint32_t seed = 1; seed <= 20; seed++) {
        struct mock mock;
        struct kernel kernel;
        uint32_t chance = seed;

        print_message("seed %u\n", seed);
        kernel_begin(&mock, &kernel, seed % 2 ? "settle=0" : "settle=1000");
        mock.count_only = true;
        for (uint32_t i = 0; i < PEERS; i++)
            mock_peer_up(&mock, "p", NULL, "192.0.2.1:443");
        for (unsigned i = 0; i < 5000; i++) {
            chance = chance * 1664525 + 1013904223;
            shake(&mock, &kernel, chance);
        }
        check_all_are_told(&mock, &kernel);
        for (uint32_t i = 0; i < PEERS; i++)
            mock_peer_down(&mock, i);
        mock_time(&mock, mock.turn.now_us + SECOND);
        assert_int_equal(mock.open_causes, 0);
        mock_stop(&mock);
    }
}

static void test_state_is_small(void **state)
{
    assert_true(pathdog_trigger_route.peer_size <= 40);
}

/* Of this thread alone: others that run meanwhile do not count. */
static uint64_t clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The bound is generous: the host of this test does little, but runs anywhere, also under a
 * sanitizer on a slow machine. What is quadratic would take much longer. */
static void test_fan_out(void **state)
{
    struct mock mock;
    struct kernel kernel;
    uint64_t took_ns;

    kernel_begin(&mock, &kernel, "settle=0");
    mock.count_only = true;
    for (unsigned i = 0; i < 100000; i++) {
        /* Only one slot is looked for: the next. */
        if (i >= mock.n_peers || mock.peers[i].up) {
            uint32_t wanted = mock.n_peers ? mock.n_peers : 131072;

            mock.peers = memory_check(reallocarray(mock.peers, wanted, sizeof(*mock.peers)));
            memset(mock.peers, 0, wanted * sizeof(*mock.peers));
            mock.n_peers = wanted;
        }
        struct mock_peer *peer = &mock.peers[i];

        peer->up = true;
        peer->state = memory_new(1, pathdog_trigger_route.peer_size);
        peer->peer.index = i;
        mock_peer_set(&mock, i, NULL, "192.0.2.1:443");
        mock_peer_change(&mock, i, PD_PEER_UP);
        kernel_answer_all(&mock);
    }
    kernel.rules[0].answer = UP1;
    took_ns = clock_ns();
    kernel_changed(&mock);
    took_ns = clock_ns() - took_ns;
    assert_int_equal(mock.n_advice, 100000);
    print_message("advice for 100000 peers: %" PRIu64 " ns each\n", took_ns / 100000);
    assert_true(took_ns / 100000 < 10000);
    mock_stop(&mock);
}

/* Several answers in one signal: one turn, the peers in the order of their indices. */
static void test_answers_together(void **state)
{
    struct mock mock;
    struct kernel kernel;
    char text[400];
    int n = 0;

    kernel_begin(&mock, &kernel, "settle=0");
    kernel_peer_up(&mock, "a", NULL, "192.0.2.1:443");
    kernel_peer_up(&mock, "b", NULL, "192.0.2.2:443");
    kernel_peer_up(&mock, "c", NULL, "192.0.2.1:443");
    mock_signal(&mock, "changed", 0, NULL);
    assert_non_null(strstr(kernel.queries[0], "address="));
    for (size_t i = 1; i < 3; i++) {
        const char *nexthop = strstr(kernel.queries[i], "192.0.2.2") ? UP2 : UP1;

        assert_non_null(strstr(kernel.queries[i], "destination="));
        n += snprintf(text + n, sizeof(text) - (size_t)n, "query=%" PRIu64 " token=%zu %s ",
                      kernel.ids[i], i, nexthop);
    }
    mock_signal(&mock, "answers", 0, text);
    assert_int_equal(mock.n_advice, 3);
    for (uint32_t peer = 0; peer < 3; peer++) {
        assert_int_equal(mock.advice[peer].peer, peer);
        assert_non_null(strstr(mock.advice[peer].reason, peer == 1 ? "→ up2" : "→ up1"));
    }
    /* Answered once, each of them: a second time they mean nothing. */
    mock_signal(&mock, "answers", 0, text);
    assert_int_equal(mock.n_advice, 3);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_together),
        cmocka_unit_test(test_slices_busiest_first),
        cmocka_unit_test(test_events_during_a_round),
        cmocka_unit_test(test_lost_answers),
        cmocka_unit_test(test_peers_come_and_go),
        cmocka_unit_test(test_state_is_small),
        cmocka_unit_test(test_fan_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
