/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The smallest node that serves the node protocol: two pretended connections whose
 * migration takes 50 ms. Shows where each call belongs; it moves no bytes.
 *
 *   node-kit-example /run/example/pathdog.sock
 */
#include "pathdog_node.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct conn {
    uint64_t number;
    const char *peer;
    uint64_t rtt_us, rtt_samples;
    unsigned port;
    int64_t migrate_at_ms; /* 0: none under way */
    pathdog_node_token token;
};

struct example {
    struct conn conns[2];
};

static int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static struct conn *conn_find(struct example *e, uint64_t number)
{
    for (size_t i = 0; i < 2; i++)
        if (e->conns[i].number == number)
            return &e->conns[i];
    return NULL;
}

/* pathdog wants to know who is there. */
static void on_subscribe(struct pathdog_node *kit, void *user_data)
{
    struct example *e = user_data;

    for (size_t i = 0; i < 2; i++)
        pathdog_node_peer_up(kit, &(struct pathdog_node_peer){.peer = e->conns[i].peer,
                                                              .conn = e->conns[i].number,
                                                              .local = "192.0.2.1:9100",
                                                              .not_reconnectable = true});
}

static void tell_row(struct pathdog_node *kit, pathdog_node_token token, struct conn *c)
{
    uint64_t row[PATHDOG_NODE_N_COLUMNS];

    pathdog_node_row_init(row, c->number); /* all the rest: not known */
    row[PATHDOG_NODE_SRTT_US] = row[PATHDOG_NODE_LATEST_RTT_US] = c->rtt_us;
    row[PATHDOG_NODE_RTT_SAMPLES] = ++c->rtt_samples; /* a real node counts real ones */
    row[PATHDOG_NODE_IN_FLIGHT_BYTES] = 0;            /* without it nothing is ever judged dead */
    pathdog_node_row(kit, token, row);
}

static void on_summary(struct pathdog_node *kit, pathdog_node_token token, const uint64_t *conns,
                       size_t n_conns, void *user_data)
{
    struct example *e = user_data;

    for (size_t i = 0; !conns && i < 2; i++)
        tell_row(kit, token, &e->conns[i]);
    for (size_t i = 0; conns && i < n_conns; i++)
        if (conn_find(e, conns[i])) /* one that is gone is just left out */
            tell_row(kit, token, conn_find(e, conns[i]));
    pathdog_node_summary_done(kit, token);
}

/* Begin it, keep the token, answer when the path has been validated. */
static void on_migrate(struct pathdog_node *kit, pathdog_node_token token,
                       const struct pathdog_node_migrate *request, void *user_data)
{
    struct conn *c = conn_find(user_data, request->conn);

    if (!c)
        pathdog_node_error(kit, token, PATHDOG_NODE_NO_CONN, NULL);
    else if (c->token)
        pathdog_node_error(kit, token, PATHDOG_NODE_BUSY, NULL);
    else {
        c->token = token;
        c->migrate_at_ms = now_ms() + 50;
    }
}

static void finish_migrations(struct pathdog_node *kit, struct example *e)
{
    for (size_t i = 0; i < 2; i++) {
        struct conn *c = &e->conns[i];
        char local[32];

        if (!c->token || now_ms() < c->migrate_at_ms)
            continue;
        snprintf(local, sizeof(local), "198.51.100.1:%u", ++c->port);
        c->rtt_samples = 0; /* they count for the present path */
        pathdog_node_migrated(kit, c->token, local, true);
        c->token = 0;
        pathdog_node_peer_path(kit, c->number, local, NULL, NULL);
    }
}

int main(int argc, char **argv)
{
    static const struct pathdog_node_ops ops = {
        .subscribe = on_subscribe, .summary = on_summary, .migrate = on_migrate};
    struct example e = {
        .conns = {{.number = 1, .peer = "bravo", .rtt_us = 12000, .port = 40000},
                  {.number = 2, .peer = "charlie", .rtt_us = 90000, .port = 50000}}};
    struct pathdog_node_config config = {
        .path = argc > 1 ? argv[1] : "@pathdog-example",
        .node = "example",
        .implementation = "node-kit-example/1",
        .output_limit_bytes = 1 << 20, /* the least: two rows are short */
        .columns = PATHDOG_NODE_COLUMN(PATHDOG_NODE_SRTT_US) |
                   PATHDOG_NODE_COLUMN(PATHDOG_NODE_LATEST_RTT_US) |
                   PATHDOG_NODE_COLUMN(PATHDOG_NODE_RTT_SAMPLES) |
                   PATHDOG_NODE_COLUMN(PATHDOG_NODE_IN_FLIGHT_BYTES),
        .ops = &ops,
        .user_data = &e,
    };
    struct pathdog_node *kit;
    char error[256];

    if (pathdog_node_new(&config, &kit, error, sizeof(error)) < 0) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    for (;;) {
        struct pollfd pfd = {.fd = pathdog_node_fd(kit), .events = POLLIN};

        poll(&pfd, 1, 10); /* a real node polls its UDP sockets and timers here too */
        if (pathdog_node_process(kit) < 0)
            break;
        finish_migrations(kit, &e);
    }
    pathdog_node_free(kit);
    return 1;
}
