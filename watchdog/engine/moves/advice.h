/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Advice: given in this turn and not decided yet, taken back, or kept to be given again.
 * Decides nothing; the gate does.
 */
#ifndef ENGINE_ADVICE_H
#define ENGINE_ADVICE_H

#include "../base/deadline.h"
#include "../base/text.h"

struct engine;
struct peer;

/* How degraded advice was evaluated among that of others that share a link: stages/fate.c. */
enum fate {
    FATE_NEW,     /* not yet */
    FATE_ALONE,   /* by itself */
    FATE_SCOUT,   /* it goes first, to another uplink */
    FATE_AWAITS,  /* another one goes first */
    FATE_NOWHERE, /* there is no other uplink for them */
    FATE_COOLS,   /* a move of one of them did not help */
};

struct advice {
    uint32_t peer;
    enum fate fate;
    uint64_t conn;
    struct reason *reason;
    bool quiet; /* it has waited for a quiet moment */
    bool again; /* remembered, and given once more: its cause has counted it already */
};

/* What a policy said in a callback besides advice. Of waiting advice: its trigger has no reason for
 * it any more. Or of a connection: its route works again. */
struct withdrawal {
    uint32_t peer;
    const char *trigger; /* NULL: the route works again */
};

static inline bool kind_is_network(enum pd_kind kind)
{
    return kind == PD_KIND_MOVED || kind == PD_KIND_DEAD;
}

/* Notes advice for the gate. `reason` is taken over. */
void advice_note(struct engine *engine, struct peer *peer, struct reason *reason, bool again);

/* Notes advice that was deferred. */
void advice_note_evaluated(struct engine *engine, struct peer *peer, struct reason *reason,
                           bool again, enum fate fate, bool quiet);

/* By what means advice of this kind would be followed. */
enum by advice_choose_by(const struct engine *engine, const struct peer *peer, enum pd_kind kind,
                         enum reason_by by);

/* Advice of pathdog itself; decided at the end of this turn. `bulk`: it follows
 * from a cause that concerns more than a thousand peers. */
void advice_give(struct engine *engine, struct peer *peer, const char *trigger, enum reason_by by,
                 bool bulk, const struct pd_advice *advice);

/* Advice of pathdog itself in this turn, which a later row of the turn disproved. */
void advice_take_back(struct engine *engine, struct peer *peer, const char *trigger);

/* Notes for the gate that an instance has no reason any more for what waits of its advice. */
void advice_withdraw(struct engine *engine, struct peer *peer, const char *trigger);

/* Its route works again: what waits on it is tried, when the callback has returned. */
void advice_routed(struct engine *engine, struct peer *peer);

/* Gives remembered advice once more, as a new decision; not while it is held back. */
void advice_give_remembered(struct engine *engine, struct peer *peer);

/* There is some, and it would be damped now: then it is given when there is a token. */
bool advice_remembered_damped(struct engine *engine, struct peer *peer);

void advice_remember_unreported(struct engine *engine, struct peer *peer, struct reason *reason);

void advice_forget(struct engine *engine, struct peer *peer);

/* Keeps it, and gives it again then. */
void advice_remember(struct engine *engine, struct peer *peer, struct reason *reason,
                     enum verdict refused_as, uint64_t until_us);

/* ---- what an operator holds back: by a hold, or by mode observe ---- */

/* Is advice of this kind held back now? Then as what the gate refuses it. */
bool advice_held_back(const struct engine *engine, const struct peer *peer, enum pd_kind kind,
                      enum verdict *ret_verdict);

/* Keeps it if it is held back, until that is over. */
void advice_remember_held(struct engine *engine, struct peer *peer, struct reason *reason);

/* Is what is remembered held back still? */
bool advice_still_refused(const struct engine *engine, const struct peer *peer);

/* A hold or the mode changed: gives what is remembered if it is held back no more. */
bool advice_allowed(struct engine *engine, struct peer *peer);

/* What is held back, or waits for a target, and is of this kind or weaker holds no more: the
 * connection showed progress
 * (`dead`), or has another path (`moved`). */
void advice_disproved(struct engine *engine, struct peer *peer, enum pd_kind kind);

/* Now and then: the room that a storm needed is given back. */
void advice_give_back(struct engine *engine);

/* A row, and whether it shows progress: what that says of advice that waits. */
void advice_row(struct engine *engine, struct peer *peer, bool progress);

/* Then. */
void advice_due(struct engine *engine, struct deadline *deadline);

#endif
