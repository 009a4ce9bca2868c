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

/* A few are written now; many are written later, when the loop has nothing
 * else to do. The order stays. */
void sink_write(struct sink *sink, const struct record *records, size_t n_records);

/* Writes all that waits: before an engine, whose names the records borrow, goes. */
void sink_settle(struct sink *sink);

/* At the end: gives the readers so long, then says on stderr what is lost. */
void sink_drain(struct sink *sink, uint64_t timeout_us);

/* NULL is fine. Returns NULL. */
struct sink *sink_free(struct sink *sink);

/* "<3>" where stderr is the journal, so that what is said there counts as an error; else "". */
const char *sink_error_prefix(void);

/* Reads "auto", "journal", "text" or "json". Returns 0 or -EINVAL. */
int sink_target_parse(const char *text, enum sink_target *ret_target);

#endif
