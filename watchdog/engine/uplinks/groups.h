/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections that share what lies between this host and the internet are a group: those over one
 * uplink; where that is not known, those from one local address. Of each group is counted, from
 * one round to the next, how many of its connections were measured and how many of them got worse.
 * stages/fate.c evaluates that.
 */
#ifndef ENGINE_GROUPS_H
#define ENGINE_GROUPS_H

#include "../base/deadline.h"
#include "../base/text.h"

struct engine;
struct peer;

/* Connections beyond so many groups are each alone. */
#define GROUPS_MAX 255u

struct group {
    struct text *interface;    /* of the uplink; NULL: it is a local address */
    struct pd_address address; /* without port; family 0: not reported */
    uint32_t n_peers;
    uint32_t measured, worse; /* in the present window */
    uint32_t stuck;           /* by its last row: something is outstanding, without progress */
    uint64_t heard_us;        /* something got through to one of them, 0: never */
    uint64_t empty_us;        /* since then nobody is in it */
    uint32_t serial;          /* another one when the place is used for another group */
    uint64_t scout; /* the connection whose effect is waited for (stages/scout.c); 0: none */
    bool effect_known;
    enum effect effect;
};

struct groups {
    struct group *list; /* the group number n is at n - 1 */
    size_t n, capacity;
    uint32_t serials;
    uint32_t scouts;      /* groups with one */
    uint8_t window;       /* 1 to 255, then 1 again; ends with a round */
    struct deadline wake; /* of stages/fate.c: something is to be checked */
};

void groups_init(struct engine *engine);
void groups_clear(struct engine *engine);

/* NULL for 0. */
struct group *group_at(const struct engine *engine, uint8_t number);

/* The connection is new, has another path, goes. */
void groups_path(struct engine *engine, struct peer *peer);
void groups_gone(struct engine *engine, struct peer *peer);

/* The uplinks were set anew. */
void groups_renumber(struct engine *engine);

/* A regular and fresh row, before its RTT is kept. */
void groups_row(struct engine *engine, struct peer *peer, uint64_t rtt_us);

/* Each row: is something outstanding, without progress? Did something get through, and when? */
void groups_waits(struct engine *engine, struct peer *peer, bool waits);
void groups_heard(struct engine *engine, const struct peer *peer, uint64_t at_us);

/* A trigger advised that it got worse. */
void groups_advised(struct engine *engine, struct peer *peer);

/* The next window begins. */
void groups_window(struct engine *engine);

/* The effect of this connection's move is waited for; 0: of none. */
void group_watch(struct engine *engine, struct group *group, uint64_t conn);
void groups_effect(struct engine *engine, uint64_t conn, enum effect effect);

/* "up0"; "10.0.0.2"; "this host". */
const char *group_name(const struct engine *engine, const struct group *group, char *text,
                       size_t size);

#endif
