/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rtnetlink messages to plain values. See netlink-decode.h. Attributes are
 * taken apart by libnl, against policies that say how long each must be.
 */
#include "netlink-decode.h"

#include "util/util.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/in_route.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

/* From linux/if.h, which does not go together with net/if.h. */
#define LINK_LOWER_UP (1u << 16)
#define LINK_DORMANT  (1u << 17)

static const struct nla_policy link_policy[IFLA_MAX + 1] = {
    [IFLA_IFNAME] = {.type = NLA_NUL_STRING, .maxlen = IFNAMSIZ},
};

static const struct nla_policy address_policy[IFA_MAX + 1] = {
    [IFA_ADDRESS] = {.minlen = 4},
    [IFA_LOCAL] = {.minlen = 4},
    [IFA_FLAGS] = {.type = NLA_U32},
};

static const struct nla_policy route_policy[RTA_MAX + 1] = {
    [RTA_DST] = {.minlen = 4},     [RTA_OIF] = {.type = NLA_U32}, [RTA_GATEWAY] = {.minlen = 4},
    [RTA_PREFSRC] = {.minlen = 4}, [RTA_VIA] = {.minlen = 2 + 4}, [RTA_MULTIPATH] = {.minlen = 8},
};

/* The states of a neighbour in which its link address is known, or none is needed. */
#define RESOLVED (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP)

static const struct nla_policy neighbour_policy[NDA_MAX + 1] = {
    [NDA_DST] = {.minlen = 4},
};

static uint8_t family_number(unsigned char family)
{
    return family == AF_INET ? 4 : family == AF_INET6 ? 6 : 0;
}

/* Returns the family if the attribute holds an address of it, else 0. */
static uint8_t address_read(struct nlattr *attribute, uint8_t family, uint8_t ret_bytes[16])
{
    size_t length = family == 4 ? 4 : 16;

    if (!attribute || !family || (size_t)nla_len(attribute) < length)
        return 0;
    memcpy(ret_bytes, nla_data(attribute), length);
    return family;
}

/* After its header, a message of this type holds at least this much. */
static bool message_holds(const struct nlmsghdr *message, size_t size)
{
    return message->nlmsg_len >= NLMSG_LENGTH(size);
}

const struct nlmsghdr *netlink_next(const void *data, size_t size, size_t *offset)
{
    const struct nlmsghdr *message;
    size_t rest = *offset < size ? size - *offset : 0;

    if (rest < sizeof(*message))
        return NULL;
    message = (const struct nlmsghdr *)((const char *)data + *offset);
    if (message->nlmsg_len < sizeof(*message) || message->nlmsg_len > rest)
        return NULL;
    *offset += NLMSG_ALIGN(message->nlmsg_len);
    return message;
}

static void link_decode(const struct nlmsghdr *message, struct netlink_event *event)
{
    const struct ifinfomsg *info = NLMSG_DATA(message);
    struct nlattr *attributes[IFLA_MAX + 1];

    if (!message_holds(message, sizeof(*info)) || info->ifi_index <= 0 ||
        nlmsg_parse((struct nlmsghdr *)message, sizeof(*info), attributes, IFLA_MAX, link_policy) <
            0)
        return;
    event->kind = NETLINK_LINK;
    event->removed = message->nlmsg_type == RTM_DELLINK;
    event->index = (uint32_t)info->ifi_index;
    event->up = info->ifi_flags & IFF_UP;
    /* Not IFF_RUNNING, which the kernel sets up to a second later. */
    event->carrier =
        event->up && info->ifi_flags & LINK_LOWER_UP && !(info->ifi_flags & LINK_DORMANT);
    if (attributes[IFLA_IFNAME])
        nla_strlcpy(event->ifname, attributes[IFLA_IFNAME], sizeof(event->ifname));
    /* A bridge tells of its ports' leaving with DELLINK of its own family. */
    if (info->ifi_family != AF_UNSPEC)
        event->kind = NETLINK_OTHER;
}

