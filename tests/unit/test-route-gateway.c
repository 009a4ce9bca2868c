/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plugins/route/gateway.c: what is advised while the gateway in use does not answer.
 */
#include "check.h"
#include "mock-kernel.h"

#include "util/util.h"

#define REMOTE "192.0.2.1:443"

static void gateway(struct mock *mock, const char *fields)
{
    mock_signal(mock, "gateway", 0, fields);
    kernel_changed(mock);
}

static void test_those_behind_it(void **state)
{
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, NULL);
    kernel.rules[0] = (struct rule){"192.0.2.9", UP1};
    kernel.rules[1] = (struct rule){"", UP0};
    kernel_peer_up(&mock, "a", NULL, REMOTE);
    kernel_peer_up(&mock, "b", NULL, "192.0.2.2:443");
    kernel_peer_up(&mock, "c", NULL, "192.0.2.9:443");
    gateway(&mock, "oif=2 gateway=10.0.1.1 failed=1");
    assert_int_equal(mock.n_advice, 2);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(mock.advice[i].peer, i);
        assert_int_equal(mock.advice[i].kind, PD_KIND_DEAD);
        assert_string_equal(mock.advice[i].reason, "gateway 10.0.1.1 on up0 does not answer ARP");
        assert_string_equal(mock.advice[i].evidence, "interface=up0 gateway=10.0.1.1");
        assert_int_equal(mock.advice[i].cause, 1);
    }
    assert_int_equal(mock.open_causes, 0);
    gateway(&mock, "oif=2 gateway=10.0.1.1 failed=1"); /* once */
    assert_int_equal(mock.n_advice, 2);
    gateway(&mock, "oif=2 gateway=10.0.1.1 failed=0");
    assert_int_equal(mock.peers[0].withdrawn, 1);
    assert_int_equal(mock.peers[1].withdrawn, 1);
    assert_int_equal(mock.peers[2].withdrawn, 0);
    gateway(&mock, "oif=2 gateway=10.0.1.1 failed=1");
    assert_int_equal(mock.n_advice, 4);
    mock_signal(&mock, "gateways", 0, NULL); /* events were lost: it may answer by now */
    kernel_changed(&mock);
    assert_int_equal(mock.peers[0].withdrawn, 2);
    mock_stop(&mock);
}

static void test_one_that_nobody_uses(void **state)
{
    static const char *const fields[] = {
        "oif=2 gateway=10.0.1.9 failed=1", "oif=3 gateway=10.0.1.1 failed=1",
        "oif=0 gateway=10.0.1.1 failed=1", "oif=2 failed=1", "failed=1"};
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, "settle=0");
    kernel_peer_up(&mock, "a", NULL, REMOTE);
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
        gateway(&mock, fields[i]);
    assert_int_equal(mock.n_advice, 0);
    kernel_flip(&mock, "oif=9 ifname=wg0 source=10.8.0.2"); /* without a gateway */
    kernel_migrated(&mock, 0, NULL);
    assert_int_equal(mock.n_advice, 1);
    kernel_flip(&mock, "oif=2 ifname=up0 gateway=10.0.1.9 source=10.0.1.2");
    assert_int_equal(mock.n_advice, 2);
    assert_int_equal(mock.advice[1].kind, PD_KIND_MOVED);
    kernel_migrated(&mock, 0, NULL); /* now it is in use */
    assert_int_equal(mock.n_advice, 3);
    assert_int_equal(mock.advice[2].kind, PD_KIND_DEAD);
    mock_stop(&mock);
}

/* The kernel takes another way: that is moved, and no longer dead. */
static void test_the_route_changes_with_it(void **state)
{
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, "settle=0");
    kernel_peer_up(&mock, "a", NULL, REMOTE);
    mock_signal(&mock, "gateway", 0, "oif=2 gateway=10.0.1.1 failed=1");
    kernel_flip(&mock, UP1);
    assert_int_equal(mock.n_advice, 1);
    assert_int_equal(mock.advice[0].kind, PD_KIND_MOVED);
    kernel_flip(&mock, UP0); /* and back, before it was moved */
    assert_int_equal(mock.peers[0].withdrawn, 1);
    assert_int_equal(mock.n_advice, 2);
    assert_int_equal(mock.advice[1].kind, PD_KIND_DEAD);
    kernel_flip(&mock, UP1);
    kernel_migrated(&mock, 0, NULL);
    assert_int_equal(mock.n_advice, 3);
    gateway(&mock, "oif=2 gateway=10.0.1.1 failed=0");
    assert_int_equal(mock.peers[0].withdrawn, 1); /* what it left does not concern it */
    mock_stop(&mock);
}

/* A redirect has its packets go through another one. */
static void test_redirected(void **state)
{
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, "settle=0");
    kernel_peer_up(&mock, "a", NULL, REMOTE);
    mock_signal(&mock, "gateway", 0, "oif=2 gateway=10.0.1.1 failed=1");
    kernel_flip(&mock, UP0 " redirected=1");
    assert_int_equal(mock.n_advice, 0);
    kernel_flip(&mock, UP0);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

/* More than are remembered: the oldest count as answering. */
static void test_many(void **state)
{
    struct mock mock;
    struct kernel kernel;
    char text[64];

    kernel_begin(&mock, &kernel, "settle=0");
    kernel_peer_up(&mock, "a", NULL, REMOTE);
    gateway(&mock, "oif=2 gateway=10.0.1.1 failed=1");
    for (unsigned i = 2; i < 250; i++) {
        snprintf(text, sizeof(text), "oif=2 gateway=10.0.1.%u failed=1", i);
        mock_signal(&mock, "gateway", 0, text);
    }
    kernel_changed(&mock);
    assert_int_equal(mock.n_advice, 1);
    assert_int_equal(mock.peers[0].withdrawn, 1);
    for (unsigned i = 1; i < 250; i++) {
        snprintf(text, sizeof(text), "oif=2 gateway=10.0.1.%u failed=0", i);
        mock_signal(&mock, "gateway", 0, text);
    }
    gateway(&mock, "oif=2 gateway=10.0.1.1 failed=1");
    assert_int_equal(mock.n_advice, 2);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_those_behind_it),
        cmocka_unit_test(test_one_that_nobody_uses),
        cmocka_unit_test(test_the_route_changes_with_it),
        cmocka_unit_test(test_redirected),
        cmocka_unit_test(test_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
