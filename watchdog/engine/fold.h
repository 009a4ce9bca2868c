/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Refusals that repeat: the first is written at once, the next ones of the same
 * peer, trigger and verdict are counted and written once a minute.
 */
#ifndef ENGINE_FOLD_H
#define ENGINE_FOLD_H

#include "state.h"

/* Writes the refusal, or counts it. */
void fold_refusal(struct engine *engine, struct peer *peer, struct because *because, enum by by,
                  uint64_t decision, enum verdict verdict, uint64_t into);

/* Writes all that was only counted so far, and forgets: the connection goes. */
void folds_flush(struct engine *engine, struct peer *peer);

#endif
