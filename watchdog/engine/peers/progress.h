/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a connection has shown no progress, and whether something was unanswered
 * meanwhile (docs/decisions.md has the words).
 */
#ifndef ENGINE_PROGRESS_H
#define ENGINE_PROGRESS_H

#include "../state.h"

/* The stretch without progress begins anew. */
void progress_restart(struct engine *engine, struct peer *peer);

/* Was something unanswered in all of the present stretch without progress? */
bool progress_unanswered(const struct peer *peer);

/* Another path: whether something is outstanding on it is seen anew. */
void progress_path(struct peer *peer);

/* A row, before what it says is taken over: sets the ages of what goes on without progress, and
 * the stretch goes on, or begins anew with it. */
void progress_row(struct engine *engine, struct peer *peer, struct pd_sample *sample);

#endif
