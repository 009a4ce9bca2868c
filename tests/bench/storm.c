/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first storm of a daemon that has just been told its peers: nothing of it is in a cache, and
 * none of the memory that it takes is there yet. How long until the node has the last request,
 * how late the loop is meanwhile, and what remains of the memory. One storm each run.
 */
#include "bench.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* By then all answers were taken, and all records written. */
#define ANSWERED_MS 3000

static uint64_t notice_send(void)
{
    static const char notice[] = "EVENT=rebind\nTUNNEL=up0\n";
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    uint64_t at_ns = now_ns();

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", options->directory);
    if (fd < 0 || sendto(fd, notice, sizeof(notice) - 1, 0, (const struct sockaddr *)&address,
                         sizeof(address)) < 0)
        die("%s: %s", address.sun_path, strerror(errno));
    close(fd);
    return at_ns;
}

/* Answers what is asked, for so long or until the daemon takes no more than so much. Returns
 * what it takes then. */
static uint64_t serve(struct node *node, uint64_t for_ms, uint64_t until_kb, uint64_t *peak_kb)
{
    struct pollfd poller = {.fd = node->reader.fd, .events = POLLIN};
    uint64_t end_ns = now_ns() + for_ms * 1000000, pss_kb = 0, look_ns = 0;

    while (now_ns() < end_ns) {
        if (poll(&poller, 1, 10) > 0) {
            reader_poll(&node->reader);
            node_handle(node);
        }
        if (now_ns() < look_ns)
            continue;
        look_ns = now_ns() + 100000000;
        pss_kb = memory_of(node->daemon).pss_kb;
        if (pss_kb > *peak_kb)
            *peak_kb = pss_kb;
        if (pss_kb <= until_kb)
            break;
    }
    return pss_kb;
}

/* The same number of lines from the floor, which is as cold. Returns µs until the last. */
static double floor_storm(void)
{
    struct reader reader = {0};
    struct lab lab;
    uint64_t begin_ns;
    pid_t pid;

    lab_enter(&lab);
    pid = floor_route_start(FLOOR_RAW, options->peers, 0, &reader.fd);
    usleep(200000);
    reader_begin(&reader);
    begin_ns = lab_flip(&lab);
    reader_wait(&reader, options->peers);
    child_end(pid);
    return (double)(reader.last_ns - begin_ns) / 1e3;
}

static void storm_run(struct node *node, struct pinger *pinger)
{
    uint64_t before_kb = memory_of(node->daemon).pss_kb, peak_kb = 0, after_kb, begin_ns, cpu_ns;
    struct pinger_worst asked, all;
    double back_s;

    pinger_begin(pinger);
    reader_begin(&node->reader);
    cpu_ns = child_cpu_ns(node->daemon);
    begin_ns = strcmp(options->storm, "tunnel") ? lab_flip(node->lab) : notice_send();
    reader_wait(&node->reader, options->peers);
    asked = pinger_worst(pinger);
    progress("window %.6f %.6f", (double)begin_ns / 1e9, (double)node->reader.last_ns / 1e9);
    cpu_ns = child_cpu_ns(node->daemon) - cpu_ns;
    peak_kb = memory_of(node->daemon).pss_kb;
    node_handle(node); /* all answers */
    (void)serve(node, ANSWERED_MS, 0, &peak_kb);
    all = pinger_worst(pinger);
    after_kb = serve(node, options->seconds * UINT64_C(1000), before_kb * 6 / 5, &peak_kb);
    back_s = (double)(now_ns() - begin_ns) / 1e9;
    printf("{\"bench\":\"storm\",\"storm\":\"%s\",\"peers\":%u,\"log\":\"%s\",\"level\":\"%s\","
           "\"first_us\":%.1f,\"last_us\":%.1f,\"cpu_us\":%.1f,",
           options->storm, options->peers, options->log, options->log_level,
           (double)(node->reader.first_ns - begin_ns) / 1e3,
           (double)(node->reader.last_ns - begin_ns) / 1e3, (double)cpu_ns / 1e3);
    printf("\"control_us\":%.1f,\"control_all_us\":%.1f,\"echo_us\":%.1f,\"before_kb\":%" PRIu64
           ",\"peak_kb\":%" PRIu64 ",\"after_kb\":%" PRIu64 ",\"back_s\":%.1f",
           (double)asked.control_ns / 1e3, (double)all.control_ns / 1e3, (double)all.echo_ns / 1e3,
           before_kb, peak_kb, after_kb, back_s);
}

int bench_storm(void)
{
    struct journald journald;
    struct pinger pinger;
    struct node node;
    struct lab lab;

    if (strcmp(options->storm, "route") && strcmp(options->storm, "tunnel"))
        die("--storm is route or tunnel, not \"%s\"", options->storm);
    lab_enter(&lab);
    journald_start(&journald, JOURNALD_WORKS);
    node_start(&node, &lab);
    pinger_start(&pinger); /* from now on the daemon is never at rest */
    storm_run(&node, &pinger);
    printf(",\"floor_us\":%.1f}\n", floor_storm());
    pinger_stop(&pinger);
    node_stop(&node);
    journald_stop(&journald);
    return 0;
}
