/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where records go: journal, text or JSON lines. Decides by level and by
 * `bulk` what goes there; never waits, and owns up to what it lost.
 */
#ifndef OUT_SINK_H
#define OUT_SINK_H

#include <systemd/sd-event.h>

#include "../engine/record.h"

struct sink;

enum sink_target {
    SINK_AUTO, /* the journal if stderr is connected to it, else text */
    SINK_JOURNAL,
    SINK_TEXT,
    SINK_JSON,
};

struct sink_config {
    enum sink_target target;
    enum pd_level level; /* records above it (less important) are left out */
    const char *run;     /* borrowed */
    int fd;              /* of text and JSON: standard output */
    /* So many records were lost. Must only note it: it is called from within
     * sink_write too. */
    void (*dropped)(void *user, uint64_t count, const char *why);
    void *user;
};

int sink_new(sd_event *loop, const struct sink_config *config, struct sink **ret_sink);

/* Written later, in this order, when the loop has nothing else to do. Never waits. */
void sink_write(struct sink *sink, const struct record *records, size_t n_records);

/* At the end, before an engine, whose names the records borrow, goes: waits until then for all to
 * be written. Returns how many are lost; `*ret_stuck`: the thread that writes goes on, and is only
 * ended with the process. */
uint64_t sink_drain(struct sink *sink, uint64_t until_us, bool *ret_stuck);

/* NULL is fine. Returns NULL. */
struct sink *sink_free(struct sink *sink);

/* "<3>" where stderr is the journal, so that what is said there counts as an error; else "". */
const char *sink_error_prefix(void);

/* Reads "auto", "journal", "text" or "json". Returns 0 or -EINVAL. */
int sink_target_parse(const char *text, enum sink_target *ret_target);

#endif
