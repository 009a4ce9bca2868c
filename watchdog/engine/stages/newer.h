/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The newer word wins: does an open request give way to `moved` advice that came after it?
 */
#ifndef ENGINE_NEWER_H
#define ENGINE_NEWER_H

#include "../moves/advice.h"

/* `destination` is where the advice would go; NULL: the route table decides. */
bool newer_wins(const struct engine *engine, const struct peer *peer, const struct advice *advice,
                const struct destination *destination);

#endif
