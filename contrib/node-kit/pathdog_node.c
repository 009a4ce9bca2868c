/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The node's side of the node protocol, version 1: what the node calls. It must not
 * block, and must not know what a connection is.
 */
#include "pathdog_node_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

static const char *const column_names[PATHDOG_NODE_N_COLUMNS] = {
    "conn",           "srtt_us",       "latest_rtt_us",    "min_rtt_us",
    "rttvar_us",      "rtt_samples",   "cwnd_bytes",       "in_flight_bytes",
    "congested",      "in_recovery",   "pto_count",        "bytes_sent",
    "bytes_received", "packets_lost",  "send_errors",      "silent_ms",
    "unacked_ms",     "unacked_bytes", "acked_bytes",      "packets_sent",
    "pto_us",         "lease_ms",      "lease_sent_bytes", "lease_received_bytes",
};

/* ---- what the node tells ---- */

static bool name_valid(const char *name)
{
    size_t len = name ? strlen(name) : 0;

    if (len < 1 || len > 255)
        return false;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)name[i];

        /* C1 controls are C2 80 … C2 9F */
        if (c < 0x20 || c == 0x7f || (c == 0xc2 && (unsigned char)name[i + 1] < 0xa0))
            return false;
    }
    return true;
}

static void set_text(json_t *object, const char *key, const char *value)
{
    if (value)
        json_object_set_new(object, key, json_string(value));
}

int pathdog_node_peer_up(struct pathdog_node *kit, const struct pathdog_node_peer *peer)
{
    json_t *params;
    int r;

    if (!name_valid(peer->peer) || peer->conn < 1 || peer->conn > PATHDOG_NODE_CONN_MAX)
        return -EINVAL;
    if (kit_list_covers(kit, peer->conn))
        return 0;
    r = kit->peers.inside ? kit_list_take(kit, &kit->peers, peer->conn) : 0;
    if (r < 0)
        return r;
    params = json_pack("{ss,sI,ss,sb,sb}", "peer", peer->peer, "conn", (json_int_t)peer->conn,
                       "role", peer->server ? "server" : "client", "migratable",
                       !peer->not_migratable, "reconnectable", !peer->not_reconnectable);
    if (!params) /* not UTF-8 */
        return -EINVAL;
    set_text(params, "local", peer->local);
    set_text(params, "remote", peer->remote);
    set_text(params, "via", peer->via);
    set_text(params, "interface", peer->interface);
    kit->n_listed += kit->subscribed;
    return kit_send_notification(kit, "peer_up", params);
}

int pathdog_node_peer_down(struct pathdog_node *kit, uint64_t conn, const char *reason)
{
    json_t *params;

    if (kit_list_covers(kit, conn))
        return 0;
    params = json_pack("{sI}", "conn", (json_int_t)conn);
    set_text(params, "reason", reason);
    return kit_send_notification(kit, "peer_down", params);
}

int pathdog_node_peer_moved(struct pathdog_node *kit, const struct pathdog_node_peer *peer)
{
    json_t *params;

    if (kit_list_covers(kit, peer->conn))
        return 0;
    params = json_pack("{sI}", "conn", (json_int_t)peer->conn);
    set_text(params, "local", peer->local);
    set_text(params, "remote", peer->remote);
    set_text(params, "via", peer->via);
    set_text(params, "interface", peer->interface);
    return kit_send_notification(kit, "peer_path", params);
}

int pathdog_node_peer_path(struct pathdog_node *kit, uint64_t conn, const char *local,
                           const char *remote, const char *via)
{
    return pathdog_node_peer_moved(
        kit,
        &(struct pathdog_node_peer){.conn = conn, .local = local, .remote = remote, .via = via});
}

int pathdog_node_column_find(const char *name)
{
    for (int i = 0; i < PATHDOG_NODE_N_COLUMNS; i++)
        if (strcmp(column_names[i], name) == 0)
            return i;
    return -ENOENT;
}

void pathdog_node_row_init(uint64_t row[PATHDOG_NODE_N_COLUMNS], uint64_t conn)
{
    for (int i = 0; i < PATHDOG_NODE_N_COLUMNS; i++)
        row[i] = PATHDOG_NODE_UNKNOWN;
    row[PATHDOG_NODE_CONN] = conn;
}

static void rows_flush(struct pathdog_node *kit)
{
    if (kit->n_rows == 0)
        return;
    if (kit_buffer_append(&kit->rows, "]}}", 3) == 0)
        kit_client_send(kit, kit->rows.data, kit->rows.len);
    kit->rows.len = 0;
    kit->n_rows = 0;
}

