/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plugins/route/hold.c and what goes with it: what may be over in a moment waits, and what is
 * proven of the path that a connection leaves.
 */
#include "check.h"
#include "mock-kernel.h"

#include "util/util.h"

#define UP0_6  "oif=2 ifname=up0 gateway=fe80::1 source=fd00:1::2 prefix=default"
#define UP1_6  "oif=3 ifname=up1 gateway=fe80::2 source=fd00:2::2 prefix=default"
#define REMOTE "192.0.2.1:443"

static void at(struct mock *mock, uint64_t ms)
{
    mock_time(mock, SECOND + ms * MS);
    kernel_answer_all(mock);
}

static void lost(struct mock *mock, struct kernel *kernel, const char *oif, const char *nexthop)
{
    mock_signal(mock, "lost", 0, oif);
    kernel_flip(mock, nexthop);
    assert_ptr_equal(kernel->rules[0].answer, nexthop);
}

static void test_a_lease_that_is_set_again(void **state)
{
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, NULL);
    kernel_peer_up(&mock, "a", "10.0.1.2:4000", REMOTE);
    for (uint64_t second = 0; second < 5000; second += 1000) {
        at(&mock, second);
        kernel.gone = "10.0.1.2";
        lost(&mock, &kernel, "oif=2", UP1);
        at(&mock, second + 20);
        kernel.gone = NULL;
        kernel_changed(&mock); /* the address is there, not yet the route */
        at(&mock, second + 40);
        kernel_flip(&mock, UP0);
    }
    at(&mock, 8000);
    assert_int_equal(mock.n_advice, 0);
    assert_int_equal(mock.causes, 0);
    assert_int_equal(mock.timer_us, 0);
    mock_stop(&mock);
}

static void test_a_lease_that_is_not(void **state)
{
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, NULL);
    kernel_peer_up(&mock, "a", "10.0.1.2:4000", REMOTE);
    lost(&mock, &kernel, "oif=2", UP1);
    at(&mock, 49);
    assert_int_equal(mock.n_advice, 0);
    at(&mock, 50);
    assert_int_equal(mock.n_advice, 1);
    assert_string_equal(mock.advice[0].reason,
                        "default route flip: up0 via 10.0.1.1 → up1 via 10.0.2.1");
    mock_stop(&mock);
}

/* One loss after the other: each is not waited for anew. */
static void test_losses_without_end(void **state)
{
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, NULL);
    kernel_peer_up(&mock, "a", NULL, REMOTE);
    for (uint64_t ms = 0; ms <= 50; ms += 5) {
        assert_int_equal(mock.n_advice, 0);
        at(&mock, ms);
        lost(&mock, &kernel, "oif=2", UP1);
    }
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

static void test_losses_that_do_not_count(void **state)
{
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, "settle=0");
    kernel_peer_up(&mock, "a", NULL, REMOTE);
    lost(&mock, &kernel, "oif=3", UP1); /* of another interface */
    assert_int_equal(mock.n_advice, 1);
    kernel_migrated(&mock, 0, NULL);
    mock_signal(&mock, "lost", 0, "oif=3");
    mock_signal(&mock, "down", 0, "oif=3"); /* its carrier is gone, too */
    kernel_flip(&mock, UP0);
    assert_int_equal(mock.n_advice, 2);
    mock_stop(&mock);
}

/* More interfaces than are remembered: one is not waited for, and nothing else happens. */
static void test_many_losses(void **state)
{
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, "settle=0");
    kernel_peer_up(&mock, "a", NULL, REMOTE);
    for (unsigned oif = 2; oif < 100; oif++) {
        char text[16];

        snprintf(text, sizeof(text), "oif=%u", oif);
        at(&mock, oif);
        mock_signal(&mock, "lost", 0, text);
    }
    kernel_flip(&mock, UP1);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

