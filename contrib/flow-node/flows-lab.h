/* SPDX-License-Identifier: Apache-2.0 */
/* Flows for the tests of flows.c. */
#ifndef FLOW_NODE_FLOWS_LAB_H
#define FLOW_NODE_FLOWS_LAB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "flows.h"
#include "util/util.h"

#define MS     UINT64_C(1000)
#define SECOND (1000 * MS)
#define EVERY  (100 * MS)

static const struct flow_settings defaults = {
    .ports = {{443, 443, 0}, {51820, 51820, 12 * SECOND}},
    .n_ports = 2,
    .limit = 16,
    .min_age_us = 5 * SECOND,
    .min_bytes = 4096,
    .end_us = 30 * SECOND,
    .key = {1, 2},
};

static inline struct flow_entry entry_of(const char *text)
{
    struct flow_entry entry = {.counted = true, .age_us = 6 * SECOND, .id = 1};

    assert_int_equal(tuple_parse(text, &entry.tuple), 0);
    memcpy(entry.seen_at, entry.tuple.saddr, sizeof(entry.seen_at));
    entry.seen_port = entry.tuple.sport;
    entry.bytes[FLOW_SENT] = entry.bytes[FLOW_RECEIVED] = 10000;
    entry.packets[FLOW_SENT] = entry.packets[FLOW_RECEIVED] = 10;
    return entry;
}

static inline void carry(struct flow_entry *entry, enum flow_direction direction, unsigned packets)
{
    entry->packets[direction] += packets;
    entry->bytes[direction] += UINT64_C(1200) * packets;
}

#define CLIENT "udp:192.0.2.7:443#10.0.0.1:50000"

/* One that is told, with its first sample at `now`. */
static inline struct flow *told(struct flows *flows, struct flow_entry *entry, uint64_t now_us)
{
    struct flow *flow = flows_sample(flows, entry, now_us);

    assert_non_null(flow);
    assert_ptr_equal(flows_ready(flows), flow);
    flow_tell(flows, flow, NULL);
    assert_null(flows_ready(flows));
    return flow;
}

static inline uint64_t unacked_ms(const struct flow *flow)
{
    struct flow_row row;

    flow_row(&defaults, flow, &row);
    return row.unacked_us / MS;
}

#endif
