/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon takes: memory, and wake-ups when nothing happens. */
#include "bench.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* Answers what is asked for so long. */
static void node_serve(struct node *node, uint64_t for_ms)
{
    uint64_t end_ns = now_ns() + for_ms * 1000000;
    struct pollfd poller = {.fd = node->reader.fd, .events = POLLIN};

    while (now_ns() < end_ns) {
        if (poll(&poller, 1, (int)((end_ns - now_ns()) / 1000000 + 1)) <= 0)
            continue;
        reader_poll(&node->reader);
        node_handle(node);
    }
}

int bench_memory(void)
{
    struct memory memory;
    struct node node;
    struct lab lab;

    lab_enter(&lab);
    node_start(&node, &lab);
    node_serve(&node, 2 * options->interval_ms + 200);
    node_settle(&node, 20000);
    memory = memory_of(node.daemon);
    printf("{\"bench\":\"memory\",\"peers\":%u,\"name_bytes\":%u,\"addresses\":%s,"
           "\"pss_kb\":%" PRIu64 ",\"rss_kb\":%" PRIu64 ",\"anonymous_kb\":%" PRIu64 "}\n",
           options->peers, options->name_bytes, options->addresses ? "true" : "false",
           memory.pss_kb, memory.rss_kb, memory.anonymous_kb);
    node_stop(&node);
    return 0;
}

int bench_idle(void)
{
    uint64_t switches, cpu_ns, begin_ns;
    uint32_t rounds;
    struct node node;
    struct lab lab;
    double seconds;

    lab_enter(&lab);
    node_start(&node, &lab);
    node_serve(&node, 500);
    rounds = node.summaries_asked;
    switches = switches_of(node.daemon);
    cpu_ns = child_cpu_ns(node.daemon);
    begin_ns = now_ns();
    node_serve(&node, options->seconds * UINT64_C(1000));
    seconds = (double)(now_ns() - begin_ns) / 1e9;
    printf("{\"bench\":\"idle\",\"peers\":%u,\"seconds\":%.3f,\"rounds\":%u,\"wakeups\":%" PRIu64
           ",\"cpu_ns\":%" PRIu64 "}\n",
           options->peers, seconds, node.summaries_asked - rounds,
           switches_of(node.daemon) - switches, child_cpu_ns(node.daemon) - cpu_ns);
    node_stop(&node);
    return 0;
}
