/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How requests end, and what follows: what is learnt about the connection, the
 * next attempt, the judgement of a move. One outcome record each.
 */
#ifndef ENGINE_OUTCOME_H
#define ENGINE_OUTCOME_H

#include "../state.h"

void outcome_answered(struct engine *engine, struct move *move, const struct event_answer *answer);

/* An answer to a request that ended: learnt from, no more. */
void outcome_late(struct engine *engine, const struct request_slot *slot,
                  const struct event_answer *answer);
void outcome_unanswered(struct engine *engine, struct move *move);
void outcome_gone(struct engine *engine, struct move *move);
void outcome_link_lost(struct engine *engine, struct move *move);
void outcome_stopped(struct engine *engine, struct move *move);

#endif
