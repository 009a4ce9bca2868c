/* SPDX-License-Identifier: Apache-2.0 */
#include "rtnl-decode.h"

#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "util/util.h"

static uint8_t family_number(unsigned family)
{
    return family == AF_INET ? 4 : family == AF_INET6 ? 6 : 0;
}

static size_t address_size(uint8_t family)
{
    return family == 4 ? 4 : 16;
}

/* Of one level: the attributes by their type, NULL where there is none. */
static void attributes_sort(const struct nlattr *first, size_t size, const struct nlattr **ret,
                            size_t count)
{
    const struct nlattr *attr; /* the name that the macro below has for it */

    memset(ret, 0, count * sizeof(void *));
    mnl_attr_for_each_payload((const void *)first, size)
    {
        if (mnl_attr_get_type(attr) < count)
            ret[mnl_attr_get_type(attr)] = attr;
    }
}

static void message_attributes(const struct nlmsghdr *message, size_t header,
                               const struct nlattr **ret, size_t count)
{
    size_t payload = mnl_nlmsg_get_payload_len(message), offset = MNL_ALIGN(header);

    attributes_sort((const void *)((const uint8_t *)mnl_nlmsg_get_payload(message) + offset),
                    payload > offset ? payload - offset : 0, ret, count);
}

static uint32_t attribute_u32(const struct nlattr *attribute, uint32_t otherwise)
{
    uint32_t value;

    if (!attribute || mnl_attr_get_payload_len(attribute) < sizeof(value))
        return otherwise;
    memcpy(&value, mnl_attr_get_payload(attribute), sizeof(value));
    return value;
}

static uint8_t attribute_u8(const struct nlattr *attribute, uint8_t otherwise)
{
    if (!attribute || mnl_attr_get_payload_len(attribute) < 1)
        return otherwise;
    return *(const uint8_t *)mnl_attr_get_payload(attribute);
}

static bool attribute_address(const struct nlattr *attribute, uint8_t family, uint8_t ret[16])
{
    if (!attribute || mnl_attr_get_payload_len(attribute) < address_size(family))
        return false;
    memcpy(ret, mnl_attr_get_payload(attribute), address_size(family));
    return true;
}

/* What is sent there leaves this host inside of a VPN's packets. */
static bool kind_is_tunnel(const struct nlattr *info)
{
    static const char *const kinds[] = {"wireguard", "amneziawg", "tun", "ovpn",
                                        "ovpn-dco",  "xfrm",      "vti", "vti6"};
    const struct nlattr *attributes[IFLA_INFO_KIND + 1];
    const char *kind;
    size_t size;

    if (!info)
        return false;
    attributes_sort(mnl_attr_get_payload(info), mnl_attr_get_payload_len(info), attributes,
                    ARRAY_SIZE(attributes));
    if (!attributes[IFLA_INFO_KIND])
        return false;
    kind = mnl_attr_get_payload(attributes[IFLA_INFO_KIND]);
    size = strnlen(kind, mnl_attr_get_payload_len(attributes[IFLA_INFO_KIND]));
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (strlen(kinds[i]) == size && !memcmp(kinds[i], kind, size))
            return true;
    return false;
}

static void link_decode(const struct nlmsghdr *message, struct rtnl_event *ret)
{
    const struct nlattr *attributes[IFLA_LINKINFO + 1];
    struct ifinfomsg link;
    size_t size;

    memcpy(&link, mnl_nlmsg_get_payload(message), sizeof(link));
    message_attributes(message, sizeof(link), attributes, ARRAY_SIZE(attributes));
    if (link.ifi_family != AF_UNSPEC || !attributes[IFLA_IFNAME])
        return; /* news of a bridge's port are not of the link */
    size = mnl_attr_get_payload_len(attributes[IFLA_IFNAME]);
    size = size < IFNAMSIZ ? size : IFNAMSIZ - 1;
    memcpy(ret->name, mnl_attr_get_payload(attributes[IFLA_IFNAME]), size);
    ret->index = (uint32_t)link.ifi_index;
    ret->up = (link.ifi_flags & IFF_UP) && (link.ifi_flags & IFF_RUNNING);
    ret->tunnel = kind_is_tunnel(attributes[IFLA_LINKINFO]);
    ret->kind = RTNL_LINK;
}

static void address_decode(const struct nlmsghdr *message, struct rtnl_event *ret)
{
    const struct nlattr *attributes[IFA_FLAGS + 1];
    struct ifaddrmsg address;
    uint32_t flags;

    memcpy(&address, mnl_nlmsg_get_payload(message), sizeof(address));
    message_attributes(message, sizeof(address), attributes, ARRAY_SIZE(attributes));
    ret->family = family_number(address.ifa_family);
    /* On a point-to-point link IFA_ADDRESS is the far end, and IFA_LOCAL is ours. */
    if (!ret->family || (!attribute_address(attributes[IFA_LOCAL], ret->family, ret->address) &&
                         !attribute_address(attributes[IFA_ADDRESS], ret->family, ret->address)))
        return;
    flags = attribute_u32(attributes[IFA_FLAGS], address.ifa_flags);
    ret->index = address.ifa_index;
    ret->usable =
        address.ifa_scope == RT_SCOPE_UNIVERSE && !(flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED));
    ret->kind = RTNL_ADDRESS;
}

/* RTA_VIA: a gateway of the other family. */
static void via_decode(const struct nlattr *via, struct rtnl_hop *hop)
{
    struct rtvia head;
    size_t size = mnl_attr_get_payload_len(via);
    uint8_t family;

    if (size < sizeof(head))
        return;
    memcpy(&head, mnl_attr_get_payload(via), sizeof(head));
    family = family_number(head.rtvia_family);
    if (!family || size < sizeof(head) + address_size(family))
        return;
    hop->gateway_family = family;
    memcpy(hop->gateway, (const uint8_t *)mnl_attr_get_payload(via) + sizeof(head),
           address_size(family));
}

