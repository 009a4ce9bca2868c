/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The probes of paths that are open on this connection: each ends exactly once, by its answer or
 * when its time is over. Their number is bounded. Pure.
 */
#ifndef NODE_PATH_PROBES_H
#define NODE_PATH_PROBES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* No more requests than this are open at the node. */
#define PATH_PROBES_MAX 1024u

struct path_probe {
    uint64_t id;          /* of the request; 0: the node was not asked */
    uint64_t number;      /* the engine's */
    uint64_t most_us;     /* how long it may take */
    uint64_t deadline_us; /* when it is given up */
};

/* Zeroed is a new connection. */
struct path_probes {
    struct path_probe *list; /* the oldest first */
    size_t count, capacity;
    uint64_t next_us; /* the earliest deadline, if there are any */
};

static inline bool path_probes_are_full(const struct path_probes *probes)
{
    return probes->count >= PATH_PROBES_MAX;
}

/* UINT64_MAX: none is open. */
static inline uint64_t path_probes_deadline_us(const struct path_probes *probes)
{
    return probes->count ? probes->next_us : UINT64_MAX;
}

void path_probes_add(struct path_probes *probes, const struct path_probe *probe);

/* The answer to request `id` is here: takes the probe out. Returns false where none has that id. */
bool path_probes_take(struct path_probes *probes, uint64_t id, struct path_probe *ret_probe);

/* Takes out the oldest whose time is over. Returns false where there is none. */
bool path_probes_expire(struct path_probes *probes, uint64_t now_us, struct path_probe *ret_probe);

/* Forgets all. */
void path_probes_clear(struct path_probes *probes);

#endif
