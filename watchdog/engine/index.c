/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open addressing with linear probing and graves. At most half full, so a
 * look-up is one or two cache lines.
 */
#include "index.h"

#include "peer.h"

#define EMPTY 0u
#define GRAVE UINT32_MAX

uint64_t hash_conn(uint64_t conn)
{
    conn ^= conn >> 32;
    conn *= 0x9e3779b97f4a7c15u;
    return conn ^ conn >> 29;
}

/* FNV-1a, then mixed, since the low bits choose the slot. */
uint64_t hash_name(const char *name)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 0x100000001b3u;
    return hash_conn(hash);
}

uint32_t index_find(const struct engine *engine, const struct index *index, uint64_t hash,
                    index_match match, const void *key)
{
    if (!index->capacity)
        return INDEX_NONE;
    for (size_t i = hash & (index->capacity - 1);; i = (i + 1) & (index->capacity - 1)) {
        uint32_t slot = index->slots[i];

        if (slot == EMPTY)
            return INDEX_NONE;
        if (slot != GRAVE && match(peer_at(engine, slot - 1), key))
            return slot - 1;
    }
}

static void insert(struct index *index, uint64_t hash, uint32_t peer)
{
    size_t i = hash & (index->capacity - 1);

    while (index->slots[i] != EMPTY)
        i = (i + 1) & (index->capacity - 1);
    index->slots[i] = peer + 1;
    index->used++;
    index->live++;
}

static void grow(const struct engine *engine, struct index *index,
                 uint64_t (*hash_of)(const struct peer *peer))
{
    struct index old = *index;

    *index = (struct index){.capacity = 64};
    while (index->capacity < (old.live + 1) * 4)
        index->capacity *= 2;
    index->slots = memory_new(index->capacity, sizeof(uint32_t));
    for (size_t i = 0; i < old.capacity; i++)
        if (old.slots[i] != EMPTY && old.slots[i] != GRAVE)
            insert(index, hash_of(peer_at(engine, old.slots[i] - 1)), old.slots[i] - 1);
    free(old.slots);
}

void index_add(const struct engine *engine, struct index *index, uint64_t hash, uint32_t peer,
               uint64_t (*hash_of)(const struct peer *peer))
{
    if ((index->used + 1) * 2 > index->capacity)
        grow(engine, index, hash_of);
    insert(index, hash, peer);
}

void index_remove(struct index *index, uint64_t hash, uint32_t peer)
{
    if (!index->capacity)
        return;
    for (size_t i = hash & (index->capacity - 1); index->slots[i] != EMPTY;
         i = (i + 1) & (index->capacity - 1)) {
        if (index->slots[i] == peer + 1) {
            index->slots[i] = GRAVE;
            index->live--;
            return;
        }
    }
}

void index_clear(struct index *index)
{
    free(index->slots);
    *index = (struct index){0};
}
