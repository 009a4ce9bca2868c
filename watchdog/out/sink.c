/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One way for three kinds of log: records wait in the backlog, are formatted when the loop has
 * nothing else to do and the writing thread has room, and are written by that thread (writer.c).
 * Only the backlog drops, the oldest first, and what it dropped is counted.
 */
#include "sink.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#define SD_JOURNAL_SUPPRESS_LOCATION /* it is always the same line */
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "../util/clock.h"
#include "../util/ready.h"
#include "backlog.h"
#include "format.h"
#include "stream.h"
#include "writer.h"

/* Formatted and not written yet. */
#define STREAM_QUEUE_BYTES    ((size_t)4 << 20)
#define STREAM_QUEUE_ENTRIES  4096u
#define JOURNAL_QUEUE_BYTES   ((size_t)8 << 20)
#define JOURNAL_QUEUE_ENTRIES 8192u

/* Handed to the thread at once, of a stream. */
#define CHUNK_BYTES ((size_t)64 * 1024)
/* How long the loop may be held by formatting, and how often that is looked at. */
#define SLICE_US      UINT64_C(1000)
#define SLICE_RECORDS 64u
/* A reader that took nothing for so long stands still. */
#define STOOD_US UINT64_C(1000000)
/* What was dropped is said so often at most while more is being dropped. */
#define SAID_US UINT64_C(1000000)

struct sink {
    struct sink_config config;
    struct writer *writer;
    struct buffer entry;
    struct backlog backlog;
    sd_event_source *source; /* on while something can be written */
    bool waiting;            /* for room: the writer says when */
    bool drained;
    uint64_t n_dropped; /* and not said yet */
    bool stood; /* some were dropped because the reader stood still, not because it was slow */
    int error;  /* of a stream: nobody will ever read again */
    uint64_t reported_us;
};

