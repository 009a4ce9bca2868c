/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a connection has shown no progress, and whether something was owed
 * meanwhile (docs/decisions.md has the words).
 */
#ifndef ENGINE_PROGRESS_H
#define ENGINE_PROGRESS_H

#include "../state.h"

/* The stretch without progress begins anew. */
void look_quiet_restart(struct engine *engine, struct peer *peer);

/* Was something owed in all of the present stretch without progress? */
bool look_owed(const struct peer *peer);

/* The stretch goes on, or begins anew with this row. */
void progress_row(struct engine *engine, struct peer *peer, const struct pd_row *row,
                  bool progress);

#endif
