/* SPDX-License-Identifier: Apache-2.0 */
/* The recording's reader. Trusts nothing in the file: not even that a line ends. */
#include "recording.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "recorder.h"

#define READ_BYTES ((size_t)64 * 1024)

/* What an event's line can hold at most. The long ones are those of a whole configuration or of
 * all that a run before had learnt; what the recorder's queue does not take is in no recording. */
static const struct line_bounds {
    const char *name; /* of the event; NULL: any other */
    size_t bytes, containers, values;
} bounds[] = {
    {"\"event\":\"restore\"", RECORDER_PENDING_MAX_BYTES, 2u << 20, 16u << 20},
    {"\"event\":\"command\"", RECORDER_PENDING_MAX_BYTES, 64, 64},
    {"\"pathdog\":\"recording\"", RECORDER_PENDING_MAX_BYTES, 64, 64},
    {NULL, RECORDING_LINE_MAX_BYTES, 512u << 10, 1u << 20},
};

struct recording {
    int fd;
    bool ended; /* nothing more is to be read */
    struct buffer in;
    size_t taken; /* of `in`: the line last read, with its LF */
    size_t number;
    uint64_t now_us; /* of the last event: time does not go back */
    bool truncated;
    struct arena header_arena;
    struct arena arena;
    struct recording_header header;
};

/* The recorder writes "event" behind the two times, "pathdog" at the very beginning. */
static const struct line_bounds *bounds_of(const char *line, size_t length)
{
    size_t i = 0;

    while (bounds[i].name &&
           !memmem(line, min_u64(length, 128), bounds[i].name, strlen(bounds[i].name)))
        i++;
    return &bounds[i];
}

/* jansson needs up to a hundred bytes for each of one: they are counted first. */
static bool is_dense(const char *line, size_t length, const struct line_bounds *bound)
{
    size_t containers = 0, values = 0;
    bool text = false;

    if (length <= bound->containers)
        return false;
    for (size_t i = 0; i < length; i++) {
        char c = line[i];

        if (text && c == '\\')
            i++;
        else if (c == '"')
            text = !text;
        containers += !text && (c == '{' || c == '[');
        values += !text && c == ',';
    }
    return containers > bound->containers || values > bound->values;
}

/* Reads on until there is an LF, the end, or more than a line can be. 0 or -errno. */
static int fill(struct recording *recording, size_t *ret_length)
{
    size_t seen = 0;

    for (;;) {
        const char *bytes = buffer_bytes(&recording->in);
        size_t length = recording->in.length;
        const char *end = length > seen ? memchr(bytes + seen, '\n', length - seen) : NULL;
        ssize_t n;

        *ret_length = end ? (size_t)(end - bytes) : length;
        if (end || recording->ended || length > bounds_of(bytes, length)->bytes)
            return 0;
        seen = length;
        n = read(recording->fd, buffer_space(&recording->in, READ_BYTES), READ_BYTES);
        if (n < 0 && errno != EINTR)
            return -errno;
        recording->ended = n == 0;
        buffer_added(&recording->in, n > 0 ? (size_t)n : 0);
    }
}

/* The next line, without its LF. Returns 1, 0 at the end, or -errno with why. `*ret_whole`: it had
 * its LF. */
static int read_line(struct recording *recording, const char **ret_line, size_t *ret_length,
                     bool *ret_whole, char *why, size_t size)
{
    const struct line_bounds *bound;
    size_t length;
    int r;

    buffer_take(&recording->in, recording->taken);
    recording->taken = 0;
    r = fill(recording, &length);
    if (r < 0) {
        snprintf(why, size, "%s", strerrordesc_np(-r));
        return r;
    }
    if (!recording->in.length)
        return 0;
    recording->number++;
    *ret_line = buffer_bytes(&recording->in);
    *ret_length = length;
    *ret_whole = length < recording->in.length;
    recording->taken = length + *ret_whole;
    bound = bounds_of(*ret_line, length);
    if (!length)
        snprintf(why, size, "empty");
    else if (length > bound->bytes)
        snprintf(why, size, "longer than %zu MiB, which no such line of a recording is",
                 bound->bytes >> 20);
    else if (is_dense(*ret_line, length, bound))
        snprintf(why, size,
                 "more than %zu objects and arrays or %zu values, which no such line of "
                 "a recording has",
                 bound->containers, bound->values);
    else
        return 1;
    return -EBADMSG;
}

static int read_header(struct recording *recording, char *error, size_t size)
{
    const char *line = NULL;
    bool whole;
    size_t length = 0;
    int r;

    /* A device or an image may have no line's end at all: do not look for it. */
    buffer_space(&recording->in, READ_BYTES);
    do
        r = (int)read(recording->fd, recording->in.data, 1);
    while (r < 0 && errno == EINTR);
    if (r < 0) {
        r = -errno;
        snprintf(error, size, "%s", strerrordesc_np(-r));
        return r;
    }
    if (r == 0 || *recording->in.data == '\n') {
        snprintf(error, size, "empty: not a recording of pathdog");
        return -EBADMSG;
    }
    if (*recording->in.data != '{') {
        snprintf(error, size, "not a recording of pathdog");
        return -EBADMSG;
    }
    buffer_added(&recording->in, 1);
    r = read_line(recording, &line, &length, &whole, error, size);
    return r < 0 ? r
                 : header_decode(line, length, &recording->header_arena, &recording->header, error,
                                 size);
}

int recording_open(const char *path, struct recording **ret_recording, char *error, size_t size)
{
    struct recording *recording;
    int fd = strcmp(path, "-") ? open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC) : STDIN_FILENO, r;

    if (fd < 0) {
        r = -errno;
        snprintf(error, size, "%s", strerrordesc_np(-r));
        return r;
    }
    recording = memory_new(1, sizeof(*recording));
    recording->fd = fd;
    r = read_header(recording, error, size);
    if (r < 0) {
        recording_free(recording);
        return r;
    }
    recording->now_us = recording->header.started_us;
    *ret_recording = recording;
    return 0;
}

struct recording *recording_free(struct recording *recording)
{
    if (!recording)
        return NULL;
    if (recording->fd != STDIN_FILENO)
        close(recording->fd);
    buffer_clear(&recording->in);
    arena_clear(&recording->header_arena);
    arena_clear(&recording->arena);
    free(recording);
    return NULL;
}

int recording_next(struct recording *recording, struct event *ret, char *error, size_t size)
{
    const char *line;
    char why[200];
    bool whole = true;
    size_t length;
    int r = read_line(recording, &line, &length, &whole, why, sizeof(why));

    if (r == 0)
        return 0;
    if (r > 0) {
        arena_reset(&recording->arena);
        r = event_decode(line, length, &recording->arena, ret, why, sizeof(why));
        if (r == 0 && ret->now_us < recording->now_us) {
            snprintf(why, sizeof(why), "\"t\" is before that of the line before");
            r = -EBADMSG;
        }
        if (r < 0 && !whole) {
            recording->truncated = true;
            return 0;
        }
    }
    if (r < 0) {
        /* What cannot be read at all is behind the last line. */
        snprintf(error, size, "line %zu: %s", recording->number + (r != -EBADMSG), why);
        return r;
    }
    recording->now_us = ret->now_us;
    return 1;
}

bool recording_is_truncated(const struct recording *recording)
{
    return recording->truncated;
}

const struct recording_header *recording_header(const struct recording *recording)
{
    return &recording->header;
}

size_t recording_line(const struct recording *recording)
{
    return recording->number;
}
