/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How requests end, and what follows: what is learnt about the connection, the
 * next attempt, the evaluation of a move. One outcome record each.
 */
#ifndef ENGINE_OUTCOME_H
#define ENGINE_OUTCOME_H

#include "../state.h"

/* What an answer leaves for others to do. */
struct answered {
    struct peer *moved;    /* NULL, or: its path is another one, by a request of ours */
    struct reason *reason; /* of `moved`: a reference, for the caller to let go of; NULL: none */
    struct peer *done;     /* NULL, or: its request succeeded */
    bool same;             /* that is the connection which was asked for, not one that followed */
    bool settles;          /* as the move */
    enum outcome outcome;
};

struct answered outcome_answered(struct engine *engine, struct move *move,
                                 const struct event_answer *answer);

/* After those who had to hear of `moved`: the connection gets its time anew, and advice that
 * waited for the answer is given again. */
void outcome_succeeded(struct engine *engine, const struct answered *led);

/* An answer to a request that ended: learnt from, no more. */
struct answered outcome_late(struct engine *engine, const struct request_slot *slot,
                             const struct event_answer *answer);
void outcome_unanswered(struct engine *engine, struct move *move);
/* It is taken back, because newer advice is asked instead. The move ends. */
void outcome_cancelled(struct engine *engine, struct move *move);
void outcome_gone(struct engine *engine, struct move *move);
void outcome_link_lost(struct engine *engine, struct move *move);
void outcome_stopped(struct engine *engine, struct move *move);

#endif
