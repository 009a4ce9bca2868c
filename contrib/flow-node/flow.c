/* SPDX-License-Identifier: Apache-2.0 */
/* One flow: what the samples of its conntrack entry say of it, and its row. */
#include "flow.h"

#include <string.h>

#include "util/util.h"

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

const struct flow_port *flow_port_find(const struct flow_settings *settings, uint16_t port)
{
    static const struct flow_port any = {0, UINT16_MAX, 0};

    for (size_t i = 0; i < settings->n_ports; i++)
        if (port >= settings->ports[i].first && port <= settings->ports[i].last)
            return &settings->ports[i];
    return settings->n_ports ? NULL : &any;
}

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

void flow_take(struct flow *flow, const struct flow_entry *entry, uint64_t now_us)
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
