/* SPDX-License-Identifier: Apache-2.0 */
#include "uplinks.h"

#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void link_take(struct uplinks *uplinks, const char *name, uint32_t index, bool up)
{
    struct rtnl_event event = {.kind = RTNL_LINK, .index = index, .up = up};

    strcpy(event.name, name);
    uplinks_take(uplinks, &event);
}

static void address_take(struct uplinks *uplinks, uint32_t index, uint8_t family, uint8_t last,
                         bool usable)
{
    struct rtnl_event event = {
        .kind = RTNL_ADDRESS, .index = index, .family = family, .usable = usable};

    event.address[0] = 10;
    event.address[3] = last;
    uplinks_take(uplinks, &event);
}

static struct rtnl_event route(uint32_t index, uint8_t family, uint32_t table, uint32_t metric)
{
    struct rtnl_event event = {.kind = RTNL_ROUTE,
                               .family = family,
                               .table = table,
                               .metric = metric,
                               .is_default = true,
                               .n_hops = 1};

    event.hops[0] = (struct rtnl_hop){.index = index, .gateway_family = family, .gateway = {1}};
    return event;
}

static void route_take(struct uplinks *uplinks, uint32_t index, uint8_t family, uint32_t table,
                       uint32_t metric)
{
    struct rtnl_event event = route(index, family, table, metric);

    uplinks_take(uplinks, &event);
}

static void host_take(struct uplinks *uplinks)
{
    struct rtnl_event multipath = route(1, 6, RT_TABLE_MAIN, 1024), ours = route(5, 4, 7005, 0);

    ours.protocol = 177;
    multipath.n_hops = 2;
    multipath.hops[1] = (struct rtnl_hop){.index = 2};
    uplinks_begin(uplinks);
    link_take(uplinks, "wan1", 1, true);
    link_take(uplinks, "wan2", 2, true);
    link_take(uplinks, "down", 3, false);
    link_take(uplinks, "bare", 4, true);
    link_take(uplinks, "side", 5, true);
    address_take(uplinks, 1, 4, 8, false);
    address_take(uplinks, 1, 4, 9, true);
    address_take(uplinks, 1, 4, 10, true);
    address_take(uplinks, 1, 6, 9, true);
    address_take(uplinks, 2, 4, 20, true);
    address_take(uplinks, 2, 6, 20, true);
    address_take(uplinks, 3, 4, 30, true);
    address_take(uplinks, 4, 4, 40, false);
    address_take(uplinks, 5, 4, 50, true);
    route_take(uplinks, 2, 4, RT_TABLE_MAIN, 300);
    route_take(uplinks, 2, 4, RT_TABLE_MAIN, 200);
    route_take(uplinks, 1, 4, RT_TABLE_MAIN, 100);
    route_take(uplinks, 3, 4, RT_TABLE_MAIN, 0);
    route_take(uplinks, 4, 4, RT_TABLE_MAIN, 0);
    route_take(uplinks, 5, 4, 100, 0);
    route_take(uplinks, 1, 4, 100, 7);
    uplinks_take(uplinks, &multipath);
    uplinks_take(uplinks, &ours);
    uplinks_end(uplinks);
}

static void test_list(void **state)
{
    struct uplinks *uplinks = uplinks_new(NULL, 0, 177);
    const uint8_t other[16] = {10, 0, 0, 10}, nobody[16] = {10, 0, 0, 11};
    const struct uplink *list;
    size_t n;

    for (unsigned round = 0; round < 2; round++) { /* another dump stands in for the first */
        host_take(uplinks);
        list = uplinks_list(uplinks, &n);
        assert_int_equal(n, 4);
        assert_string_equal(list[0].name, "wan1");
        assert_int_equal(list[0].family, 4);
        assert_int_equal(list[0].metric, 100);
        assert_int_equal(list[0].address[3], 9);
        assert_int_equal(list[1].family, 6);
        assert_string_equal(list[2].name, "wan2");
        assert_int_equal(list[2].metric, 200);
        assert_int_equal(list[3].gateway_family, 0); /* the second next hop */
    }
    assert_ptr_equal(uplinks_find(uplinks, "wan2", 4), &list[2]);
    assert_null(uplinks_find(uplinks, "side", 4));
    assert_null(uplinks_find(uplinks, "wan3", 4));
    assert_true(uplinks_is_on(uplinks, 1, 4, other));
    assert_false(uplinks_is_on(uplinks, 2, 4, other));
    assert_true(uplinks_is_local(uplinks, 4, other));
    assert_false(uplinks_is_local(uplinks, 6, other));
    assert_false(uplinks_is_local(uplinks, 4, nobody));
    assert_string_equal(uplinks_name(uplinks, 5), "side");
    assert_null(uplinks_name(uplinks, 6));
    assert_true(uplink_is_equal(&list[0], &list[0]));
    assert_false(uplink_is_equal(&list[0], &list[1]));
    uplinks_free(uplinks);
}

