/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records that wait to be formatted: a storm makes 100 000 of them in one turn,
 * and the requests of the next turn must not wait for their text. Holds
 * references, copies no string.
 */
#ifndef OUT_BACKLOG_H
#define OUT_BACKLOG_H

#include "../engine/record.h"

/* Zeroed is empty. */
struct backlog {
    struct record *records;
    size_t first, n, capacity; /* `n` from `first` on */
};

void backlog_push(struct backlog *backlog, const struct record *record);

/* The oldest; NULL: none. Lives until backlog_pop. */
const struct record *backlog_first(const struct backlog *backlog);
void backlog_pop(struct backlog *backlog);

void backlog_clear(struct backlog *backlog);

#endif
