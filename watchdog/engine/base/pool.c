/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pool of equal-sized objects. Blocks are aligned to their size, so that an
 * object leads to its block; one that is empty again is freed, unless it is the
 * only one that is: so a storm does not leave its memory behind, whatever remains of it.
 */
#include "pool.h"

#include "../../util/util.h"

#define BLOCK_BYTES ((size_t)64 * 1024)
/* What malloc needs between two blocks, so that they can lie side by side. */
#define BETWEEN_BYTES 64u

struct pool_block {
    struct pool_block *previous, *next;           /* of all */
    struct pool_block *open_previous, *open_next; /* of those with room */
    void *free;                                   /* chain through the first word */
    uint32_t fresh; /* places that were never given out are behind this */
    uint32_t in_use;
    _Alignas(8) char objects[];
};

void pool_init(struct pool *pool, size_t object_size)
{
    *pool = (struct pool){.size = (object_size + 7) & ~(size_t)7};
}

void pool_clear(struct pool *pool)
{
    struct pool_block *block;

    while ((block = pool->blocks)) {
        pool->blocks = block->next;
        free(block);
    }
    *pool = (struct pool){0};
}

static uint32_t places(const struct pool *pool)
{
    return (uint32_t)((BLOCK_BYTES - BETWEEN_BYTES - offsetof(struct pool_block, objects)) /
                      pool->size);
}

static void open_add(struct pool *pool, struct pool_block *block)
{
    block->open_previous = NULL;
    block->open_next = pool->open;
    if (pool->open)
        pool->open->open_previous = block;
    pool->open = block;
}

static void open_remove(struct pool *pool, struct pool_block *block)
{
    if (block->open_previous)
        block->open_previous->open_next = block->open_next;
    else
        pool->open = block->open_next;
    if (block->open_next)
        block->open_next->open_previous = block->open_previous;
}

static struct pool_block *block_new(struct pool *pool)
{
    struct pool_block *block;
    void *memory = NULL;

    if (posix_memalign(&memory, BLOCK_BYTES, BLOCK_BYTES - BETWEEN_BYTES))
        memory = NULL;
    block = memory_check(memory);
    *block = (struct pool_block){.next = pool->blocks};
    if (pool->blocks)
        pool->blocks->previous = block;
    pool->blocks = block;
    pool->n_empty++;
    open_add(pool, block);
    return block;
}

static void block_free(struct pool *pool, struct pool_block *block)
{
    open_remove(pool, block);
    if (block->previous)
        block->previous->next = block->next;
    else
        pool->blocks = block->next;
    if (block->next)
        block->next->previous = block->previous;
    pool->n_empty--;
    free(block);
}

void *pool_take(struct pool *pool)
{
    struct pool_block *block = pool->open ? pool->open : block_new(pool);
    void *object = block->free;

    if (object)
        memcpy(&block->free, object, sizeof(void *));
    else
        object = block->objects + pool->size * block->fresh++;
    memset(object, 0, pool->size);
    pool->in_use++;
    if (block->in_use++ == 0)
        pool->n_empty--;
    if (block->in_use == places(pool))
        open_remove(pool, block);
    return object;
}

void pool_give(struct pool *pool, void *object)
{
    struct pool_block *block;

    if (!object)
        return;
    block = (struct pool_block *)((uintptr_t)object & ~(uintptr_t)(BLOCK_BYTES - 1));
    memcpy(object, &block->free, sizeof(void *));
    block->free = object;
    pool->in_use--;
    if (block->in_use-- == places(pool))
        open_add(pool, block);
    if (block->in_use)
        return;
    pool->n_empty++;
    if (pool->n_empty > 1)
        block_free(pool, block);
}
