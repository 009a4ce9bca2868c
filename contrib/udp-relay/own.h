/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does a datagram come from the relay itself? It never speaks to itself; but somebody can write our
 * address as the sender's, and were two of ours the members of a session, a datagram between them
 * would go round for ever. Asked only of those that come from our port.
 */
#ifndef UDP_RELAY_OWN_H
#define UDP_RELAY_OWN_H

#include "endpoint.h"

#define OWN_KEPT    16u /* addresses that are remembered, a power of two */
#define OWN_KEEP_US UINT64_C(5000000)

struct own {
    struct endpoint bound;
    bool any; /* bound to all addresses of this machine */
    struct {
        struct endpoint ip;
        uint64_t until_us; /* 0: none */
        bool is_own;
    } kept[OWN_KEPT];
};

void own_init(struct own *own, const struct endpoint *bound);

/* Of a sender with our port. Asks the kernel where it is not remembered. */
bool own_is(struct own *own, const struct endpoint *from, uint64_t now_us);

#endif
