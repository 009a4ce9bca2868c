/* SPDX-License-Identifier: Apache-2.0 */
/* The route trigger against a real kernel: routes, rules, addresses and links that change. */
#include "route-lab.h"

#include "util/util.h"

#include <inttypes.h>

struct change {
    const char *name;
    const char *before[4]; /* before the peers are there */
    const char *during[6];
    const char *reason; /* of the advice for peer 0; NULL: none */
    const char *local, *remote, *options;
};

#define FLIP "default route flip: up0 via 10.0.1.1 → up1 via 10.0.2.1"

static const struct change changes[] = {
    {"replace", {0}, {"route replace default via 10.0.2.1 dev up1"}, FLIP},
    {"identical replace", {0}, {"route replace default via 10.0.1.1 dev up0"}, NULL},
    {"del and add", {0}, {"route del default", "route add default via 10.0.2.1 dev up1"}, FLIP},
    {"del and add of the same",
     {0},
     {"route del default", "route add default via 10.0.1.1 dev up0"},
     NULL},
    {"better metric",
     {"route del default", "route add default via 10.0.1.1 dev up0 metric 200"},
     {"route add default via 10.0.2.1 dev up1 metric 100"},
     FLIP},
    {"worse metric", {0}, {"route add default via 10.0.2.1 dev up1 metric 100"}, NULL},
    {"another metric",
     {0},
     {"route add default via 10.0.1.1 dev up0 metric 100",
      "route del default via 10.0.1.1 dev up0 metric 0"},
     NULL},
    {"link down",
     {"route add default via 10.0.2.1 dev up1 metric 200"},
     {"link set up0 down"},
     FLIP},
    {"link deleted", {"route add default via 10.0.2.1 dev up1 metric 200"}, {"link del up0"}, FLIP},
    {"address deleted",
     {"route add default via 10.0.2.1 dev up1 metric 200"},
     {"addr del 10.0.1.2/24 dev up0"},
     FLIP},
    {"own address deleted, way out kept",
     {"addr add 10.0.1.3/24 dev up0"},
     {"addr del 10.0.1.3/24 dev up0"},
     "source address 10.0.1.3 is gone: now 10.0.1.2 on up0 via 10.0.1.1",
     "10.0.1.3:4000"},
    {"preferred source",
     {0},
     {"addr add 10.0.1.3/24 dev up0", "route replace default via 10.0.1.1 dev up0 src 10.0.1.3"},
     NULL},
    {"more specific",
     {0},
     {"route add 192.0.2.0/24 via 10.0.2.1"},
     "route to 192.0.2.0/24 changed: up0 via 10.0.1.1 → up1 via 10.0.2.1"},
    {"halves of a VPN",
     {0},
     {"route add 128.0.0.0/1 via 10.0.2.1"},
     "route to 128.0.0.0/1 changed: up0 via 10.0.1.1 → up1 via 10.0.2.1"},
    {"rule",
     {"route add default via 10.0.2.1 table 100"},
     {"rule add to 192.0.2.0/24 lookup 100"},
     FLIP},
    {"rule deleted",
     {"route add default via 10.0.2.1 table 100", "rule add to 192.0.2.0/24 lookup 100"},
     {"rule del to 192.0.2.0/24 lookup 100"},
     "default route flip: up1 via 10.0.2.1 → up0 via 10.0.1.1"},
    {"rule for elsewhere",
     {"route add default via 10.0.2.1 table 100"},
     {"rule add to 198.51.100.0/24 lookup 100"},
     NULL},
    {"rule by port",
     {"route add default via 10.0.2.1 table 100"},
     {"rule add dport 443 lookup 100 prio 10"},
     FLIP},
    {"rule by another port",
     {"route add default via 10.0.2.1 table 100"},
     {"rule add dport 53 lookup 100 prio 10"},
     NULL},
    {"rule by mark",
     {"route add default via 10.0.1.1 table 100", "rule add fwmark 7 to 192.0.2.0/24 lookup 100"},
     {"route replace default via 10.0.2.1 table 100"},
     FLIP,
     .options = "settle=0 mark=7"},
    {"rule by source",
     {"route add default via 10.0.1.1 table 100", "rule add from 10.0.1.2 lookup 100"},
     {"route replace default via 10.0.2.1"},
     NULL,
     "10.0.1.2:4000"},
    {"rule by user",
     {"route add default via 10.0.2.1 table 100"},
     {"rule add uidrange 1000-1000 to 192.0.2.0/24 lookup 100"},
     FLIP,
     .options = "settle=0 uid=1000"},
    {"nexthop object",
     {"nexthop add id 7 via 10.0.1.1 dev up0", "route add 192.0.2.0/24 nhid 7"},
     {"nexthop replace id 7 via 10.0.2.1 dev up1"},
     "route to 192.0.2.0/24 changed: up0 via 10.0.1.1 → up1 via 10.0.2.1"},
    {"MTU", {0}, {"link set up0 mtu 1400", "route replace default via 10.0.1.1 mtu 1300"}, NULL},
    {"unreachable", {0}, {"route add unreachable 192.0.2.0/24"}, NULL},
    {"IPv6 router advertised",
     {"-6 route del default", "-6 route add default via fe80::1 dev up0 proto ra expires 600"},
     {"-6 route del default via fe80::1 dev up0 proto ra",
      "-6 route add default via fe80::2 dev up1 proto ra expires 600"},
     "default route flip: up0 via fe80::1 → up1 via fe80::2",
     NULL,
     "[2001:db8::1]:443"},
    {"IPv6 unreachable",
     {0},
     {"-6 route add unreachable 2001:db8::/32"},
     NULL,
     NULL,
     "[2001:db8::1]:443"},
    {"IPv6 router with a lifetime renewed",
     {"-6 route del default", "-6 route add default via fe80::1 dev up0 proto ra expires 600"},
     {"-6 route replace default via fe80::1 dev up0 proto ra expires 900"},
     NULL,
     NULL,
     "[2001:db8::1]:443"},
    {"IPv6 more specific",
     {0},
     {"-6 route add 2001:db8::/48 via fd00:2::1"},
     "route to 2001:db8::/48 changed: up0 via fd00:1::1 → up1 via fd00:2::1",
     NULL,
     "[2001:db8::1]:443"},
    {"IPv4 gateway that is IPv6",
     {0},
     {"-4 route replace default via inet6 fe80::2 dev up1"},
     "default route flip: up0 via 10.0.1.1 → up1 via fe80::2"},
    {"unknown remote",
     {0},
     {"route replace default via 10.0.2.1 dev up1"},
     "default route flip: up0 via 10.0.1.1 and up0 via fd00:1::1 → up1 via 10.0.2.1 and up0 via "
     "fd00:1::1",
     NULL,
     ""},
    {"unknown remote, the other family",
     {0},
     {"-6 route replace default via fd00:2::1 dev up1"},
     NULL,
     "10.0.1.2:4000",
     ""},
    {"containers come and go",
     {0},
     {"link add docker0 type veth peer name veth0", "addr add 172.17.0.1/16 dev docker0",
      "link set docker0 up", "link set veth0 up", "link del docker0"},
     NULL},
};

