/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Did the move help? An "ok" proves nothing, so each move is evaluated from the
 * rows before and after it. Every move ends in exactly one effect record.
 */
#ifndef ENGINE_EFFECT_H
#define ENGINE_EFFECT_H

#include "../base/deadline.h"
#include "../peers/peer.h"

struct engine;
struct move;

struct effect_job {
    struct peer *peer; /* NULL: the new connection is not up yet */
    struct text *name;
    struct destination *destination; /* of the move */
    uint64_t conn;
    uint64_t decision;
    uint64_t since_us;
    enum pd_kind kind;
    enum by by;
    bool bulk; /* as its decision */
    bool seen; /* a row has come */
    bool progress;
    uint8_t n_before, n_after;
    uint32_t before[RTT_KEPT], after[RTT_KEPT];
    struct deadline deadline;
};

/* A migration succeeded: its connection is evaluated from now on. */
void effect_start(struct engine *engine, const struct move *move);

/* A reconnect succeeded: the new connection is evaluated, also if it is not up yet. */
void effect_start_reconnected(struct engine *engine, const struct move *move, uint64_t conn);

/* A new connection: is it one that is waited for? */
void effect_peer_up(struct engine *engine, struct peer *peer);

/* A row came; its connection has an effect to be evaluated. */
void effect_row(struct engine *engine, struct peer *peer, const struct pd_sample *sample);

/* Its window is over: evaluated by what is known. */
void effect_due(struct engine *engine, struct deadline *deadline);

/* The connection goes: evaluated by what is known. */
void effect_peer_gone(struct engine *engine, struct peer *peer);

/* A clean stop, or a node that restarted: `unknown`, unless it is known. */
void effects_stop(struct engine *engine);

#endif
