/* SPDX-License-Identifier: Apache-2.0 */
/* The table of flows: finding them, coming and going. */
#include "flow.h"

#include <stdio.h>
#include <string.h>

#include "util/util.h"

/* Of those that are not told: so many times the limit. */
#define UNTOLD_FACTOR 2u

struct flows {
    const struct flow_settings *settings;
    struct flow **buckets, **short_buckets;
    size_t mask;
    struct flow **told; /* by conn */
    size_t n_told, told_capacity;
    size_t n_untold;
    uint64_t last_conn;
    uint64_t over_limit;
    struct flow **ready; /* may hold NULL, where one was removed */
    size_t n_ready, first_ready, ready_capacity;
};

struct flows *flows_new(const struct flow_settings *settings)
{
    struct flows *flows = memory_new(1, sizeof(*flows));
    size_t n = 64;

    while (n < settings->limit)
        n *= 2;
    flows->settings = settings;
    flows->mask = n - 1;
    flows->buckets = memory_new(n, sizeof(struct flow *));
    flows->short_buckets = memory_new(n, sizeof(struct flow *));
    return flows;
}

struct flows *flows_free(struct flows *flows)
{
    if (!flows)
        return NULL;
    for (size_t i = 0; i <= flows->mask; i++)
        for (struct flow *flow = flows->buckets[i], *next; flow; flow = next) {
            next = flow->next;
            free(flow);
        }
    free(flows->buckets);
    free(flows->short_buckets);
    free(flows->told);
    free(flows->ready);
    free(flows);
    return NULL;
}

/* ---- finding ---- */

static size_t place_of(const struct flows *flows, const struct flow_tuple *tuple)
{
    return (size_t)tuple_hash(flows->settings->key, tuple) & flows->mask;
}

static struct flow_tuple short_of(const struct flow_tuple *tuple)
{
    struct flow_tuple other = *tuple;

    memset(other.saddr, 0, sizeof(other.saddr));
    return other;
}

struct flow *flows_find(const struct flows *flows, const struct flow_tuple *tuple)
{
    struct flow *flow = flows->buckets[place_of(flows, tuple)];

    while (flow && !tuple_is_equal(&flow->tuple, tuple))
        flow = flow->next;
    return flow;
}

