/* SPDX-License-Identifier: Apache-2.0 */
/* How a connection is, in one word, and for how long nothing was heard of it. Changes nothing. */
#ifndef ENGINE_INSPECT_CONDITION_H
#define ENGINE_INSPECT_CONDITION_H

#include "inspect.h"
#include "state.h"

enum inspect_condition inspect_condition(const struct engine *engine, uint64_t now_us,
                                         const struct peer *peer);

/* INSPECT_NEVER: there was no row yet. */
uint64_t inspect_silent_us(const struct engine *engine, uint64_t now_us, const struct peer *peer);

#endif
