/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All connections over one uplink get slow in the same round, because that is full: how many of
 * them are moved, how many records say so, what the daemon does for it, and how late its loop is
 * meanwhile. With a second uplink, which answers probes at once, a connection that is moved there
 * stays slow.
 */
#include "bench.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define ROUNDS_BEFORE 4u

static void other_default_route(void)
{
    FILE *ip = popen("ip route add default via 10.0.2.1 dev up1 metric 200", "w");

    if (!ip || pclose(ip))
        die("the route over the second uplink could not be made");
}

/* Answers what is asked, for so long. */
static void serve(struct node *node, uint64_t for_ms)
{
    struct pollfd poller = {.fd = node->reader.fd, .events = POLLIN};
    uint64_t end_ns = now_ns() + for_ms * 1000000;

    while (now_ns() < end_ns) {
        if (poll(&poller, 1, 10) <= 0)
            continue;
        reader_poll(&node->reader);
        node_handle(node);
    }
}

int bench_together(void)
{
    uint64_t cpu_ns, entries, before_kb;
    struct pinger_worst worst;
    struct journald journald;
    struct pinger pinger;
    struct node node;
    struct lab lab;

    if (options->uplinks < 1 || options->uplinks > 2)
        die("--uplinks is 1 or 2, not %u", options->uplinks);
    lab_enter(&lab);
    if (options->uplinks > 1)
        other_default_route();
    journald_start(&journald, JOURNALD_WORKS);
    node_start(&node, &lab);
    pinger_start(&pinger);
    serve(&node, ROUNDS_BEFORE * (uint64_t)options->interval_ms);
    if (node.moves_answered)
        die("%u were moved before anything was slow", node.moves_answered);
    before_kb = memory_of(node.daemon).pss_kb;
    entries = journald_taken(&journald);
    pinger_begin(&pinger);
    cpu_ns = child_cpu_ns(node.daemon);
    node.slow = true;
    serve(&node, options->seconds * UINT64_C(1000));
    worst = pinger_worst(&pinger);
    cpu_ns = child_cpu_ns(node.daemon) - cpu_ns;
    printf("{\"bench\":\"together\",\"peers\":%u,\"uplinks\":%u,\"seconds\":%u,\"moves\":%u,"
           "\"causes\":%" PRIu64 ",\"entries\":%" PRIu64 ",\"cpu_us\":%.1f,",
           options->peers, options->uplinks, options->seconds, node.moves_answered,
           journald_shared_causes(&journald), journald_taken(&journald) - entries,
           (double)cpu_ns / 1e3);
    printf("\"control_us\":%.1f,\"echo_us\":%.1f,\"before_kb\":%" PRIu64 ",\"after_kb\":%" PRIu64
           "}\n",
           (double)worst.control_ns / 1e3, (double)worst.echo_ns / 1e3, before_kb,
           memory_of(node.daemon).pss_kb);
    pinger_stop(&pinger);
    node_stop(&node);
    journald_stop(&journald);
    return 0;
}