static void address_decode(const struct nlmsghdr *message, struct netlink_event *event)
{
    const struct ifaddrmsg *info = NLMSG_DATA(message);
    struct nlattr *attributes[IFA_MAX + 1];
    uint32_t flags;

    if (!message_holds(message, sizeof(*info)) ||
        nlmsg_parse((struct nlmsghdr *)message, sizeof(*info), attributes, IFA_MAX,
                    address_policy) < 0)
        return;
    event->family = family_number(info->ifa_family);
    /* With a point-to-point link IFA_ADDRESS is the other end's. */
    if (!address_read(attributes[IFA_LOCAL] ? attributes[IFA_LOCAL] : attributes[IFA_ADDRESS],
                      event->family, event->address))
        return;
    flags = attributes[IFA_FLAGS] ? nla_get_u32(attributes[IFA_FLAGS]) : info->ifa_flags;
    event->kind = NETLINK_ADDRESS;
    event->removed = message->nlmsg_type == RTM_DELADDR;
    event->index = info->ifa_index;
    event->usable =
        !(flags & IFA_F_DADFAILED) && (!(flags & IFA_F_TENTATIVE) || flags & IFA_F_OPTIMISTIC);
    event->tentative = !event->usable && !(flags & IFA_F_DADFAILED) && !event->removed;
}

static void route_decode(const struct nlmsghdr *message, struct netlink_event *event)
{
    const struct rtmsg *info = NLMSG_DATA(message);
    struct nlattr *oif;

    if (!message_holds(message, sizeof(*info)))
        return;
    oif = nlmsg_find_attr((struct nlmsghdr *)message, sizeof(*info), RTA_OIF);
    if (oif && nla_len(oif) == sizeof(event->index))
        event->index = nla_get_u32(oif);
    event->kind = NETLINK_ROUTES;
    event->removed = message->nlmsg_type == RTM_DELROUTE;
    event->family = family_number(info->rtm_family);
    event->by_default = !info->rtm_dst_len;
    event->cached = info->rtm_flags & RTM_F_CLONED;
}

static void rule_decode(const struct nlmsghdr *message, struct netlink_event *event)
{
    const struct fib_rule_hdr *info = NLMSG_DATA(message);
    struct nlattr *attributes[FRA_MAX + 1];

    if (!message_holds(message, sizeof(*info)) ||
        nlmsg_parse((struct nlmsghdr *)message, sizeof(*info), attributes, FRA_MAX, NULL) < 0)
        return;
    event->kind = NETLINK_RULES;
    event->removed = message->nlmsg_type == RTM_DELRULE;
    event->family = family_number(info->family);
    event->ports = attributes[FRA_SPORT_RANGE] || attributes[FRA_DPORT_RANGE];
}

static void neighbour_decode(const struct nlmsghdr *message, struct netlink_event *event)
{
    const struct ndmsg *info = NLMSG_DATA(message);
    struct nlattr *attributes[NDA_MAX + 1];

    if (!message_holds(message, sizeof(*info)) || info->ndm_ifindex <= 0 ||
        nlmsg_parse((struct nlmsghdr *)message, sizeof(*info), attributes, NDA_MAX,
                    neighbour_policy) < 0)
        return;
    event->family = family_number(info->ndm_family);
    if (!address_read(attributes[NDA_DST], event->family, event->address))
        return;
    event->kind = NETLINK_NEIGHBOUR;
    event->removed = message->nlmsg_type == RTM_DELNEIGH;
    event->index = (uint32_t)info->ndm_ifindex;
    event->failed = !event->removed && info->ndm_state & NUD_FAILED;
    event->resolved = !event->removed && !event->failed && info->ndm_state & RESOLVED;
}

static void result_decode(const struct nlmsghdr *message, enum netlink_kind kind,
                          struct netlink_event *event)
{
    event->kind = kind;
    if (message_holds(message, sizeof(int)))
        memcpy(&event->error, NLMSG_DATA(message), sizeof(int));
}

void netlink_decode(const struct nlmsghdr *message, struct netlink_event *ret_event)
{
    *ret_event = (struct netlink_event){
        .sequence = message->nlmsg_seq,
        .port = message->nlmsg_pid,
        .interrupted = message->nlmsg_flags & NLM_F_DUMP_INTR,
    };
    switch (message->nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
        link_decode(message, ret_event);
        break;
    case RTM_NEWADDR:
    case RTM_DELADDR:
        address_decode(message, ret_event);
        break;
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
        route_decode(message, ret_event);
        break;
    case RTM_NEWRULE:
    case RTM_DELRULE:
        rule_decode(message, ret_event);
        break;
    case RTM_NEWNEXTHOP:
    case RTM_DELNEXTHOP:
        ret_event->kind = NETLINK_NEXTHOPS;
        ret_event->removed = message->nlmsg_type == RTM_DELNEXTHOP;
        break;
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
        neighbour_decode(message, ret_event);
        break;
    case NLMSG_DONE:
        result_decode(message, NETLINK_END, ret_event);
        break;
    case NLMSG_ERROR:
        result_decode(message, NETLINK_FAILED, ret_event);
        break;
    default:
        break;
    }
}

