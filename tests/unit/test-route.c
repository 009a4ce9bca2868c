/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plugins/route*.c: what is a change and what is not, one rule of docs/triggers.md after the
 * other.
 */
#include "check.h"
#include "mock-kernel.h"

#include "util/util.h"

static void test_default_route_flip(void **state)
{
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, NULL);
    kernel_peer_up(&mock, "a", NULL, "192.0.2.1:443");
    kernel_peer_up(&mock, "b", NULL, "192.0.2.1:444");
    assert_int_equal(kernel.answered, 1); /* one key */
    kernel_changed(&mock);
    assert_int_equal(mock.n_advice, 0);
    assert_int_equal(mock.causes, 0);
    kernel_flip(&mock, UP1);
    assert_int_equal(mock.n_advice, 2);
    assert_int_equal(mock.advice[0].kind, PD_KIND_MOVED);
    assert_string_equal(mock.advice[0].reason,
                        "default route flip: up0 via 10.0.1.1 → up1 via 10.0.2.1");
    assert_string_equal(mock.advice[1].evidence,
                        "oif_before=up0 oif_after=up1 gateway_before=10.0.1.1 "
                        "gateway_after=10.0.2.1 source_before=10.0.1.2 source_after=10.0.2.2");
    assert_int_equal(mock.advice[0].cause, 1);
    assert_int_equal(mock.advice[1].cause, 1);
    assert_int_equal(mock.open_causes, 1);
    mock_time(&mock, 2 * SECOND); /* the window's end */
    assert_int_equal(mock.open_causes, 0);
    assert_int_equal(mock.timer_us, 0);
    mock_stop(&mock);
}

static void test_specific_route(void **state)
{
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, NULL);
    kernel_peer_up(&mock, "a", NULL, "10.9.0.1:443");
    kernel_flip(&mock, "oif=5 ifname=wg0 source=10.8.0.2 prefix=10.9.0.0/24");
    assert_string_equal(mock.advice[0].reason,
                        "route to 10.9.0.0/24 changed: up0 via 10.0.1.1 → wg0");
    mock_stop(&mock);
}

static void test_same_is_no_change(void **state)
{
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, NULL);
    kernel_peer_up(&mock, "a", NULL, "192.0.2.1:443");
    /* Another preferred source, another prefix. */
    kernel_flip(&mock, "oif=2 ifname=up0 gateway=10.0.1.1 source=10.0.1.9 prefix=192.0.2.0/24");
    assert_int_equal(mock.n_advice, 0);
    mock_stop(&mock);
}

static void test_source_gone(void **state)
{
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, NULL);
    kernel_peer_up(&mock, "a", NULL, "192.0.2.1:443");
    kernel.gone = "10.0.1.2";
    kernel_flip(&mock, "oif=2 ifname=up0 gateway=10.0.1.1 source=10.0.1.9 prefix=default");
    assert_int_equal(mock.n_advice, 1);
    assert_string_equal(mock.advice[0].reason,
                        "source address 10.0.1.2 is gone: now 10.0.1.9 on up0 via 10.0.1.1");
    mock_time(&mock, 3 * SECOND);
    kernel_changed(&mock);
    assert_int_equal(mock.n_advice, 1); /* not twice */
    kernel.gone = NULL;
    mock_time(&mock, 4 * SECOND);
    kernel_flip(&mock, UP0);
    assert_int_equal(mock.peers[0].withdrawn, 1); /* there again */
    mock_stop(&mock);
}

static void test_local_gone_at_first_sight(void **state)
{
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, NULL);
    kernel.gone = "10.99.9.9";
    kernel_peer_up(&mock, "a", "10.99.9.9:4000", "192.0.2.1:443");
    assert_int_equal(mock.n_advice, 1);
    assert_string_equal(
        mock.advice[0].reason,
        "local address 10.99.9.9 is on no interface, the route is up0 via 10.0.1.1");
    mock_time(&mock, 3 * SECOND);
    kernel_changed(&mock);
    assert_int_equal(mock.n_advice, 1);
    /* The node still names the old address after the move: believed no more. */
    kernel_migrated(&mock, 0, NULL);
    mock_time(&mock, 6 * SECOND);
    kernel_changed(&mock);
    assert_int_equal(mock.n_advice, 1);
    kernel_flip(&mock, UP1);
    assert_int_equal(mock.n_advice, 2);
    mock_stop(&mock);
}

