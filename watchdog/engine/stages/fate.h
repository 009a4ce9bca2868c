/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Advice that may wait. `degraded` is never urgent, so before it is decided it is known
 *
 *   whether the connection is alone. Where most of a group (uplinks/groups.h) got worse in the same
 *   round the link that they share is the cause, and a new port helps nobody. One of them goes
 *   first, to another uplink; the others wait for the effect of that move. Without another uplink
 *   none of them is moved.
 *
 *   whether the connection has a quiet moment: nothing in flight, so that a move disturbs nothing.
 *   After three probe timeouts it goes all the same.
 *
 * What waits so is not decided yet, but for those that wait for the effect: they are `awaiting`.
 */
#ifndef ENGINE_FATE_H
#define ENGINE_FATE_H

#include "../base/deadline.h"
#include "../base/pool.h"
#include "../moves/advice.h"

struct engine;
struct peer;

/* Advice of a connection that waits: one at most. */
struct held {
    struct held *previous, *next; /* in a list of its group */
    struct held_list *list;       /* NULL: it waits for a quiet moment */
    struct reason *reason;
    uint32_t peer;
    enum fate fate;
    bool again;               /* its cause has counted it */
    bool awaits;              /* it was decided as `awaiting` */
    struct deadline deadline; /* the end of the wait for a quiet moment */
};

struct held_list {
    struct held *first, *last;
    uint32_t n;
};

/* What happens to a group. */
struct shared {
    uint32_t serial;           /* of the group that it is about */
    struct held_list pending;  /* not decided: judged at the end of the round */
    struct held_list awaiting; /* decided as `awaiting` */
    uint64_t pending_since_us;
    bool longer; /* it was doubtful: judged one round later */
    /* the present event; the last one's */
    uint64_t seen_us; /* judged so the last time, 0: never */
    uint64_t cause;
    struct text *text; /* "up0: 180 of 200 peers got slower" */
    /* the one that goes first */
    uint64_t scout;    /* its connection, 0: none */
    uint64_t decision; /* 0: not decided yet */
    unsigned tries;
    struct text *name;
    /* it did not help: the next such event is not followed for a while */
    uint64_t cools_since_us; /* 0: never */
    uint8_t doublings;
};

struct fates {
    struct shared *of; /* by number of the group; NULL: none yet */
    struct pool pool;  /* of struct held */
};

void fate_init(struct engine *engine);
void fate_clear(struct engine *engine);

/* Advice is to be decided: counts it, and completes how it is judged. */
void fate_advised(struct engine *engine, struct peer *peer, struct advice *advice);

/* It would be asked for, or other uplinks probed: true where it waits instead; its reason is taken
 * over then. */
bool fate_holds(struct engine *engine, struct peer *peer, struct advice *advice,
                enum verdict verdict);

/* It was decided. */
void fate_decided(struct engine *engine, struct peer *peer, const struct advice *advice,
                  uint64_t decision, enum verdict verdict);

/* It is `awaiting`: the decision that it waits for, 0: none; keeps it until that had its effect. */
uint64_t fate_into(const struct engine *engine, const struct peer *peer);
void fate_keep(struct engine *engine, struct peer *peer, struct reason *reason);

/* A round is complete: what came in it is judged. */
void fate_round(struct engine *engine);
void fate_due(struct engine *engine);

/* The connection is about to go, or the node's socket has gone: what waits is given now. */
void fate_peer_gone(struct engine *engine, struct peer *peer);

/* For operators: what its advice waits for; "": none does. */
void fate_tell(const struct engine *engine, const struct peer *peer, char *text, size_t size);

#endif
