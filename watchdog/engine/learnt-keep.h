/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the run before this one had learnt: names at once, connections when the
 * node that has them is there and tells them; those it does not tell are
 * forgotten with the first snapshot. Nothing is asked for because of it.
 */
#ifndef ENGINE_LEARNT_KEEP_H
#define ENGINE_LEARNT_KEEP_H

#include "learnt.h"

struct engine;
struct peer;

struct waiting_peer {
    struct learnt_peer learnt; /* all texts are its own */
    bool used;
};

struct restoring {
    char *boot;                 /* of the node; NULL: nothing waits */
    struct waiting_peer *peers; /* by conn */
    size_t n_peers;
};

/* Copies what it keeps; no more than max_peers connections, and some names more. */
void learnt_restore(struct engine *engine, const struct learnt *learnt);

/* Hello was answered: by another boot, nothing of it is of use. */
void learnt_node_up(struct engine *engine);

/* A new connection: takes over what waits for it. Returns it for the triggers, or
 * NULL; valid until the snapshot. */
const struct learnt_peer *learnt_take(struct engine *engine, struct peer *peer);

void learnt_clear(struct engine *engine);

#endif
