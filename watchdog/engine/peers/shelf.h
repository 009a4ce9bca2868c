/* SPDX-License-Identifier: Apache-2.0 */
/*
 * After a storm each connection has a move state (struct peer_moves), and mostly nothing is in it
 * any more that anything depends on. What is left to be known of it is put away in less room, and
 * comes back when the connection needs a move state again: nobody can tell.
 */
#ifndef ENGINE_SHELF_H
#define ENGINE_SHELF_H

#include "../base/pool.h"

#include <stdbool.h>

struct engine;
struct peer;
struct peer_moves;

/* Of a move state what does not go by; every other member is as in a new one. */
struct shelved {
    uint64_t cooling_since_us;
    uint64_t tokens_us;
    uint64_t last_request_us;
    uint64_t last_decision;
    uint64_t moved_us;
    uint32_t tokens_used;
};

struct shelf {
    struct pool pool;
    struct shelved ***places; /* by block of connections, then by connection; NULL: none */
    size_t n_places, places_capacity;
    uint32_t next; /* where the next walk begins */
};

void shelf_init(struct engine *engine);
void shelf_clear(struct engine *engine);

/* Puts away the move state that the connection has. */
void shelf_put(struct engine *engine, struct peer *peer);

/* What was put away of it; NULL: nothing. */
const struct shelved *shelf_find(const struct engine *engine, const struct peer *peer);

/* Fills a new move state with what was put away of it; or the connection goes. */
void shelf_take(struct engine *engine, struct peer *peer, struct peer_moves *moves);
void shelf_forget(struct engine *engine, struct peer *peer);

/* ---- shelve.c ---- */

/* Walks over as many connections and puts away what can be. Now and then. */
void shelve(struct engine *engine, uint32_t most);

/* All come back: times that were over may not be over with another configuration. */
void shelve_none(struct engine *engine);

#endif
