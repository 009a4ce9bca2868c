/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The conntrack entry of a flow that is moved: asked for, and deleted by its id, so that an entry
 * that began meanwhile stays. Messages only. Pure. Fuzzed.
 */
#ifndef FLOW_NODE_ENTRIES_H
#define FLOW_NODE_ENTRIES_H

#include <linux/netlink.h>

#include "tuple.h"

struct entry {
    const struct flow_tuple *flow;
    bool found;
    uint32_t mark;           /* of the entry */
    uint32_t id;             /* as the kernel writes it */
    struct flow_tuple reply; /* a packet from the server, as it arrives */
};

#define ENTRY_REQUEST_MAX 256u

/* Writes into an aligned buffer with that much room. */
struct nlmsghdr *entry_get_request(const struct entry *entry, uint32_t sequence, void *buffer);
/* Sets these bits of the entry's mark. */
struct nlmsghdr *entry_mark_request(const struct entry *entry, uint32_t bits, uint32_t sequence,
                                    void *buffer);
struct nlmsghdr *entry_delete_request(const struct entry *entry, uint32_t sequence, void *buffer);

/* The answer to a get. Returns 0 or -EBADMSG. */
int entry_read(const struct nlmsghdr *message, struct entry *entry);

#endif
