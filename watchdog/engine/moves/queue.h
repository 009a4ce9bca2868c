/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue of moves that wait for the budget: operator, moved, dead, degraded;
 * among equals most bytes in flight first, then the oldest decision.
 */
#ifndef ENGINE_QUEUE_H
#define ENGINE_QUEUE_H

#include "../state.h"

void queue_push(struct migration *migration, struct move *move);
void queue_remove(struct migration *migration, struct move *move); /* fine if it is not in it */
void queue_resort(struct migration *migration, struct move *move);
struct move *queue_first(const struct migration *migration); /* NULL: empty */

#endif
