/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rtnetlink messages to plain values: links, addresses, routes with their next hops, rules. Pure:
 * whatever the bytes are, it reads only within them. Fuzzed.
 */
#ifndef FLOW_NODE_RTNL_DECODE_H
#define FLOW_NODE_RTNL_DECODE_H

#include <linux/netlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#define RTNL_HOPS_MAX 16u

enum rtnl_kind { RTNL_OTHER, RTNL_LINK, RTNL_ADDRESS, RTNL_ROUTE, RTNL_RULE };

struct rtnl_hop {
    uint32_t index;
    uint8_t gateway_family; /* 4, 6; 0: none */
    uint8_t gateway[16];
};

struct rtnl_event {
    enum rtnl_kind kind;
    bool removed;
    uint8_t family;      /* 4 or 6; link: 0 */
    uint32_t index;      /* link, address */
    char name[IFNAMSIZ]; /* link */
    bool up;             /* link: up, with carrier */
    bool tunnel;         /* link: of a VPN */
    uint8_t address[16]; /* address */
    bool usable;         /* address: global, not while duplicates are looked for */
    uint8_t protocol;    /* route, rule: who made it (RTPROT_…) */
    uint32_t table;      /* route, rule */
    bool is_default;     /* route: a unicast route to every destination */
    uint32_t metric;     /* route */
    bool by_object;      /* route: where it leads is in a nexthop object, and not told here */
    uint32_t n_hops;     /* route */
    struct rtnl_hop hops[RTNL_HOPS_MAX];
    uint32_t priority;   /* rule */
    uint32_t mark, mask; /* rule */
    bool inverted;       /* rule */
    int32_t suppress;    /* rule: suppress_prefixlength, -1: none */
};

/* `message` is whole, by its own length. Always fills `*ret`. */
void rtnl_decode(const struct nlmsghdr *message, struct rtnl_event *ret);

#endif
