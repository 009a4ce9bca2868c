/* SPDX-License-Identifier: Apache-2.0 */
/* Memory for one decoded event. Blocks grow, so that an event needs few of them. */
#include "arena.h"

#include "../util/util.h"

#define BLOCK_BYTES ((size_t)4096)
#define KEPT_BYTES  ((size_t)1024 * 1024)

struct arena_block {
    struct arena_block *next;
    max_align_t memory[];
};

static size_t round_up(size_t n_bytes)
{
    return (n_bytes + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
}

static void add_block(struct arena *arena, size_t n_bytes)
{
    size_t capacity = max_u64(max_u64(BLOCK_BYTES, n_bytes), 2 * arena->capacity);
    struct arena_block *block = memory_check(malloc(sizeof(*block) + capacity));

    block->next = arena->blocks;
    arena->blocks = block;
    arena->capacity = capacity;
    arena->used = 0;
}

void *arena_new(struct arena *arena, size_t count, size_t size)
{
    size_t n_bytes;
    char *memory;

    if (__builtin_mul_overflow(count, size, &n_bytes) || n_bytes > SIZE_MAX / 4)
        memory_out();
    n_bytes = round_up(n_bytes);
    if (!arena->blocks || arena->capacity - arena->used < n_bytes)
        add_block(arena, n_bytes);
    memory = (char *)arena->blocks->memory + arena->used;
    arena->used += n_bytes;
    memset(memory, 0, n_bytes);
    return memory;
}

char *arena_copy(struct arena *arena, const char *text, size_t length)
{
    char *copy = arena_new(arena, length + 1, 1);

    memcpy(copy, text, length);
    return copy;
}

void arena_reset(struct arena *arena)
{
    struct arena_block *kept = arena->capacity <= KEPT_BYTES ? arena->blocks : NULL;

    if (kept) {
        arena->blocks = kept->next;
        kept->next = NULL;
    }
    for (struct arena_block *block = arena->blocks, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    arena->blocks = kept;
    arena->used = 0;
    arena->capacity = kept ? arena->capacity : 0;
}

void arena_clear(struct arena *arena)
{
    arena->capacity = SIZE_MAX; /* no block is worth keeping */
    arena_reset(arena);
}
