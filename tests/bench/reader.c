/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines from pathdog or from a floor: the same code counts both, and that is
 * all that is done while the clock runs.
 */
#include "bench.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define READ_BYTES (256u * 1024)
#define WAIT_MS    20000

static const char begin[] = "{\"jsonrpc\":\"2.0\",\"id\":";
static const char middle[] = ",\"method\":\"migrate_peer\"";

static bool is_migrate(const char *line, size_t length)
{
    size_t at = sizeof(begin) - 1;

    if (length < at + sizeof(middle) || memcmp(line, begin, at))
        return false;
    while (at < length && line[at] >= '0' && line[at] <= '9')
        at++;
    return length - at >= sizeof(middle) && !memcmp(line + at, middle, sizeof(middle) - 1);
}

static void count_lines(struct reader *reader)
{
    const char *end;

    while ((end = memchr(reader->kept.bytes + reader->scanned, '\n',
                         reader->kept.length - reader->scanned))) {
        const char *line = reader->kept.bytes + reader->scanned;
        size_t length = (size_t)(end - line) + 1;

        if (is_migrate(line, length) && reader->migrates++ == 0)
            reader->first_ns = now_ns();
        reader->scanned += length;
    }
}

/* Returns whether anything was there. */
static bool read_some(struct reader *reader, int flags)
{
    struct bytes *kept = &reader->kept;
    ssize_t n;

    if (kept->capacity - kept->length < READ_BYTES) {
        kept->capacity = 2 * kept->capacity + READ_BYTES;
        kept->bytes = realloc(kept->bytes, kept->capacity);
        if (!kept->bytes)
            die("no memory");
    }
    n = recv(reader->fd, kept->bytes + kept->length, READ_BYTES, flags);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n <= 0)
        die("the other end is gone: %s", n ? strerror(errno) : "closed");
    kept->length += (size_t)n;
    count_lines(reader);
    return true;
}

void reader_begin(struct reader *reader)
{
    if (reader->handled == reader->kept.length)
        reader->kept.length = reader->handled = reader->scanned = 0;
    reader->migrates = 0;
    reader->first_ns = reader->last_ns = 0;
}

void reader_wait(struct reader *reader, uint32_t count)
{
    struct timeval limit = {.tv_sec = WAIT_MS / 1000};
    struct pollfd poller = {.fd = reader->fd, .events = POLLIN};

    if (setsockopt(reader->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)))
        die("SO_RCVTIMEO: %s", strerror(errno));
    while (reader->migrates < count) {
        if (!read_some(reader, 0) && poll(&poller, 1, 0) == 0)
            die("%u of %u lines came within %d s", reader->migrates, count, WAIT_MS / 1000);
    }
    reader->last_ns = now_ns();
}

void reader_poll(struct reader *reader)
{
    while (read_some(reader, MSG_DONTWAIT))
        ;
}

const char *reader_line(struct reader *reader, size_t *ret_length)
{
    const char *line = reader->kept.bytes + reader->handled, *end;

    if (reader->handled == reader->scanned) {
        if (reader->scanned == reader->kept.length)
            reader->kept.length = reader->handled = reader->scanned = 0;
        return NULL;
    }
    end = memchr(line, '\n', reader->scanned - reader->handled);
    *ret_length = (size_t)(end - line) + 1;
    reader->handled += *ret_length;
    return line;
}
