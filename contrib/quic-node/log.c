/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks, and the lines about events that the node prints. It knows no connection. */
#include "node.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

uint64_t clock_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

uint64_t realtime_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* A reader that stands still must not stop the node: lines that do not fit are counted. */
void event(struct node *node, const char *name, const char *format, ...)
{
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
    char line[2048];
    va_list ap;

    if (node->options->quiet && strcmp(name, "ready") != 0)
        return;
    if (poll(&out, 1, 0) != 1 || !(out.revents & POLLOUT)) {
        node->n_events_lost++;
        return;
    }
    va_start(ap, format);
    vsnprintf(line, sizeof(line), format, ap);
    va_end(ap);
    for (char *c = line; *c; c++) /* reasons and names come from others */
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    if (node->n_events_lost > 0)
        printf("events-lost n=%llu\n", (unsigned long long)node->n_events_lost);
    node->n_events_lost = 0;
    printf("%s t=%.6f %s\n", name, (double)(clock_ns() - node->start_ns) / 1e9, line);
    fflush(stdout);
}