/* $JOURNAL_STREAM is "device:inode" of what systemd connected stderr to. */
static bool stderr_is_journal(void)
{
    const char *text = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat st;

    return text && sscanf(text, "%llu:%llu", &device, &inode) == 2 &&
           fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

const char *sink_error_prefix(void)
{
    return stderr_is_journal() ? "<3>" : "";
}

static bool is_stream(const struct sink *sink)
{
    return sink->config.target != SINK_JOURNAL;
}

/* ---- what is lost ---- */

/* Takes over what the thread could not write. One that writes to a stream never will again. */
static void sink_check(struct sink *sink)
{
    int error;

    sink->n_dropped += writer_lost(sink->writer, &error);
    if (is_stream(sink))
        sink->error = error;
}

/* In the journal the next entry says it. */
static void sink_report(struct sink *sink)
{
    uint64_t count, now_us = clock_us(CLOCK_MONOTONIC);
    bool dropping = sink->backlog.n_bytes > BACKLOG_BYTES / 2;

    sink_check(sink);
    count = sink->n_dropped;
    if (!count || !is_stream(sink) || (sink->error && sink->reported_us == UINT64_MAX) ||
        (dropping && now_us - sink->reported_us < SAID_US))
        return;
    sink->n_dropped = 0;
    sink->reported_us = sink->error ? UINT64_MAX : now_us;
    sink->config.dropped(sink->config.user, count,
                         sink->error   ? strerror(sink->error)
                         : sink->stood ? "the reader of the log was stopped"
                                       : "the reader of the log was too slow");
    sink->stood = false;
}

/* Into the backlog. Where it is full the oldest one goes unwritten. */
static void sink_keep(struct sink *sink, const struct record *record)
{
    while (sink->backlog.n && sink->backlog.n_bytes >= BACKLOG_BYTES) {
        backlog_pop(&sink->backlog);
        sink->n_dropped++;
        sink->stood |= clock_us(CLOCK_MONOTONIC) - writer_taken_us(sink->writer) > STOOD_US;
    }
    backlog_push(&sink->backlog, record);
}

/* ---- what is written ---- */

static void write_journal(struct sink *sink)
{
    for (unsigned i = 0; i < SLICE_RECORDS && sink->backlog.n && writer_has_room(sink->writer);
         i++) {
        sink_check(sink);
        sink->entry.length = 0;
        record_journal(&sink->entry, backlog_first(&sink->backlog), sink->config.run,
                       sink->n_dropped);
        writer_push(sink->writer, &sink->entry, 1 + sink->n_dropped);
        sink->n_dropped = 0;
        backlog_pop(&sink->backlog);
    }
}

static void write_lines(struct sink *sink)
{
    uint64_t n = 0;

    sink->entry.length = 0;
    for (; n < SLICE_RECORDS && sink->backlog.n && sink->entry.length < CHUNK_BYTES; n++) {
        const struct record *record = backlog_first(&sink->backlog);

        if (sink->config.target == SINK_JSON)
            record_json(&sink->entry, record, sink->config.run);
        else
            record_text(&sink->entry, record);
        backlog_pop(&sink->backlog);
    }
    writer_push(sink->writer, &sink->entry, n);
}

/* Writes what waits, until there is no more room or the time is over. */
static void sink_work(struct sink *sink, uint64_t slice_us)
{
    uint64_t until_us = add_u64(clock_us(CLOCK_MONOTONIC), slice_us);

    sink->waiting = false;
    sink_check(sink);
    if (sink->error) {
        sink->n_dropped += sink->backlog.n;
        backlog_clear(&sink->backlog);
    }
    while (sink->backlog.n && !sink->waiting) {
        if (!writer_has_room(sink->writer))
            sink->waiting = true;
        else if (is_stream(sink))
            write_lines(sink);
        else
            write_journal(sink);
        if (clock_us(CLOCK_MONOTONIC) >= until_us)
            break;
    }
    sd_event_source_set_enabled(sink->source,
                                sink->backlog.n && !sink->waiting ? SD_EVENT_ON : SD_EVENT_OFF);
    sink_report(sink);
}

static int on_backlog(sd_event_source *source, int fd, uint32_t revents, void *user)
{
    sink_work(user, SLICE_US);
    return 0;
}

/* Only noted: the work is for when the loop has nothing else to do. */
static void on_room(void *user)
{
    struct sink *sink = user;

    sink->waiting = false;
    if (sink->backlog.n)
        sd_event_source_set_enabled(sink->source, SD_EVENT_ON);
    else
        sink_report(sink);
}

static bool is_wanted(const struct sink *sink, const struct record *record)
{
    return record_level(record) <= sink->config.level && !(record->bulk && !is_stream(sink));
}

/* Each entry may wake the thread, and formatting takes time: not while requests are made. */
void sink_write(struct sink *sink, const struct record *records, size_t n_records)
{
    for (size_t i = 0; i < n_records; i++)
        if (is_wanted(sink, &records[i]))
            sink_keep(sink, &records[i]);
    if (!sink->backlog.n || sink->waiting)
        return;
    /* A loop that never comes to rest writes some nevertheless. */
    if (sink->backlog.n_bytes > BACKLOG_BYTES / 4 * 3)
        sink_work(sink, SLICE_US);
    else
        sd_event_source_set_enabled(sink->source, SD_EVENT_ON);
}

uint64_t sink_drain(struct sink *sink, uint64_t until_us, bool *ret_stuck)
{
    uint64_t lost;

    while (sink->backlog.n && writer_wait(sink->writer, until_us))
        sink_work(sink, sub_u64(until_us, clock_us(CLOCK_MONOTONIC)));
    lost = writer_stop(sink->writer, until_us, ret_stuck) + sink->n_dropped + sink->backlog.n;
    backlog_clear(&sink->backlog);
    sink->drained = true;
    return lost;
}

/* ---- life ---- */

/* Where no journald is, sd_journal_sendv says that all went well, and the entry
 * is gone: it must be counted. */
static ssize_t send_journal(int fd, const char *bytes, size_t n_bytes)
{
    struct iovec fields[JOURNAL_FIELDS_MAX];
    size_t n = journal_split(bytes, n_bytes, fields, ARRAY_SIZE(fields));
    int r = sd_journal_sendv(fields, (int)n);

    if (r >= 0 && access("/run/systemd/journal/socket", F_OK) < 0)
        r = -errno;
    return r < 0 ? r : (ssize_t)n_bytes;
}

/* Behind everything else in the loop, by turns with the control socket. */
static int sink_add_source(struct sink *sink, sd_event *loop)
{
    int r = ready_add(loop, &sink->source, on_backlog, sink);

    if (r >= 0)
        r = sd_event_source_set_priority(sink->source, SD_EVENT_PRIORITY_IDLE);
    if (r >= 0)
        r = sd_event_source_set_description(sink->source, "log-backlog");
    return r;
}

static int sink_start(struct sink *sink, sd_event *loop)
{
    bool stream = is_stream(sink);
    const struct writer_config config = {
        .fd = sink->config.fd,
        .max_entries = stream ? STREAM_QUEUE_ENTRIES : JOURNAL_QUEUE_ENTRIES,
        .max_bytes = stream ? STREAM_QUEUE_BYTES : JOURNAL_QUEUE_BYTES,
        .send = stream ? stream_sender(sink->config.fd) : send_journal,
        .room = on_room,
        .user = sink,
    };
    int r = config.send ? 0 : -errno;

    if (r >= 0)
        r = sink_add_source(sink, loop);
    return r < 0 ? r : writer_new(loop, &config, &sink->writer);
}

int sink_new(sd_event *loop, const struct sink_config *config, struct sink **ret_sink)
{
    struct sink *sink = memory_new(1, sizeof(*sink));
    int r;

    sink->config = *config;
    if (config->target == SINK_AUTO)
        sink->config.target = stderr_is_journal() ? SINK_JOURNAL : SINK_TEXT;
    r = sink_start(sink, loop);
    if (r < 0) {
        sink_free(sink);
        return r;
    }
    *ret_sink = sink;
    return 0;
}

struct sink *sink_free(struct sink *sink)
{
    bool stuck;

    if (!sink)
        return NULL;
    if (sink->writer && !sink->drained)
        (void)sink_drain(sink, 0, &stuck);
    sd_event_source_disable_unref(sink->source);
    backlog_clear(&sink->backlog);
    writer_free(sink->writer);
    buffer_clear(&sink->entry);
    free(sink);
    return NULL;
}

int sink_target_parse(const char *text, enum sink_target *ret_target)
{
    static const char *const names[] = {"auto", "journal", "text", "json"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (!strcmp(text, names[i])) {
            *ret_target = (enum sink_target)i;
            return 0;
        }
    return -EINVAL;
}