static void test_local_lost_and_there_again(void **state)
{
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, "settle=0");
    kernel.gone = "10.0.1.2";
    kernel_peer_up(&mock, "a", "10.0.1.2:4000", "192.0.2.1:443");
    assert_int_equal(mock.n_advice, 1);
    kernel.gone = NULL;
    kernel_changed(&mock);
    assert_int_equal(mock.n_advice, 1);
    assert_int_equal(mock.peers[0].withdrawn, 1);
    kernel_flip(&mock, UP1);
    assert_int_equal(mock.n_advice, 2);
    mock_stop(&mock);
}

static void test_no_nexthop_out(void **state)
{
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, NULL);
    kernel_peer_up(&mock, "a", NULL, "192.0.2.1:443");
    kernel_peer_up(&mock, "b", NULL, "192.0.2.2:443");
    kernel_flip(&mock, NO_NEXTHOP);
    assert_int_equal(mock.n_advice, 0);
    assert_int_equal(mock.n_notices, 1);
    assert_string_equal(mock.notices[0].what, "no-way-out");
    assert_string_equal(mock.notices[0].text, "no route to 192.0.2.1 (ENETUNREACH) and 1 more, 2 "
                                              "peers: no move is advised until there is a route");
    mock_time(&mock, SECOND + 20 * MS);
    kernel_changed(&mock);
    assert_int_equal(mock.n_notices, 1); /* said once */
    mock_time(&mock, SECOND + 40 * MS);
    kernel_flip(&mock, UP0);
    assert_int_equal(mock.n_advice, 0); /* back to the same */
    mock_time(&mock, SECOND + 60 * MS);
    kernel_flip(&mock, "error=no-carrier");
    assert_int_equal(mock.n_notices, 2);
    mock_time(&mock, SECOND + 80 * MS);
    kernel_flip(&mock, UP1);
    assert_int_equal(mock.n_advice, 2);
    mock_stop(&mock);
}

/* The engine is told, of each connection, also of one that comes up meanwhile or gets another
 * address. */
static void test_no_route_is_told(void **state)
{
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, NULL);
    kernel_peer_up(&mock, "a", NULL, "192.0.2.1:443");
    kernel_peer_up(&mock, "b", NULL, "192.0.2.1:444");
    kernel_flip(&mock, NO_NEXTHOP);
    assert_true(mock.peers[0].no_route && mock.peers[1].no_route);
    kernel_peer_up(&mock, "c", NULL, "192.0.2.1:445");
    kernel_peer_up(&mock, "d", NULL, "198.51.100.1:443");
    assert_true(mock.peers[2].no_route && mock.peers[3].no_route);
    mock_time(&mock, 2 * SECOND);
    kernel_flip(&mock, UP0);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(mock.peers[i].routed, 1);
    assert_int_equal(mock.n_advice, 0); /* there again */
    mock_stop(&mock);
}

static void test_no_nexthop_out_is_looked_up_every_10_ms(void **state)
{
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, NULL);
    kernel_peer_up(&mock, "a", NULL, "192.0.2.1:443");
    kernel_flip(&mock, NO_NEXTHOP);
    kernel.answered = 0;
    for (uint64_t us = 0; us < 50 * MS; us += 500) {
        mock_time(&mock, SECOND + us);
        kernel_changed(&mock);
    }
    assert_in_range(kernel.answered, 4, 6 * 2); /* and the question for the source */
    /* An event within the 10 ms is not forgotten. */
    kernel.rules[0].answer = UP1;
    mock_time(&mock, SECOND + 70 * MS);
    kernel_answer_all(&mock);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

static void test_no_nexthop_out_at_first_sight(void **state)
{
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, NULL);
    kernel.rules[0].answer = NO_NEXTHOP;
    kernel_peer_up(&mock, "a", NULL, "192.0.2.1:443");
    assert_int_equal(mock.n_notices, 1);
    kernel_flip(&mock, UP1);
    assert_int_equal(mock.n_advice, 0);
    kernel_flip(&mock, UP0);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