/* Rows are many: they are written by hand, not by way of jansson. */
static int rows_begin(struct pathdog_node *kit)
{
    char text[1024];
    size_t n = 0;

    n +=
        (size_t)snprintf(text, sizeof(text),
                         "{\"jsonrpc\":\"2.0\",\"method\":\"summaries\",\"params\":{\"columns\":[");
    for (int i = 0; i < PATHDOG_NODE_N_COLUMNS; i++)
        if (kit->columns & PATHDOG_NODE_COLUMN(i))
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s\"%s\"", i ? "," : "",
                                  column_names[i]);
    n += (size_t)snprintf(text + n, sizeof(text) - n, "],\"rows\":[");
    return kit_buffer_append(&kit->rows, text, n);
}

int pathdog_node_row(struct pathdog_node *kit, pathdog_node_token token,
                     const uint64_t row[PATHDOG_NODE_N_COLUMNS])
{
    struct token *t = kit_token_find(kit, token);
    char text[PATHDOG_NODE_N_COLUMNS * 20];
    size_t n = 0;
    int r = 0;

    if (token != 0 && (!t || t->kind != TOKEN_SUMMARY))
        return -ESTALE;
    if (!kit->subscribed && !t)
        return 0;
    if (row[PATHDOG_NODE_CONN] < 1 || row[PATHDOG_NODE_CONN] > PATHDOG_NODE_CONN_MAX)
        return -EINVAL;
    if (!t && kit_list_covers(kit, row[PATHDOG_NODE_CONN]))
        return 0;
    if (kit->rows_list.inside && token == kit->rows_list.token)
        r = kit_list_take(kit, &kit->rows_list, row[PATHDOG_NODE_CONN]);
    if (r < 0)
        return r;
    for (int i = 0; i < PATHDOG_NODE_N_COLUMNS; i++) {
        const char *before = i ? "," : kit->n_rows ? ",[" : "[";

        if (!(kit->columns & PATHDOG_NODE_COLUMN(i)))
            continue;
        if (row[i] > PATHDOG_NODE_CONN_MAX)
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%snull", before);
        else
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%" PRIu64, before, row[i]);
    }
    text[n++] = ']';
    if (kit->n_rows == 0)
        r = rows_begin(kit);
    if (r == 0)
        r = kit_buffer_append(&kit->rows, text, n);
    if (r < 0)
        return r;
    kit->n_rows++;
    if (t)
        t->n_rows++;
    if (kit->n_rows >= PATHDOG_NODE_ROWS_PER_MESSAGE)
        rows_flush(kit);
    return 0;
}

/* ---- what the node answers ---- */

int pathdog_node_summary_done(struct pathdog_node *kit, pathdog_node_token token)
{
    struct token t;
    int r;

    rows_flush(kit);
    if (token == 0)
        return 0;
    r = kit_token_take(kit, token, TOKEN_SUMMARY, &t);
    return r < 0 ? r : kit_send_result(kit, t.id, json_pack("{sI}", "rows", (json_int_t)t.n_rows));
}

int pathdog_node_migrated(struct pathdog_node *kit, pathdog_node_token token, const char *local,
                          bool validated)
{
    struct token t;
    int r = kit_token_take(kit, token, TOKEN_MIGRATE, &t);
    json_t *result;

    if (r < 0)
        return r;
    result = json_pack("{sb}", "validated", validated);
    set_text(result, "local", local);
    return kit_send_result(kit, t.id, result);
}

int pathdog_node_reconnected(struct pathdog_node *kit, pathdog_node_token token, uint64_t conn)
{
    struct token t;
    int r = kit_token_take(kit, token, TOKEN_RECONNECT, &t);

    return r < 0 ? r : kit_send_result(kit, t.id, json_pack("{sI}", "conn", (json_int_t)conn));
}

int pathdog_node_path_probed(struct pathdog_node *kit, pathdog_node_token token, uint64_t rtt_us)
{
    struct token t;
    int r = kit_token_take(kit, token, TOKEN_PROBE_PATH, &t);

    return r < 0 ? r : kit_send_result(kit, t.id, json_pack("{sI}", "rtt_us", (json_int_t)rtt_us));
}

int pathdog_node_error(struct pathdog_node *kit, pathdog_node_token token, int code,
                       const char *message)
{
    struct token t;
    json_t *id;
    int r = kit_token_take(kit, token, TOKEN_FREE, &t);

    if (r < 0)
        return r;
    id = json_integer(t.id);
    r = kit_send_error(kit, id, code, message);
    json_decref(id);
    return r;
}

/* ---- long lists ---- */

static void lists_work(struct pathdog_node *kit)
{
    struct list *peers = &kit->peers, *rows = &kit->rows_list;

    kit->listed_bytes = 0;
    if (peers->active && kit_list_has_room(kit) && kit_list_step(kit, peers))
        kit_send_result(kit, peers->id, json_pack("{sI}", "peers", (json_int_t)kit->n_listed));
    if (rows->active && !peers->active && kit_list_has_room(kit) && kit_list_step(kit, rows))
        pathdog_node_summary_done(kit, rows->token);
}

