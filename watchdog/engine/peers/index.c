/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open addressing with linear probing and tombstones. At most half full, so a
 * look-up is one or two cache lines.
 */
#include "index.h"

#include "../../util/hash.h"
#include "../state.h"

/* FNV-1a, then mixed, since the low bits choose the slot. */
uint64_t hash_name(const char *name)
{
    uint64_t hash = HASH_START;

    for (; *name; name++)
        hash = hash_step(hash, (unsigned char)*name);
    return hash_conn(hash);
}

struct peer *index_prefetch_peer(const struct engine *engine, const struct index *index,
                                 size_t place)
{
    uint32_t slot = index->slots[place];
    struct peer *peer;
    const char *end;

    if (slot == INDEX_EMPTY || slot == INDEX_TOMBSTONE)
        return NULL;
    peer = peer_at(engine, slot - 1);
    end = (const char *)peer + engine->peers.stride;
    for (const char *line = (const char *)peer; line < end; line += 128) {
        __builtin_prefetch(line, 1);
        __builtin_prefetch(line + 64, 1);
    }
    return peer;
}

static void insert(struct index *index, uint64_t hash, uint32_t peer)
{
    size_t i = hash & (index->capacity - 1);

    while (index->slots[i] != INDEX_EMPTY)
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
        if (old.slots[i] != INDEX_EMPTY && old.slots[i] != INDEX_TOMBSTONE)
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
    for (size_t i = hash & (index->capacity - 1); index->slots[i] != INDEX_EMPTY;
         i = (i + 1) & (index->capacity - 1)) {
        if (index->slots[i] == peer + 1) {
            index->slots[i] = INDEX_TOMBSTONE;
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
