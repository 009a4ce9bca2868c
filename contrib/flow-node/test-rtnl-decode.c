/* SPDX-License-Identifier: Apache-2.0 */
#include "rtnl-decode.h"

#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "util/util.h"

static _Alignas(NLMSG_ALIGNTO) uint8_t buffer[1024];

static void *begin(uint16_t type, size_t header, struct nlmsghdr **ret)
{
    memset(buffer, 0, sizeof(buffer));
    *ret = mnl_nlmsg_put_header(buffer);
    (*ret)->nlmsg_type = type;
    return mnl_nlmsg_put_extra_header(*ret, header);
}

static void test_link(void **state)
{
    struct nlmsghdr *message;
    static const struct {
        const char *kind;
        bool with_end, tunnel;
    } kinds[] = {{"wireguard", true, true}, {"wireguard", false, true}, {"tun", true, true},
                 {"veth", true, false},     {"tu", true, false},        {"tunnel", true, false},
                 {"", false, false}};
    struct ifinfomsg *link = begin(RTM_NEWLINK, sizeof(*link), &message);
    struct rtnl_event event;

    link->ifi_index = 7;
    link->ifi_flags = IFF_UP;
    rtnl_decode(message, &event);
    assert_int_equal(event.kind, RTNL_OTHER); /* no name */
    mnl_attr_put_strz(message, IFLA_IFNAME, "a-name-that-is-far-too-long");
    rtnl_decode(message, &event);
    assert_int_equal(event.kind, RTNL_LINK);
    assert_string_equal(event.name, "a-name-that-is-");
    assert_false(event.up);
    link->ifi_flags |= IFF_RUNNING;
    rtnl_decode(message, &event);
    assert_true(event.up);
    assert_false(event.tunnel);
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        uint32_t length = message->nlmsg_len;
        struct nlattr *info = mnl_attr_nest_start(message, IFLA_LINKINFO);

        mnl_attr_put(message, IFLA_INFO_KIND, strlen(kinds[i].kind) + kinds[i].with_end,
                     kinds[i].kind);
        mnl_attr_nest_end(message, info);
        rtnl_decode(message, &event);
        assert_int_equal(event.tunnel, kinds[i].tunnel);
        message->nlmsg_len = length;
    }
    link->ifi_family = AF_BRIDGE;
    rtnl_decode(message, &event);
    assert_int_equal(event.kind, RTNL_OTHER);
}

static void test_address(void **state)
{
    const uint8_t far[4] = {192, 0, 2, 9}, own[4] = {192, 0, 2, 1};
    struct nlmsghdr *message;
    struct ifaddrmsg *address = begin(RTM_DELADDR, sizeof(*address), &message);
    struct rtnl_event event;

    address->ifa_family = AF_INET;
    address->ifa_index = 3;
    mnl_attr_put(message, IFA_ADDRESS, 4, far);
    rtnl_decode(message, &event);
    assert_int_equal(event.kind, RTNL_ADDRESS);
    assert_true(event.removed);
    assert_memory_equal(event.address, far, 4);
    mnl_attr_put(message, IFA_LOCAL, 4, own);
    rtnl_decode(message, &event);
    assert_memory_equal(event.address, own, 4);
    assert_true(event.usable);
    address->ifa_flags = IFA_F_TENTATIVE;
    rtnl_decode(message, &event);
    assert_false(event.usable);
    mnl_attr_put_u32(message, IFA_FLAGS, IFA_F_PERMANENT); /* it stands for the byte */
    rtnl_decode(message, &event);
    assert_true(event.usable);
    address->ifa_scope = RT_SCOPE_LINK;
    rtnl_decode(message, &event);
    assert_false(event.usable);
    address->ifa_family = AF_INET6; /* its four bytes are no address */
    rtnl_decode(message, &event);
    assert_int_equal(event.kind, RTNL_OTHER);
}

static void hop_put(struct nlmsghdr *message, int index, uint8_t flags, uint16_t type, size_t size,
                    const void *gateway)
{
    struct rtnexthop *hop = mnl_nlmsg_get_payload_tail(message);

    *hop = (struct rtnexthop){.rtnh_flags = flags, .rtnh_ifindex = index};
    message->nlmsg_len += sizeof(*hop);
    mnl_attr_put(message, type, size, gateway);
    hop->rtnh_len = (uint16_t)((uint8_t *)mnl_nlmsg_get_payload_tail(message) - (uint8_t *)hop);
}

