/* SPDX-License-Identifier: Apache-2.0 */
#include "node_private.h"

#include <string.h>

#include "util/util.h"

/* As docs/node-protocol.md wants it. */
#define PUSH_US   UINT64_C(500000)
#define PUSH_PTOS 4u

const char *tell_local(char out[static TUPLE_END_SIZE], const struct flow *flow)
{
    struct flow_tuple seen = flow->tuple;

    memcpy(seen.saddr, flow->local, sizeof(seen.saddr));
    seen.sport = flow->local_port;
    return tuple_client_text(out, &seen);
}

static struct pathdog_node_peer peer_of(const struct flow *flow, const char *local,
                                        const char *remote)
{
    return (struct pathdog_node_peer){
        .peer = flow->name,
        .conn = flow->conn,
        .not_reconnectable = true,
        .local = local,
        .remote = remote,
        .interface = flow->interface[0] ? flow->interface : NULL,
    };
}

int tell_up(struct node *node, const struct flow *flow)
{
    char local[TUPLE_END_SIZE], remote[TUPLE_END_SIZE];
    struct pathdog_node_peer peer =
        peer_of(flow, tell_local(local, flow), tuple_server_text(remote, &flow->tuple));

    return pathdog_node_peer_up(node->kit, &peer);
}

void tell_path(struct node *node, const struct flow *flow)
{
    char local[TUPLE_END_SIZE], remote[TUPLE_END_SIZE];
    struct pathdog_node_peer peer =
        peer_of(flow, tell_local(local, flow), tuple_server_text(remote, &flow->tuple));

    (void)pathdog_node_peer_moved(node->kit, &peer);
}

void tell_down(struct node *node, const struct flow *flow, const char *reason)
{
    (void)pathdog_node_peer_down(node->kit, flow->conn, reason);
}

/* ---- rows ---- */

static uint64_t ms_of(uint64_t us)
{
    return us == FLOW_UNKNOWN ? PATHDOG_NODE_UNKNOWN : us / 1000;
}

static void row_fill(const struct node *node, const struct flow *flow,
                     uint64_t row[PATHDOG_NODE_N_COLUMNS])
{
    struct flow_row known;

    _Static_assert(FLOW_UNKNOWN == PATHDOG_NODE_UNKNOWN, "one word for not known");
    flow_row(&node->settings, flow, &known);
    pathdog_node_row_init(row, flow->conn);
    row[PATHDOG_NODE_BYTES_SENT] = known.bytes_sent;
    row[PATHDOG_NODE_BYTES_RECEIVED] = known.bytes_received;
    row[PATHDOG_NODE_PACKETS_SENT] = known.packets_sent;
    row[PATHDOG_NODE_SILENT_MS] = ms_of(known.silent_us);
    row[PATHDOG_NODE_UNACKED_MS] = ms_of(known.unacked_us);
    row[PATHDOG_NODE_PTO_US] = known.pto_us;
}

int tell_row(struct node *node, pathdog_node_token token, const struct flow *flow)
{
    uint64_t row[PATHDOG_NODE_N_COLUMNS];

    row_fill(node, flow, row);
    return pathdog_node_row(node->kit, token, row);
}

void tell_unanswered(struct node *node, struct flow *flow)
{
    uint64_t row[PATHDOG_NODE_N_COLUMNS], least_us;
    struct flow_row known;

    flow_row(&node->settings, flow, &known);
    if (known.unacked_us == FLOW_UNKNOWN || !known.unacked_us)
        return;
    least_us = known.pto_us == FLOW_UNKNOWN ? 0 : PUSH_PTOS * known.pto_us;
    if (known.unacked_us < max_u64(max_u64(PUSH_US, least_us), 2 * flow->pushed_us))
        return;
    row_fill(node, flow, row);
    if (pathdog_node_push(node->kit, row) >= 0)
        flow->pushed_us = known.unacked_us;
}