static void test_no_way_out_for_a_moment(void **state)
{
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, NULL);
    kernel_peer_up(&mock, "a", NULL, REMOTE);
    lost(&mock, &kernel, "oif=2", NO_NEXTHOP);
    at(&mock, 30);
    kernel_flip(&mock, UP0);
    at(&mock, 1000);
    assert_int_equal(mock.n_notices, 0);
    lost(&mock, &kernel, "oif=2", NO_NEXTHOP);
    at(&mock, 1049);
    assert_int_equal(mock.n_notices, 0);
    at(&mock, 1060);
    assert_int_equal(mock.n_notices, 1);
    assert_string_equal(mock.notices[0].text, "no route to 192.0.2.1 (ENETUNREACH), 1 peer: no "
                                              "move is advised until there is a route");
    mock_stop(&mock);
}

/* What others change meanwhile does not wait for it, and it does not wait for their window. */
static void test_beside_others(void **state)
{
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, "settle=10000000");
    kernel.rules[0] = (struct rule){"192.0.2.1", UP0};
    kernel.rules[1] = (struct rule){"", UP1};
    kernel_peer_up(&mock, "a", NULL, REMOTE);
    kernel_peer_up(&mock, "b", NULL, "198.51.100.1:443");
    mock_signal(&mock, "lost", 0, "oif=2");
    kernel.rules[0].answer = UP1;
    kernel.rules[1].answer = UP2;
    kernel_changed(&mock);
    assert_int_equal(mock.n_advice, 1);
    assert_int_equal(mock.advice[0].peer, 1);
    at(&mock, 50);
    assert_int_equal(mock.n_advice, 2);
    assert_int_equal(mock.advice[1].peer, 0);
    mock_stop(&mock);
}

static void test_tentative(void **state)
{
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, NULL);
    kernel.rules[0].answer = UP0_6;
    kernel_peer_up(&mock, "a", "[fd00:1::2]:4000", "[2001:db8::1]:443");
    kernel_flip(&mock, UP1_6 " provisional=1 elsewhere=1");
    at(&mock, 1500);
    assert_int_equal(mock.n_advice, 0);
    kernel_flip(&mock, UP1_6 " elsewhere=1"); /* it can be used */
    assert_int_equal(mock.n_advice, 1);
    kernel_migrated(&mock, 0, "[fd00:2::2]:4001");
    kernel_flip(&mock, UP1_6);
    at(&mock, 9000);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

/* It stays tentative, or is found twice: not waited for any longer; and asked again after all. */
static void test_tentative_for_too_long(void **state)
{
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, NULL);
    kernel.rules[0].answer = UP0_6;
    kernel_peer_up(&mock, "a", "[fd00:1::2]:4000", "[2001:db8::1]:443");
    kernel_peer_up(&mock, "b", NULL, "[2001:db8::1]:443");
    kernel_flip(&mock, UP1_6 " provisional=1 elsewhere=1");
    at(&mock, 2999);
    assert_int_equal(mock.n_advice, 0);
    at(&mock, 3000);
    assert_int_equal(mock.n_advice, 2);
    kernel_migrated(&mock, 0, NULL); /* with the source of the other interface */
    kernel_migrated(&mock, 1, "[fd00:2::9]:4000");
    kernel.rules[1] = (struct rule){"", UP1_6 " elsewhere=1"};
    kernel.rules[0] = (struct rule){"source=fd00:2::9", UP1_6};
    at(&mock, 6000);
    kernel_changed(&mock);
    assert_int_equal(mock.n_advice, 3); /* not where the new address is one of the interface */
    assert_int_equal(mock.advice[2].peer, 0);
    assert_string_equal(mock.advice[2].reason,
                        "an address of up1 can be used now, where there was none: up1 via fe80::2");
    at(&mock, 9000);
    kernel_changed(&mock);
    assert_int_equal(mock.n_advice, 3); /* once */
    mock_stop(&mock);
}

static void test_no_address_yet(void **state)
{
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, NULL);
    kernel.rules[0].answer = UP0_6;
    kernel_peer_up(&mock, "a", NULL, "[2001:db8::1]:443");
    kernel_flip(&mock, UP1_6 " provisional=2");
    at(&mock, 20); /* the prefix is told right behind the route */
    kernel_flip(&mock, UP1_6 " provisional=1");
    at(&mock, 1000);
    assert_int_equal(mock.n_advice, 0);
    kernel_flip(&mock, UP1_6);
    assert_int_equal(mock.n_advice, 1);
    kernel_migrated(&mock, 0, NULL);
    at(&mock, 3000);
    kernel_flip(&mock, UP0_6 " provisional=2"); /* or it is not */
    at(&mock, 3060);
    assert_int_equal(mock.n_advice, 2);
    mock_stop(&mock);
}

