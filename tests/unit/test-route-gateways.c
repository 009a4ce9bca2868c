/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plugins/route/gateways.c: which gateways are watched, and which of them are known to fail.
 */
#include "check.h"

#include "../../plugins/route/source.h"

#include "util/util.h"

#include <errno.h>

/* The nth gateway of an interface, or a neighbour of that address. */
static struct netlink_nexthop nexthop(uint32_t oif, uint32_t nth)
{
    return (struct netlink_nexthop){
        .oif = oif, .gateway_family = 4, .gateway = {10, (uint8_t)(nth >> 8), (uint8_t)nth, 1}};
}

static struct netlink_event event(uint32_t oif, uint32_t nth)
{
    struct netlink_nexthop gateway = nexthop(oif, nth);
    struct netlink_event event = {.kind = NETLINK_NEIGHBOUR, .index = oif, .family = 4};

    memcpy(event.address, gateway.gateway, sizeof(event.address));
    return event;
}

static bool fails(struct gateways *gateways, uint32_t oif, uint32_t nth)
{
    struct netlink_event failed = event(oif, nth);

    failed.failed = true;
    return gateways_take(gateways, &failed);
}

static bool answers(struct gateways *gateways, uint32_t oif, uint32_t nth)
{
    struct netlink_event resolved = event(oif, nth);

    resolved.resolved = true;
    return gateways_take(gateways, &resolved);
}

static void watch(struct gateways *gateways, uint32_t oif, uint32_t nth)
{
    struct netlink_nexthop gateway = nexthop(oif, nth);

    gateways_watch(gateways, &gateway);
}

static void test_only_those_that_are_named(void **state)
{
    struct gateways gateways = {0};
    struct netlink_nexthop none = nexthop(2, 1), error = nexthop(2, 1);

    none.gateway_family = 0;
    error.error = -ENETUNREACH;
    gateways_watch(&gateways, &none);
    gateways_watch(&gateways, &error);
    assert_int_equal(gateways.count, 0);
    assert_false(gateways.differs);
    watch(&gateways, 2, 1);
    assert_true(gateways.differs);
    gateways.differs = false;
    watch(&gateways, 2, 1);
    assert_false(gateways.differs);
    assert_int_equal(gateways.count, 1);
    assert_false(fails(&gateways, 2, 2)); /* another address */
    assert_false(fails(&gateways, 3, 1)); /* another interface */
    assert_true(fails(&gateways, 2, 1));
}

static void test_what_it_says(void **state)
{
    struct gateways gateways = {0};
    struct netlink_event asked = event(2, 1), removed = event(2, 1);

    removed.removed = true;
    watch(&gateways, 2, 1);
    assert_false(answers(&gateways, 2, 1)); /* it did before */
    assert_true(fails(&gateways, 2, 1));
    assert_false(fails(&gateways, 2, 1));
    assert_false(gateways_take(&gateways, &asked)); /* no answer yet */
    assert_true(answers(&gateways, 2, 1));
    assert_false(gateways_take(&gateways, &removed));
    assert_true(fails(&gateways, 2, 1));
    assert_true(gateways_take(&gateways, &removed)); /* nothing is known of it any more */
    assert_false(gateways_forget(&gateways));
    assert_true(fails(&gateways, 2, 1));
    assert_true(gateways_forget(&gateways));
    assert_true(fails(&gateways, 2, 1));
}

/* The one that no answer has named for the longest time makes room; none that fails does. */
static void test_more_than_there_is_room_for(void **state)
{
    struct gateways gateways = {0};

    for (uint32_t i = 0; i < NEIGHBOURS_MAX; i++)
        watch(&gateways, 2, i);
    watch(&gateways, 2, 0);
    assert_true(fails(&gateways, 2, 1));
    gateways.differs = false;
    watch(&gateways, 2, 1000);
    assert_true(gateways.differs);
    assert_int_equal(gateways.count, NEIGHBOURS_MAX);
    assert_true(fails(&gateways, 2, 1000));
    assert_true(fails(&gateways, 2, 0));
    assert_true(answers(&gateways, 2, 1));
    assert_false(fails(&gateways, 2, 2));
    assert_true(fails(&gateways, 2, 1));
    for (uint32_t i = 3; i < NEIGHBOURS_MAX; i++)
        assert_true(fails(&gateways, 2, i));
    gateways.differs = false;
    watch(&gateways, 2, 1001); /* all fail */
    assert_false(gateways.differs);
    assert_false(fails(&gateways, 2, 1001));
    assert_true(answers(&gateways, 2, 3));
    watch(&gateways, 2, 1001);
    assert_true(fails(&gateways, 2, 1001));
}

static void test_families(void **state)
{
    struct gateways gateways = {0};
    struct netlink_nexthop six = {.oif = 2, .gateway_family = 6, .gateway = {10, 0, 1, 1}};
    struct netlink_event failed = event(2, 1);

    gateways_watch(&gateways, &six);
    failed.failed = true;
    assert_false(gateways_take(&gateways, &failed));
    failed.family = 6;
    assert_true(gateways_take(&gateways, &failed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_those_that_are_named),
        cmocka_unit_test(test_what_it_says),
        cmocka_unit_test(test_more_than_there_is_room_for),
        cmocka_unit_test(test_families),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
