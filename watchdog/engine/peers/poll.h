/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking at paths: rounds of summaries for all, fast polls of some, and what
 * a row says (fresh, progress, unanswered; docs/decisions.md has the words).
 */
#ifndef ENGINE_POLL_H
#define ENGINE_POLL_H

#include "../base/deadline.h"
#include "../event.h"

struct engine;
struct peer;

#define POLL_CONNS_MAX 4096u

struct polls {
    struct deadline tick;   /* a round of all */
    struct deadline close;  /* some, fast */
    struct deadline silent; /* the node has not answered for so long that it counts as silent */
    uint64_t unanswered_us; /* since when an answer is waited for, 0: none is */
    uint64_t open;          /* the poll that is not answered, 0: none */
    uint64_t last;
    bool open_all; /* the open one is a round of all */
    bool all_due;  /* a round waits for the open poll to end */
    bool close_due;
    uint32_t round;                 /* of all */
    uint32_t columns;               /* that the node has been seen to report */
    struct peer *first, *last_peer; /* polled fast, longest ago first */
    uint32_t polled;
    uint64_t close_last_us;
    bool noticed_unjudgeable;
    uint64_t acknowledged_us; /* the last such row of any connection */
};

void polls_init(struct engine *engine);

/* The snapshot is complete: the first round at once. */
void polls_start(struct engine *engine);

/* The node is not there: no rounds, nothing outstanding. */
void polls_stop(struct engine *engine);

/* Something came of what the node was asked for. */
void polls_heard(struct engine *engine);

/* A connection had something acknowledged, and is not starved. */
static inline void polls_acknowledged(struct polls *polls, uint64_t now_us)
{
    polls->acknowledged_us = now_us;
}

/* For how long the node has answered no poll, where that is long enough to call it silent; else 0.
 * Whatever else it says meanwhile: what is known of its peers gets no newer. */
uint64_t polls_silent_us(const struct engine *engine, uint64_t now_us);

/* There is a reason to look at all of them: the next round is no later than that. */
void polls_round_by(struct engine *engine, uint64_t at_us);

/* The sample interval is another one. */
void polls_retime(struct engine *engine);

/* Returns whether a round of all is over: then those that were not in it are missing. */
bool polls_done(struct engine *engine, const struct event_summary_done *event);

/* The time of a round of all, of a fast poll, has come. */
void polls_round_due(struct engine *engine);
void polls_close_due(struct engine *engine);

/* Whatever is due and may be asked now. */
void polls_ask_due(struct engine *engine);

/* Puts the connection among those polled fast, or takes it out, by what
 * wants it: the watch, an effect, a trigger. */
void poll_update(struct engine *engine, struct peer *peer);
void poll_remove(struct engine *engine, struct peer *peer);

/* A trigger wants it polled fast until then; 0: no more. */
void poll_wanted(struct engine *engine, struct peer *peer, uint64_t until_us);

/* The peer is made to acknowledge something (feature `probe`), at the end of this turn. */
void poll_probe(struct engine *engine, const struct peer *peer);

/* Rows had these columns. */
void polls_reported(struct engine *engine, uint32_t columns);

/* The next fast poll as soon as it is possible. */
void poll_soon(struct engine *engine);

#endif