static void test_settle(void **state)
{
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, NULL);
    kernel_peer_up(&mock, "a", NULL, "192.0.2.1:443");
    kernel_flip(&mock, UP1); /* at 1 s: at once */
    assert_int_equal(mock.n_advice, 1);
    kernel_migrated(&mock, 0, NULL);
    mock_time(&mock, SECOND + 300 * MS);
    kernel_flip(&mock, UP2);
    kernel_flip(&mock, UP0);
    assert_int_equal(mock.n_advice, 1); /* within the window */
    mock_time(&mock, 2 * SECOND);
    kernel_answer_all(&mock);
    assert_int_equal(mock.n_advice, 2);
    assert_string_equal(mock.advice[1].reason,
                        "default route flip: up1 via 10.0.2.1 → up0 via 10.0.1.1");
    assert_int_equal(mock.advice[1].cause, 1); /* the same cause, closed now */
    assert_int_equal(mock.open_causes, 0);
    kernel_migrated(&mock, 0, NULL);
    mock_time(&mock, 2 * SECOND + 500 * MS); /* it fired: another window */
    kernel_flip(&mock, UP1);
    assert_int_equal(mock.n_advice, 2);
    mock_time(&mock, 3 * SECOND);
    kernel_answer_all(&mock);
    assert_int_equal(mock.n_advice, 3);
    assert_int_equal(mock.advice[2].cause, 2);
    kernel_migrated(&mock, 0, NULL);
    mock_time(&mock, 4 * SECOND);
    assert_int_equal(mock.timer_us, 0);
    kernel_flip(&mock, UP0); /* no window: at once */
    assert_int_equal(mock.n_advice, 4);
    mock_stop(&mock);
}

static void test_there_and_back_within_the_window(void **state)
{
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, NULL);
    kernel_peer_up(&mock, "a", NULL, "192.0.2.1:443");
    kernel_flip(&mock, UP1);
    kernel_migrated(&mock, 0, NULL);
    kernel_flip(&mock, UP0);
    kernel_flip(&mock, UP1);
    mock_time(&mock, 2 * SECOND);
    kernel_answer_all(&mock);
    assert_int_equal(mock.n_advice, 1);
    assert_int_equal(mock.open_causes, 0);
    mock_stop(&mock);
}

static void test_without_settle(void **state)
{
    struct mock mock;
    struct kernel kernel;
    const char *const nexthops[] = {UP1, UP2, UP0, UP1};

    kernel_begin(&mock, &kernel, "settle=0");
    kernel_peer_up(&mock, "a", NULL, "192.0.2.1:443");
    for (size_t i = 0; i < ARRAY_SIZE(nexthops); i++) {
        kernel_flip(&mock, nexthops[i]);
        assert_int_equal(mock.n_advice, i + 1);
        assert_int_equal(mock.causes, i + 1);
        assert_int_equal(mock.open_causes, 0);
        kernel_migrated(&mock, 0, NULL);
    }
    mock_stop(&mock);
}

static void test_not_advised_twice(void **state)
{
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, "settle=0");
    kernel_peer_up(&mock, "a", NULL, "192.0.2.1:443");
    kernel_flip(&mock, UP1);
    kernel_changed(&mock);
    mock_peer_change(&mock, 0, PD_PEER_TOLD); /* the node was down: the engine gives it again */
    kernel_answer_all(&mock);
    assert_int_equal(mock.n_advice, 1);
    kernel_flip(&mock, UP2); /* another one is */
    assert_int_equal(mock.n_advice, 2);
    kernel_flip(&mock, UP1); /* and this one, then, again */
    assert_int_equal(mock.n_advice, 3);
    kernel_flip(&mock, UP0); /* what it uses: nothing, and what waits is taken back */
    assert_int_equal(mock.n_advice, 3);
    assert_int_equal(mock.peers[0].withdrawn, 1);
    kernel_flip(&mock, UP1);
    assert_int_equal(mock.n_advice, 4);
    mock_stop(&mock);
}

