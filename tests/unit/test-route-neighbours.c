/* SPDX-License-Identifier: Apache-2.0 */
/* The route trigger against a real kernel: gateways that do not answer, and other neighbours. */
#include "route-lab.h"

/* A row of a connection that has waited for 3 s. */
static void lab_stalls(struct lab *lab, uint32_t peer)
{
    struct pd_row row = mock_row();

    row.v[PD_IN_FLIGHT_BYTES] = 1200;
    row.v[PD_SILENT_MS] = row.v[PD_UNACKED_MS] = 3000;
    mock_sample(&lab->mock, peer, &row, false);
}

static void lab_wait_withdrawn(struct lab *lab, uint32_t peer, uint32_t count)
{
    uint64_t deadline_us = now_us() + PATIENCE_US;

    while (lab->mock.peers[peer].withdrawn < count) {
        assert_true(now_us() < deadline_us);
        lab_turn(lab, 10 * MS);
    }
    lab_settle(lab);
}

/* The kernel says so only of one that was known before. */
static void gateway_fails(const char *gateway, const char *interface)
{
    ip("neigh replace %s lladdr 02:00:00:00:00:01 dev %s nud stale", gateway, interface);
    ip("neigh replace %s lladdr 02:00:00:00:00:01 dev %s nud failed", gateway, interface);
}

#define LLADDR "lladdr 02:00:00:00:00:01 dev up0 nud "

/* The kernel's own messages pass the filter: that of a gateway in use, and no other's. */
static void check_gateway(struct lab *lab, uint32_t peer, const char *gateway, const char *words)
{
    size_t n_changed = lab->n_changed;
    char reason[128];

    ip("neigh replace %s " LLADDR "stale", gateway);
    lab_settle(lab);
    assert_int_equal(lab->n_changed, n_changed);
    ip("neigh replace %s " LLADDR "failed", gateway);
    lab_settle(lab);
    assert_true(lab->n_changed > n_changed); /* the kernel may take another route */
    lab_stalls(lab, peer);
    assert_int_equal(lab->mock.n_advice, 1);
    assert_int_equal(lab->mock.advice[0].peer, peer);
    assert_int_equal(lab->mock.advice[0].kind, PD_KIND_DEAD);
    snprintf(reason, sizeof(reason), "gateway %s on up0 does not answer %s", gateway, words);
    assert_string_equal(lab->mock.advice[0].reason, reason);
    ip("neigh replace %s " LLADDR "incomplete", gateway); /* asked again: no answer */
    lab_settle(lab);
    assert_int_equal(lab->mock.peers[peer].withdrawn, 0);
    ip("neigh replace %s " LLADDR "reachable", gateway);
    lab_wait_withdrawn(lab, peer, 1);
    ip("neigh replace %s " LLADDR "failed", gateway);
    lab_settle(lab);
    lab_stalls(lab, peer);
    assert_int_equal(lab->mock.n_advice, 2);
    ip("neigh del %s dev up0", gateway); /* not known any more */
    lab_wait_withdrawn(lab, peer, 2);
    mock_clear(&lab->mock);
}

static void test_gateway(void **state)
{
    struct lab lab;

    lab_begin(&lab, "settle=0");
    ip("-6 route replace default via fe80::77 dev up0");
    ip("route add 198.51.100.0/24 via 10.0.1.78 dev up0 table 77");
    ip("rule add to 198.51.100.0/24 lookup 77");
    ip("route add 203.0.113.128/25 via inet6 fe80::79 dev up0");
    lab_peers(&lab, NULL, "192.0.2.1:443");
    mock_peer_up(&lab.mock, "six", NULL, "[2001:db8::1]:443");
    mock_peer_up(&lab.mock, "another table", NULL, "198.51.100.1:443");
    mock_peer_up(&lab.mock, "of the other family", NULL, "203.0.113.129:443");
    lab_settle(&lab);
    check_gateway(&lab, 0, "10.0.1.1", "ARP");
    check_gateway(&lab, 2, "fe80::77", "neighbour solicitations");
    check_gateway(&lab, 3, "10.0.1.78", "ARP");
    check_gateway(&lab, 4, "fe80::79", "neighbour solicitations");
    lab_end(&lab);
}

/* Of IPv6 the kernel takes the next best route then, be it less specific, and says nothing. */
static void test_gateway_and_another_route(void **state)
{
    struct lab lab;

    lab_begin(&lab, "settle=0");
    ip("-6 route add 2001:db8::/32 via fd00:2::1 dev up1");
    lab_peers(&lab, NULL, "[2001:db8::1]:443");
    gateway_fails("fd00:2::1", "up1");
    lab_wait_advice(&lab, 1);
    lab_settle(&lab);
    lab_stalls(&lab, 0);
    assert_int_equal(lab.mock.n_advice, 1);
    assert_int_equal(lab.mock.advice[0].kind, PD_KIND_MOVED);
    assert_string_equal(lab.mock.advice[0].reason,
                        "route changed: up1 via fd00:2::1 → up0 via fd00:1::1");
    ip("neigh replace fd00:2::1 lladdr 02:00:00:00:00:01 dev up1 nud reachable");
    lab_wait_withdrawn(&lab, 0, 1);
    assert_int_equal(lab.mock.n_advice, 1);
    lab_end(&lab);
}

