/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node with very many peers, by the kit's long lists: for the end-to-end tests.
 *
 *   many-node SOCKET PEERS NAME-BYTES [LOCAL]
 *
 * Says on standard output when its client came or went, when a round of rows was begun, and each
 * connection that is asked to migrate. At SIGUSR1 all get slow, wherever they are. With LOCAL, an
 * address and port, that is theirs, and another uplink answers within 20 ms.
 */
#include <pathdog_node.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t n_peers, samples;
static size_t name_bytes;
static const char *local = "192.0.2.1:443";
static volatile sig_atomic_t slow;

static void on_signal(int number)
{
    (void)number;
    slow = 1;
}

static void list_peers(struct pathdog_node *kit, uint64_t after, void *user_data)
{
    char name[256], number[24];

    (void)user_data;
    memset(name, 'n', sizeof(name));
    name[name_bytes] = '\0';
    for (uint64_t conn = after + 1; conn <= n_peers; conn++) {
        int length = snprintf(number, sizeof(number), "%llu", (unsigned long long)conn);

        memset(name, 'n', 24);
        memcpy(name, number, (size_t)length);
        if (pathdog_node_peer_up(kit, &(struct pathdog_node_peer){
                                          .peer = name, .conn = conn, .local = local}) == -EAGAIN)
            return;
    }
}

static void row_fill(uint64_t row[PATHDOG_NODE_N_COLUMNS], uint64_t conn)
{
    pathdog_node_row_init(row, conn);
    row[PATHDOG_NODE_SRTT_US] = slow ? 450000 : 20000;
    row[PATHDOG_NODE_RTT_SAMPLES] = ++samples;
    row[PATHDOG_NODE_IN_FLIGHT_BYTES] = 0;
}

static void list_rows(struct pathdog_node *kit, pathdog_node_token token, uint64_t after,
                      void *user_data)
{
    uint64_t row[PATHDOG_NODE_N_COLUMNS];

    (void)user_data;
    if (!after)
        puts("round");
    for (uint64_t conn = after + 1; conn <= n_peers; conn++) {
        row_fill(row, conn);
        if (pathdog_node_row(kit, token, row) == -EAGAIN)
            return;
    }
    puts("rounded");
}

static void on_summary(struct pathdog_node *kit, pathdog_node_token token, const uint64_t *conns,
                       size_t n_conns, void *user_data)
{
    uint64_t row[PATHDOG_NODE_N_COLUMNS];

    (void)user_data;
    for (size_t i = 0; i < n_conns; i++) {
        row_fill(row, conns[i]);
        pathdog_node_row(kit, token, row);
    }
    pathdog_node_summary_done(kit, token);
}

static void on_migrate(struct pathdog_node *kit, pathdog_node_token token,
                       const struct pathdog_node_migrate *request, void *user_data)
{
    (void)user_data;
    printf("migrate %llu\n", (unsigned long long)request->conn);
    pathdog_node_migrated(kit, token, NULL, true);
}

static void on_probe_path(struct pathdog_node *kit, pathdog_node_token token,
                          const struct pathdog_node_probe_path *request, void *user_data)
{
    (void)request;
    (void)user_data;
    pathdog_node_path_probed(kit, token, 20000);
}

static void on_client(struct pathdog_node *kit, bool connected, const char *why, void *user_data)
{
    (void)kit;
    (void)user_data;
    printf("%s%s\n", connected ? "came" : "went: ", why ? why : "");
}

int main(int argc, char **argv)
{
    static const struct pathdog_node_ops ops = {.list_peers = list_peers,
                                                .list_rows = list_rows,
                                                .summary = on_summary,
                                                .migrate = on_migrate,
                                                .probe_path = on_probe_path,
                                                .client = on_client};
    struct pathdog_node_config config = {
        .node = "many",
        .implementation = "many-node/1",
        .columns = PATHDOG_NODE_COLUMN(PATHDOG_NODE_SRTT_US) |
                   PATHDOG_NODE_COLUMN(PATHDOG_NODE_RTT_SAMPLES) |
                   PATHDOG_NODE_COLUMN(PATHDOG_NODE_IN_FLIGHT_BYTES),
        .ops = &ops,
    };
    struct pathdog_node *kit;
    char error[256];

    if (argc != 4 && argc != 5)
        return 2;
    if (argc == 5) {
        local = argv[4];
        config.features = PATHDOG_NODE_BIND | PATHDOG_NODE_PROBE_PATH;
    }
    signal(SIGUSR1, on_signal);
    setvbuf(stdout, NULL, _IOLBF, 0);
    config.path = argv[1];
    n_peers = strtoull(argv[2], NULL, 10);
    name_bytes = strtoull(argv[3], NULL, 10);
    if (name_bytes < 24 || name_bytes > 255 ||
        pathdog_node_new(&config, &kit, error, sizeof(error)) < 0) {
        fprintf(stderr, "many-node: %s\n", error);
        return 1;
    }
    for (;;) {
        struct pollfd pfd = {.fd = pathdog_node_fd(kit), .events = POLLIN};

        if (poll(&pfd, 1, -1) > 0 && pathdog_node_process(kit) < 0)
            return 1;
    }
}