static void test_route(void **state)
{
    const uint8_t gateway[4] = {192, 0, 2, 9};
    uint8_t via[18] = {AF_INET6, 0, 0xfe, 0x80, [17] = 9};
    struct nlmsghdr *message;
    struct rtmsg *route = begin(RTM_NEWROUTE, sizeof(*route), &message);
    struct rtnl_event event;
    struct nlattr *nest;
    uint32_t whole;

    route->rtm_family = AF_INET;
    route->rtm_type = RTN_UNICAST;
    route->rtm_table = RT_TABLE_COMPAT;
    mnl_attr_put_u32(message, RTA_TABLE, 7001);
    mnl_attr_put_u32(message, RTA_PRIORITY, 100);
    whole = message->nlmsg_len;
    mnl_attr_put_u32(message, RTA_OIF, 4);
    mnl_attr_put(message, RTA_GATEWAY, 4, gateway);
    rtnl_decode(message, &event);
    assert_int_equal(event.kind, RTNL_ROUTE);
    assert_true(event.is_default);
    assert_int_equal(event.table, 7001);
    assert_int_equal(event.metric, 100);
    assert_int_equal(event.n_hops, 1);
    assert_int_equal(event.hops[0].index, 4);
    assert_int_equal(event.hops[0].gateway_family, 4);
    assert_memory_equal(event.hops[0].gateway, gateway, 4);
    route->rtm_flags = RTNH_F_DEAD;
    rtnl_decode(message, &event);
    assert_int_equal(event.n_hops, 0);
    route->rtm_flags = 0;

    message->nlmsg_len = whole;
    nest = mnl_attr_nest_start(message, RTA_MULTIPATH);
    hop_put(message, 4, 0, RTA_GATEWAY, 4, gateway);
    hop_put(message, 5, RTNH_F_DEAD, RTA_GATEWAY, 4, gateway);
    hop_put(message, 6, 0, RTA_VIA, sizeof(via), via);
    hop_put(message, 7, 0, RTA_VIA, 5, via); /* cut: a hop without gateway */
    mnl_attr_nest_end(message, nest);
    rtnl_decode(message, &event);
    assert_int_equal(event.n_hops, 3);
    assert_int_equal(event.hops[1].index, 6);
    assert_int_equal(event.hops[1].gateway_family, 6);
    assert_memory_equal(event.hops[1].gateway, via + 2, 16);
    assert_int_equal(event.hops[2].gateway_family, 0);

    /* As many next hops as there is room for. */
    message->nlmsg_len = whole;
    nest = mnl_attr_nest_start(message, RTA_MULTIPATH);
    for (int i = 1; i <= 30; i++)
        hop_put(message, i, 0, RTA_GATEWAY, 4, gateway);
    mnl_attr_nest_end(message, nest);
    rtnl_decode(message, &event);
    assert_int_equal(event.n_hops, RTNL_HOPS_MAX);

    route->rtm_dst_len = 8;
    rtnl_decode(message, &event);
    assert_false(event.is_default);
    route->rtm_dst_len = 0;
    route->rtm_type = RTN_BLACKHOLE;
    rtnl_decode(message, &event);
    assert_false(event.is_default);
    route->rtm_flags = RTM_F_CLONED;
    rtnl_decode(message, &event);
    assert_int_equal(event.kind, RTNL_OTHER);
}

/* A route by a nexthop object, as the kernel tells it with and without its places. */
static void test_route_by_object(void **state)
{
    struct nlmsghdr *message;
    struct rtmsg *route = begin(RTM_NEWROUTE, sizeof(*route), &message);
    struct rtnl_event event;

    (void)state;
    route->rtm_family = AF_INET;
    route->rtm_type = RTN_UNICAST;
    mnl_attr_put_u32(message, RTA_NH_ID, 7);
    rtnl_decode(message, &event);
    assert_int_equal(event.kind, RTNL_ROUTE);
    assert_true(event.is_default);
    assert_true(event.by_object);
    assert_int_equal(event.n_hops, 0);
    mnl_attr_put_u32(message, RTA_OIF, 4);
    rtnl_decode(message, &event);
    assert_false(event.by_object);
    assert_int_equal(event.n_hops, 1);
}

static void test_rule(void **state)
{
    struct nlmsghdr *message;
    struct fib_rule_hdr *rule = begin(RTM_NEWRULE, sizeof(*rule), &message);
    struct rtnl_event event;

    rule->family = AF_INET6;
    rule->flags = FIB_RULE_INVERT;
    rule->table = RT_TABLE_MAIN;
    rtnl_decode(message, &event);
    assert_int_equal(event.kind, RTNL_RULE);
    assert_int_equal(event.family, 6);
    assert_int_equal(event.table, RT_TABLE_MAIN);
    assert_int_equal(event.suppress, -1);
    assert_int_equal(event.mask, 0);
    assert_true(event.inverted);
    mnl_attr_put_u32(message, FRA_FWMARK, 5);
    rtnl_decode(message, &event);
    assert_int_equal(event.mask, UINT32_MAX);
    mnl_attr_put_u32(message, FRA_FWMASK, 0xff);
    mnl_attr_put_u32(message, FRA_SUPPRESS_PREFIXLEN, 0);
    mnl_attr_put_u8(message, FRA_PROTOCOL, 177);
    rtnl_decode(message, &event);
    assert_int_equal(event.mask, 0xff);
    assert_int_equal(event.suppress, 0);
    assert_int_equal(event.protocol, 177);
    /* Cut in its header it is nothing. */
    message->nlmsg_len = NLMSG_HDRLEN + sizeof(*rule) - 1;
    rtnl_decode(message, &event);
    assert_int_equal(event.kind, RTNL_OTHER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_link), cmocka_unit_test(test_address), cmocka_unit_test(test_route),
        cmocka_unit_test(test_route_by_object), cmocka_unit_test(test_rule)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
