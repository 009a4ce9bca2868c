/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flows that are moved or are about to be, and the keys under which packets that come back over
 * an old uplink are known. Pure.
 */
#ifndef FLOW_NODE_MOVED_H
#define FLOW_NODE_MOVED_H

#include <stddef.h>

#include "tuple.h"

struct moved_link {
    struct moved_link *next;
    struct flow_tuple tuple;
};

struct moved_flow {
    struct moved_link flow; /* first */
    uint8_t present;        /* number of the uplink; 0: the host's routes */
    uint8_t wanted;
    bool dirty; /* set since the last commit */

    bool late;      /* `late_key` is in the table, until `late_until_us` */
    bool late_port; /* with a port of its own */
    struct moved_link late_key;
    uint64_t late_until_us;
    struct moved_flow *late_previous, *late_next; /* by time */
};

struct moved_map {
    struct moved_link **buckets;
    size_t n_buckets, count; /* a power of two */
    uint64_t key[2];
};

struct moved {
    struct moved_map flows, late;
    struct moved_flow *late_first, *late_last;
    size_t n_moved; /* present is not 0 */
};

void moved_init(struct moved *moved, const uint64_t key[static 2]);
void moved_done(struct moved *moved);

/* NULL: not known. */
struct moved_flow *moved_find(const struct moved *moved, const struct flow_tuple *flow);
struct moved_flow *moved_get(struct moved *moved, const struct flow_tuple *flow);
void moved_set_present(struct moved *moved, struct moved_flow *flow, uint8_t number);
/* Forgets it where nothing is left of it. */
void moved_drop_idle(struct moved *moved, struct moved_flow *flow);

/* The flow that has this key, NULL: none. */
struct moved_flow *moved_late_find(const struct moved *moved, const struct flow_tuple *key);
/* Times must not go back. */
void moved_late_set(struct moved *moved, struct moved_flow *flow, const struct flow_tuple *key,
                    bool port, uint64_t until_us);
void moved_late_clear(struct moved *moved, struct moved_flow *flow);

/* One after the other, in no order: NULL begins. The one that was returned last may be dropped only
 * by moved_done. */
struct moved_flow *moved_next(const struct moved *moved, const struct moved_flow *after);

#endif