/* Thousands of neighbours that nobody uses, and which are told again and again: none of that is
 * ever read, however small the buffer. */
static void test_thousands_of_neighbours(void **state)
{
    struct lab lab;

    lab_begin(&lab, "settle=0");
    ip("addr add 10.100.255.1/16 dev up0");
    lab_peers(&lab, NULL, "192.0.2.1:443");
    receive_buffers_shrink();
    lab.n_changed = 0;
    for (unsigned i = 0; i < 10; i++) { /* the kernel keeps no more than 1000 entries at a time */
        lines_run("neigh replace 10.100.%u.%u " LLADDR "reachable\n", 400);
        lines_run("neigh replace 10.100.%u.%u " LLADDR "failed\n", 400);
    }
    assert_int_equal(sd_event_run(lab.host.loop, 0), 0); /* nobody was woken */
    gateway_fails("10.0.1.1", "up0");
    lab_settle(&lab);
    assert_int_equal(lab.n_changed, 1);
    assert_int_equal(lab.n_overflows, 0);
    lab_stalls(&lab, 0);
    assert_int_equal(lab.mock.n_advice, 1);
    ip("link del up0"); /* its entries count for all namespaces, and these go later */
    lab_end(&lab);
}

/* Messages were lost, and that it answers again may be among them. */
static void test_gateway_and_lost_messages(void **state)
{
    struct lab lab;

    lab_begin(&lab, "settle=0");
    lab_peers(&lab, NULL, "192.0.2.1:443");
    receive_buffers_shrink();
    gateway_fails("10.0.1.1", "up0");
    lab_settle(&lab);
    lab_stalls(&lab, 0);
    assert_int_equal(lab.mock.n_advice, 1);
    lines_run("route add 198.18.%u.%u/32 via 10.0.2.1\n", 500);
    ip("neigh replace 10.0.1.1 " LLADDR "reachable");
    lab_wait_withdrawn(&lab, 0, 1);
    assert_true(lab.n_overflows > 0);
    gateway_fails("10.0.1.1", "up0"); /* watched as before */
    lab_settle(&lab);
    lab_stalls(&lab, 0);
    assert_int_equal(lab.mock.n_advice, 2);
    lab_end(&lab);
}

/* Of equal-cost next hops one fails. Where the kernel takes that into account, it is `moved`. */
static void test_equal_cost(void **state)
{
    struct lab lab;

    for (unsigned use = 0; use < 2; use++) {
        uint32_t n_moved = 0, n_dead = 0;
        char remote[32];

        lab_begin(&lab, "settle=0");
        sysctl_set("net/ipv4/fib_multipath_use_neigh", use ? "1" : "0");
        ip("addr add 10.0.1.102/24 dev up0");
        ip("neigh replace 10.0.1.1 " LLADDR "reachable");
        ip("neigh replace 10.0.1.101 " LLADDR "reachable");
        ip("route replace default nexthop via 10.0.1.1 dev up0 nexthop via 10.0.1.101 dev up0");
        for (uint32_t i = 0; i < 32; i++) {
            snprintf(remote, sizeof(remote), "192.0.2.%u:443", i + 1);
            mock_peer_up(&lab.mock, "a", NULL, remote);
        }
        lab_settle(&lab);
        ip("neigh replace 10.0.1.101 " LLADDR "failed");
        lab_settle(&lab);
        for (uint32_t i = 0; i < 32; i++)
            lab_stalls(&lab, i);
        lab_wait_advice(&lab, 1); /* it waits for whether the gateway answers at once */
        lab_settle(&lab);
        for (size_t i = 0; i < lab.mock.n_advice; i++) {
            n_moved += lab.mock.advice[i].kind == PD_KIND_MOVED;
            n_dead += lab.mock.advice[i].kind == PD_KIND_DEAD;
        }
        assert_int_equal(use ? n_dead : n_moved, 0);
        assert_true(n_moved + n_dead > 0 && n_moved + n_dead < 32);
        print_message("  %u moved, %u dead of 32 over two next hops\n", n_moved, n_dead);
        lab_end(&lab);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gateway),
        cmocka_unit_test(test_gateway_and_another_route),
        cmocka_unit_test(test_thousands_of_neighbours),
        cmocka_unit_test(test_gateway_and_lost_messages),
        cmocka_unit_test(test_equal_cost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
