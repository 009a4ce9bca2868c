/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hash indices over the peer table: by connection id and by name. Open
 * addressing over peer indices; they hold no key of their own.
 */
#ifndef ENGINE_INDEX_H
#define ENGINE_INDEX_H

#include "../../util/util.h"

struct engine;
struct peer;

struct index { /* open addressing; values are peer index + 1 */
    uint32_t *slots;
    size_t capacity; /* a power of two */
    size_t used;     /* with tombstones */
    size_t live;
};

static inline uint64_t hash_conn(uint64_t conn)
{
    conn ^= conn >> 32;
    conn *= 0x9e3779b97f4a7c15u;
    return conn ^ conn >> 29;
}

uint64_t hash_name(const char *name);

/* What a slot holds that holds no peer index + 1. */
#define INDEX_EMPTY     0u
#define INDEX_TOMBSTONE UINT32_MAX

/* Asks for what a look-up will read, some rows ahead, of an index that holds something: first the
 * slot, whose place is returned; then, when that is there, the peer that is probably meant, which
 * is returned; NULL: none. It is known, but may be another one: a wrong guess costs nothing. */
static inline size_t index_prefetch_slot(const struct index *index, uint64_t hash)
{
    size_t place = hash & (index->capacity - 1);

    __builtin_prefetch(&index->slots[place]);
    return place;
}

struct peer *index_prefetch_peer(const struct engine *engine, const struct index *index,
                                 size_t place);

/* `hash_of` is asked for the others when the index has to grow. */
void index_add(const struct engine *engine, struct index *index, uint64_t hash, uint32_t peer,
               uint64_t (*hash_of)(const struct peer *peer));
void index_remove(struct index *index, uint64_t hash, uint32_t peer);
void index_clear(struct index *index);

#endif
