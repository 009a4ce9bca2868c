/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One QUIC connection: made, read, written, closed. It must not know what the stream
 * carries, nor which of a peer's connections is the live one: whoever knows is called by
 * way of `struct conn_hooks`.
 */
#include "node.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PACKETS_PER_WRITE 64
#define NODE_UDP_PAYLOAD  1200

static void random_cid(ngtcp2_cid *cid)
{
    cid->datalen = NODE_CID_LEN;
    random_bytes(cid->data, cid->datalen);
}

static struct conn *conn_new(struct node *node, bool server)
{
    struct conn *c;

    if (node->n_conns >= NODE_MAX_CONNS)
        return NULL;
    c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->node = node;
    c->server = server;
    c->stream = -1;
    c->counted.recovery_start_ns = UINT64_MAX;
    c->created_ns = c->last_received_ns = node->now_ns;
    c->next = node->conns;
    node->conns = c;
    node->n_conns++;
    return c;
}

static void conn_parameters(struct conn *c, ngtcp2_settings *settings,
                            ngtcp2_transport_params *params)
{
    const struct options *o = c->node->options;

    ngtcp2_settings_default(settings);
    settings->initial_ts = c->node->now_ns;
    /* lost first packets are sent again sooner; validation is given up after 21
     * times this, by 1.x after 9 times */
    settings->initial_rtt = 200 * NS_PER_MS;
    settings->ack_thresh = 1; /* each packet at once: RTT samples and loss are seen sooner */
    settings->handshake_timeout = o->dial_timeout_ms * NS_PER_MS;
    /* so small that path MTU discovery has nothing to try. It must not be switched off: in
     * 0.12.1 a peer that migrates back to its original path then fails an assertion here */
    settings->max_tx_udp_payload_size = NODE_UDP_PAYLOAD;
    settings->log_printf = quic_log;

    ngtcp2_transport_params_default(params);
    params->initial_max_stream_data_bidi_local = 1024 * 1024;
    params->initial_max_stream_data_bidi_remote = 1024 * 1024;
    params->initial_max_data = 4 * 1024 * 1024;
    params->initial_max_streams_bidi = 1;
    params->max_idle_timeout = o->idle_timeout_ms * NS_PER_MS;
    params->active_connection_id_limit = 8; /* spare ids are what migrations use up */
    params->disable_active_migration = o->forbid_migration;
}

/* The rest of making one, the same for both sides. */
static void conn_ready(struct conn *c)
{
    ngtcp2_conn_set_tls_native_handle(c->quic, c->tls);
    if (c->node->options->keep_alive_ms > 0)
        ngtcp2_conn_set_keep_alive_timeout(c->quic, c->node->options->keep_alive_ms * NS_PER_MS);
    c->dirty = true;
}

int conn_dial(struct peer *p, const struct address *remote, const char *interface,
              const struct address *local, const char **ret_why)
{
    struct conn *c = conn_new(p->node, false);
    ngtcp2_transport_params params;
    ngtcp2_callbacks callbacks;
    ngtcp2_settings settings;
    ngtcp2_cid dcid, scid;
    ngtcp2_path path;
    struct udp *u;
    int r;

    *ret_why = "out of memory";
    if (!c)
        return -ENOMEM;
    r = udp_dial(c, remote, interface, local, &u);
    if (r < 0) {
        *ret_why = strerror(-r);
        c->dead = true;
        return r;
    }
    c->remote = *remote;
    c->local = u->local;
    c->epoch = p->epoch + 1;
    path = (ngtcp2_path){.local = {&u->local.sa, u->local.len},
                         .remote = {&c->remote.sa, c->remote.len}};
    random_cid(&dcid);
    random_cid(&scid);
    callbacks_fill(&callbacks, false);
    conn_parameters(c, &settings, &params);
    if (ngtcp2_conn_client_new(&c->quic, &dcid, &scid, &path, NGTCP2_PROTO_VER_V1, &callbacks,
                               &settings, &params, NULL, c) != 0 ||
        tls_session_new(c) < 0) {
        c->dead = true;
        return -ENOMEM;
    }
    conn_ready(c);
    c->peer = p;
    p->dial = c;
    return 0;
}

