/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pool of equal-sized objects at addresses that do not change. Objects are
 * given out zeroed; a storm of thousands costs a few large allocations, and what
 * is empty again is given back.
 */
#ifndef ENGINE_POOL_H
#define ENGINE_POOL_H

#include <stddef.h>
#include <stdint.h>

struct pool_block;

struct pool {
    size_t size;               /* of an object, a multiple of 8 */
    struct pool_block *blocks; /* all */
    struct pool_block *open;   /* those with room, the one to take from first */
    size_t in_use;
    size_t n_empty; /* blocks */
};

void pool_init(struct pool *pool, size_t object_size);
void pool_clear(struct pool *pool);
void *pool_take(struct pool *pool);
/* NULL is fine. */
void pool_give(struct pool *pool, void *object);

#endif
