/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `degraded` advice of connections that share a link (uplinks/groups.h). It is never urgent, so it
 * is deferred to the end of the round and evaluated for the whole group: where most of the group
 * got worse, the link is the cause, and a new port helps nobody. Then one connection, the scout, is
 * moved to another uplink first, and the others wait for the effect of its move (scout.h). Without
 * another uplink none of them is moved.
 *
 * A connection that is to be moved waits for a moment with nothing in flight, too (deferred.h).
 */
#ifndef ENGINE_FATE_H
#define ENGINE_FATE_H

#include "../base/pool.h"
#include "../moves/advice.h"
#include "deferred.h"

struct engine;
struct peer;

/* What happens to the connections of a group. */
struct shared_fate {
    uint32_t serial;               /* of the group that it is about */
    struct deferred_list pending;  /* not decided: evaluated at the end of the round */
    struct deferred_list awaiting; /* decided as `awaiting` */
    uint64_t pending_since_us;
    bool extended; /* it was doubtful: evaluated one round later */
    /* the present event, or the last one */
    uint64_t found_us;    /* when it was found to last still, 0: there is none */
    uint64_t cause;       /* its record; 0: not written yet */
    struct text *summary; /* "up0: 180 of 200 peers got slower" */
    /* scout.c */
    uint64_t scout;    /* its connection, 0: none */
    uint64_t decision; /* the scout's; 0: not decided yet */
    unsigned tries;    /* scouts of this event */
    struct text *scout_name;
    uint64_t cools_since_us; /* a scout's move did not help, 0: none */
    uint8_t doublings;
};

struct fates {
    struct shared_fate *of; /* by number of the group; NULL: none yet */
    struct pool pool;       /* of struct deferred */
};

void fate_init(struct engine *engine);
void fate_clear(struct engine *engine);

/* Advice is to be decided: counts it, and sets how it is decided among that of its group. */
void fate_advised(struct engine *engine, struct peer *peer, struct advice *advice);

/* The advice would lead to a request or to probes: true if it is deferred instead. Its reason is
 * taken over then. */
bool fate_defers(struct engine *engine, struct peer *peer, struct advice *advice,
                 enum verdict verdict);

/* A scout's advice was decided. */
void fate_decided(struct engine *engine, struct peer *peer, uint64_t decision,
                  enum verdict verdict);

/* For advice that is `awaiting`: the decision that it waits for, 0: none; and keeps the advice
 * until that has its effect. */
uint64_t fate_into(const struct engine *engine, const struct peer *peer);
void fate_keep(struct engine *engine, struct peer *peer, struct reason *reason);

/* A round is complete: its advice is evaluated. */
void fate_round(struct engine *engine);
void fate_due(struct engine *engine);

/* The connection is about to go, or the node's socket has closed: what is deferred is decided. */
void fate_peer_gone(struct engine *engine, struct peer *peer);

/* For operators: what its advice waits for; "": nothing is deferred. */
void fate_report(const struct engine *engine, const struct peer *peer, char *text, size_t size);

#endif
