/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one row says about one connection: fresh, progress, owed; then to those
 * who want to know: effect, watch, triggers. The hottest code of pathdog.
 */
#ifndef ENGINE_ROW_H
#define ENGINE_ROW_H

#include "../state.h"

void row_take(struct engine *engine, struct peer *peer, const struct pd_row *row, uint32_t columns);

/* All rows of a line. */
void looks_samples(struct engine *engine, const struct event_samples *event);

#endif
