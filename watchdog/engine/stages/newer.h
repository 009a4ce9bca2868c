/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The newer word wins: does a request that is open, or queued, give way to `moved` advice that came
 * after it?
 */
#ifndef ENGINE_NEWER_H
#define ENGINE_NEWER_H

#include "../moves/advice.h"

struct destination;
struct move;
struct reason;

/* `destination` is where the advice would go; NULL: the route table decides. What was remembered is
 * never newer, and what an operator asked for is not for a trigger to take back. */
bool newer_wins(const struct engine *engine, const struct peer *peer, const struct advice *advice,
                const struct destination *destination);

/* Whatever leads elsewhere: may this one be taken back? */
bool newer_may_give_way(const struct move *move);

/* The one that gives way is a dial, and the connection cannot be migrated: it is dialled anew. */
bool newer_redials(const struct engine *engine, const struct peer *peer,
                   const struct reason *reason);

/* The move failed: is other `moved` advice remembered, which is about the network as it is now? */
bool newer_waits(const struct peer *peer, const struct move *move);

#endif
