/* SPDX-License-Identifier: Apache-2.0 */
/* Any datagrams as the kernel's conntrack messages to flow-node: nothing is read beyond them, and
 * what they say is kept in order, whatever the counters do. */
#include "fuzz.h"

#include <libmnl/libmnl.h>
#include <netinet/in.h>

#include "entry.h"

#define STEP_US UINT64_C(100000)

static const struct flow_settings settings = {
    .ports = {{443, 443, 0}, {51820, 51820, 12000000}},
    .n_ports = 2,
    .limit = 8,
    .min_age_us = 1000000,
    .min_bytes = 1000,
    .end_us = 30000000,
    .key = {1, 2},
};

static void check_entry(const struct flow_entry *entry)
{
    struct flow_tuple again;
    char text[TUPLE_TEXT_SIZE];

    MUST(entry->tuple.family == 4 || entry->tuple.family == 6);
    MUST(entry->tuple.protocol == IPPROTO_UDP);
    MUST(flow_port_find(&settings, entry->tuple.dport));
    MUST(!tuple_parse(tuple_text_full(text, &entry->tuple), &again));
    MUST(tuple_is_equal(&entry->tuple, &again));
}

static void check_flow(struct flows *flows, struct flow *flow, uint64_t now_us)
{
    struct flow_row row;

    MUST(flows_find(flows, &flow->tuple) == flow);
    if (flow->state == FLOW_READY)
        flow_tell(flows, flow, now_us % 3 ? "somebody" : NULL);
    flow_row(&settings, flow, &row);
    MUST(row.unacked_us == FLOW_UNKNOWN || row.unacked_us <= now_us);
    MUST(row.silent_us == FLOW_UNKNOWN || row.silent_us <= now_us);
    MUST(flows_told(flows) <= settings.limit);
    MUST(flow->state != FLOW_TOLD || flows_find_conn(flows, flow->conn) == flow);
}

static void check_all(struct flows *flows)
{
    for (size_t i = 1; i < flows_told(flows); i++) {
        MUST(flows_at(flows, i - 1)->conn < flows_at(flows, i)->conn);
        for (size_t j = 0; j < i; j++)
            MUST(strcmp(flows_at(flows, i)->name, flows_at(flows, j)->name) != 0);
    }
}

static void remove_flow(struct flow *flow, void *user)
{
    struct flows **flows = user;

    flow_missing(flow, flow->sampled_us + 1);
    if (flow_has_ended(&settings, flow, flow->sampled_us + 100000000))
        flow_remove(*flows, flow);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct flows *flows = flows_new(&settings);
    uint64_t now_us = STEP_US;

    while (size >= 2) {
        size_t n = data[0] | (size_t)data[1] << 8;
        struct nlmsghdr *message;
        struct flow_entry entry;
        uint32_t count, most;

        data += 2;
        size -= 2;
        now_us += STEP_US;
        if (n < sizeof(*message) || n > size) {
            flows_each_older(flows, now_us - n * 1000, remove_flow, &flows);
            continue;
        }
        message = malloc(n);
        MUST(message);
        memcpy(message, data, n);
        message->nlmsg_len = (uint32_t)n;
        if (entry_decode(message, &settings, UINT64_C(1000000000000), &entry) >= 0) {
            struct flow *flow;

            check_entry(&entry);
            flow = flows_sample(flows, &entry, now_us);
            if (flow)
                check_flow(flows, flow, now_us);
            check_all(flows);
        }
        (void)entry_decode_stats(message, &count, &most);
        free(message);
        data += n;
        size -= n;
    }
    flows_free(flows);
    return 0;
}
