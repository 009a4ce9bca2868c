/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one row says about one connection: fresh, progress, unanswered; then to those
 * who want to know: effect, watch, triggers. The hottest code of pathdog.
 */
#ifndef ENGINE_ROW_H
#define ENGINE_ROW_H

#include "../state.h"

/* All rows of a line. */
void row_samples(struct engine *engine, const struct event_samples *event);

#endif
