/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `degraded` advice that is not decided at once: it is in a list of its group (fate.h), or waits
 * for a moment with nothing in flight, so that a move disturbs nothing. After three probe timeouts
 * it is decided all the same. A connection has one at most.
 */
#ifndef ENGINE_DEFERRED_H
#define ENGINE_DEFERRED_H

#include "../base/deadline.h"
#include "../moves/advice.h"

struct engine;
struct peer;

struct deferred {
    struct deferred *previous, *next;
    struct deferred_list *list; /* NULL: it waits for a quiet moment */
    struct reason *reason;
    uint32_t peer;
    enum fate fate;
    bool again;               /* its cause has counted it */
    bool awaits;              /* it was decided as `awaiting` */
    struct deadline deadline; /* the end of the wait for a quiet moment */
};

struct deferred_list {
    struct deferred *first, *last;
    uint32_t n;
};

/* Takes the advice's reason over. */
struct deferred *deferred_new(struct engine *engine, struct peer *peer, struct advice *advice);

void deferred_append(struct deferred_list *list, struct deferred *deferred);

/* All of `from` behind those of `to`. */
void deferred_join(struct deferred_list *to, struct deferred_list *from);

/* It is given to the gate for the end of this turn, with this reason, which is taken over. */
void deferred_release(struct engine *engine, struct deferred *deferred, struct reason *reason,
                      enum fate fate, bool quiet);

/* The same for all of a list, in their order: with this cause, 0: their own; and with this text,
 * NULL: their own. */
void deferred_release_all(struct engine *engine, struct deferred_list *list, enum fate fate,
                          struct text *text, uint64_t cause);

/* It ends without a decision. */
void deferred_dismiss(struct engine *engine, struct deferred *deferred);

/* It waits for a quiet moment, for three probe timeouts at most. */
void deferred_until_quiet(struct engine *engine, struct deferred *deferred);

/* Has a row shown that nothing is in flight? Then what waited for it is given to the gate. */
void deferred_row(struct engine *engine, struct peer *peer);
void deferred_due(struct engine *engine, struct deadline *deadline);

/* Takes what is deferred: of this trigger, or of any for NULL. What is returned was not decided
 * yet, and is the caller's; NULL: there was none. `again` (NULL: no matter): its cause has counted
 * it. */
struct reason *deferred_take(struct engine *engine, struct peer *peer, const char *trigger,
                             bool *ret_again);

#endif
