/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ways out that are in use: a few, each stored once and counted, so that a
 * peer remembers one in two bytes.
 */
#include "policy.h"

#include "util/hash.h"
#include "util/util.h"

static uint8_t way_hash(const struct way *way)
{
    const char *texts[] = {way->ifname, way->gateway, way->source, way->also};
    uint64_t hash = hash_step(HASH_START, way->oif);

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        hash = hash_text(hash, texts[i]);
    return (uint8_t)(hash ^ hash >> 32);
}

static bool way_equal(const struct way *a, const struct way *b)
{
    return a->oif == b->oif && !strcmp(a->ifname, b->ifname) && !strcmp(a->gateway, b->gateway) &&
           !strcmp(a->source, b->source) && !strcmp(a->also, b->also);
}

uint16_t ways_intern(struct ways *ways, const struct way *way)
{
    uint8_t bucket = way_hash(way);
    uint16_t index;

    for (index = ways->buckets[bucket]; index; index = ways->slots[index].next) {
        if (way_equal(&ways->slots[index].way, way)) {
            ways->slots[index].refs++;
            return index;
        }
    }
    if (ways->free) {
        index = ways->free;
        ways->free = ways->slots[index].next;
    } else {
        if (ways->n_slots > UINT16_MAX)
            return 0;
        ways->slots =
            array_reserve(ways->slots, &ways->capacity, ways->n_slots + 2u, sizeof(*ways->slots));
        if (!ways->n_slots)
            ways->slots[ways->n_slots++] = (struct way_slot){0}; /* way 0 is none */
        index = (uint16_t)ways->n_slots++;
    }
    ways->slots[index] = (struct way_slot){
        .way = *way,
        .refs = 1,
        .next = ways->buckets[bucket],
    };
    ways->buckets[bucket] = index;
    return index;
}

void ways_release(struct ways *ways, uint16_t way)
{
    uint16_t *link;

    link = &ways->buckets[way_hash(&ways->slots[way].way)];
    while (*link != way)
        link = &ways->slots[*link].next;
    *link = ways->slots[way].next;
    ways->slots[way].next = ways->free;
    ways->free = way;
}

void ways_done(struct ways *ways)
{
    free(ways->slots);
    *ways = (struct ways){0};
}

bool ways_same(const struct ways *ways, uint16_t a, uint16_t b)
{
    const struct way *one = &ways->slots[a].way, *other = &ways->slots[b].way;

    if (a == b)
        return true;
    if (one->oif != other->oif || strcmp(one->gateway, other->gateway))
        return false;
    /* A family that had no way out before, or has none now, is no other way. */
    return !one->also[0] || !other->also[0] || !strcmp(one->also, other->also);
}

void texts_join(char *text, size_t size, const char *const *parts, size_t n_parts)
{
    size_t left = size - 1;

    for (size_t i = 0; i < n_parts; i++) {
        size_t length = strnlen(parts[i], left);

        memcpy(text, parts[i], length);
        text += length;
        left -= length;
    }
    *text = '\0';
}

void way_text(const struct way *way, char *text, size_t size)
{
    const char *const parts[] = {way->ifname, way->gateway[0] ? " via " : "", way->gateway,
                                 way->also[0] ? " and " : "", way->also};

    texts_join(text, size, parts, ARRAY_SIZE(parts));
}
