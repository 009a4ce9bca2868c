/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The next hops that are in use: a few, each stored once and counted, so that a
 * peer remembers one in two bytes.
 */
#include "policy.h"

#include "util/hash.h"
#include "util/util.h"

static uint8_t nexthop_hash(const struct nexthop *nexthop)
{
    const char *texts[] = {nexthop->ifname, nexthop->gateway, nexthop->source, nexthop->also};
    uint64_t hash = hash_step(HASH_START, nexthop->oif);

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        hash = hash_text(hash, texts[i]);
    return (uint8_t)(hash ^ hash >> 32);
}

static bool nexthop_equal(const struct nexthop *a, const struct nexthop *b)
{
    return a->oif == b->oif && !strcmp(a->ifname, b->ifname) && !strcmp(a->gateway, b->gateway) &&
           !strcmp(a->source, b->source) && !strcmp(a->also, b->also);
}

uint16_t nexthops_intern(struct nexthops *nexthops, const struct nexthop *nexthop)
{
    uint8_t bucket = nexthop_hash(nexthop);
    uint16_t index;

    for (index = nexthops->buckets[bucket]; index; index = nexthops->slots[index].next) {
        if (nexthop_equal(&nexthops->slots[index].nexthop, nexthop)) {
            nexthops->slots[index].refs++;
            return index;
        }
    }
    if (nexthops->free) {
        index = nexthops->free;
        nexthops->free = nexthops->slots[index].next;
    } else {
        if (nexthops->n_slots > UINT16_MAX)
            return 0;
        nexthops->slots = array_reserve(nexthops->slots, &nexthops->capacity,
                                        nexthops->n_slots + 2u, sizeof(*nexthops->slots));
        if (!nexthops->n_slots)
            nexthops->slots[nexthops->n_slots++] =
                (struct nexthop_slot){0}; /* next hop 0 is none */
        index = (uint16_t)nexthops->n_slots++;
    }
    nexthops->slots[index] = (struct nexthop_slot){
        .nexthop = *nexthop,
        .refs = 1,
        .next = nexthops->buckets[bucket],
    };
    nexthops->buckets[bucket] = index;
    return index;
}

void nexthops_release(struct nexthops *nexthops, uint16_t nexthop)
{
    uint16_t *link;

    link = &nexthops->buckets[nexthop_hash(&nexthops->slots[nexthop].nexthop)];
    while (*link != nexthop)
        link = &nexthops->slots[*link].next;
    *link = nexthops->slots[nexthop].next;
    nexthops->slots[nexthop].next = nexthops->free;
    nexthops->free = nexthop;
}

void nexthops_done(struct nexthops *nexthops)
{
    free(nexthops->slots);
    *nexthops = (struct nexthops){0};
}

bool nexthops_same(const struct nexthops *nexthops, uint16_t a, uint16_t b)
{
    const struct nexthop *one = &nexthops->slots[a].nexthop, *other = &nexthops->slots[b].nexthop;

    if (a == b)
        return true;
    if (one->oif != other->oif || strcmp(one->gateway, other->gateway))
        return false;
    /* A family that had no next hop before, or has none now, is no other next hop. */
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

void nexthop_text(const struct nexthop *nexthop, char *text, size_t size)
{
    const char *const parts[] = {nexthop->ifname, nexthop->gateway[0] ? " via " : "",
                                 nexthop->gateway, nexthop->also[0] ? " and " : "", nexthop->also};

    texts_join(text, size, parts, ARRAY_SIZE(parts));
}
