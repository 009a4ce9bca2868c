/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an entry for the journal costs, in the loop's thread and in the one that
 * writes: the daemon's own sink on a loop, beside sd_journal_sendv with the same
 * fields to the same socket.
 */
#include "bench.h"
#include "count-malloc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <systemd/sd-journal.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/text.h"
#include "out/format.h"
#include "out/sink.h"

#define ENTRIES 4000u /* of a burst; less than the sink's queue holds */
/* More of them than all queues hold, if journald does not take them. */
#define TURNS        400u
#define TURN_ENTRIES 100u

struct scene {
    struct journald journald;
    sd_event *loop;
    struct sink *sink;
    struct record *records;
    const struct malloc_counts *counts; /* NULL: not counted */
};

struct cost {
    uint64_t loop_ns, writer_ns, loop_allocations, writer_allocations;
};

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static const struct malloc_counts *counts_open(void)
{
    const char *path = getenv(MALLOC_COUNTS_FILE);
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *counts;

    if (fd < 0)
        return NULL;
    counts = mmap(NULL, sizeof(struct malloc_counts), PROT_READ, MAP_SHARED, fd, 0);
    if (counts == MAP_FAILED)
        die("%s: %s", path, strerror(errno));
    close(fd);
    return counts;
}

/* The record that is written most in a storm, with the evidence of the route trigger. */
static struct record *records_new(void)
{
    const struct pd_field fields[] = {
        {"oif_before", "up0", 0},        {"oif_after", "up1", 0},
        {"via_before", "10.0.1.1", 0},   {"via_after", "10.0.2.1", 0},
        {"source_after", "10.0.2.2", 0},
    };
    struct record *records = calloc(ENTRIES, sizeof(*records));
    struct text *reason = text_new("default route flip: up0 via 10.0.1.1 → up1 via 10.0.2.1");
    struct evidence *evidence = evidence_new(fields, sizeof(fields) / sizeof(fields[0]));

    for (uint32_t i = 0; i < ENTRIES; i++) {
        char name[64];

        snprintf(name, sizeof(name), "%08u@a-peer-with-a-name", i);
        records[i] = (struct record){
            .type = RECORD_DECISION,
            .time_us = clock_ns(CLOCK_REALTIME) / 1000,
            .decision = {.subject = {text_new(name), i + 1},
                         .decision = i + 1,
                         .cause = 7,
                         .trigger = "route",
                         .verdict = VERDICT_MIGRATE,
                         .reason = reason,
                         .evidence = evidence,
                         .request = i + 12,
                         .attempt = 1,
                         .timeout_ms = 5000},
        };
    }
    return records;
}

static void on_dropped(void *user, uint64_t count, const char *why)
{
    die("%" PRIu64 " records were dropped: %s", count, why);
}

/* Until the stand-in has taken so many more. */
static void taken_wait(const struct scene *scene, uint64_t until)
{
    uint64_t limit_ns = now_ns() + 60000000000u;

    while (journald_taken(&scene->journald) < until) {
        if (now_ns() > limit_ns)
            die("the entries did not come");
        usleep(500);
    }
}

static void loop_run(const struct scene *scene)
{
    while (sd_event_run(scene->loop, 0) > 0)
        ;
}

/* So many at a time, as one turn of the engine hands them over; with `pause`, the
 * writing thread sleeps before each of them and has to be woken. */
static struct cost sink_measure(const struct scene *scene, uint32_t entries, uint32_t at_once,
                                bool pause)
{
    const struct malloc_counts *counts = scene->counts;
    uint64_t taken = journald_taken(&scene->journald), calls = counts ? counts->calls : 0;
    uint64_t all_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID), loop_calls = 0;
    uint64_t thread_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    struct cost cost = {0};

    for (uint32_t i = 0; i < entries; i += at_once) {
        uint64_t begin_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID), begin = counts ? counts->main : 0;

        sink_write(scene->sink, scene->records + i, at_once);
        loop_run(scene);
        loop_calls += (counts ? counts->main : 0) - begin;
        cost.loop_ns += clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin_ns;
        if (pause)
            taken_wait(scene, taken + i + at_once);
    }
    taken_wait(scene, taken + entries);
    usleep(2000); /* the writing thread goes to sleep */
    cost.writer_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - all_ns -
                     (clock_ns(CLOCK_THREAD_CPUTIME_ID) - thread_ns);
    cost.loop_allocations = loop_calls;
    cost.writer_allocations = counts ? counts->calls - calls - loop_calls : 0;
    return cost;
}

/* The floor: the same fields, made beforehand, sent by this thread. */
static uint64_t send_measure(const struct scene *scene)
{
    struct iovec fields[JOURNAL_FIELDS_MAX];
    struct buffer entry = {0};
    uint64_t taken = journald_taken(&scene->journald), begin_ns;
    size_t n;

    record_journal(&entry, &scene->records[0], "5f0c2a0d8a1b4b7e9d3c5e1f2a3b4c5d", 0);
    n = journal_split(buffer_bytes(&entry), entry.length, fields, JOURNAL_FIELDS_MAX);
    begin_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    for (uint32_t i = 0; i < ENTRIES; i++)
        if (sd_journal_sendv(fields, (int)n) < 0)
            die("sd_journal_sendv failed");
    begin_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin_ns;
    buffer_clear(&entry);
    taken_wait(scene, taken + ENTRIES);
    return begin_ns;
}