/* A VPN's default route makes it no uplink, unless somebody names it. */
static void test_vpn(void **state)
{
    const char *const names[] = {"wg0", "wan1"};

    for (size_t n_names = 0; n_names <= 2; n_names += 2) {
        struct uplinks *uplinks = uplinks_new(names, n_names, 177);
        struct rtnl_event vpn = {
            .kind = RTNL_LINK, .name = "wg0", .index = 9, .up = true, .tunnel = true};

        uplinks_begin(uplinks);
        uplinks_take(uplinks, &vpn);
        link_take(uplinks, "wan1", 1, true);
        address_take(uplinks, 9, 4, 90, true);
        address_take(uplinks, 1, 4, 10, true);
        route_take(uplinks, 9, 4, RT_TABLE_MAIN, 50);
        route_take(uplinks, 1, 4, RT_TABLE_MAIN, 100);
        uplinks_end(uplinks);
        assert_non_null(uplinks_find(uplinks, "wan1", 4));
        assert_int_equal(!!uplinks_find(uplinks, "wg0", 4), n_names == 2);
        uplinks_free(uplinks);
    }
}

/* Named ones may have their default route in another table, but not in ours. */
static void test_named(void **state)
{
    const char *const names[] = {"side", "wan1"};
    struct uplinks *uplinks = uplinks_new(names, 2, 177);
    const struct uplink *list;
    size_t n;

    host_take(uplinks);
    list = uplinks_list(uplinks, &n);
    assert_int_equal(n, 3);
    assert_string_equal(list[0].name, "side");
    assert_string_equal(list[1].name, "wan1");
    assert_int_equal(list[1].metric, 100); /* of table main, though the other is less */
    uplinks_free(uplinks);
}

static void test_concerned(void **state)
{
    const char *const names[] = {"later"};
    struct uplinks *all = uplinks_new(NULL, 0, 177), *named = uplinks_new(names, 1, 177);
    struct rtnl_event event = route(9, 4, RT_TABLE_MAIN, 0);

    host_take(all);
    assert_true(uplinks_concerned(all, &event));
    event.table = 100;
    assert_false(uplinks_concerned(all, &event));
    assert_true(uplinks_concerned(named, &event));
    event.protocol = 177;
    assert_false(uplinks_concerned(named, &event));
    event = route(9, 4, RT_TABLE_MAIN, 0);
    event.is_default = false;
    assert_false(uplinks_concerned(all, &event));
    event = (struct rtnl_event){.kind = RTNL_LINK, .index = 3};
    assert_true(uplinks_concerned(all, &event)); /* a default route over it is known */
    event.index = 77;
    strcpy(event.name, "later");
    assert_false(uplinks_concerned(all, &event));
    assert_true(uplinks_concerned(named, &event));
    event.kind = RTNL_ADDRESS;
    assert_true(uplinks_concerned(all, &event));
    event.kind = RTNL_RULE;
    assert_false(uplinks_concerned(all, &event));
    uplinks_free(all);
    uplinks_free(named);
}

/* Until the next dump. */
static void test_hidden(void **state)
{
    struct uplinks *uplinks = uplinks_new(NULL, 0, 177);
    struct rtnl_event event = route(1, 4, RT_TABLE_MAIN, 100);

    (void)state;
    host_take(uplinks);
    uplinks_end(uplinks);
    assert_false(uplinks_hidden(uplinks));
    event.n_hops = 0;
    event.by_object = true;
    uplinks_take(uplinks, &event);
    uplinks_end(uplinks);
    assert_true(uplinks_hidden(uplinks));
    uplinks_begin(uplinks);
    event.table = 100;
    uplinks_take(uplinks, &event);
    assert_false(uplinks_hidden(uplinks));
    uplinks_free(uplinks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_list), cmocka_unit_test(test_vpn),
                                       cmocka_unit_test(test_named), cmocka_unit_test(test_hidden),
                                       cmocka_unit_test(test_concerned)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
