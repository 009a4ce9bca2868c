/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Refusals that repeat: the first is written at once, the next ones of the same
 * peer, trigger and verdict are counted and written once a minute.
 */
#ifndef ENGINE_DECISION_H
#define ENGINE_DECISION_H

#include "../base/deadline.h"
#include "../base/text.h"

struct engine;
struct move;
struct peer;

struct repeats {
    struct repeats *next;
    struct peer *peer;
    struct reason *reason; /* of the last */
    struct destination *destination;
    enum verdict verdict;
    enum by by;
    uint64_t count; /* since it was last written */
    uint64_t decision;
    uint64_t into;
    struct deadline deadline;
};

/* What was decided, but for the verdict. */
struct deciding_on {
    struct reason *reason;
    struct destination *destination; /* NULL: there was nothing to choose */
    enum by by;
    bool keep_old; /* a reconnect dials first, and closes then */
    uint64_t decision;
    uint64_t into; /* the decision that it is merged into, 0: none */
};

/* The record of a decision; `move` is NULL unless it is being asked for now. */
void decision_write(struct engine *engine, const struct record_subject *subject,
                    const struct deciding_on *what, enum verdict verdict, const struct move *move,
                    uint64_t repeats);

/* Writes the refusal, or counts it. */
void repeat_refusal(struct engine *engine, struct peer *peer, const struct deciding_on *what,
                    enum verdict verdict);

/* A minute is over: what was counted is written; what was not is forgotten. */
void repeat_due(struct engine *engine, struct deadline *deadline);

/* Writes all that was only counted so far, and forgets: the connection goes. */
void repeats_flush(struct engine *engine, struct peer *peer);

#endif
