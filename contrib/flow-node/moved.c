/* SPDX-License-Identifier: Apache-2.0 */
#include "moved.h"

#include <string.h>

#include "util/util.h"

static size_t bucket_of(const struct moved_map *map, const struct flow_tuple *tuple)
{
    return tuple_hash(map->key, tuple) & (map->n_buckets - 1);
}

static struct moved_link *map_find(const struct moved_map *map, const struct flow_tuple *tuple)
{
    for (struct moved_link *link = map->buckets[bucket_of(map, tuple)]; link; link = link->next)
        if (tuple_is_equal(&link->tuple, tuple))
            return link;
    return NULL;
}

static void map_grow(struct moved_map *map)
{
    struct moved_map wider = *map;

    wider.n_buckets = map->n_buckets * 2;
    wider.buckets = memory_new(wider.n_buckets, sizeof(void *));
    for (size_t i = 0; i < map->n_buckets; i++) {
        for (struct moved_link *link = map->buckets[i], *next; link; link = next) {
            size_t bucket = bucket_of(&wider, &link->tuple);

            next = link->next;
            link->next = wider.buckets[bucket];
            wider.buckets[bucket] = link;
        }
    }
    free(map->buckets);
    *map = wider;
}

static void map_add(struct moved_map *map, struct moved_link *link)
{
    size_t bucket;

    if (map->count == map->n_buckets)
        map_grow(map);
    bucket = bucket_of(map, &link->tuple);
    link->next = map->buckets[bucket];
    map->buckets[bucket] = link;
    map->count++;
}

static void map_remove(struct moved_map *map, struct moved_link *link)
{
    struct moved_link **at = &map->buckets[bucket_of(map, &link->tuple)];

    while (*at != link)
        at = &(*at)->next;
    *at = link->next;
    map->count--;
}

static struct moved_flow *flow_of_late(struct moved_link *link)
{
    return link ? (struct moved_flow *)((char *)link - offsetof(struct moved_flow, late_key))
                : NULL;
}

static void map_init(struct moved_map *map, const uint64_t key[static 2])
{
    map->n_buckets = 64;
    map->count = 0;
    map->buckets = memory_new(map->n_buckets, sizeof(void *));
    memcpy(map->key, key, sizeof(map->key));
}

void moved_init(struct moved *moved, const uint64_t key[static 2])
{
    memset(moved, 0, sizeof(*moved));
    map_init(&moved->flows, key);
    map_init(&moved->late, key);
}

void moved_done(struct moved *moved)
{
    for (size_t i = 0; i < moved->flows.n_buckets; i++) {
        for (struct moved_link *link = moved->flows.buckets[i], *next; link; link = next) {
            next = link->next;
            free(link);
        }
    }
    free(moved->flows.buckets);
    free(moved->late.buckets);
    memset(moved, 0, sizeof(*moved));
}

struct moved_flow *moved_find(const struct moved *moved, const struct flow_tuple *flow)
{
    return (struct moved_flow *)map_find(&moved->flows, flow);
}

struct moved_flow *moved_get(struct moved *moved, const struct flow_tuple *flow)
{
    struct moved_flow *found = moved_find(moved, flow);

    if (found)
        return found;
    found = memory_new(1, sizeof(*found));
    found->flow.tuple = *flow;
    map_add(&moved->flows, &found->flow);
    return found;
}

void moved_set_present(struct moved *moved, struct moved_flow *flow, uint8_t number)
{
    moved->n_moved += (size_t) !!number - (size_t) !!flow->present;
    flow->present = number;
}

void moved_drop_idle(struct moved *moved, struct moved_flow *flow)
{
    if (flow->present || flow->wanted || flow->dirty || flow->late)
        return;
    map_remove(&moved->flows, &flow->flow);
    free(flow);
}

struct moved_flow *moved_late_find(const struct moved *moved, const struct flow_tuple *key)
{
    return flow_of_late(map_find(&moved->late, key));
}

void moved_late_set(struct moved *moved, struct moved_flow *flow, const struct flow_tuple *key,
                    bool port, uint64_t until_us)
{
    moved_late_clear(moved, flow);
    flow->late = true;
    flow->late_port = port;
    flow->late_key.tuple = *key;
    flow->late_until_us = until_us;
    flow->late_previous = moved->late_last;
    *(moved->late_last ? &moved->late_last->late_next : &moved->late_first) = flow;
    moved->late_last = flow;
    map_add(&moved->late, &flow->late_key);
}

void moved_late_clear(struct moved *moved, struct moved_flow *flow)
{
    if (!flow->late)
        return;
    map_remove(&moved->late, &flow->late_key);
    *(flow->late_previous ? &flow->late_previous->late_next : &moved->late_first) = flow->late_next;
    *(flow->late_next ? &flow->late_next->late_previous : &moved->late_last) = flow->late_previous;
    flow->late_previous = flow->late_next = NULL;
    flow->late = flow->late_port = false;
}

struct moved_flow *moved_next(const struct moved *moved, const struct moved_flow *after)
{
    size_t bucket = 0;

    if (after) {
        if (after->flow.next)
            return (struct moved_flow *)after->flow.next;
        bucket = bucket_of(&moved->flows, &after->flow.tuple) + 1;
    }
    for (; bucket < moved->flows.n_buckets; bucket++)
        if (moved->flows.buckets[bucket])
            return (struct moved_flow *)moved->flows.buckets[bucket];
    return NULL;
}