/* An IPv4 interface without an address is one on purpose. */
static void test_no_address_of_ipv4(void **state)
{
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, "settle=0");
    kernel_peer_up(&mock, "a", NULL, REMOTE);
    kernel_flip(&mock, UP1 " provisional=2");
    assert_int_equal(mock.n_advice, 1);
    kernel_flip(&mock, UP1);
    assert_int_equal(mock.n_advice, 2);
    mock_stop(&mock);
}

/* ---- bound to an interface ---- */

static uint32_t bound_up(struct mock *mock, struct kernel *kernel, const char *local)
{
    uint32_t peer;

    kernel->rules[0] = (struct rule){"interface=up1", UP1};
    kernel->rules[1] = (struct rule){"", UP0};
    peer = kernel_peer_up(mock, "a", local, REMOTE);
    mock->peers[peer].path.interface = "up1";
    mock_peer_change(mock, peer, PD_PEER_PATH); /* the node tells of it */
    kernel_answer_all(mock);
    return peer;
}

struct cut_case {
    const char *answer;
    const char *reason;
    bool unreachable;
};

static void test_bound_by_the_node(void **state)
{
    static const struct cut_case cases[] = {
        {"error=no-carrier", "interface up1 has no carrier, ", true},
        {"error=ENODEV", "interface up1 is gone, ", true},
        {"error=ENETUNREACH", "interface up1 has no route, ", false},
        {UP1 " provisional=2", "interface up1 has lost its address, ", false},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct mock mock;
        struct kernel kernel;
        char reason[256];

        kernel_begin(&mock, &kernel, "settle=0");
        bound_up(&mock, &kernel, "10.0.2.2:4000");
        kernel.rules[1].answer = UP2; /* the route of others */
        kernel_changed(&mock);
        assert_int_equal(mock.n_advice, 0);
        kernel.rules[0].answer = cases[i].answer;
        kernel_changed(&mock);
        assert_int_equal(mock.n_advice, 1);
        snprintf(reason, sizeof(reason),
                 "%sthe connection is bound to it: up1 via 10.0.2.1 → up2 via 10.0.3.1",
                 cases[i].reason);
        assert_string_equal(mock.advice[0].reason, reason);
        assert_non_null(strstr(mock.advice[0].evidence, "bound=up1"));
        assert_int_equal(!!strstr(mock.advice[0].evidence, "proof=unreachable"),
                         cases[i].unreachable);
        mock_stop(&mock);
    }
}

static void test_bound_from_the_start(void **state)
{
    struct mock mock;
    struct kernel kernel;
    uint32_t peer;

    kernel_begin(&mock, &kernel, "settle=0");
    kernel.rules[0] = (struct rule){"interface=up1", "error=no-carrier"};
    kernel.rules[1] = (struct rule){"", UP0};
    peer = kernel_peer_up(&mock, "a", "10.0.2.2:4000", REMOTE);
    mock.peers[peer].path.interface = "up1";
    mock_peer_change(&mock, peer, PD_PEER_TOLD);
    kernel_answer_all(&mock);
    assert_int_equal(mock.n_advice, 1);
    assert_string_equal(mock.advice[0].reason, "interface up1 has no carrier, the connection is "
                                               "bound to it: up1 → up0 via 10.0.1.1");
    mock_stop(&mock);
}

static void test_bound_and_a_lease_set_again(void **state)
{
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, NULL);
    bound_up(&mock, &kernel, "10.0.2.2:4000");
    mock_signal(&mock, "lost", 0, "oif=3");
    kernel.rules[0].answer = "error=ENETUNREACH";
    kernel_changed(&mock);
    at(&mock, 30);
    kernel.rules[0].answer = UP1;
    kernel_changed(&mock);
    at(&mock, 1000);
    assert_int_equal(mock.n_advice, 0);
    mock_signal(&mock, "lost", 0, "oif=3");
    kernel.rules[0].answer = "error=ENETUNREACH";
    kernel_changed(&mock);
    at(&mock, 1050);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

