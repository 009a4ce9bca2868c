/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pool of equal-sized objects. When the last one is given back all blocks
 * but one are freed, so that a storm does not leave its memory behind.
 */
#include "pool.h"

#include "../../util/util.h"

#define OBJECTS_PER_BLOCK 256

void pool_init(struct pool *pool, size_t object_size)
{
    *pool = (struct pool){.size = (object_size + 7) & ~(size_t)7};
    pool->used_in_block = OBJECTS_PER_BLOCK;
}

static void free_blocks(struct pool *pool, size_t from)
{
    while (pool->n_blocks > from)
        free(pool->blocks[--pool->n_blocks]);
}

void pool_clear(struct pool *pool)
{
    free_blocks(pool, 0);
    free(pool->blocks);
    *pool = (struct pool){0};
}

void *pool_take(struct pool *pool)
{
    void *object = pool->free;

    pool->in_use++;
    if (object) {
        memcpy(&pool->free, object, sizeof(void *));
        memset(object, 0, pool->size);
        return object;
    }
    if (pool->used_in_block == OBJECTS_PER_BLOCK) {
        pool->blocks =
            array_reserve(pool->blocks, &pool->capacity, pool->n_blocks + 1, sizeof(char *));
        pool->blocks[pool->n_blocks++] = memory_new(OBJECTS_PER_BLOCK, pool->size);
        pool->used_in_block = 0;
    }
    return pool->blocks[pool->n_blocks - 1] + pool->size * pool->used_in_block++;
}

void pool_give(struct pool *pool, void *object)
{
    if (!object)
        return;
    if (--pool->in_use == 0 && pool->n_blocks > 1) {
        free_blocks(pool, 1);
        memset(pool->blocks[0], 0, OBJECTS_PER_BLOCK * pool->size);
        pool->free = NULL;
        pool->used_in_block = 0;
        return;
    }
    memcpy(object, &pool->free, sizeof(void *));
    pool->free = object;
}
