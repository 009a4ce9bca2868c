/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking the kernel which next hop a packet would take: RTM_GETROUTE, many in one
 * send. The kernel answers within the send, so that nothing ever waits. Knows
 * neither peers nor policies.
 */
#ifndef NETLINK_LOOKUP_H
#define NETLINK_LOOKUP_H

#include "netlink-decode.h"

/* Most in one send: their answers fit a receive buffer of the default size. */
#define LOOKUP_BATCH 64u

struct lookup {
    uint8_t family; /* 4 or 6 */
    uint8_t source_family;
    uint8_t destination[16];
    uint8_t source[16];
    uint32_t oif; /* 0: any */
    uint32_t uid, mark;
    bool has_uid, has_mark;
    uint16_t sport, dport;
    bool match;   /* which route it goes by, not what is cached of it for this destination */
    uint32_t leg; /* where that has several next hops: the interface of the one to take */
};

struct lookup_socket;

int lookup_socket_new(struct lookup_socket **ret_socket);
struct lookup_socket *lookup_socket_free(struct lookup_socket *socket);

/* At most LOOKUP_BATCH. Fills one way for each; where it could not be asked its
 * error is -EIO. */
void lookup_ask(struct lookup_socket *socket, const struct lookup *lookups, size_t count,
                struct netlink_nexthop *ret_nexthops);

#endif
