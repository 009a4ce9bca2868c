/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of rules.c as rtnetlink requests. */
#include "rules.h"

#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

static uint8_t family_of(uint8_t family)
{
    return family == 4 ? AF_INET : AF_INET6;
}

static size_t address_size(uint8_t family)
{
    return family == 4 ? 4 : 16;
}

static void route_write(struct nlmsghdr *message, const struct rules_step *step)
{
    struct rtmsg *route = mnl_nlmsg_put_extra_header(message, sizeof(*route));
    const struct rtnl_hop *hop = &step->hop;

    route->rtm_family = family_of(step->family);
    route->rtm_protocol = step->settings->protocol;
    route->rtm_type = RTN_UNICAST;
    route->rtm_scope = hop->gateway_family || step->family == 6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
    if (step->kind == STEP_ROUTE_DELETE)
        route->rtm_scope = RT_SCOPE_NOWHERE;
    mnl_attr_put_u32(message, RTA_TABLE, step->table);
    mnl_attr_put_u32(message, RTA_OIF, hop->index);
    if (step->metric)
        mnl_attr_put_u32(message, RTA_PRIORITY, step->metric);
    if (!hop->gateway_family)
        return;
    /* Its own table does not know the gateway's link; the default route of main says that it is
     * reached there. */
    if (step->kind == STEP_ROUTE_ADD)
        route->rtm_flags = RTNH_F_ONLINK;
    if (hop->gateway_family == step->family) {
        mnl_attr_put(message, RTA_GATEWAY, address_size(step->family), hop->gateway);
    } else {
        struct {
            uint16_t family;
            uint8_t bytes[16];
        } via = {family_of(hop->gateway_family), {0}};

        memcpy(via.bytes, hop->gateway, sizeof(via.bytes));
        mnl_attr_put(message, RTA_VIA, sizeof(via.family) + address_size(hop->gateway_family),
                     &via);
    }
}

static void rule_write(struct nlmsghdr *message, const struct rules_step *step)
{
    struct fib_rule_hdr *rule = mnl_nlmsg_put_extra_header(message, sizeof(*rule));

    rule->family = family_of(step->family);
    rule->action = FR_ACT_TO_TBL;
    rule->flags = step->specific_first ? FIB_RULE_INVERT : 0;
    mnl_attr_put_u32(message, FRA_PRIORITY, step->priority);
    mnl_attr_put_u32(message, FRA_TABLE, step->table);
    mnl_attr_put_u32(message, FRA_FWMARK, step->mark);
    mnl_attr_put_u32(message, FRA_FWMASK, step->mask);
    mnl_attr_put_u8(message, FRA_PROTOCOL, step->settings->protocol);
    if (step->specific_first)
        mnl_attr_put_u32(message, FRA_SUPPRESS_PREFIXLEN, 0);
}

struct nlmsghdr *rules_request(const struct rules_step *step, void *buffer)
{
    static const uint16_t types[] = {[STEP_ROUTE_ADD] = RTM_NEWROUTE,
                                     [STEP_RULE_ADD] = RTM_NEWRULE,
                                     [STEP_RULE_DELETE] = RTM_DELRULE,
                                     [STEP_ROUTE_DELETE] = RTM_DELROUTE};
    struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);

    message->nlmsg_type = types[step->kind];
    message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    if (step->kind == STEP_ROUTE_ADD)
        message->nlmsg_flags |= NLM_F_CREATE | NLM_F_REPLACE;
    if (step->kind == STEP_RULE_ADD)
        message->nlmsg_flags |= NLM_F_CREATE | NLM_F_EXCL;
    if (step->kind == STEP_ROUTE_ADD || step->kind == STEP_ROUTE_DELETE)
        route_write(message, step);
    else
        rule_write(message, step);
    return message;
}
