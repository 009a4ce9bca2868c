/* SPDX-License-Identifier: Apache-2.0 */
/* Advice that waits (fate.h): making it, putting it into lists, giving it again. */
#ifndef ENGINE_HELD_H
#define ENGINE_HELD_H

#include "fate.h"

/* Takes the advice's reason over. */
struct held *held_new(struct engine *engine, struct peer *peer, struct advice *advice);

void held_append(struct held_list *list, struct held *held);

/* All of `from` behind those of `to`. */
void held_join(struct held_list *to, struct held_list *from);

/* Given now, with this reason, which is taken over; it is decided at the end of this turn. */
void held_release(struct engine *engine, struct held *held, struct reason *reason, enum fate fate,
                  bool quiet);

/* It is over without a decision. */
void held_dismiss(struct engine *engine, struct held *held);

/* It waits until nothing is in flight, for three probe timeouts at most. */
void held_until_quiet(struct engine *engine, struct held *held);

/* Has a row shown that nothing is in flight? Then what waited for it is given. */
void held_row(struct engine *engine, struct peer *peer);
void held_due(struct engine *engine, struct deadline *deadline);

/* Takes what waits: of this trigger, or of any for NULL. What is returned was not decided yet, and
 * is the caller's; NULL: there was none. `again` (NULL: no matter): its cause has counted it. */
struct reason *held_take(struct engine *engine, struct peer *peer, const char *trigger,
                         bool *ret_again);

#endif
