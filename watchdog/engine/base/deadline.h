/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything that has to happen at a time: a binary heap of deadlines that are
 * embedded in what they belong to. Those that always lie the same time ahead
 * queue up in FIFOs, and only the first of a FIFO is in the heap: a storm of a
 * hundred thousand costs no sifting. The order depends on nothing but the calls
 * made, so a replay sees the same.
 */
#ifndef ENGINE_DEADLINE_H
#define ENGINE_DEADLINE_H

#include <stddef.h>
#include <stdint.h>

#define NEVER UINT64_MAX

/* What is to be done when it is due: engine.c has the function of each. */
enum deadline_kind {
    DEADLINE_NOTICE,     /* of a notice_kind: what was held back for a minute */
    DEADLINE_ROUND,      /* of looks: summaries of all */
    DEADLINE_CLOSE_POLL, /* of looks: summaries of some */
    DEADLINE_SILENT,     /* of looks: the node counts as silent from now on */
    DEADLINE_REMEMBERED, /* of an move state: advice is given again */
    DEADLINE_AGAIN,      /* of a move that failed for good: its advice is given again */
    DEADLINE_REPEATS,    /* of a fold: refusals counted for a minute */
    DEADLINE_MOVE,       /* of a move: expired, unanswered, or the next attempt */
    DEADLINE_EFFECT,     /* of an effect_job: its window is over */
    DEADLINE_WATCH,      /* of a watch: a poll is wanted, or its end */
    DEADLINE_RETURN,     /* of uplinks: a step of those that want back */
    DEADLINE_UPLINK,     /* of uplinks: who is left on one that is down; the end of a hold */
    DEADLINE_FATE,       /* of groups: what waits of their advice is judged */
    DEADLINE_QUIET,      /* of held advice: it is given, quiet moment or not */
    DEADLINE_TRIGGER,    /* of an instance: the timer of its policy */
};

/* Deadlines in the order of their times. */
struct fifo {
    struct deadline *first, *last;
};

struct deadline {
    uint64_t at_us;
    struct fifo *fifo; /* NULL: in none */
    struct deadline *previous, *next;
    uint32_t position; /* in the heap, from 1; 0: not in it */
    enum deadline_kind kind;
};

struct deadlines {
    struct deadline **heap; /* from 1 */
    size_t count, capacity;
};

void deadlines_clear(struct deadlines *deadlines);

/* Sets or moves it; NEVER switches it off. */
void deadline_set(struct deadlines *deadlines, struct deadline *deadline, uint64_t at_us);

/* The same, at the end of a FIFO; where that would be out of order, as above. */
void deadline_append(struct deadlines *deadlines, struct fifo *fifo, struct deadline *deadline,
                     uint64_t at_us);

static inline int deadline_is_on(const struct deadline *deadline)
{
    return deadline->position || deadline->fifo;
}

/* When the first is due, or NEVER. */
uint64_t deadlines_next(const struct deadlines *deadlines);

/* Takes the first that is due, off by then; NULL if none is. */
struct deadline *deadlines_take(struct deadlines *deadlines, uint64_t now_us);

#endif