/* Another address is there: it stays on the interface, with a new source. */
static void test_bound_and_another_address(void **state)
{
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, "settle=0");
    bound_up(&mock, &kernel, "10.0.2.2:4000");
    kernel.gone = "10.0.2.2";
    kernel.rules[0].answer = "oif=3 ifname=up1 gateway=10.0.2.1 source=10.0.2.9";
    kernel_changed(&mock);
    assert_int_equal(mock.n_advice, 1);
    assert_string_equal(mock.advice[0].reason,
                        "source address 10.0.2.2 is gone: now 10.0.2.9 on up1 via 10.0.2.1");
    mock_stop(&mock);
}

/* ---- what is proven ---- */

struct proof_case {
    enum pd_role role;
    const char *local;   /* as told */
    const char *address; /* what the kernel says of it */
    const char *proof;   /* "": none */
};

/* The answers to what is asked now: of addresses this one, of next hops the other. */
static void answer_with(struct mock *mock, struct kernel *kernel, const char *address,
                        const char *nexthop)
{
    size_t count = kernel->n_pending;

    kernel->n_pending = 0;
    for (size_t i = 0; i < count; i++)
        mock_signal(mock, "answer", kernel->ids[i],
                    strncmp(kernel->queries[i], "address=", 8) ? nexthop : address);
}

static void test_what_is_proven(void **state)
{
    static const struct proof_case cases[] = {
        {PD_ROLE_CLIENT, "10.0.1.2:4000", "on_host=1 no_carrier=0", ""},
        {PD_ROLE_CLIENT, "10.0.1.2:4000", "on_host=0 no_carrier=0", "unreachable"},
        {PD_ROLE_SERVER, "10.0.1.2:4000", "on_host=0 no_carrier=0", "unreachable"},
        /* A client's packets may leave another way, and the peer follow them. */
        {PD_ROLE_CLIENT, "10.0.1.2:4000", "on_host=1 no_carrier=1", "no-carrier"},
        {PD_ROLE_SERVER, "10.0.1.2:4000", "on_host=1 no_carrier=1", "unreachable"},
        /* Which address it has is not known: another one than the kernel's may live. */
        {PD_ROLE_SERVER, NULL, "on_host=0 no_carrier=0", ""},
        {PD_ROLE_SERVER, "10.0.1.77:4000", "on_host=1 no_carrier=1", ""},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct proof_case proof = cases[i];
        struct mock mock;
        struct kernel kernel;
        char text[32];

        kernel_begin(&mock, &kernel, "settle=0");
        kernel_peer_up(&mock, "a", proof.local, REMOTE);
        mock.peers[0].peer.role = proof.role;
        mock_signal(&mock, "changed", 0, NULL);
        answer_with(&mock, &kernel, proof.address, UP1 " token=9");
        assert_int_equal(mock.n_advice, 1);
        snprintf(text, sizeof(text), "proof=%s", proof.proof);
        assert_int_equal(!!strstr(mock.advice[0].evidence, text), *proof.proof != '\0');
        assert_int_equal(!!strstr(mock.advice[0].evidence, "proof="), *proof.proof != '\0');
        mock_stop(&mock);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_lease_that_is_set_again),
        cmocka_unit_test(test_a_lease_that_is_not),
        cmocka_unit_test(test_losses_without_end),
        cmocka_unit_test(test_losses_that_do_not_count),
        cmocka_unit_test(test_many_losses),
        cmocka_unit_test(test_no_way_out_for_a_moment),
        cmocka_unit_test(test_beside_others),
        cmocka_unit_test(test_tentative),
        cmocka_unit_test(test_tentative_for_too_long),
        cmocka_unit_test(test_no_address_yet),
        cmocka_unit_test(test_no_address_of_ipv4),
        cmocka_unit_test(test_bound_by_the_node),
        cmocka_unit_test(test_bound_from_the_start),
        cmocka_unit_test(test_bound_and_a_lease_set_again),
        cmocka_unit_test(test_bound_and_another_address),
        cmocka_unit_test(test_what_is_proven),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
