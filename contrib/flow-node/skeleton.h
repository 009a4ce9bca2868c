/* SPDX-License-Identifier: Apache-2.0 */
/* Our nftables table as text, in nft's language. Pure. */
#ifndef FLOW_NODE_SKELETON_H
#define FLOW_NODE_SKELETON_H

#include "tuple.h"
#include "util/buffer.h"

struct skeleton {
    const char *table;
    uint32_t mark_mask;
};

/* The whole table in the place of what has its name: with the chains of these uplinks and the
 * elements of these flows. `next` returns one flow after the other with its interface, then NULL.
 */
void skeleton_write(const struct skeleton *skeleton, struct buffer *out,
                    const char *(*uplink)(void *user, unsigned i, uint32_t *ret_mark),
                    const struct flow_tuple *(*next)(void *user, const char **ret_interface),
                    void *user);
/* An uplink's chain, new or again. */
void skeleton_chain(const struct skeleton *skeleton, struct buffer *out, const char *interface,
                    uint32_t mark);
void skeleton_chain_remove(const struct skeleton *skeleton, struct buffer *out,
                           const char *interface);
void skeleton_remove(const struct skeleton *skeleton, struct buffer *out);

#endif
