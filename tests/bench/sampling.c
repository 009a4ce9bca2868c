/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a round of samples costs the daemon, in CPU time and in allocations,
 * beside children that only read the same bytes.
 */
#include "bench.h"
#include "count-malloc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/sockios.h>

struct floors {
    pid_t pid[2];
    int fd[2];
};

/* ---- floors ---- */

static uint64_t floor_round(pid_t pid, int fd, const struct bytes *rows)
{
    uint64_t before = child_cpu_ns(pid), used;
    int left = 1;

    write_all(fd, rows->bytes, rows->length);
    while (left && !ioctl(fd, SIOCOUTQ, &left))
        usleep(100);
    do {
        used = child_cpu_ns(pid);
        usleep(1000);
    } while (used != child_cpu_ns(pid));
    return used - before;
}

/* ---- allocations, counted by the preloaded library ---- */

static const struct malloc_counts *counts_map(void)
{
    char path[512];
    struct malloc_counts *counts;
    int fd;

    if (!options->preload)
        return NULL;
    snprintf(path, sizeof(path), "%s/allocations", options->directory);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof(*counts)))
        die("%s: %s", path, strerror(errno));
    counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (counts == MAP_FAILED)
        die("%s: %s", path, strerror(errno));
    close(fd);
    setenv(MALLOC_COUNTS_FILE, path, 1);
    return counts;
}

/* ---- pathdog ---- */

static void summary_wait(struct node *node)
{
    struct pollfd poller = {.fd = node->reader.fd, .events = POLLIN};

    node->held_id = 0;
    while (!node->held_id) {
        if (poll(&poller, 1, 20000) <= 0)
            die("the daemon asks for no summary");
        reader_poll(&node->reader);
        node_handle(node);
    }
}

static uint64_t pathdog_round(struct node *node, const struct bytes *rows)
{
    uint64_t before;
    char end[96];
    int length;

    node_settle(node, 5000);
    before = child_cpu_ns(node->daemon);
    write_all(node->reader.fd, rows->bytes, rows->length);
    length = snprintf(end, sizeof(end),
                      "{\"jsonrpc\":\"2.0\",\"id\":%" PRIu64 ",\"result\":{\"rows\":%u}}\n",
                      node->held_id, options->peers);
    write_all(node->reader.fd, end, (size_t)length);
    node_settle(node, 5000);
    return child_cpu_ns(node->daemon) - before;
}

static void round_print(const char *who, uint64_t used_ns, uint64_t bytes, uint64_t allocations)
{
    printf("{\"bench\":\"sampling\",\"who\":\"%s\",\"peers\":%u,\"cpu_ns\":%" PRIu64
           ",\"bytes\":%" PRIu64,
           who, options->peers, used_ns, bytes);
    if (options->preload)
        printf(",\"allocations\":%" PRIu64, allocations);
    printf("}\n");
}

int bench_sampling(void)
{
    static const char *const names[] = {[FLOOR_READ] = "read", [FLOOR_DIGITS] = "digits"};
    const struct malloc_counts *counts = counts_map();
    struct floors floors = {0};
    struct bytes rows = {0};
    struct node node;
    struct lab lab;

    lab_enter(&lab); /* peers have local addresses: the route trigger looks for them */
    for (unsigned work = 0; work < 2; work++)
        floors.pid[work] = floor_reader_start((enum floor_work)work, &floors.fd[work]);
    node_start(&node, &lab);
    node.hold_summaries = true;
    for (uint32_t i = 0; i <= options->rounds; i++) {
        uint64_t used_ns, allocations;

        summary_wait(&node);
        rows.length = 0;
        node_rows(&node, &rows);
        allocations = counts ? counts->calls : 0;
        used_ns = pathdog_round(&node, &rows);
        allocations = counts ? counts->calls - allocations : 0;
        if (!i)
            continue; /* memory grows to its size in the first */
        round_print("pathdog", used_ns, rows.length, allocations);
        for (unsigned work = 0; work < 2 && !options->preload; work++)
            round_print(names[work], floor_round(floors.pid[work], floors.fd[work], &rows),
                        rows.length, 0);
    }
    node_stop(&node);
    for (unsigned work = 0; work < 2; work++)
        child_end(floors.pid[work]);
    return 0;
}
