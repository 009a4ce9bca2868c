/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics for scrapers (docs/metrics.md): counts the records as they leave the engine, and answers
 * GET /metrics on a UNIX socket. No scraper can make the daemon wait, nor make it keep more than a
 * bounded amount.
 */
#ifndef METRICS_H
#define METRICS_H

#include <systemd/sd-event.h>

#include "../engine/engine.h"

struct metrics;

struct metrics_host {
    sd_event *loop;              /* where the socket is served */
    const struct engine *engine; /* outlives the socket */
    const char *version;
    uint64_t start_us; /* of the daemon, by the wall clock */
    /* Must only note it. */
    void (*notice)(void *user, enum pd_level level, const char *what, const char *text);
    void *user;
};

/* Counts from now on. `key`: random. */
struct metrics *metrics_new(const uint64_t key[2]);

/* Listens at `path` ("": nowhere), or where systemd says. Returns 0, or -errno and a sentence: then
 * nobody is answered, and all else goes on. */
int metrics_listen(struct metrics *metrics, const struct metrics_host *host, const char *path,
                   char **ret_error);

/* What left the engine in a turn, whose requests were on their way `late_us` after its event. Only
 * takes note. NULL is fine. */
void metrics_records(struct metrics *metrics, const struct record *records, size_t n_records,
                     uint64_t late_us);

/* Where it listens; NULL: nowhere. NULL is fine. */
const char *metrics_path(const struct metrics *metrics);

/* Before the engine goes: answers nobody any more. NULL is fine. */
void metrics_close(struct metrics *metrics);
/* NULL is fine. Returns NULL. */
struct metrics *metrics_free(struct metrics *metrics);

#endif
