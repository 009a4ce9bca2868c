/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One sink of three kinds. Formatting is format.c's, queueing is stream.c's and
 * journal.c's; here is only which record goes where.
 */
#include "sink.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "format.h"
#include "journal.h"
#include "stream.h"

/* A storm over 100 000 connections is some 50 MiB of JSON in one turn. */
#define STREAM_QUEUE_BYTES    ((size_t)64 << 20)
#define STREAM_STOOD_BYTES    ((size_t)4 << 20)
#define JOURNAL_QUEUE_BYTES   ((size_t)8 << 20)
#define JOURNAL_QUEUE_ENTRIES 8192u

struct sink {
    struct sink_config config;
    struct stream *stream;   /* text and JSON */
    struct journal *journal; /* journal */
    struct buffer entry;
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

static void on_stream_dropped(void *user, uint64_t count, int error)
{
    struct sink *sink = user;

    sink->config.dropped(sink->config.user, count,
                         error ? strerror(error) : "the reader of the log stood still");
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
            .send = sd_journal_sendv,
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
    if (r < 0) {
        sink_free(sink);
        return r;
    }
    *ret_sink = sink;
    return 0;
}

static void write_journal(struct sink *sink, const struct record *record)
{
    uint64_t dropped = journal_dropped(sink->journal);

    sink->entry.length = 0;
    record_journal(&sink->entry, record, sink->config.run, dropped);
    journal_push(sink->journal, &sink->entry, dropped);
}

void sink_write(struct sink *sink, const struct record *records, size_t n_records)
{
    for (size_t i = 0; i < n_records; i++) {
        const struct record *record = &records[i];

        if (record_level(record) > sink->config.level)
            continue;
        switch (sink->config.target) {
        case SINK_JSON:
            record_json(stream_line(sink->stream), record, sink->config.run);
            stream_end_line(sink->stream);
            break;
        case SINK_JOURNAL:
            if (!record->bulk)
                write_journal(sink, record);
            break;
        default:
            record_text(stream_line(sink->stream), record);
            stream_end_line(sink->stream);
        }
    }
    if (sink->stream && n_records)
        stream_flush(sink->stream);
}

void sink_drain(struct sink *sink, uint64_t timeout_us)
{
    uint64_t lost = sink->journal ? journal_stop(sink->journal, timeout_us)
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