static void test_told_again_after_the_node_was_down(void **state)
{
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, "settle=0");
    kernel_peer_up(&mock, "a", NULL, "192.0.2.1:443");
    kernel.rules[0].answer = UP1; /* and nobody said so */
    mock_peer_change(&mock, 0, PD_PEER_TOLD);
    kernel_answer_all(&mock);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

static void test_keys(void **state)
{
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, "mark=7");
    mock_node(&mock, 1000);
    mock_peer_up(&mock, "a", "10.0.1.2:4000", "192.0.2.1:443");
    mock_peer_up(&mock, "b", NULL, "[2001:db8::1]:443");
    mock_peer_up(&mock, "c", NULL, "[fe80::1%up0]:443");
    mock_peer_up(&mock, "d", "[fd00::2]:4000", NULL);
    mock_peer_up(&mock, "e", NULL, NULL);
    mock_peer_up(&mock, "f", "0.0.0.0:4000", "192.0.2.1:443");
    assert_int_equal(kernel.n_pending, 6);
    assert_string_equal(kernel.queries[0],
                        "destination=192.0.2.1 source=10.0.1.2 uid=1000 mark=7 ");
    assert_string_equal(kernel.queries[1], "destination=2001:db8::1 uid=1000 mark=7 ");
    assert_string_equal(kernel.queries[2], "destination=fe80::1 interface=up0 uid=1000 mark=7 ");
    assert_string_equal(kernel.queries[3], "family=6 source=fd00::2 uid=1000 mark=7 ");
    assert_string_equal(kernel.queries[4], "family=0 uid=1000 mark=7 ");
    assert_string_equal(kernel.queries[5], "destination=192.0.2.1 uid=1000 mark=7 ");
    kernel_answer_all(&mock);
    /* A rule that looks at ports: they are told apart by them now. */
    mock_signal(&mock, "keys", 0, "ports=1");
    assert_int_equal(kernel.n_pending, 7); /* and whether the source is there */
    for (size_t i = 0; i < kernel.n_pending; i++)
        if (strstr(kernel.queries[i], "source=10.0.1.2"))
            assert_string_equal(kernel.queries[i], "destination=192.0.2.1 source=10.0.1.2 uid=1000 "
                                                   "mark=7 sport=4000 dport=443 ");
    kernel.rules[0] = (struct rule){"source=10.0.1.2 uid=1000 mark=7 sport=4000 dport=443", UP1};
    kernel.rules[1] = (struct rule){"", UP0};
    kernel_answer_all(&mock);
    assert_int_equal(mock.n_advice, 1); /* what that rule says is a change */
    assert_int_equal(mock.advice[0].peer, 0);
    mock_stop(&mock);
}

static void test_both_families(void **state)
{
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, "settle=0");
    kernel_peer_up(&mock, "a", NULL, NULL);
    kernel_flip(&mock, UP0 " also=up0+via+fe80::1"); /* a family more is no change */
    assert_int_equal(mock.n_advice, 0);
    kernel_flip(&mock, UP0 " also=up1+via+fe80::2");
    assert_int_equal(mock.n_advice, 1);
    kernel_migrated(&mock, 0, NULL);
    kernel_flip(&mock, UP0); /* a family less neither */
    assert_int_equal(mock.n_advice, 1);
    kernel_flip(&mock, UP1);
    assert_int_equal(mock.n_advice, 2);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default_route_flip),
        cmocka_unit_test(test_specific_route),
        cmocka_unit_test(test_same_is_no_change),
        cmocka_unit_test(test_source_gone),
        cmocka_unit_test(test_local_gone_at_first_sight),
        cmocka_unit_test(test_local_lost_and_there_again),
        cmocka_unit_test(test_no_nexthop_out),
        cmocka_unit_test(test_no_route_is_told),
        cmocka_unit_test(test_no_nexthop_out_is_looked_up_every_10_ms),
        cmocka_unit_test(test_no_nexthop_out_at_first_sight),
        cmocka_unit_test(test_settle),
        cmocka_unit_test(test_there_and_back_within_the_window),
        cmocka_unit_test(test_without_settle),
        cmocka_unit_test(test_not_advised_twice),
        cmocka_unit_test(test_told_again_after_the_node_was_down),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_both_families),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
