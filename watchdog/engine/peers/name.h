/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What belongs to a peer's name and outlives its connections: holds, the gap
 * between reconnects, and a reconnect of ours that is between two connections.
 */
#ifndef ENGINE_NAME_H
#define ENGINE_NAME_H

#include "../record.h"

struct effect_job;
struct engine;
struct move;
struct reason;

/* What belongs to a peer's name and outlives its connections. */
struct name_state {
    struct text *name;
    bool held;
    uint64_t held_until_us;     /* 0: until released */
    uint64_t reconnect_us;      /* the last reconnect of ours, 0: none */
    uint64_t gap_us;            /* until the next is allowed */
    uint64_t routes_us;         /* when all changes of the route may shorten the gap again */
    struct move *orphan;        /* a reconnect of ours, its old connection already down */
    struct effect_job *awaited; /* its new connection not up yet */
    struct reason *left;        /* advice for the connection that follows; NULL: none */
    uint64_t left_until_us;
    struct name_state *next;
};

struct names {
    struct name_state *buckets[1024];
    uint32_t count;
    uint32_t sweep_above; /* the next sweep is due then */
};

/* Reconnects of one name need not be further apart, unless reconnect_gap is longer. */
#define NAME_GAP_MAX_US UINT64_C(30000000)
/* After a change of the route to the peer they are so far apart: so many times in a row, once more
 * each NAME_ROUTE_REFILL_US. A node whose reconnects change its own route is bounded by that. */
#define NAME_GAP_ROUTE_US    UINT64_C(1000000)
#define NAME_ROUTE_BURST     20u
#define NAME_ROUTE_REFILL_US UINT64_C(5000000)

struct name_state *name_find(const struct engine *engine, const char *name);
struct name_state *name_get(struct engine *engine, const char *name);

/* Forgets it if there is nothing to remember any more. */
void name_release(struct engine *engine, struct name_state *state);

/* Forgets all that there is nothing to remember of; now and then. */
void names_sweep(struct engine *engine);
void names_clear(struct engine *engine);

/* Holds a name, or all where `name` is NULL; `until_us` 0: until it is released. The only
 * functions that change a hold. */
void name_hold(struct engine *engine, const char *name, uint64_t until_us);
void name_unhold(struct engine *engine, const char *name);

bool name_held(const struct engine *engine, const char *name);

/* When nothing holds this name any more; NEVER: when it is released. Now or before: not held. */
uint64_t name_held_until_us(const struct engine *engine, const char *name);

/* When the next reconnect of this name is allowed; 0: now. */
uint64_t name_reconnect_allowed_us(const struct engine *engine, const char *name);

/* A reconnect is made now: the next has to wait, each time longer; another
 * attempt at the same one makes it no longer. */
void name_reconnecting(struct engine *engine, const char *name, bool another_attempt);

/* The kernel's route to the peer changed: the next reconnect may be soon. */
void name_route_changed(struct engine *engine, const char *name);

/* The reconnect closed nothing: the gap before the next one is as it was. */
void name_kept(struct engine *engine, const char *name);

/* Advice that the connection of this name leaves to the one that follows it until then; and takes
 * it out, NULL: none. The caller's reference. */
void name_leave(struct engine *engine, const char *name, struct reason *reason, uint64_t until_us);
struct reason *name_left(struct engine *engine, const char *name);

/* What the run before knew of reconnects of this name. */
void name_restore_gap(struct engine *engine, const char *name, uint64_t reconnect_us,
                      uint64_t gap_us);

/* A connection of this name is up since then; if it has lived for long since our
 * last reconnect, reconnects start small again. */
void name_lived(struct engine *engine, const char *name, uint64_t up_us);

#endif
