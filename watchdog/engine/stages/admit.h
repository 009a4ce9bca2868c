/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the gate let pass in this turn. The requests come first, and leave the
 * process; what is kept of them (the move, its deadline, the watch, the decision
 * record) is entered when they have: admit_settle().
 */
#ifndef ENGINE_ADMITTED_H
#define ENGINE_ADMITTED_H

#include "../base/text.h"
#include "../moves/decision.h"

struct engine;
struct move;
struct peer;

struct admitted {
    struct peer *peer;
    uint64_t conn;
    struct deciding_on what; /* its reason and destination are counted */
    struct move *move;       /* NULL: not made yet */
    bool again;              /* as in the advice */
    bool instead;            /* of a request that is taken back: within that one's budget */
};

void admit_add(struct engine *engine, struct peer *peer, const struct deciding_on *what, bool again,
               bool instead);

/* Makes moves of them now: more advice on one of these connections came in the
 * same turn, and must see that. */
void admit_make(struct engine *engine);

/* Of `n_advice` some are decided: asks for what was admitted if the budget will suffice for all. */
void admit_ask_some(struct engine *engine, size_t n_advice);

/* All advice is decided: asks as far as the budget allows, queues the rest, `most` of them.
 * Returns false while there is more. */
bool admit_ask(struct engine *engine, size_t most);

/* Enters what was asked, `most` of them; the decision records are written here.
 * Returns false while there is more. */
bool admit_settle(struct engine *engine, size_t most);

void admit_clear(struct engine *engine);

/* Now and then: the room that a storm needed is given back. */
void admit_give_back(struct engine *engine);

#endif
