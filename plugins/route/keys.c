/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys of the lookups: peers whose packets the kernel cannot tell apart
 * share one, and it is asked once.
 */
#include "policy.h"

#include "util/util.h"

static bool address_specific(const struct pd_address *address)
{
    static const uint8_t zero[16];

    return address->family && memcmp(address->bytes, zero, ip_length(address->family));
}

static bool address_link_local(const struct pd_address *address)
{
    return address->family == 6 && address->bytes[0] == 0xfe && (address->bytes[1] & 0xc0) == 0x80;
}

void key_name_of(const struct pd_peer *peer, const char *interface, bool ports,
                 struct key_name *ret_name)
{
    const struct pd_address *local = &peer->path->local, *remote = &peer->path->remote;
    struct key_name name;

    memset(&name, 0, sizeof(name));
    if (address_specific(remote)) {
        name.destination_family = remote->family;
        memcpy(name.destination, remote->bytes, ip_length(remote->family));
        if (address_link_local(remote))
            memcpy(name.scope, remote->scope, sizeof(name.scope));
    } else {
        name.family = local->family;
    }
    if (interface[0] && !name.scope[0]) {
        memcpy(name.scope, interface, strnlen(interface, sizeof(name.scope) - 1));
        name.bound = true;
    }
    /* An unspecified local still tells the family, but no source. */
    if (address_specific(local) &&
        (!name.destination_family || name.destination_family == local->family)) {
        name.source_family = local->family;
        memcpy(name.source, local->bytes, ip_length(local->family));
    }
    if (ports && name.destination_family) {
        name.sport = local->port;
        name.dport = remote->port;
    }
    *ret_name = name;
}

static uint32_t name_hash(const struct key_name *name)
{
    uint64_t words[sizeof(*name) / 8 + 1] = {0};
    uint64_t hash = 0x9e3779b97f4a7c15u;

    memcpy(words, name, sizeof(*name));
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        hash = (hash ^ words[i]) * 0xff51afd7ed558ccdu;
        hash ^= hash >> 32;
    }
    return (uint32_t)hash;
}

static void keys_grow(struct keys *keys)
{
    uint32_t n_buckets = keys->n_buckets ? keys->n_buckets * 2 : 64;

    free(keys->buckets);
    keys->buckets = memory_new(n_buckets, sizeof(*keys->buckets));
    keys->n_buckets = n_buckets;
    memset(keys->buckets, 0xff, n_buckets * sizeof(*keys->buckets));
    for (uint32_t i = 0; i < keys->n_slots; i++) {
        if (!keys->slots[i].live)
            continue;
        uint32_t *bucket = &keys->buckets[name_hash(&keys->slots[i].name) & (n_buckets - 1)];

        keys->slots[i].next = *bucket;
        *bucket = i;
    }
}

uint32_t keys_find(struct keys *keys, const struct key_name *name)
{
    uint32_t hash = name_hash(name), index;

    if (keys->n_live >= keys->n_buckets)
        keys_grow(keys);
    uint32_t *bucket = &keys->buckets[hash & (keys->n_buckets - 1)];

    for (index = *bucket; index != ROUTE_NONE; index = keys->slots[index].next)
        if (!memcmp(&keys->slots[index].name, name, sizeof(*name)))
            return index;
    if (keys->n_slots && keys->free != ROUTE_NONE) {
        index = keys->free;
        keys->free = keys->slots[index].next;
    } else {
        if (!keys->n_slots)
            keys->free = ROUTE_NONE;
        keys->slots =
            array_reserve(keys->slots, &keys->capacity, keys->n_slots + 1u, sizeof(*keys->slots));
        index = keys->n_slots++;
    }
    keys->slots[index] = (struct key){
        .name = *name,
        .next = *bucket,
        .first = ROUTE_NONE,
        .last = ROUTE_NONE,
        .live = true,
    };
    *bucket = index;
    keys->n_live++;
    return index;
}

void keys_release(struct keys *keys, struct nexthops *nexthops, uint32_t index)
{
    struct key *key = &keys->slots[index];
    uint32_t *link;

    /* A question that is open will be answered, and the answer must find its key. */
    if (!key->live || key->n_peers || key->ticket)
        return;
    link = &keys->buckets[name_hash(&key->name) & (keys->n_buckets - 1)];
    while (*link != index)
        link = &keys->slots[*link].next;
    *link = key->next;
    nexthops_set(nexthops, &key->answer, 0);
    nexthops_set(nexthops, &key->before, 0);
    keys->n_live--;
    keys->n_no_route -= key->no_route;
    keys->n_unsaid -= key->unsaid;
    *key = (struct key){.next = keys->free};
    keys->free = index;
}

void keys_done(struct keys *keys)
{
    free(keys->slots);
    free(keys->buckets);
    *keys = (struct keys){0};
}
