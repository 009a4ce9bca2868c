/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking at paths: rounds of summaries for all, close looks at some, and what
 * a row says (fresh, progress, owed; docs/decisions.md has the words).
 */
#ifndef ENGINE_LOOK_H
#define ENGINE_LOOK_H

#include "../base/deadline.h"
#include "../event.h"

struct engine;
struct peer;

#define LOOK_CONNS_MAX 4096u

struct looks {
    struct deadline tick;   /* a round of all */
    struct deadline close;  /* some, closely */
    struct deadline silent; /* the node has not answered for so long that it counts as silent */
    uint64_t unanswered_us; /* since when an answer is waited for, 0: none is */
    uint64_t open;          /* the look that is not answered, 0: none */
    uint64_t last;
    bool open_all; /* the open one is a round of all */
    bool all_due;  /* a round waits for the open look to end */
    bool close_due;
    uint32_t round;                 /* of all */
    uint32_t columns;               /* that the node has been seen to report */
    struct peer *first, *last_peer; /* looked at closely, longest ago first */
    uint32_t looked;
    uint64_t close_last_us;
    bool noticed_unjudgeable;
};

void looks_init(struct engine *engine);

/* The snapshot is complete: the first round at once. */
void looks_start(struct engine *engine);

/* The node is not there: no rounds, nothing outstanding. */
void looks_stop(struct engine *engine);

/* Something came of what the node was asked for. */
void looks_heard(struct engine *engine);

/* For how long the node has answered no look, where that is long enough to call it silent; else 0.
 * Whatever else it says meanwhile: what is known of its peers gets no newer. */
uint64_t looks_silent_us(const struct engine *engine, uint64_t now_us);

/* The sample interval is another one. */
void looks_retime(struct engine *engine);

/* Returns whether a round of all is over: then those that were not in it are missing. */
bool looks_done(struct engine *engine, const struct event_summary_done *event);

/* The time of a round of all, of a close look, has come. */
void looks_round_due(struct engine *engine);
void looks_close_due(struct engine *engine);

/* Whatever is due and may be asked now. */
void looks_ask_due(struct engine *engine);

/* Puts the connection among those looked at closely, or takes it out, by what
 * wants it: the watch, an effect, a trigger. */
void look_update(struct engine *engine, struct peer *peer);
void look_remove(struct engine *engine, struct peer *peer);

/* A trigger wants it looked at closely until then; 0: no more. */
void look_wanted(struct engine *engine, struct peer *peer, uint64_t until_us);

/* Rows had these columns. */
void looks_reported(struct engine *engine, uint32_t columns);

/* The next close look as soon as it is possible. */
void look_soon(struct engine *engine);

#endif