static void check_change(const struct change *change)
{
    struct lab lab;

    print_message("  %s\n", change->name);
    lab_begin(&lab, change->options ? change->options : "settle=0");
    for (size_t i = 0; i < 4 && change->before[i]; i++)
        ip("%s", change->before[i]);
    lab_settle(&lab);
    lab_peers(&lab, change->local,
              change->remote && !change->remote[0] ? NULL
              : change->remote                     ? change->remote
                                                   : "192.0.2.1:443");
    for (size_t i = 0; i < 6 && change->during[i]; i++) {
        ip("%s", change->during[i]);
        lab_settle(&lab);
    }
    assert_int_equal(lab_canary(&lab), change->reason ? 1 : 0);
    for (size_t i = 0; i < lab.mock.n_advice; i++) {
        if (lab.mock.advice[i].peer != 0)
            continue;
        assert_non_null(change->reason);
        assert_string_equal(lab.mock.advice[i].reason, change->reason);
    }
    lab_end(&lab);
}

static void test_changes(void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(changes); i++)
        check_change(&changes[i]);
}

static void test_carrier(void **state)
{
    struct lab lab;
    uint64_t deadline_us = now_us() + PATIENCE_US;

    lab_begin(&lab, "settle=0");
    ip("route add default via 10.0.2.1 dev up1 metric 200");
    lab_peers(&lab, NULL, "192.0.2.1:443");
    ip("link set far0 down"); /* the kernel goes on naming up0 */
    while (!lab.mock.n_notices) {
        assert_true(now_us() < deadline_us);
        lab_turn(&lab, 10 * MS);
    }
    assert_string_equal(lab.mock.notices[0].what, "no-way-out");
    assert_non_null(strstr(lab.mock.notices[0].text, "no-carrier"));
    assert_int_equal(lab.mock.n_advice, 0);
    ip("link set far0 up");
    assert_int_equal(lab_canary(&lab), 0);
    ip("link set far0 down");
    ip("route del default dev up0");
    lab_wait_advice(&lab, 2);
    assert_string_equal(lab.mock.advice[1].reason, FLIP);
    lab_end(&lab);
}

