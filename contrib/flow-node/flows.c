/* SPDX-License-Identifier: Apache-2.0 */
#include "flows.h"

#include <stdio.h>
#include <string.h>

#include "util/util.h"

/* Of those that are not told: so many times the limit. */
#define UNTOLD_FACTOR 2u
/* After a packet of the peer so long what is sent may be a bare acknowledgement: RFC 9000's
 * max_ack_delay is 25 ms by default, and the peer may have another. */
#define ACK_WINDOW_US UINT64_C(50000)
/* So many packets more than came can be no acknowledgements of what came. */
#define ACK_EXTRA 4u
/* One try may be a CONNECTION_CLOSE, which nothing answers (RFC 9000 §10.2). */
#define TRIES_ENOUGH 2u

/* Of a protocol that takes its time: such packets, as conntrack counts them, may be keep-alives,
 * which nobody answers. WireGuard's has 32 bytes, and headers of UDP and IP. */
#define KEEPALIVE_BYTES(family) ((family) == 4 ? 60u : 80u)

/* So many answers say how long one takes; an old longest one is forgotten by parts. */
#define ANSWERS_ENOUGH 3u
#define ANSWERS_DECAY  32u
/* Of samples that came later than this it is not the answer that took so long; nor is more than
 * this believed of an answer: RFC 9002 §6.2.2 begins with no more either. */
#define SAMPLE_LATE_US UINT64_C(400000)
#define ANSWER_MOST_US UINT64_C(1000000)
/* RFC 9002 §6.2.1: the peer may wait so long with an acknowledgement. */
#define MAX_ACK_DELAY_US UINT64_C(25000)

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

