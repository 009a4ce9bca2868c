/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records that wait to be formatted: a storm makes 100 000 of them in one turn,
 * and the requests of the next turn must not wait for their text. Holds
 * references, copies no string.
 */
#ifndef OUT_BACKLOG_H
#define OUT_BACKLOG_H

#include "../engine/record.h"

/* As much as a storm of 100 000 peers makes, decisions and outcomes. */
#define BACKLOG_BYTES ((size_t)48 << 20)

struct backlog_item {
    struct record record;
    size_t n_bytes; /* that it takes, with its part of what it shares with others */
};

/* Zeroed is empty. */
struct backlog {
    struct backlog_item *items;
    size_t first, n, capacity; /* `n` from `first` on */
    size_t n_bytes;
};

void backlog_push(struct backlog *backlog, const struct record *record);

/* The oldest; NULL: none. Lives until backlog_pop. */
const struct record *backlog_first(const struct backlog *backlog);
void backlog_pop(struct backlog *backlog);

void backlog_clear(struct backlog *backlog);

#endif
