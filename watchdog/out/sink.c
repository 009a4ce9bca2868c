/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One sink of three kinds. Formatting is format.c's, queueing is stream.c's and
 * journal.c's; here is only which record goes where.
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
#include "journal.h"
#include "stream.h"

/* A storm over 100 000 connections is some 50 MiB of JSON in one turn. */
#define STREAM_QUEUE_BYTES    ((size_t)64 << 20)
#define STREAM_STOOD_BYTES    ((size_t)4 << 20)
#define JOURNAL_QUEUE_BYTES   ((size_t)8 << 20)
#define JOURNAL_QUEUE_ENTRIES 8192u

/* So many records of one turn are written at once. */
#define DIRECT_RECORDS 16u
/* So many may wait; 150 bytes each. */
#define BACKLOG_RECORDS ((size_t)128 * 1024)
/* How long the loop may be held by formatting, and how often that is looked at. */
#define SLICE_US      UINT64_C(1000)
#define SLICE_RECORDS 64u

struct sink {
    struct sink_config config;
    struct stream *stream;   /* text and JSON */
    struct journal *journal; /* journal */
    struct buffer entry;
    struct backlog backlog;
    sd_event_source *source; /* on while something waits */
    bool drained;
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

static void on_stream_dropped(void *user, uint64_t count, bool stood, int error)
{
    struct sink *sink = user;

    sink->config.dropped(sink->config.user, count,
                         error   ? strerror(error)
                         : stood ? "the reader of the log was stopped"
                                 : "the reader of the log was too slow");
}

static void sink_work(struct sink *sink, size_t n_left, uint64_t slice_us);

static int on_backlog(sd_event_source *source, int fd, uint32_t revents, void *user)
{
    sink_work(user, 0, SLICE_US);
    return 0;
}

/* Where no journald is, sd_journal_sendv says that all went well, and the entry
 * is gone: it must be counted. */
static int send_to_journal(const struct iovec *fields, int n_fields)
{
    int r = sd_journal_sendv(fields, n_fields);

    return r >= 0 && access("/run/systemd/journal/socket", F_OK) < 0 ? -errno : r;
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

int sink_new(sd_event *loop, const struct sink_config *config, struct sink **ret_sink)
{
    struct sink *sink = memory_new(1, sizeof(*sink));
    int r;

    sink->config = *config;
    if (config->target == SINK_AUTO)
        sink->config.target = stderr_is_journal() ? SINK_JOURNAL : SINK_TEXT;
    if (sink->config.target == SINK_JOURNAL) {
        const struct journal_config journal_config = {
            .max_entries = JOURNAL_QUEUE_ENTRIES,
            .max_bytes = JOURNAL_QUEUE_BYTES,
            .send = send_to_journal,
        };

        r = journal_new(&journal_config, &sink->journal);
    } else {
        const struct stream_config stream_config = {
            .fd = config->fd,
            .queue_bytes = STREAM_QUEUE_BYTES,
            .stood_bytes = STREAM_STOOD_BYTES,
            .dropped = on_stream_dropped,
            .user = sink,
        };

        r = stream_new(loop, &stream_config, &sink->stream);
    }
    if (r >= 0)
        r = sink_add_source(sink, loop);
    if (r < 0) {
        sink_free(sink);
        return r;
    }
    *ret_sink = sink;
    return 0;
}

static void write_journal(struct sink *sink, const struct record *record)
{
    uint64_t dropped;

    if (!journal_has_room(sink->journal, &dropped)) {
        journal_drop(sink->journal);
        return;
    }
    sink->entry.length = 0;
    record_journal(&sink->entry, record, sink->config.run, dropped);
    journal_push(sink->journal, &sink->entry, dropped);
}

static void write_record(struct sink *sink, const struct record *record)
{
    switch (sink->config.target) {
    case SINK_JSON:
        record_json(stream_line(sink->stream), record, sink->config.run);
        stream_end_line(sink->stream);
        break;
    case SINK_JOURNAL:
        write_journal(sink, record);
        break;
    default:
        record_text(stream_line(sink->stream), record);
        stream_end_line(sink->stream);
    }
}

/* Writes what waits, until so many are left or the time is over. */
static void sink_work(struct sink *sink, size_t n_left, uint64_t slice_us)
{
    uint64_t until_us = add_u64(clock_us(CLOCK_MONOTONIC), slice_us);

    do {
        for (unsigned i = 0; i < SLICE_RECORDS && sink->backlog.n > n_left; i++) {
            write_record(sink, backlog_first(&sink->backlog));
            backlog_pop(&sink->backlog);
        }
    } while (sink->backlog.n > n_left && clock_us(CLOCK_MONOTONIC) < until_us);
    if (sink->stream)
        stream_flush(sink->stream);
    sd_event_source_set_enabled(sink->source, sink->backlog.n ? SD_EVENT_ON : SD_EVENT_OFF);
}

/* Into the backlog. Where it is full, journald does not keep up: the oldest one goes
 * unwritten. Other logs are written in the loop's time then. */
static void sink_keep(struct sink *sink, const struct record *record)
{
    if (sink->journal && sink->backlog.n >= BACKLOG_RECORDS) {
        backlog_pop(&sink->backlog);
        journal_drop(sink->journal);
    }
    backlog_push(&sink->backlog, record);
}

static bool is_wanted(const struct sink *sink, const struct record *record)
{
    return record_level(record) <= sink->config.level &&
           !(record->bulk && sink->config.target == SINK_JOURNAL);
}

void sink_write(struct sink *sink, const struct record *records, size_t n_records)
{
    /* Each entry for the journal may wake its thread: not while requests are made. */
    bool direct = n_records <= DIRECT_RECORDS && !sink->backlog.n && !sink->journal;

    if (!n_records)
        return;
    for (size_t i = 0; i < n_records; i++)
        if (!is_wanted(sink, &records[i]))
            continue;
        else if (direct)
            write_record(sink, &records[i]);
        else
            sink_keep(sink, &records[i]);
    if (sink->backlog.n > BACKLOG_RECORDS)
        sink_work(sink, BACKLOG_RECORDS / 2, UINT64_MAX);
    else if (sink->backlog.n)
        sd_event_source_set_enabled(sink->source, SD_EVENT_ON);
    else if (sink->stream)
        stream_flush(sink->stream);
}

void sink_settle(struct sink *sink)
{
    if (sink->backlog.n)
        sink_work(sink, 0, UINT64_MAX);
}

void sink_drain(struct sink *sink, uint64_t timeout_us)
{
    uint64_t lost;

    sink_settle(sink);
    lost = sink->journal ? journal_stop(sink->journal, timeout_us)
                         : stream_drain(sink->stream, timeout_us);

    sink->drained = true;
    if (lost)
        dprintf(STDERR_FILENO, "pathdog: %llu records could not be written to the log\n",
                (unsigned long long)lost);
}

struct sink *sink_free(struct sink *sink)
{
    if (!sink)
        return NULL;
    if (sink->journal && !sink->drained)
        journal_stop(sink->journal, 0);
    sd_event_source_disable_unref(sink->source);
    backlog_clear(&sink->backlog);
    stream_free(sink->stream);
    journal_free(sink->journal);
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