/* The first place whose conn is not below. */
static size_t told_place(const struct flows *flows, uint64_t conn)
{
    size_t low = 0, high = flows->n_told;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (flows->told[middle]->conn < conn)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct flow *flows_find_conn(const struct flows *flows, uint64_t conn)
{
    size_t place = told_place(flows, conn);

    return place < flows->n_told && flows->told[place]->conn == conn ? flows->told[place] : NULL;
}

struct flow *flows_next(const struct flows *flows, uint64_t after)
{
    size_t place = after == UINT64_MAX ? flows->n_told : told_place(flows, after + 1);

    return place < flows->n_told ? flows->told[place] : NULL;
}

struct flow *flows_at(const struct flows *flows, size_t i)
{
    return flows->told[i];
}

size_t flows_told(const struct flows *flows)
{
    return flows->n_told;
}

uint64_t flows_over_limit(const struct flows *flows)
{
    return flows->over_limit;
}

/* ---- coming and going ---- */

static struct flow *flow_new(struct flows *flows, const struct flow_entry *entry, uint64_t now_us)
{
    const struct flow_port *port = flow_port_find(flows->settings, entry->tuple.dport);
    struct flow *flow = memory_new(1, sizeof(*flow)),
                **bucket = &flows->buckets[place_of(flows, &entry->tuple)];

    flow->tuple = entry->tuple;
    flow->first_us = now_us;
    flow->answers_us = port ? port->answers_us : 0;
    flow->next = *bucket;
    *bucket = flow;
    flows->n_untold++;
    return flow;
}

static void chain_remove(struct flow **at, struct flow *flow)
{
    while (*at != flow)
        at = &(*at)->next;
    *at = flow->next;
}

static void short_remove(struct flows *flows, struct flow *flow)
{
    struct flow_tuple key = short_of(&flow->tuple);
    struct flow **at = &flows->short_buckets[place_of(flows, &key)];

    while (*at != flow)
        at = &(*at)->next_short;
    *at = flow->next_short;
}

static void ready_forget(struct flows *flows, const struct flow *flow)
{
    for (size_t i = flows->first_ready; i < flows->n_ready; i++)
        if (flows->ready[i] == flow)
            flows->ready[i] = NULL;
    while (flows->first_ready < flows->n_ready && !flows->ready[flows->first_ready])
        flows->first_ready++;
    if (flows->first_ready == flows->n_ready)
        flows->first_ready = flows->n_ready = 0;
}

static void make_ready(struct flows *flows, struct flow *flow)
{
    flow->state = FLOW_READY;
    flows->ready = array_reserve(flows->ready, &flows->ready_capacity, flows->n_ready + 1,
                                 sizeof(struct flow *));
    flows->ready[flows->n_ready++] = flow;
}

void flow_remove(struct flows *flows, struct flow *flow)
{
    if (flow->state == FLOW_READY)
        ready_forget(flows, flow);
    if (flow->state == FLOW_TOLD) {
        size_t place = told_place(flows, flow->conn);

        memmove(flows->told + place, flows->told + place + 1,
                (flows->n_told - place - 1) * sizeof(struct flow *));
        flows->n_told--;
        short_remove(flows, flow);
    } else {
        flows->n_untold--;
    }
    chain_remove(&flows->buckets[place_of(flows, &flow->tuple)], flow);
    free(flow);
}

struct flow *flows_ready(const struct flows *flows)
{
    return flows->first_ready < flows->n_ready ? flows->ready[flows->first_ready] : NULL;
}

/* Another told one that the short name would mean as well. */
static bool has_twin(const struct flow *twin, const struct flow_tuple *tuple)
{
    for (; twin; twin = twin->next_short)
        if (twin->tuple.dport == tuple->dport && twin->tuple.sport == tuple->sport &&
            twin->tuple.family == tuple->family &&
            !memcmp(twin->tuple.daddr, tuple->daddr, sizeof(tuple->daddr)))
            return true;
    return false;
}

void flow_tell(struct flows *flows, struct flow *flow, const char *owner)
{
    struct flow_tuple key = short_of(&flow->tuple);
    struct flow **bucket = &flows->short_buckets[place_of(flows, &key)];
    char text[TUPLE_TEXT_SIZE];

    if (flow->forwarded || has_twin(*bucket, &flow->tuple))
        tuple_text_full(text, &flow->tuple);
    else
        tuple_text(text, &flow->tuple);
    snprintf(flow->name, sizeof(flow->name), "%s%s%.120s", text, owner ? "@" : "",
             owner ? owner : "");
    if (flow->state == FLOW_READY)
        ready_forget(flows, flow);
    flow->next_short = *bucket;
    *bucket = flow;
    flow->state = FLOW_TOLD;
    flow->conn = ++flows->last_conn;
    flows->n_untold--;
    flows->told =
        array_reserve(flows->told, &flows->told_capacity, flows->n_told + 1, sizeof(struct flow *));
    flows->told[flows->n_told++] = flow;
}

void flow_leave(struct flows *flows, struct flow *flow)
{
    if (flow->state == FLOW_READY)
        ready_forget(flows, flow);
    flow->state = FLOW_LEFT;
}

void flows_each_older(struct flows *flows, uint64_t sampled_us,
                      void (*function)(struct flow *flow, void *user), void *user)
{
    for (size_t i = 0; i <= flows->mask; i++)
        for (struct flow *flow = flows->buckets[i], *next; flow; flow = next) {
            next = flow->next;
            if (flow->sampled_us < sampled_us)
                function(flow, user);
        }
}

/* ---- sampled ---- */

static uint64_t age_of(const struct flow *flow, const struct flow_entry *entry, uint64_t now_us)
{
    uint64_t known = flow ? now_us - flow->first_us : 0;

    return entry->age_us == FLOW_UNKNOWN ? known : max_u64(entry->age_us, known);
}

static bool is_long(const struct flow_settings *settings, const struct flow *flow,
                    const struct flow_entry *entry, uint64_t now_us)
{
    return age_of(flow, entry, now_us) >= settings->min_age_us &&
           (!entry->counted ||
            entry->bytes[FLOW_SENT] + entry->bytes[FLOW_RECEIVED] >= settings->min_bytes);
}

struct flow *flows_sample(struct flows *flows, const struct flow_entry *entry, uint64_t now_us)
{
    struct flow *flow = flows_find(flows, &entry->tuple);
    bool wanted = is_long(flows->settings, flow, entry, now_us);

    if (!flow) {
        bool keep = wanted || entry->age_us == FLOW_UNKNOWN;

        if (!keep || !flow_port_find(flows->settings, entry->tuple.dport))
            return NULL;
        if (flows->n_untold >= (size_t)flows->settings->limit * UNTOLD_FACTOR) {
            flows->over_limit += wanted;
            return NULL;
        }
        flow = flow_new(flows, entry, now_us);
    }
    flow_take(flow, entry, now_us);
    if (flow->state == FLOW_YOUNG && wanted) {
        if (flows->n_told + (flows->n_ready - flows->first_ready) < flows->settings->limit)
            make_ready(flows, flow);
        else
            flows->over_limit++;
    }
    return flow;
}

struct flow *flows_adopt(struct flows *flows, const struct flow_entry *entry, const char *interface,
                         uint64_t now_us)
{
    struct flow *flow = flows_find(flows, &entry->tuple);

    if (!flow)
        flow = flow_new(flows, entry, now_us);
    flow_take(flow, entry, now_us);
    snprintf(flow->interface, sizeof(flow->interface), "%s", interface);
    if (flow->state == FLOW_YOUNG)
        make_ready(flows, flow);
    return flow;
}
