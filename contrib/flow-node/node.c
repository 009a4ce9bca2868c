/* SPDX-License-Identifier: Apache-2.0 */
#include "node.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "lock.h"
#include "movable.h"
#include "node_private.h"
#include "util/format.h"
#include "util/printable.h"
#include "version.h"

#define ERROR_SIZE   256u
#define FRESH_MOST   256u /* so many are asked for before they are told */
#define IN_FLIGHT    4096u
#define OUTPUT_LIMIT (16u << 20)

/* ---- what pathdog asks ---- */

static void on_list_peers(struct pathdog_node *kit, uint64_t after, void *user)
{
    struct node *node = user;

    (void)kit;
    for (struct flow *flow = flows_next(node->flows, after); flow;
         flow = flows_next(node->flows, flow->conn))
        if (tell_up(node, flow) == -EAGAIN)
            return;
}

static void on_list_rows(struct pathdog_node *kit, pathdog_node_token token, uint64_t after,
                         void *user)
{
    struct node *node = user;

    (void)kit;
    for (struct flow *flow = flows_next(node->flows, after); flow;
         flow = flows_next(node->flows, flow->conn))
        if (tell_row(node, token, flow) == -EAGAIN)
            return;
}

static void on_summary(struct pathdog_node *kit, pathdog_node_token token, const uint64_t *conns,
                       size_t n_conns, void *user)
{
    struct node *node = user;

    if (conns && n_conns <= FRESH_MOST)
        sample_conns(node, conns, n_conns);
    for (size_t i = 0; conns && i < n_conns; i++) {
        struct flow *flow = flows_find_conn(node->flows, conns[i]);

        if (flow)
            (void)tell_row(node, token, flow);
    }
    (void)pathdog_node_summary_done(kit, token);
}

static void on_migrate(struct pathdog_node *kit, pathdog_node_token token,
                       const struct pathdog_node_migrate *request, void *user)
{
    (void)kit;
    steer_migrate(user, token, request);
}

static void on_cancel(struct pathdog_node *kit, pathdog_node_token token, void *user)
{
    (void)kit;
    steer_cancel(user, token);
}

/* ---- the kit ---- */

static int kit_new(struct node *node, char *error)
{
    static const struct pathdog_node_ops ops = {
        .summary = on_summary,
        .list_peers = on_list_peers,
        .list_rows = on_list_rows,
        .migrate = on_migrate,
        .cancel = on_cancel,
    };
    char host[65] = "";
    CLEANUP_FREE char *name = NULL, *shown = NULL;
    struct pathdog_node_config config = {
        .path = node->options->socket,
        .implementation = "flow-node/" PATHDOG_VERSION,
        .features = PATHDOG_NODE_BIND | PATHDOG_NODE_PUSH,
        .max_in_flight = IN_FLIGHT,
        .columns = PATHDOG_NODE_COLUMN(PATHDOG_NODE_BYTES_SENT) |
                   PATHDOG_NODE_COLUMN(PATHDOG_NODE_BYTES_RECEIVED) |
                   PATHDOG_NODE_COLUMN(PATHDOG_NODE_PACKETS_SENT) |
                   PATHDOG_NODE_COLUMN(PATHDOG_NODE_PTO_US) |
                   PATHDOG_NODE_COLUMN(PATHDOG_NODE_SILENT_MS) |
                   PATHDOG_NODE_COLUMN(PATHDOG_NODE_UNACKED_MS),
        .output_limit_bytes = OUTPUT_LIMIT,
        .ops = &ops,
        .user_data = node,
    };

    (void)gethostname(host, sizeof(host) - 1);
    shown = text_shown(host); /* the kernel takes any bytes for it */
    name = node->options->name ? string_copy(node->options->name)
                               : string_format("flows@%s", *shown ? shown : "localhost");
    config.node = name;
    return pathdog_node_new(&config, &node->kit, error, ERROR_SIZE);
}

static int kernel_new(struct node *node, char *error)
{
    const struct options *options = node->options;
    struct mover_settings settings = options_mover(options);
    int r = conntrack_new(&node->settings, &node->conntrack, error, ERROR_SIZE);

    if (r >= 0)
        r = owners_new(&node->owners, error, ERROR_SIZE);
    if (r >= 0)
        r = mover_new(&settings, &node->mover, error, ERROR_SIZE);
    return r;
}

int node_new(const struct options *options, struct log *log, uint64_t now_us, struct node **ret,
             char **ret_error)
{
    struct node *node = memory_new(1, sizeof(*node));
    char error[ERROR_SIZE] = "";
    int r;

    *ret = NULL;
    node->lock_fd = -1;
    node->options = options;
    node->settings = options->flows;
    node->log = log;
    node->now_us = now_us;
    r = wanted_init(&node->wanted, options, ret_error);
    if (r >= 0 && getrandom(node->settings.key, sizeof(node->settings.key), 0) !=
                      (ssize_t)sizeof(node->settings.key))
        r = -errno;
    if (r >= 0)
        r = lock_take(node->log, &node->lock_fd, error, ERROR_SIZE);
    if (r >= 0)
        r = kit_new(node, error);
    if (r >= 0)
        r = kernel_new(node, error);
    if (r < 0) {
        if (!*ret_error)
            *ret_error = string_copy(*error ? error : strerror(-r));
        node_free(node);
        return r;
    }
    node->flows = flows_new(&node->settings);
    node->moves = moves_new();
    adopt_flows(node);
    *ret = node;
    return 0;
}

struct node *node_free(struct node *node)
{
    if (!node)
        return NULL;
    pathdog_node_free(node->kit);
    mover_free(node->mover);
    conntrack_free(node->conntrack);
    owners_free(node->owners);
    flows_free(node->flows);
    moves_free(node->moves);
    if (node->lock_fd >= 0)
        close(node->lock_fd);
    free(node);
    return NULL;
}

void node_fds(const struct node *node, int ret_fds[static NODE_FDS])
{
    ret_fds[0] = pathdog_node_fd(node->kit);
    ret_fds[1] = conntrack_fd(node->conntrack);
    ret_fds[2] = mover_fd(node->mover);
}

int node_process(struct node *node, uint64_t now_us, uint64_t *ret_next_us)
{
    int r;

    node->now_us = now_us;
    steer_process(node);
    r = pathdog_node_process(node->kit);
    steer_commit(node); /* what was asked for in this turn, before anything is looked at */
    sample_process(node);
    *ret_next_us = sample_tick(node);
    steer_commit(node);
    return r;
}