static void test_first_sight(void **state)
{
    struct lab lab;

    lab_begin(&lab, "settle=0");
    mock_peer_up(&lab.mock, "a", "10.99.9.9:4000", "192.0.2.1:443");
    mock_peer_up(&lab.mock, "b", "10.0.1.2:4000", "192.0.2.1:443");
    mock_peer_up(&lab.mock, "c", "127.0.0.77:4000",
                 "127.0.0.1:443"); /* on no interface, but ours */
    lab_wait_advice(&lab, 1);
    lab_settle(&lab);
    assert_int_equal(lab.mock.n_advice, 1);
    assert_int_equal(lab.mock.advice[0].peer, 0);
    lab_end(&lab);
}

static void test_what_says_nothing(void **state)
{
    struct lab lab;

    lab_begin(&lab, "settle=0");
    lab_peers(&lab, NULL, "192.0.2.1:443");
    lab.n_changed = 0;
    ip("link set up0 mtu 1400");
    ip("link set up0 promisc on");
    ip("link set up0 txqueuelen 77");
    ip("link add docker0 type veth peer name veth9");
    ip("link set docker0 address 02:00:00:00:00:09");
    ip("link del docker0");
    ip("addr change 10.0.1.2/24 dev up0 valid_lft 900 preferred_lft 800");
    ip("neigh add 10.0.1.77 lladdr 02:00:00:00:00:01 dev up0");
    lab_settle(&lab);
    assert_int_equal(lab.n_changed, 0);
    ip("addr add 10.0.1.9/24 dev up0");
    lab_settle(&lab);
    assert_true(lab.n_changed > 0);
    lab_end(&lab);
}

static void test_thousands_of_routes(void **state)
{
    struct lab lab;

    lab_begin(&lab, "settle=0");
    lab_peers(&lab, NULL, "192.0.2.1:443");
    lines_run("route add 198.18.%u.%u/32 via 10.0.2.1\n", 5000);
    assert_int_equal(lab_canary(&lab), 0);
    assert_int_equal(lab.n_overflows, 0); /* the buffer holds them all */
    print_message("  5000 routes more: asked %zu times\n", lab.n_changed);
    lab_end(&lab);
}

static void test_lost_messages(void **state)
{
    struct lab lab;

    lab_begin(&lab, "settle=0");
    ip("addr add 10.0.1.3/24 dev up0");
    lab_settle(&lab);
    lab_peers(&lab, "10.0.1.3:4000", "192.0.2.1:443");
    receive_buffers_shrink();
    /* Nobody reads meanwhile; what matters is among what is lost. */
    lines_run("route add 198.18.%u.%u/32 via 10.0.2.1\n", 500);
    ip("addr del 10.0.1.3/24 dev up0");
    lab_wait_advice(&lab, 1);
    assert_int_equal(lab.mock.advice[0].peer, 0);
    assert_true(lab.n_overflows > 0);
    lab_settle(&lab); /* the canary was still to be looked up */
    ip("addr add 10.0.1.3/24 dev up0");
    lab_canary(&lab);
    assert_int_equal(lab.mock.peers[0].withdrawn, 1);
    lab_end(&lab);
}

static void test_many_keys(void **state)
{
    struct lab lab;
    char remote[32];
    uint64_t begin_us, longest_us = 0;

    lab_begin(&lab, "settle=0");
    lab.mock.count_only = true;
    for (unsigned i = 0; i < 5000; i++) {
        snprintf(remote, sizeof(remote), "192.0.%u.%u:443", i / 200, i % 200 + 1);
        mock_peer_up(&lab.mock, "p", NULL, remote);
    }
    lab_settle(&lab);
    ip("route replace default via 10.0.2.1 dev up1");
    begin_us = now_us();
    while (lab.mock.n_advice < 5000) {
        uint64_t turn_us = now_us();

        assert_true(turn_us < begin_us + PATIENCE_US);
        assert_true(sd_event_run(lab.host.loop, 10 * MS) >= 0);
        turn_us = now_us() - turn_us;
        if (turn_us > longest_us)
            longest_us = turn_us;
        lab_turn(&lab, 0);
    }
    print_message("  5000 keys: %" PRIu64 " us, the source at a time at most %" PRIu64 " us\n",
                  now_us() - begin_us, longest_us);
    lab_settle(&lab);
    assert_int_equal(lab.mock.n_advice, 5000);
    lab_end(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_carrier),
        cmocka_unit_test(test_first_sight),
        cmocka_unit_test(test_what_says_nothing),
        cmocka_unit_test(test_thousands_of_routes),
        cmocka_unit_test(test_lost_messages),
        cmocka_unit_test(test_many_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
