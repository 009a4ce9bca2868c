/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a change of the route in the kernel to the first, and to the last,
 * request read by the node. Each contender has a namespace of its own; they
 * take turns, so that a slow moment of the machine hits all of them alike.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WARM_ROUNDS 3

struct contender {
    const char *name;
    uint32_t lines;
    struct lab lab;
    struct reader *reader;
    struct reader floor_reader;
    struct node *node; /* of pathdog, else NULL */
    pid_t pid;
    double *first_us, *last_us, *cpu_us; /* cpu: the child's own, from the flip to the last */
};

static void round_run(struct contender *contender, int number)
{
    uint64_t begin_ns, cpu_ns;

    if (options->idle_ms)
        usleep(options->idle_ms * 1000);
    if (contender->node)
        node_settle(contender->node, 0);
    reader_begin(contender->reader);
    cpu_ns = child_cpu_ns(contender->pid);
    begin_ns = lab_flip(&contender->lab);
    reader_wait(contender->reader, contender->lines);
    cpu_ns = child_cpu_ns(contender->pid) - cpu_ns;
    if (number >= 0) {
        contender->first_us[number] = (double)(contender->reader->first_ns - begin_ns) / 1e3;
        contender->last_us[number] = (double)(contender->reader->last_ns - begin_ns) / 1e3;
        contender->cpu_us[number] = (double)cpu_ns / 1e3;
        if (contender->node)
            progress("window %.6f %.6f", (double)begin_ns / 1e9,
                     (double)contender->reader->last_ns / 1e9);
    }
    if (!contender->node) {
        contender->reader->handled = contender->reader->kept.length;
        return;
    }
    /* What comes after the requests must not be in the way of the next contender. */
    node_handle(contender->node);
    node_settle(contender->node, contender->lines >= 1000 ? 3000 : 300);
}

static void samples_print(const char *name, const double *samples)
{
    printf("\"%s\":[", name);
    for (uint32_t i = 0; i < options->rounds; i++)
        printf("%s%.1f", i ? "," : "", samples[i]);
    printf("]");
}

static void contender_print(const struct contender *contender)
{
    printf("{\"bench\":\"reaction\",\"who\":\"%s\",\"peers\":%u,\"keys\":%u,\"idle_ms\":%u,"
           "\"lines\":%u,",
           contender->name, options->peers, options->keys, options->idle_ms, contender->lines);
    samples_print("first_us", contender->first_us);
    printf(",");
    samples_print("last_us", contender->last_us);
    printf(",");
    samples_print("cpu_us", contender->cpu_us);
    printf("}\n");
}

static void floor_enter(struct contender *contender, const char *name, enum floor_kind kind,
                        uint32_t lines)
{
    contender->name = name;
    contender->lines = lines;
    lab_enter(&contender->lab);
    contender->pid = floor_route_start(kind, lines, options->keys > 64 ? options->keys : 0,
                                       &contender->floor_reader.fd);
    contender->reader = &contender->floor_reader;
}

int bench_reaction(void)
{
    struct contender contenders[4] = {0};
    struct node node;
    size_t count = 0;

    lab_enter(&contenders[count].lab);
    node_start(&node, &contenders[count].lab);
    contenders[count].name = "pathdog";
    contenders[count].lines = options->peers;
    contenders[count].node = &node;
    contenders[count].pid = node.daemon;
    contenders[count++].reader = &node.reader;
    floor_enter(&contenders[count++], "raw", FLOOR_RAW, 1);
    floor_enter(&contenders[count++], "libnl", FLOOR_SDEVENT, 1);
    if (options->peers > 1)
        floor_enter(&contenders[count++], "raw-all", FLOOR_RAW, options->peers);
    for (size_t i = 0; i < count; i++) {
        contenders[i].first_us = calloc(options->rounds, sizeof(double));
        contenders[i].last_us = calloc(options->rounds, sizeof(double));
        contenders[i].cpu_us = calloc(options->rounds, sizeof(double));
    }
    for (int number = -WARM_ROUNDS; number < (int)options->rounds; number++)
        for (size_t i = 0; i < count; i++)
            round_run(&contenders[i], number);
    for (size_t i = 0; i < count; i++)
        contender_print(&contenders[i]);
    node_stop(&node);
    for (size_t i = 1; i < count; i++)
        child_end(contenders[i].pid);
    return 0;
}
