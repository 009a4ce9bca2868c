/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that is given out piece by piece and taken back all at once. Pure. */
#ifndef CODEC_ARENA_H
#define CODEC_ARENA_H

#include <stddef.h>

struct arena_block;

/* Zeroed is empty. */
struct arena {
    struct arena_block *blocks; /* the newest first */
    size_t used, capacity;      /* of the newest */
};

/* Zeroed memory for `count` elements, aligned for any type. */
void *arena_new(struct arena *arena, size_t count, size_t size);

/* A copy of `length` bytes with a NUL behind them. */
char *arena_copy(struct arena *arena, const char *text, size_t length);

/* Takes everything back; keeps one block for what comes next. */
void arena_reset(struct arena *arena);
void arena_clear(struct arena *arena);

#endif
