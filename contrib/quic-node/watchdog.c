/* SPDX-License-Identifier: Apache-2.0 */
/* pathdog's side of the node: what the node kit asks for, from the connections. */
#include "node.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

/* What ngtcp2 and this node can tell. in_recovery is an estimate, see the README. */
#define OWN_COLUMNS (PATHDOG_NODE_COLUMN(PATHDOG_NODE_N_COLUMNS) - 1)

void watchdog_peer_up(struct conn *c, bool first)
{
    const ngtcp2_transport_params *params = ngtcp2_conn_get_remote_transport_params(c->quic);
    char local[ADDRESS_TEXT_MAX], remote[ADDRESS_TEXT_MAX];
    struct pathdog_node_peer peer = {
        .peer = c->peer->name,
        .conn = c->number,
        .server = c->server,
        .not_migratable = c->server,
        .not_reconnectable = !c->peer->reachable,
        .local = address_text(&c->local, local),
        .remote = address_text(&c->remote, remote),
        .via = relay_via(c),
        .interface = udp_interface(c),
    };

    if (first)
        event(c->node, "up", "peer=%s conn=%llu role=%s local=%s remote=%s via=%s epoch=%llu%s",
              peer.peer, (unsigned long long)c->number, c->server ? "server" : "client", local,
              remote, peer.via, (unsigned long long)c->epoch,
              params && params->disable_active_migration ? " migration=forbidden" : "");
    if (c->node->kit && pathdog_node_peer_up(c->node->kit, &peer) < 0)
        event(c->node, "bad-name", "conn=%llu", (unsigned long long)c->number);
}

static void on_client(struct pathdog_node *kit, bool connected, const char *why, void *user_data)
{
    (void)kit;
    if (connected)
        event(user_data, "pathdog", "state=connected");
    else
        event(user_data, "pathdog", "state=gone reason=\"%s\"", why ? why : "");
}

static void on_subscribe(struct pathdog_node *kit, void *user_data)
{
    struct node *node = user_data;

    (void)kit;
    for (struct peer *p = node->peers; p; p = p->next)
        if (p->live)
            watchdog_peer_up(p->live, false);
}

static void row_fill(struct conn *c, uint64_t row[PATHDOG_NODE_N_COLUMNS])
{
    uint64_t now = c->node->now_ns, since = unacked_since_ns(&c->unacked);
    struct quic_numbers q = quic_numbers(c->quic, &c->counted);
    struct relay_lease lease = relay_lease(c);
    /* the library leaves recovery when a packet sent after its beginning is acknowledged,
     * which is one RTT later */
    bool recovering =
        q.recovery_start_ns != UINT64_MAX && now - q.recovery_start_ns < q.smoothed_rtt;

    pathdog_node_row_init(row, c->number);
    if (q.measured) {
        row[PATHDOG_NODE_SRTT_US] = q.smoothed_rtt / 1000;
        row[PATHDOG_NODE_LATEST_RTT_US] = q.latest_rtt / 1000;
        row[PATHDOG_NODE_MIN_RTT_US] = q.min_rtt / 1000;
        row[PATHDOG_NODE_RTTVAR_US] = q.rttvar / 1000;
    }
    row[PATHDOG_NODE_RTT_SAMPLES] = c->counted.rtt_samples;
    row[PATHDOG_NODE_CWND_BYTES] = q.cwnd;
    row[PATHDOG_NODE_IN_FLIGHT_BYTES] = q.bytes_in_flight;
    row[PATHDOG_NODE_CONGESTED] = conn_congested(c);
    row[PATHDOG_NODE_IN_RECOVERY] = recovering;
    row[PATHDOG_NODE_PTO_COUNT] = q.pto_count;
    row[PATHDOG_NODE_BYTES_SENT] = c->bytes_sent;
    row[PATHDOG_NODE_BYTES_RECEIVED] = c->bytes_received;
    row[PATHDOG_NODE_PACKETS_LOST] = c->counted.packets_lost;
    row[PATHDOG_NODE_SEND_ERRORS] = c->send_errors;
    row[PATHDOG_NODE_SILENT_MS] = (now - c->last_received_ns) / NS_PER_MS;
    row[PATHDOG_NODE_UNACKED_MS] = since == UINT64_MAX ? 0 : (now - since) / NS_PER_MS;
    row[PATHDOG_NODE_UNACKED_BYTES] = c->unacked.bytes;
    row[PATHDOG_NODE_ACKED_BYTES] = c->unacked.acked;
    row[PATHDOG_NODE_PACKETS_SENT] = c->packets_sent;
    row[PATHDOG_NODE_PTO_US] = ngtcp2_conn_get_pto(c->quic) / 1000;
    row[PATHDOG_NODE_LEASE_MS] = lease.ms;
    row[PATHDOG_NODE_LEASE_SENT_BYTES] = lease.sent_bytes;
    row[PATHDOG_NODE_LEASE_RECEIVED_BYTES] = lease.received_bytes;
}