struct conn *conn_accept(struct node *node, const ngtcp2_path *path, const uint8_t *data,
                         size_t len)
{
    ngtcp2_transport_params params;
    ngtcp2_callbacks callbacks;
    ngtcp2_settings settings;
    ngtcp2_pkt_hd header;
    struct conn *c;
    ngtcp2_cid scid;

    if (node->stopping || ngtcp2_accept(&header, data, len) != 0)
        return NULL;
    c = conn_new(node, true);
    if (!c)
        return NULL;
    address_copy(&c->local, path->local.addr, path->local.addrlen);
    address_copy(&c->remote, path->remote.addr, path->remote.addrlen);
    random_cid(&scid);
    callbacks_fill(&callbacks, true);
    conn_parameters(c, &settings, &params);
    quic_set_original_dcid(&params, &header.dcid);
    params.stateless_reset_token_present = 1;
    if (ngtcp2_crypto_generate_stateless_reset_token(params.stateless_reset_token,
                                                     node->reset_secret, sizeof(node->reset_secret),
                                                     &scid) != 0 ||
        ngtcp2_conn_server_new(&c->quic, &header.scid, &scid, path, header.version, &callbacks,
                               &settings, &params, NULL, c) != 0 ||
        tls_session_new(c) < 0 || cid_add(node, &scid, c) < 0 ||
        cid_add(node, &header.dcid, c) < 0) {
        c->dead = true;
        return NULL;
    }
    conn_ready(c);
    return c;
}

/* The end, whoever wanted it: tells everybody; conn_reap() frees it. */
static void conn_end(struct conn *c, enum close_code code, const char *reason)
{
    char name[300] = "";

    if (c->dead)
        return;
    c->dead = true;
    if (c->peer)
        snprintf(name, sizeof(name), " peer=%s", c->peer->name);
    event(c->node, c->number ? "down" : "dropped", "conn=%llu%s role=%s reason=\"%s\"",
          (unsigned long long)c->number, name, c->server ? "server" : "client", reason);
    c->node->hooks->ended(c, code, reason);
}

static void conn_send_close(struct conn *c, ngtcp2_ccerr *error)
{
    uint8_t data[NODE_DATAGRAM_MAX];
    ngtcp2_path_storage path;
    ngtcp2_pkt_info pi;
    ngtcp2_ssize n;

    ngtcp2_path_storage_zero(&path);
    if (c->held)
        return;
    if (ngtcp2_conn_in_closing_period(c->quic) || ngtcp2_conn_in_draining_period(c->quic))
        return;
    n = ngtcp2_conn_write_connection_close(c->quic, &path.path, &pi, data, sizeof(data), error,
                                           c->node->now_ns);
    if (n > 0) {
        c->packets_sent++;
        udp_send(c, &path.path, data, (size_t)n);
    }
}

void conn_close(struct conn *c, enum close_code code, const char *reason)
{
    ngtcp2_ccerr error;

    if (c->dead)
        return;
    ngtcp2_ccerr_default(&error);
    ngtcp2_ccerr_set_application_error(&error, code, (const uint8_t *)reason, strlen(reason));
    conn_send_close(c, &error);
    conn_end(c, code, reason);
}

