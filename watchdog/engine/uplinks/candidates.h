/* SPDX-License-Identifier: Apache-2.0 */
/* Which uplinks a connection may go to: what speaks against each, and the order of the others. */
#ifndef ENGINE_CANDIDATES_H
#define ENGINE_CANDIDATES_H

#include "choose.h"

/* Of a move: which attempt a target is chosen for. */
enum attempt {
    ATTEMPT_FIRST,
    ATTEMPT_LATE, /* the first, but it waited, and its target cannot be used any more */
    ATTEMPT_NEXT, /* after one that failed */
};

struct choosing {
    const struct engine *engine;
    const struct peer *peer;
    const struct reason *reason;
    const struct uplink *from, *tried;
    enum attempt attempt;
    unsigned family;
    struct choice *ret;
};

/* What it lacks to be used at all: a word; NULL: nothing. */
const char *candidate_lacks(const struct uplink *uplink, unsigned family, uint64_t now_us);

/* What speaks against it now; NULL: nothing. */
const char *candidate_objection(const struct choosing *choosing, const struct uplink *uplink);

/* The best other one that nothing speaks against; `living`: of those that are known to live. NULL:
 * there is none; so below. */
const struct uplink *candidates_best(const struct choosing *choosing, bool living);

/* One that something spoke against, and that was heard after that. */
const struct uplink *candidates_answered(const struct choosing *choosing);

/* The one that was tried longest ago, of those that are only silent: it may live again. */
const struct uplink *candidates_least_doubtful(const struct choosing *choosing);

/* Is there another one at all? */
bool candidates_others(const struct choosing *choosing);

/* Those to be asked whether they live, a bit for each place, and of how many that could be used;
 * `doubtful`: whatever speaks against them, where nothing else is left. */
uint64_t candidates_to_ask(const struct choosing *choosing, bool doubtful, unsigned *ret_count);

#endif