/* IPv6 answers with a route where IPv4 answers with an error. */
static int route_type_error(unsigned char type)
{
    switch (type) {
    case RTN_UNREACHABLE:
        return -EHOSTUNREACH;
    case RTN_PROHIBIT:
        return -EACCES;
    case RTN_BLACKHOLE:
        return -EINVAL;
    case RTN_THROW:
        return -ENETUNREACH;
    default:
        return 0;
    }
}

static void nexthop_gateway(struct nlattr **attributes, uint8_t family,
                            struct netlink_nexthop *nexthop)
{
    const struct rtvia *via;
    uint8_t via_family;
    size_t length;

    nexthop->gateway_family = address_read(attributes[RTA_GATEWAY], family, nexthop->gateway);
    if (nexthop->gateway_family || !attributes[RTA_VIA])
        return;
    via = nla_data(attributes[RTA_VIA]);
    via_family = family_number((unsigned char)via->rtvia_family);
    length = via_family == 4 ? 4 : 16;
    if (!via_family || (size_t)nla_len(attributes[RTA_VIA]) < sizeof(*via) + length)
        return;
    memcpy(nexthop->gateway, via->rtvia_addr, length);
    nexthop->gateway_family = via_family;
}

/* A route with several next hops: of those over this interface the first. */
static void nexthop_leg(struct nlattr *multipath, uint8_t family, uint32_t oif,
                        struct netlink_nexthop *nexthop)
{
    struct rtnexthop *leg = nla_data(multipath);
    size_t rest = (size_t)nla_len(multipath);
    struct nlattr *attributes[RTA_MAX + 1];

    while (rest >= sizeof(*leg) && leg->rtnh_len >= sizeof(*leg) && leg->rtnh_len <= rest) {
        size_t length = NLMSG_ALIGN(leg->rtnh_len);

        if ((uint32_t)leg->rtnh_ifindex == oif) {
            nexthop->oif = oif;
            if (nla_parse(attributes, RTA_MAX, (struct nlattr *)RTNH_DATA(leg),
                          (int)(leg->rtnh_len - sizeof(*leg)), route_policy) >= 0)
                nexthop_gateway(attributes, family, nexthop);
            return;
        }
        if (length >= rest)
            return;
        rest -= length;
        leg = (struct rtnexthop *)((char *)leg + length);
    }
}

int netlink_decode_nexthop(const struct nlmsghdr *message, uint32_t leg,
                           struct netlink_nexthop *ret_nexthop)
{
    const struct rtmsg *info = NLMSG_DATA(message);
    struct nlattr *attributes[RTA_MAX + 1];
    struct netlink_event result = {0};
    uint8_t family;

    *ret_nexthop = (struct netlink_nexthop){0};
    if (message->nlmsg_type == NLMSG_ERROR) {
        result_decode(message, NETLINK_FAILED, &result);
        if (result.error >= 0)
            return -EBADMSG;
        ret_nexthop->error = result.error;
        return 0;
    }
    if (message->nlmsg_type != RTM_NEWROUTE || !message_holds(message, sizeof(*info)) ||
        nlmsg_parse((struct nlmsghdr *)message, sizeof(*info), attributes, RTA_MAX, route_policy) <
            0)
        return -EBADMSG;
    family = family_number(info->rtm_family);
    if (!family)
        return -EBADMSG;
    ret_nexthop->error = route_type_error(info->rtm_type);
    ret_nexthop->is_local = info->rtm_type == RTN_LOCAL;
    if (attributes[RTA_OIF])
        ret_nexthop->oif = nla_get_u32(attributes[RTA_OIF]);
    nexthop_gateway(attributes, family, ret_nexthop);
    if (leg && attributes[RTA_MULTIPATH])
        nexthop_leg(attributes[RTA_MULTIPATH], family, leg, ret_nexthop);
    /* IPv4 marks each answer as a copy of its route. */
    ret_nexthop->cached = info->rtm_flags & (family == 4 ? RTCF_REDIRECTED : RTM_F_CLONED);
    ret_nexthop->source_family = address_read(attributes[RTA_PREFSRC], family, ret_nexthop->source);
    address_read(attributes[RTA_DST], family, ret_nexthop->prefix);
    ret_nexthop->prefix_family = family;
    ret_nexthop->prefix_length = info->rtm_dst_len;
    return 0;
}
