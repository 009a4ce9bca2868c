/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pool of equal-sized objects at addresses that do not change. Objects are
 * given out zeroed; a storm of thousands costs a few large allocations.
 */
#ifndef ENGINE_POOL_H
#define ENGINE_POOL_H

#include <stddef.h>
#include <stdint.h>

struct pool {
    size_t size; /* of an object, a multiple of 8 */
    void *free;  /* chain through the first word */
    char **blocks;
    size_t n_blocks, capacity;
    size_t used_in_block;
    size_t in_use;
};

void pool_init(struct pool *pool, size_t object_size);
void pool_clear(struct pool *pool);
void *pool_take(struct pool *pool);
void pool_give(struct pool *pool, void *object);

#endif