static void hop_decode(struct rtnl_event *ret, uint32_t index, const struct nlattr *const *given)
{
    struct rtnl_hop *hop;

    if (!index || ret->n_hops == RTNL_HOPS_MAX)
        return;
    hop = &ret->hops[ret->n_hops++];
    hop->index = index;
    if (attribute_address(given[RTA_GATEWAY], ret->family, hop->gateway))
        hop->gateway_family = ret->family;
    else if (given[RTA_VIA])
        via_decode(given[RTA_VIA], hop);
}

static void multipath_decode(const struct nlattr *multipath, struct rtnl_event *ret)
{
    const uint8_t *at = mnl_attr_get_payload(multipath);
    size_t left = mnl_attr_get_payload_len(multipath);
    const struct nlattr *attributes[RTA_VIA + 1];
    struct rtnexthop hop;

    while (left >= sizeof(hop)) {
        memcpy(&hop, at, sizeof(hop));
        if (hop.rtnh_len < sizeof(hop) || hop.rtnh_len > left)
            return;
        attributes_sort((const void *)(at + sizeof(hop)), hop.rtnh_len - sizeof(hop), attributes,
                        ARRAY_SIZE(attributes));
        if (!(hop.rtnh_flags & RTNH_F_DEAD))
            hop_decode(ret, (uint32_t)hop.rtnh_ifindex, attributes);
        if ((size_t)MNL_ALIGN(hop.rtnh_len) >= left)
            return;
        at += MNL_ALIGN(hop.rtnh_len);
        left -= MNL_ALIGN(hop.rtnh_len);
    }
}

static void route_decode(const struct nlmsghdr *message, struct rtnl_event *ret)
{
    const struct nlattr *attributes[RTA_NH_ID + 1];
    struct rtmsg route;

    _Static_assert(RTA_NH_ID > RTA_TABLE && RTA_NH_ID > RTA_MULTIPATH && RTA_NH_ID > RTA_VIA,
                   "order");
    memcpy(&route, mnl_nlmsg_get_payload(message), sizeof(route));
    message_attributes(message, sizeof(route), attributes, ARRAY_SIZE(attributes));
    ret->family = family_number(route.rtm_family);
    if (!ret->family || (route.rtm_flags & RTM_F_CLONED))
        return;
    ret->protocol = route.rtm_protocol;
    ret->table = attribute_u32(attributes[RTA_TABLE], route.rtm_table);
    ret->metric = attribute_u32(attributes[RTA_PRIORITY], 0);
    ret->is_default = !route.rtm_dst_len && !route.rtm_src_len && route.rtm_type == RTN_UNICAST;
    if (attributes[RTA_MULTIPATH])
        multipath_decode(attributes[RTA_MULTIPATH], ret);
    else if (!(route.rtm_flags & RTNH_F_DEAD))
        hop_decode(ret, attribute_u32(attributes[RTA_OIF], 0), attributes);
    ret->by_object = attributes[RTA_NH_ID] && !attributes[RTA_MULTIPATH] && !attributes[RTA_OIF];
    ret->kind = RTNL_ROUTE;
}

static void rule_decode(const struct nlmsghdr *message, struct rtnl_event *ret)
{
    const struct nlattr *attributes[FRA_PROTOCOL + 1];
    struct fib_rule_hdr rule;

    memcpy(&rule, mnl_nlmsg_get_payload(message), sizeof(rule));
    message_attributes(message, sizeof(rule), attributes, ARRAY_SIZE(attributes));
    ret->family = family_number(rule.family);
    if (!ret->family)
        return;
    ret->protocol = attribute_u8(attributes[FRA_PROTOCOL], 0);
    ret->table = attribute_u32(attributes[FRA_TABLE], rule.table);
    ret->priority = attribute_u32(attributes[FRA_PRIORITY], 0);
    ret->mark = attribute_u32(attributes[FRA_FWMARK], 0);
    ret->mask = attribute_u32(attributes[FRA_FWMASK], ret->mark ? UINT32_MAX : 0);
    ret->suppress = (int32_t)attribute_u32(attributes[FRA_SUPPRESS_PREFIXLEN], UINT32_MAX);
    ret->inverted = rule.flags & FIB_RULE_INVERT;
    ret->kind = RTNL_RULE;
}

void rtnl_decode(const struct nlmsghdr *message, struct rtnl_event *ret)
{
    static const struct {
        uint16_t added, removed;
        size_t header;
        void (*decode)(const struct nlmsghdr *, struct rtnl_event *);
    } types[] = {
        {RTM_NEWLINK, RTM_DELLINK, sizeof(struct ifinfomsg), link_decode},
        {RTM_NEWADDR, RTM_DELADDR, sizeof(struct ifaddrmsg), address_decode},
        {RTM_NEWROUTE, RTM_DELROUTE, sizeof(struct rtmsg), route_decode},
        {RTM_NEWRULE, RTM_DELRULE, sizeof(struct fib_rule_hdr), rule_decode},
    };

    memset(ret, 0, sizeof(*ret));
    ret->suppress = -1;
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        if (message->nlmsg_type != types[i].added && message->nlmsg_type != types[i].removed)
            continue;
        ret->removed = message->nlmsg_type == types[i].removed;
        if (message->nlmsg_len >= NLMSG_HDRLEN + types[i].header)
            types[i].decode(message, ret);
        return;
    }
}