static void cost_print(const struct scene *scene, const char *how, const struct cost *cost,
                       uint32_t entries)
{
    printf("{\"bench\":\"entry\",\"who\":\"%s\",\"entries\":%u,\"loop_ns\":%" PRIu64
           ",\"writer_ns\":%" PRIu64,
           how, entries, cost->loop_ns, cost->writer_ns);
    if (scene->counts)
        printf(",\"loop_allocations\":%" PRIu64 ",\"writer_allocations\":%" PRIu64,
               cost->loop_allocations, cost->writer_allocations);
    printf("}\n");
}

/* ---- how long the log holds the loop ---- */

struct hold {
    uint64_t cpu_ns, wall_ns; /* the longest of one turn */
    uint64_t waits;           /* how often the thread was off the processor by its own doing */
};

static uint64_t waits_now(void)
{
    struct rusage usage;

    getrusage(RUSAGE_THREAD, &usage);
    return (uint64_t)usage.ru_nvcsw;
}

/* Goes on with one turn of the loop; false: there was nothing to do. */
static bool turn(const struct scene *scene, uint32_t entries, struct hold *hold)
{
    uint64_t waits = waits_now(), cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID), wall_ns = now_ns();
    bool more = true;

    if (entries)
        sink_write(scene->sink, scene->records, entries);
    else
        more = sd_event_run(scene->loop, 0) > 0;
    wall_ns = now_ns() - wall_ns;
    cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns;
    hold->waits += waits_now() - waits;
    if (cpu_ns > hold->cpu_ns)
        hold->cpu_ns = cpu_ns;
    if (wall_ns > hold->wall_ns)
        hold->wall_ns = wall_ns;
    return more;
}

static void hold_measure(struct scene *scene, enum journald_mode mode, const char *name)
{
    struct hold hold = {0};
    uint64_t taken, before = journald_taken(&scene->journald);

    journald_set(&scene->journald, mode);
    for (uint32_t i = 0; i < TURNS; i++) {
        turn(scene, TURN_ENTRIES, &hold);
        while (turn(scene, 0, &hold))
            ;
        usleep(1000); /* 100 000 entries a second */
    }
    journald_set(&scene->journald, JOURNALD_WORKS);
    do {
        taken = journald_taken(&scene->journald);
        usleep(100000);
    } while (taken != journald_taken(&scene->journald));
    printf("{\"bench\":\"entry\",\"who\":\"hold\",\"journald\":\"%s\",\"entries\":%u,\"taken\":"
           "%" PRIu64 ",\"cpu_ns\":%" PRIu64 ",\"wall_ns\":%" PRIu64 ",\"waits\":%" PRIu64 "}\n",
           name, TURNS * TURN_ENTRIES, taken - before, hold.cpu_ns, hold.wall_ns, hold.waits);
}

int bench_entry(void)
{
    struct scene scene = {.records = records_new(), .counts = counts_open()};
    const struct sink_config config = {
        .target = SINK_JOURNAL,
        .level = PD_LEVEL_DEBUG,
        .run = "5f0c2a0d8a1b4b7e9d3c5e1f2a3b4c5d",
        .fd = -1,
        .dropped = on_dropped,
    };
    struct lab lab;
    bool stuck;

    lab_enter(&lab); /* whose limit of waiting datagrams is set */
    journald_start(&scene.journald, JOURNALD_WORKS);
    if (sd_event_new(&scene.loop) < 0 || sink_new(scene.loop, &config, &scene.sink) < 0)
        die("no sink");
    for (uint32_t i = 0; i <= options->rounds; i++) {
        struct cost burst = sink_measure(&scene, ENTRIES, ENTRIES, false);
        struct cost single = sink_measure(&scene, ENTRIES / 10, 1, true);
        struct cost sent = {.loop_ns = send_measure(&scene)};

        if (!i)
            continue; /* memory grows to its size in the first */
        cost_print(&scene, "burst", &burst, ENTRIES);
        cost_print(&scene, "single", &single, ENTRIES / 10);
        cost_print(&scene, "sendv", &sent, ENTRIES);
    }
    hold_measure(&scene, JOURNALD_WORKS, "works");
    hold_measure(&scene, JOURNALD_SLOW, "slow");
    hold_measure(&scene, JOURNALD_STANDS, "stands");
    hold_measure(&scene, JOURNALD_GONE, "gone");
    (void)sink_drain(scene.sink, now_ns() / 1000 + 2000000, &stuck);
    sink_free(scene.sink);
    sd_event_unref(scene.loop);
    journald_stop(&scene.journald);
    return 0;
}
