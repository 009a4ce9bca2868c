/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which connection uses which uplink, and where it belongs. Nothing is kept while there is only
 * one uplink.
 */
#ifndef ENGINE_MEMBERS_H
#define ENGINE_MEMBERS_H

#include "uplinks.h"

/* The connection is new, has another path, goes. */
void members_path(struct engine *engine, struct peer *peer);
void members_gone(struct engine *engine, struct peer *peer);

/* A move of ours was made, in that destination: where it came from is its home from now on, or it
 * has come home. `asked` by an operator: it belongs where it is now. NULL: nothing was chosen. */
void members_moved(struct engine *engine, struct peer *peer, const struct destination *destination,
                   bool asked);

/* The node says that it went elsewhere by itself: it belongs where it is. */
void members_settled(struct peer *peer);

/* The list is another than `before`. */
void members_renumber(struct engine *engine, const struct uplinks *before);

/* The uplink that it wants back to: of a better class, or the one that it was moved off; which may
 * be used as far as is known of the host. NULL: it is where it belongs, or cannot be migrated. */
struct uplink *members_wanted(const struct engine *engine, const struct peer *peer);

#endif
