/* SPDX-License-Identifier: Apache-2.0 */
/* What a message of the kernel's conntrack says of a flow. Pure. */
#ifndef FLOW_NODE_ENTRY_H
#define FLOW_NODE_ENTRY_H

#include <linux/netlink.h>

#include "flows.h"

/* `message` is whole, as its length says. `real_ns`: now, by the clock of the kernel's timestamps.
 * An entry that the server's packet made, as after somebody flushed the table, is turned round by
 * its port. Returns 0; -ENOENT: it is no UDP flow to a port of the settings; -EBADMSG: it cannot be
 * read. */
int entry_decode(const struct nlmsghdr *message, const struct flow_settings *settings,
                 uint64_t real_ns, struct flow_entry *ret);

/* Entries in the table, and how many there may be. Returns 0 or -EBADMSG. */
int entry_decode_stats(const struct nlmsghdr *message, uint32_t *ret_count, uint32_t *ret_most);

#endif
