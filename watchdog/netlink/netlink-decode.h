/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rtnetlink messages to plain values. Pure: no socket, no state, no memory of
 * its own; whatever the bytes are, it reads only within them. Fuzzed.
 */
#ifndef NETLINK_DECODE_H
#define NETLINK_DECODE_H

#include <linux/netlink.h>
#include <pathdog/path.h>

enum netlink_kind {
    NETLINK_OTHER, /* nothing that we listen for, or not readable */
    NETLINK_LINK,
    NETLINK_ADDRESS,
    NETLINK_ROUTES,
    NETLINK_RULES,
    NETLINK_NEXTHOPS,
    NETLINK_NEIGHBOUR,
    NETLINK_END,    /* of a dump; `error` is its result */
    NETLINK_FAILED, /* a request's answer; `error` is 0 or -errno */
};

struct netlink_event {
    enum netlink_kind kind;
    bool removed;
    bool interrupted; /* what is dumped changed meanwhile */
    uint32_t sequence;
    uint32_t port; /* whose request caused it */
    int error;

    uint32_t index;   /* link, address, neighbour, routes with one next hop: of the interface */
    char ifname[16];  /* link */
    bool up, carrier; /* link */

    uint8_t family;      /* address, neighbour, routes, rules: 4 or 6 */
    uint8_t address[16]; /* address, neighbour */
    bool usable;         /* address: not while duplicates are looked for, nor after one was found */
    bool tentative;      /* address: duplicates are looked for */
    bool by_default;     /* routes: the prefix has no bits */
    bool cached;         /* routes: an exception of one destination, no route */
    bool failed;         /* neighbour: it was asked for its link address, and did not answer */
    bool resolved;       /* neighbour: its link address is known */
    bool ports;          /* rules: it looks at ports */
};

/* Where a packet would go: a route that was asked for. */
struct netlink_nexthop {
    int error; /* 0 or -errno: no next hop */
    uint32_t oif;
    uint8_t gateway_family; /* 4, 6, 0: none */
    uint8_t source_family;
    uint8_t prefix_family;
    uint8_t prefix_length;
    uint8_t gateway[16];
    uint8_t source[16];
    uint8_t prefix[16];
    bool is_local; /* the destination is this host */
    bool cached;   /* an exception to the route, of this destination: a redirect; IPv6: or an MTU */
};

/* Steps through a datagram: returns the message at `*offset` if it is whole,
 * and moves on; NULL at the end. Data must be aligned as the kernel's is. */
const struct nlmsghdr *netlink_next(const void *data, size_t size, size_t *offset);

/* `message` is whole (netlink_next). Always fills `*ret_event`. */
void netlink_decode(const struct nlmsghdr *message, struct netlink_event *ret_event);

/* Reads the answer to RTM_GETROUTE: a route or an error. Of a route with several next hops, which
 * is told only where the prefix was asked for, the first one over `leg` is taken; 0: none is.
 * Returns 0, or -EBADMSG. */
int netlink_decode_nexthop(const struct nlmsghdr *message, uint32_t leg,
                           struct netlink_nexthop *ret_nexthop);

#endif
