/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a scrape of the metrics costs the daemon, and how late its loop is meanwhile. The floor is a
 * request to the same socket for something that is not there: a connection, and no look at anybody.
 */
#include "bench.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Longer than a look at all connections is used again. */
#define PAUSE_US 300000

static int metrics_connect(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/metrics", options->directory);
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)))
        die("%s: %s", address.sun_path, strerror(errno));
    return fd;
}

/* Returns how many bytes came. */
static uint64_t ask(const char *path)
{
    int fd = metrics_connect();
    uint64_t n_bytes = 0;
    char text[65536];
    ssize_t n;

    n = snprintf(text, sizeof(text), "GET %s HTTP/1.0\r\n\r\n", path);
    write_all(fd, text, (size_t)n);
    while ((n = read(fd, text, sizeof(text))) > 0)
        n_bytes += (uint64_t)n;
    close(fd);
    if (n < 0 || !n_bytes)
        die("the metrics socket answered nothing");
    return n_bytes;
}

static void print(const struct node *node, const char *what, const char *path)
{
    uint64_t cpu_ns = child_cpu_ns(node->daemon), begin_ns = now_ns(), n_bytes = ask(path);
    uint64_t wall_ns = now_ns() - begin_ns;

    usleep(PAUSE_US);
    printf("{\"bench\":\"scrape\",\"peers\":%u,\"what\":\"%s\",\"cpu_us\":%.1f,\"wall_us\":%.1f,"
           "\"bytes\":%" PRIu64,
           options->peers, what, (double)(child_cpu_ns(node->daemon) - cpu_ns) / 1e3,
           (double)wall_ns / 1e3, n_bytes);
}

int bench_scrape(void)
{
    struct journald journald;
    struct pinger pinger;
    struct node node;
    struct lab lab;

    lab_enter(&lab);
    journald_start(&journald, JOURNALD_WORKS);
    node_start(&node, &lab);
    node_settle(&node, 500000);
    (void)ask("/metrics");
    usleep(PAUSE_US);
    for (uint32_t i = 0; i < options->rounds; i++) {
        print(&node, "nothing", "/");
        printf("}\n");
        print(&node, "metrics", "/metrics");
        printf("}\n");
    }
    pinger_start(&pinger);
    usleep(PAUSE_US);
    for (uint32_t i = 0; i < options->rounds; i++) {
        pinger_begin(&pinger);
        print(&node, "late", "/metrics");
        printf(",");
        pinger_print(&pinger);
        printf("}\n");
    }
    pinger_stop(&pinger);
    node_stop(&node);
    journald_stop(&journald);
    return 0;
}
