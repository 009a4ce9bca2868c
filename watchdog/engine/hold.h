/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an operator forbids, and allows again: holds, and the mode. What was refused meanwhile
 * and still holds is given again then; `engine.missed` says how much.
 */
#ifndef ENGINE_HOLD_H
#define ENGINE_HOLD_H

#include "state.h"

/* Of one name, or of all where `name` is NULL; `until_us` 0: until it is released. */
void hold_begin(struct engine *engine, const char *name, uint64_t until_us);
void hold_end(struct engine *engine, const char *name);

void hold_mode(struct engine *engine, enum mode mode);

#endif
