/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking at paths: rounds of summaries for all, close looks at some, and what
 * a row says (fresh, progress, owed; docs/decisions.md has the words).
 */
#ifndef ENGINE_LOOK_H
#define ENGINE_LOOK_H

#include "../state.h"

void looks_init(struct engine *engine);

/* The snapshot is complete: the first round at once. */
void looks_start(struct engine *engine);

/* The node is not there: no rounds, nothing outstanding. */
void looks_stop(struct engine *engine);

/* The sample interval is another one. */
void looks_retime(struct engine *engine);

/* Returns whether a round of all is over: then those that were not in it are missing. */
bool looks_done(struct engine *engine, const struct event_summary_done *event);

/* The time of a round of all, of a close look, has come. */
void looks_round_due(struct engine *engine);
void looks_close_due(struct engine *engine);

/* Whatever is due and may be asked now. */
void looks_ask_due(struct engine *engine);

/* Puts the connection among those looked at closely, or takes it out, by what
 * wants it: the watch, an effect, a trigger. */
void look_update(struct engine *engine, struct peer *peer);
void look_remove(struct engine *engine, struct peer *peer);

/* The next close look as soon as it is possible. */
void look_soon(struct engine *engine);

#endif