const struct flow_port *flow_port_find(const struct flow_settings *settings, uint16_t port)
{
    static const struct flow_port any = {0, UINT16_MAX, 0};

    for (size_t i = 0; i < settings->n_ports; i++)
        if (port >= settings->ports[i].first && port <= settings->ports[i].last)
            return &settings->ports[i];
    return settings->n_ports ? NULL : &any;
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

/* ---- what a sample says ---- */

/* Where the entry is another one, what the one before counted is kept. Its id may be the same,
 * where it has the same place in the kernel's memory. */
static void take_counters(struct flow *flow, const struct flow_entry *entry)
{
    const struct flow_entry *before = &flow->entry;
    bool anew = flow->sampled_us &&
                (entry->id != before->id || entry->bytes[FLOW_SENT] < before->bytes[FLOW_SENT] ||
                 entry->bytes[FLOW_RECEIVED] < before->bytes[FLOW_RECEIVED] ||
                 entry->start_ns != before->start_ns || entry->seen_port != before->seen_port ||
                 memcmp(entry->seen_at, before->seen_at, sizeof(entry->seen_at)) != 0);

    for (size_t i = 0; anew && i < ARRAY_SIZE(before->bytes); i++) {
        flow->before_bytes[i] += before->bytes[i];
        flow->before_packets[i] += before->packets[i];
    }
}

static uint64_t packets_of(const struct flow *flow, const struct flow_entry *entry,
                           enum flow_direction direction)
{
    return flow->before_packets[direction] + entry->packets[direction];
}

static void awaits_nothing(struct flow *flow)
{
    flow->sent_packets = flow->since_us = flow->pushed_us = 0;
    flow->tries = 0;
}

void flow_rerouted(struct flow *flow)
{
    awaits_nothing(flow);
    flow->asked_us = 0;
}

/* Nothing but keep-alives; and with something after a pause as long as an answer may take, what was
 * sent before the pause awaited none: it would have been sent again. */
static bool is_keepalive(struct flow *flow, uint64_t n, uint64_t bytes, uint64_t now_us)
{
    if (!flow->answers_us)
        return false;
    if (bytes <= n * KEEPALIVE_BYTES(flow->tuple.family))
        return true;
    if (flow->since_us && now_us - flow->tried_us > flow->answers_us)
        awaits_nothing(flow);
    flow->tried_us = now_us;
    return false;
}

/* What was sent between the sample before and this one, in which nothing came. */
static void take_sent(struct flow *flow, uint64_t n, uint64_t bytes, uint64_t now_us)
{
    flow->sent_us = now_us;
    if (is_keepalive(flow, n, bytes, now_us))
        return;
    flow->sent_packets += n;
    if (flow->sampled_us < flow->received_us + ACK_WINDOW_US) {
        if (flow->sent_packets <= flow->answer_packets + ACK_EXTRA)
            return;
        flow->tries = TRIES_ENOUGH; /* data, by their number */
    } else if (flow->tries < TRIES_ENOUGH) {
        flow->tries++;
    }
    if (!flow->since_us)
        flow->since_us = now_us;
}

/* What was sent is answered: in how long at most? After a move that says nothing of the way. */
static void take_answer(struct flow *flow, uint64_t now_us)
{
    uint64_t took_us = min_u64(now_us - flow->asked_us, ANSWER_MOST_US);

    flow->asked_us = 0;
    if (flow->move.state != MOVE_NONE)
        return;
    if (took_us > flow->answer_us)
        flow->answer_us = took_us;
    else
        flow->answer_us -= (flow->answer_us - took_us) / ANSWERS_DECAY;
    flow->n_answers += flow->n_answers < ANSWERS_ENOUGH;
}

static void take_ages(struct flow *flow, const struct flow_entry *entry, uint64_t sent,
                      uint64_t sent_bytes, uint64_t received, uint64_t now_us)
{
    bool first = !flow->sampled_us, late = now_us - flow->sampled_us > SAMPLE_LATE_US;

    if (late)
        flow->asked_us = 0;
    if (!first && sent) {
        flow->sent_us = now_us;
        if (!flow->asked_us && !late)
            flow->asked_us = flow->sampled_us;
    }
    if (!first && received && flow->asked_us)
        take_answer(flow, now_us);
    if (first || received) {
        flow->received_us = now_us;
        flow->answer_packets = first ? entry->packets[FLOW_RECEIVED] : received;
        awaits_nothing(flow);
    } else if (sent) {
        take_sent(flow, sent, sent_bytes, now_us);
    }
}

static void flow_take(struct flow *flow, const struct flow_entry *entry, uint64_t now_us)
{
    uint64_t sent = packets_of(flow, &flow->entry, FLOW_SENT),
             received = packets_of(flow, &flow->entry, FLOW_RECEIVED),
             bytes = flow->before_bytes[FLOW_SENT] + flow->entry.bytes[FLOW_SENT];

    take_counters(flow, entry);
    if (entry->counted)
        take_ages(flow, entry, packets_of(flow, entry, FLOW_SENT) - sent,
                  flow->before_bytes[FLOW_SENT] + entry->bytes[FLOW_SENT] - bytes,
                  packets_of(flow, entry, FLOW_RECEIVED) - received, now_us);
    flow->entry = *entry;
    memcpy(flow->local, entry->seen_at, sizeof(flow->local));
    flow->local_port = entry->seen_port;
    flow->there = true;
    flow->sampled_us = now_us;
}

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

void flow_missing(struct flow *flow, uint64_t now_us)
{
    flow->there = false;
    flow->sampled_us = now_us;
}

bool flow_has_ended(const struct flow_settings *settings, const struct flow *flow, uint64_t now_us)
{
    uint64_t idle_us = now_us - max_u64(flow->sent_us, max_u64(flow->received_us, flow->first_us));

    if (flow->there || flow->move.state != MOVE_NONE)
        return false;
    return flow->state != FLOW_TOLD ||
           idle_us >= settings->end_us * (flow->interface[0] ? FLOW_END_MOVED_FACTOR : 1u);
}

/* ---- rows ---- */

static uint64_t unacked_of(const struct flow_settings *settings, const struct flow *flow)
{
    const struct flow_port *port = flow_port_find(settings, flow->tuple.dport);
    uint64_t age_us;

    if (flow->tries < TRIES_ENOUGH || !flow->since_us)
        return 0;
    age_us = flow->sampled_us - flow->since_us;
    if (port && age_us < port->answers_us)
        return 0;
    return max_u64(age_us, 1000); /* it is told in milliseconds, and 0 would be "nothing" */
}

/* Silent for so many of its probe timeouts at most. */
#define ANSWERED_PTOS 2u
#define ANSWERED_US   UINT64_C(300000)

/* By then a program whose probe timeout has doubled some times has sent, and was answered. */
#define RETURNED_US UINT64_C(10000000)

void flow_returned(struct flow *flow, uint64_t now_us)
{
    flow->returned_us = now_us;
}

bool flow_is_answered(const struct flow_settings *settings, const struct flow *flow)
{
    struct flow_row row;
    uint64_t most_us = ANSWERED_US;

    if (flow->returned_us && flow->received_us <= flow->returned_us &&
        flow->sampled_us < flow->returned_us + RETURNED_US)
        return true;
    flow_row(settings, flow, &row);
    if (row.pto_us != FLOW_UNKNOWN)
        most_us = max_u64(most_us, ANSWERED_PTOS * row.pto_us);
    return flow->there && flow->entry.counted && !flow->since_us &&
           flow->sampled_us - flow->received_us <= most_us;
}

void flow_row(const struct flow_settings *settings, const struct flow *flow, struct flow_row *ret)
{
    const struct flow_port *port = flow_port_find(settings, flow->tuple.dport);

    *ret = (struct flow_row){FLOW_UNKNOWN, FLOW_UNKNOWN, FLOW_UNKNOWN,
                             FLOW_UNKNOWN, FLOW_UNKNOWN, FLOW_UNKNOWN};
    if (!flow->entry.counted)
        return;
    if (flow->n_answers >= ANSWERS_ENOUGH)
        ret->pto_us = max_u64(flow->answer_us, port ? port->answers_us : 0) + MAX_ACK_DELAY_US;
    ret->bytes_received = flow->before_bytes[FLOW_RECEIVED] + flow->entry.bytes[FLOW_RECEIVED];
    ret->silent_us = flow->sampled_us - flow->received_us;
    ret->unacked_us = unacked_of(settings, flow);
    ret->bytes_sent = flow->before_bytes[FLOW_SENT] + flow->entry.bytes[FLOW_SENT];
    ret->packets_sent = packets_of(flow, &flow->entry, FLOW_SENT);
    /* An answer is not due: neither the silence nor what was sent in it says anything. */
    if (port && port->answers_us && ret->silent_us && ret->silent_us < port->answers_us)
        ret->silent_us = ret->bytes_sent = FLOW_UNKNOWN;
}