/* The library said so. */
static void conn_fail(struct conn *c, int liberr)
{
    ngtcp2_ccerr error;

    ngtcp2_ccerr_default(&error);
    switch (liberr) {
    case NGTCP2_ERR_DRAINING: /* the peer closed */
        error = quic_peer_error(c->quic);
        if (error.type == NGTCP2_CCERR_TYPE_APPLICATION && error.error_code == CLOSE_RECONNECT)
            conn_end(c, CLOSE_RECONNECT, "closed by the peer: reconnect");
        else if (error.type == NGTCP2_CCERR_TYPE_APPLICATION &&
                 error.error_code == CLOSE_SUPERSEDED)
            conn_end(c, CLOSE_SUPERSEDED, "closed by the peer: superseded");
        else if (error.type == NGTCP2_CCERR_TYPE_APPLICATION && error.error_code == CLOSE_SHUTDOWN)
            conn_end(c, CLOSE_SHUTDOWN, "closed by the peer: shutdown");
        else
            conn_end(c, CLOSE_NONE, "closed by the peer");
        return;
    case NGTCP2_ERR_IDLE_CLOSE:
        conn_end(c, CLOSE_NONE, "idle_timeout");
        return;
    case NGTCP2_ERR_HANDSHAKE_TIMEOUT:
        conn_end(c, CLOSE_NONE, "handshake_timeout");
        return;
    case NGTCP2_ERR_RETRY:
    case NGTCP2_ERR_DROP_CONN:
        break;
    case NGTCP2_ERR_CRYPTO:
        ngtcp2_ccerr_set_tls_alert(&error, ngtcp2_conn_get_tls_alert(c->quic), NULL, 0);
        conn_send_close(c, &error);
        break;
    default:
        ngtcp2_ccerr_set_liberr(&error, liberr, NULL, 0);
        conn_send_close(c, &error);
    }
    conn_end(c, CLOSE_NONE, ngtcp2_strerror(liberr));
}

/* Acts on what the callbacks noted. */
static void conn_after(struct conn *c)
{
    if (!c->dead && c->failed)
        conn_close(c, CLOSE_PROTOCOL, "the stream has unexpected data");
    if (!c->dead)
        c->node->hooks->turned(c);
}

void conn_read(struct conn *c, const ngtcp2_path *path, const uint8_t *data, size_t len)
{
    ngtcp2_pkt_info pi = {0};
    int r = ngtcp2_conn_read_pkt(c->quic, path, &pi, data, len, c->node->now_ns);

    c->dirty = true;
    if (r != 0) {
        conn_fail(c, r);
        return;
    }
    c->bytes_received += len;
    c->last_received_ns = c->node->now_ns;
    address_copy(&c->received_at, path->local.addr, path->local.addrlen);
    c->send_errors = 0;
    conn_after(c);
}

/* So many bytes of the stream went out for the first time. */
static void conn_written(struct conn *c, size_t len)
{
    size_t probe = c->out_probe_bytes < len ? c->out_probe_bytes : len;

    c->out_next_pos += len;
    c->out_unsent_bytes -= len;
    c->out_probe_bytes -= probe;
    c->out_written += len;
    if (len > probe)
        unacked_sent(&c->unacked, c->out_written, len - probe, c->node->now_ns);
}

/* One packet, with stream data where there is some. 1: written, 0: nothing to write. */
static int conn_write_one(struct conn *c)
{
    uint8_t data[NODE_DATAGRAM_MAX];
    ngtcp2_path_storage path;
    ngtcp2_pkt_info pi;
    ngtcp2_ssize n, taken = -1;
    ngtcp2_vec vec = {0};
    bool stream = c->stream >= 0 && c->out_next && c->out_unsent_bytes > 0;

    if (stream) {
        if (c->out_next_pos == c->out_next->len && c->out_next->next) {
            c->out_next = c->out_next->next;
            c->out_next_pos = 0;
        }
        vec = (ngtcp2_vec){c->out_next->data + c->out_next_pos, c->out_next->len - c->out_next_pos};
    }
    ngtcp2_path_storage_zero(&path);
    n = ngtcp2_conn_writev_stream(c->quic, &path.path, &pi, data, sizeof(data), &taken,
                                  NGTCP2_WRITE_STREAM_FLAG_NONE, stream ? c->stream : -1, &vec,
                                  stream ? 1 : 0, c->node->now_ns);
    if (n == NGTCP2_ERR_STREAM_DATA_BLOCKED || n == NGTCP2_ERR_STREAM_SHUT_WR)
        n = ngtcp2_conn_writev_stream(c->quic, &path.path, &pi, data, sizeof(data), &taken,
                                      NGTCP2_WRITE_STREAM_FLAG_NONE, -1, NULL, 0, c->node->now_ns);
    if (n < 0) {
        conn_fail(c, (int)n);
        return 0;
    }
    if (taken > 0)
        conn_written(c, (size_t)taken);
    if (n > 0) {
        c->packets_sent++;
        udp_send(c, &path.path, data, (size_t)n);
    }
    return n > 0;
}

