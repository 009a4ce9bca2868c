/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The line writer behind --log json and text. A descriptor's O_NONBLOCK is
 * shared with whoever else has it (a shell, a test's other end), so a pipe is
 * opened anew and a socket is sent to with MSG_DONTWAIT.
 */
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../util/clock.h"

/* Written in pieces of this size while a burst is still being made. */
#define STREAM_CHUNK_BYTES ((size_t)64 * 1024)

/* A reader that took nothing for so long stands still. */
#define STREAM_STOOD_US UINT64_C(1000000)

struct stream {
    struct stream_config config;
    sd_event_source *source; /* NULL: a file, always writable */
    struct buffer queue;
    size_t line_start; /* length of the queue without the line being made */
    uint64_t n_dropped;
    uint64_t taken_us; /* when the reader last took something */
    int fd;
    int error;  /* nobody will ever read again */
    bool stood; /* some were dropped because the reader stood still, not because it was slow */
    bool own_fd, is_socket, waiting;
};

/* One write that does not wait. Returns as write(2), with -errno. */
static ssize_t stream_put(const struct stream *stream, const char *bytes, size_t n_bytes)
{
    ssize_t n;

    do {
        n = stream->is_socket ? send(stream->fd, bytes, n_bytes, MSG_DONTWAIT | MSG_NOSIGNAL)
                              : write(stream->fd, bytes, n_bytes);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static void stream_wait(struct stream *stream, bool wait)
{
    if (!stream->source || stream->waiting == wait)
        return;
    stream->waiting = wait;
    sd_event_source_set_enabled(stream->source, wait ? SD_EVENT_ON : SD_EVENT_OFF);
}

static void stream_report(struct stream *stream)
{
    uint64_t count = stream->n_dropped;

    if (!count)
        return;
    stream->n_dropped = 0;
    stream->config.dropped(stream->config.user, count, stream->stood, stream->error);
    stream->stood = false;
}

/* The reader is gone for good: say so once, with what it did not get. */
static void stream_give_up(struct stream *stream, int error)
{
    uint64_t lines = 0;
    const char *bytes = buffer_bytes(&stream->queue);

    for (size_t i = 0; i < stream->line_start; i++)
        lines += bytes[i] == '\n';
    stream->error = error;
    stream->n_dropped += lines;
    buffer_clear(&stream->queue);
    stream->line_start = 0;
    stream_wait(stream, false);
    stream_report(stream);
}

void stream_flush(struct stream *stream)
{
    /* That nobody reads any more was said once; the rest is said at the end. */
    if (stream->error)
        return;
    while (stream->line_start) {
        ssize_t n = stream_put(stream, buffer_bytes(&stream->queue),
                               min_u64(stream->line_start, STREAM_CHUNK_BYTES));

        if (n == -EAGAIN) {
            stream_wait(stream, true);
            return;
        }
        if (n < 0) {
            stream_give_up(stream, (int)-n);
            return;
        }
        stream->taken_us = clock_us(CLOCK_MONOTONIC);
        stream->line_start -= (size_t)n;
        buffer_take(&stream->queue, (size_t)n);
    }
    stream_wait(stream, false);
    stream_report(stream);
}

static int on_writable(sd_event_source *source, int fd, uint32_t revents, void *user)
{
    stream_flush(user);
    return 0;
}

struct buffer *stream_line(struct stream *stream)
{
    return &stream->queue;
}

/* A burst is given all the room; a reader that stands still is not. */
static bool stream_is_full(struct stream *stream)
{
    size_t n_bytes = stream->queue.length;
    bool stands;

    if (n_bytes <= stream->config.stood_bytes)
        return false;
    stands = clock_us(CLOCK_MONOTONIC) - stream->taken_us > STREAM_STOOD_US;
    stream->stood |= stands;
    return stands || n_bytes > stream->config.queue_bytes;
}

void stream_end_line(struct stream *stream)
{
    if (!stream->line_start) /* only now there is something to be taken */
        stream->taken_us = clock_us(CLOCK_MONOTONIC);
    if (stream->error || stream_is_full(stream)) {
        stream->queue.length = stream->line_start;
        stream->n_dropped++;
        return;
    }
    stream->line_start = stream->queue.length;
    if (stream->line_start >= STREAM_CHUNK_BYTES && !stream->waiting)
        stream_flush(stream);
}

/* A descriptor of our own for the same pipe or terminal, that may be made
 * non-blocking without anybody noticing. */
static void stream_reopen(struct stream *stream, mode_t mode)
{
    char path[64];
    int fd;

    if (!S_ISFIFO(mode) && !S_ISCHR(mode))
        return;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", stream->fd);
    fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd >= 0) {
        stream->fd = fd;
        stream->own_fd = true;
    } else {
        fcntl(stream->fd, F_SETFL, fcntl(stream->fd, F_GETFL) | O_NONBLOCK);
    }
}

int stream_new(sd_event *loop, const struct stream_config *config, struct stream **ret_stream)
{
    struct stream *stream = memory_new(1, sizeof(*stream));
    struct stat st;
    int r;

    stream->config = *config;
    stream->fd = config->fd;
    stream->taken_us = clock_us(CLOCK_MONOTONIC);
    if (fstat(stream->fd, &st) < 0) {
        r = -errno;
        free(stream);
        return r;
    }
    stream->is_socket = S_ISSOCK(st.st_mode);
    stream_reopen(stream, st.st_mode);
    r = sd_event_add_io(loop, &stream->source, stream->fd, EPOLLOUT, on_writable, stream);
    if (r == -EPERM) { /* a file: epoll has nothing to say about it */
        stream->source = NULL;
    } else if (r < 0) {
        stream_free(stream);
        return r;
    } else {
        sd_event_source_set_description(stream->source, "log-stream");
        sd_event_source_set_enabled(stream->source, SD_EVENT_OFF);
    }
    *ret_stream = stream;
    return 0;
}

uint64_t stream_drain(struct stream *stream, uint64_t timeout_us)
{
    uint64_t until_us = clock_us(CLOCK_MONOTONIC) + timeout_us, at_us;

    stream_flush(stream);
    while (stream->line_start && (at_us = clock_us(CLOCK_MONOTONIC)) < until_us) {
        struct pollfd poll_fd = {.fd = stream->fd, .events = POLLOUT};

        if (poll(&poll_fd, 1, (int)((until_us - at_us) / 1000) + 1) > 0)
            stream_flush(stream);
    }
    if (stream->line_start) {
        const char *bytes = buffer_bytes(&stream->queue);

        for (size_t i = 0; i < stream->line_start; i++)
            stream->n_dropped += bytes[i] == '\n';
    }
    return stream->n_dropped;
}

struct stream *stream_free(struct stream *stream)
{
    if (!stream)
        return NULL;
    sd_event_source_disable_unref(stream->source);
    if (stream->own_fd)
        close(stream->fd);
    buffer_clear(&stream->queue);
    free(stream);
    return NULL;
}
