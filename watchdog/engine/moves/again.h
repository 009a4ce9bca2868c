/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A `moved` that failed for good: nobody else would ask again. It is given again each ten
 * seconds until something progresses, the connection is moved, or its trigger withdraws it.
 */
#ifndef ENGINE_AGAIN_H
#define ENGINE_AGAIN_H

#include "../base/deadline.h"

#include <stdbool.h>

struct engine;
struct peer;
struct peer_moves;
struct reason;

struct again {
    struct peer_moves *moves; /* whose it is; a connection may change its place */
    struct reason *reason;
    uint64_t failed_us;
    struct deadline deadline;
};

/* The last attempt for this reason failed now. Its refusal is decided in this turn. */
void again_failed(struct engine *engine, struct peer *peer, struct reason *reason);

/* An attempt for it failed, and `dead` takes the place of the next one. */
void again_superseded(struct engine *engine, struct peer *peer, struct reason *reason);

/* Gives it again now, or a second after its last request: there may be another route for it. */
void again_now(struct engine *engine, struct peer *peer);

/* It has no reason any more. */
void again_forget(struct engine *engine, struct peer *peer);

/* A row with progress: what came before the failure does not count. */
void again_progressed(struct engine *engine, struct peer *peer);

void again_due(struct engine *engine, struct deadline *deadline);

#endif