static void row_report(struct pathdog_node *kit, pathdog_node_token token, struct conn *c)
{
    uint64_t row[PATHDOG_NODE_N_COLUMNS];

    row_fill(c, row);
    pathdog_node_row(kit, token, row);
    c->push.congested_reported = row[PATHDOG_NODE_CONGESTED];
}

int watchdog_push(struct conn *c)
{
    uint64_t row[PATHDOG_NODE_N_COLUMNS];

    row_fill(c, row);
    return pathdog_node_push(c->node->kit, row);
}

static void on_summary(struct pathdog_node *kit, pathdog_node_token token, const uint64_t *conns,
                       size_t n_conns, void *user_data)
{
    struct node *node = user_data;

    for (struct peer *p = node->peers; !conns && p; p = p->next)
        if (p->live)
            row_report(kit, token, p->live);
    for (size_t i = 0; conns && i < n_conns; i++) {
        struct conn *c = conn_by_number(node, conns[i]);

        if (c)
            row_report(kit, token, c);
    }
    pathdog_node_summary_done(kit, token);
}

static void on_migrate(struct pathdog_node *kit, pathdog_node_token token,
                       const struct pathdog_node_migrate *request, void *user_data)
{
    struct node *node = user_data;
    struct conn *c = conn_by_number(node, request->conn);

    if (c)
        migrate_begin(c, token, request);
    else /* it was there in this boot, or it never was */
        pathdog_node_error(kit, token,
                           request->conn <= node->last_number ? PATHDOG_NODE_NO_CONN
                                                              : PATHDOG_NODE_NOT_CONNECTED,
                           NULL);
}

static void on_reconnect(struct pathdog_node *kit, pathdog_node_token token,
                         const struct pathdog_node_reconnect *request, void *user_data)
{
    struct conn *c = conn_by_number(user_data, request->conn);

    (void)kit;
    if (c)
        reconnect_begin(c, request, token);
    else
        reconnect_gone(user_data, request, token);
}

static void on_probe(struct pathdog_node *kit, const uint64_t *conns, size_t n_conns,
                     void *user_data)
{
    (void)kit;
    for (size_t i = 0; i < n_conns; i++) {
        struct conn *c = conn_by_number(user_data, conns[i]);

        if (c)
            frame_probe(c);
    }
}

static void on_probe_path(struct pathdog_node *kit, pathdog_node_token token,
                          const struct pathdog_node_probe_path *request, void *user_data)
{
    struct node *node = user_data;
    struct conn *c = conn_by_number(node, request->conn);

    if (c)
        probe_path_begin(c, token, request);
    else
        pathdog_node_error(kit, token,
                           request->conn <= node->last_number ? PATHDOG_NODE_NO_CONN
                                                              : PATHDOG_NODE_NOT_CONNECTED,
                           NULL);
}

/* What it was of, if it is still open. */
static void on_cancel(struct pathdog_node *kit, pathdog_node_token token, void *user_data)
{
    struct node *node = user_data;

    (void)kit;
    for (struct peer *p = node->peers; p; p = p->next)
        if (p->reconnect.token == token)
            reconnect_cancel(p);
    for (struct conn *c = node->conns; c; c = c->next) {
        if (c->dead)
            continue;
        if (c->move.token == token)
            migrate_cancel(c);
        else
            probe_path_cancel(c, token);
    }
}

static const struct pathdog_node_ops ops = {
    .subscribe = on_subscribe,
    .summary = on_summary,
    .migrate = on_migrate,
    .reconnect = on_reconnect,
    .probe = on_probe,
    .probe_path = on_probe_path,
    .cancel = on_cancel,
    .client = on_client,
};

/* Told to each pathdog that comes. */
static int relays_tell(struct node *node)
{
    struct pathdog_node_relay relays[RELAYS_MAX];
    char texts[RELAYS_MAX][ADDRESS_TEXT_MAX];
    const struct options *o = node->options;

    for (size_t i = 0; i < o->n_relays; i++)
        relays[i] = (struct pathdog_node_relay){
            .relay = o->relays[i].name,
            .address = address_text(&o->relays[i].address, texts[i]),
        };
    return o->features & PATHDOG_NODE_RELAY
               ? pathdog_node_relays(node->kit, relays, o->n_relays, NULL)
               : 0;
}

int watchdog_init(struct node *node, char *ret_error, size_t error_size)
{
    const struct options *o = node->options;
    struct pathdog_node_config config = {
        .path = o->socket,
        .node = o->name,
        .implementation = "quic-node/1",
        .boot = node->boot,
        .features = o->features,
        .prefer_reconnect = o->prefer_reconnect,
        .max_in_flight = o->max_in_flight,
        .columns = o->columns ? o->columns & OWN_COLUMNS : OWN_COLUMNS,
        .ops = &ops,
        .user_data = node,
    };
    struct epoll_event ev = {.events = EPOLLIN};
    int r = pathdog_node_new(&config, &node->kit, ret_error, error_size);

    if (r == 0)
        r = relays_tell(node);
    if (r < 0)
        return r;
    ev.data.ptr = node->kit;
    return epoll_ctl(node->epoll_fd, EPOLL_CTL_ADD, pathdog_node_fd(node->kit), &ev) < 0 ? -errno
                                                                                         : 0;
}