/* ---- beginning and end ---- */

static int config_check(const struct pathdog_node_config *c, char *ret_error, size_t error_size)
{
    if (!c->ops || !c->node || !c->node[0] || !c->implementation)
        return kit_fail(ret_error, error_size, -EINVAL, "ops, node and implementation are needed");
    if (c->features & PATHDOG_NODE_RECONNECT && !c->ops->reconnect)
        return kit_fail(ret_error, error_size, -EINVAL, "feature reconnect without its callback");
    if (c->ops->list_rows && !c->ops->summary)
        return kit_fail(ret_error, error_size, -EINVAL, "list_rows without summary");
    if (c->features & PATHDOG_NODE_PROBE && !c->ops->probe)
        return kit_fail(ret_error, error_size, -EINVAL, "feature probe without its callback");
    if (c->features & PATHDOG_NODE_PROBE_PATH && !c->ops->probe_path)
        return kit_fail(ret_error, error_size, -EINVAL, "feature probe_path without its callback");
    return 0;
}

static int kit_fill(struct pathdog_node *kit, const struct pathdog_node_config *c)
{
    unsigned char boot[8];
    char text[2 * sizeof(boot) + 1];
    uint32_t all = PATHDOG_NODE_COLUMN(PATHDOG_NODE_N_COLUMNS) - 1;

    if (!c->boot && getrandom(boot, sizeof(boot), 0) != sizeof(boot))
        return -errno;
    for (size_t i = 0; !c->boot && i < sizeof(boot); i++)
        snprintf(text + 2 * i, 3, "%02x", boot[i]);
    kit->ops = c->ops;
    kit->user_data = c->user_data;
    kit->features = c->features;
    kit->columns = ((c->columns ? c->columns : all) & all) | PATHDOG_NODE_COLUMN(PATHDOG_NODE_CONN);
    kit->max_in_flight = c->max_in_flight;
    kit->prefer_reconnect = c->prefer_reconnect;
    kit->output_limit_bytes =
        c->output_limit_bytes ? c->output_limit_bytes : PATHDOG_NODE_OUTPUT_LIMIT_BYTES;
    if (kit->output_limit_bytes < PATHDOG_NODE_LINE_MAX_BYTES)
        kit->output_limit_bytes = PATHDOG_NODE_LINE_MAX_BYTES;
    kit->node = strdup(c->node);
    kit->implementation = strdup(c->implementation);
    kit->boot = strdup(c->boot ? c->boot : text);
    kit->client_uids = calloc(c->n_client_uids + 1, sizeof(uid_t));
    kit->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (!kit->node || !kit->implementation || !kit->boot || !kit->client_uids)
        return -ENOMEM;
    kit->n_client_uids = c->n_client_uids;
    if (c->n_client_uids > 0)
        memcpy(kit->client_uids, c->client_uids, c->n_client_uids * sizeof(uid_t));
    return kit->epoll_fd < 0 ? -errno : 0;
}

int pathdog_node_new(const struct pathdog_node_config *config, struct pathdog_node **ret_kit,
                     char *ret_error, size_t error_size)
{
    struct pathdog_node *kit;
    int r = config_check(config, ret_error, error_size);

    if (r < 0)
        return r;
    kit = calloc(1, sizeof(*kit));
    if (!kit)
        return kit_fail(ret_error, error_size, -ENOMEM, "out of memory");
    kit->listen_fd = kit->client_fd = kit->epoll_fd = -1;
    kit->on_line = kit_handle_line;
    kit->on_gone = kit_tokens_release_all;
    kit->on_turn = lists_work;
    r = kit_fill(kit, config);
    if (r < 0)
        kit_fail(ret_error, error_size, r, "%s", strerror(-r));
    else if (config->path)
        r = kit_socket_bind(kit, config->path, ret_error, error_size);
    if (r < 0) {
        pathdog_node_free(kit);
        return r;
    }
    *ret_kit = kit;
    return 0;
}

struct pathdog_node *pathdog_node_free(struct pathdog_node *kit)
{
    if (!kit)
        return NULL;
    kit->greeted = false;  /* no callback any more */
    kit_client_flush(kit); /* the last words, as far as they go */
    kit_client_close(kit, NULL);
    kit_socket_unbind(kit);
    if (kit->epoll_fd >= 0)
        close(kit->epoll_fd);
    kit_buffer_drop(&kit->rows);
    free(kit->pushes);
    json_decref(kit->relays);
    free(kit->tokens);
    free(kit->client_uids);
    free(kit->node);
    free(kit->implementation);
    free(kit->boot);
    free(kit);
    return NULL;
}

int pathdog_node_fd(const struct pathdog_node *kit)
{
    return kit->epoll_fd;
}

size_t pathdog_node_pending_bytes(const struct pathdog_node *kit)
{
    return kit->out.len - kit->out_sent;
}