void conn_write(struct conn *c)
{
    int i;

    c->dirty = false;
    if (c->dead)
        return;
    if (c->held) {
        conn_after(c);
        return;
    }
    for (i = 0; i < PACKETS_PER_WRITE && !c->dead && conn_write_one(c); i++)
        ;
    if (c->dead)
        return;
    if (i == PACKETS_PER_WRITE)
        c->dirty = true;
    /* This only sets the pace. Before the first sample on a path it would be set by the
     * library's guess, which holds the first data on a new path back for tens of ms. */
    if (quic_numbers(c->quic, &c->counted).measured)
        ngtcp2_conn_update_pkt_tx_time(c->quic, c->node->now_ns);
    conn_after(c);
}

/* A handshake has its own time limit in the library; what comes after it does not. */
static uint64_t hello_deadline_ns(const struct conn *c)
{
    return c->number || c->dead ? UINT64_MAX
                                : c->created_ns + 2 * c->node->options->dial_timeout_ms * NS_PER_MS;
}

void conn_timer(struct conn *c)
{
    int r;

    if (c->dead)
        return;
    if (!c->held && ngtcp2_conn_get_expiry(c->quic) <= c->node->now_ns) {
        r = ngtcp2_conn_handle_expiry(c->quic, c->node->now_ns);
        if (r != 0) {
            conn_fail(c, r);
            return;
        }
        c->dirty = true;
    }
    udp_expire(c);
    if (hello_deadline_ns(c) <= c->node->now_ns)
        conn_close(c, CLOSE_PROTOCOL, "no hello in time");
    conn_after(c);
}

/* When conn_timer() has something to do. */
uint64_t conn_next_ns(struct conn *c)
{
    uint64_t next = c->dead   ? c->node->now_ns
                    : c->held ? UINT64_MAX
                              : ngtcp2_conn_get_expiry(c->quic);

    for (struct udp *u = c->paths; u; u = u->next)
        if (u->close_at_ns && u->close_at_ns < next)
            next = u->close_at_ns;
    if (hello_deadline_ns(c) < next)
        next = hello_deadline_ns(c);
    return c->node->hooks->next_ns(c) < next ? c->node->hooks->next_ns(c) : next;
}

bool conn_newer(const struct conn *a, const struct conn *b)
{
    const char *dialler_a = a->server ? a->peer->name : a->node->options->name;
    const char *dialler_b = b->server ? b->peer->name : b->node->options->name;

    if (a->epoch != b->epoch)
        return a->epoch > b->epoch;
    return strcmp(dialler_a, dialler_b) > 0;
}

bool conn_congested(struct conn *c)
{
    return c->out_unsent_bytes > 0 && ngtcp2_conn_get_cwnd_left(c->quic) <
                                          ngtcp2_conn_get_path_max_tx_udp_payload_size(c->quic);
}

struct conn *conn_by_number(struct node *node, uint64_t number)
{
    for (struct conn *c = node->conns; c; c = c->next)
        if (c->number == number && number && !c->dead)
            return c;
    return NULL;
}

void conn_reap(struct node *node)
{
    for (struct conn **p = &node->conns; *p;) {
        struct conn *c = *p;

        if (!c->dead) {
            p = &c->next;
            continue;
        }
        *p = c->next;
        node->n_conns--;
        for (struct udp *u = c->paths; u; u = u->next)
            u->close_at_ns = 1;
        udp_expire(c);
        if (c->server)
            cid_remove_all(c);
        ngtcp2_conn_del(c->quic);
        if (c->tls)
            gnutls_deinit(c->tls);
        frames_free(c);
        free(c);
    }
    udp_reap(node);
}
