/* SPDX-License-Identifier: Apache-2.0 */
/* The recording's reader. Trusts nothing in the file. */
#include "recording.h"

#include <errno.h>
#include <stdio.h>

struct recording {
    FILE *file;
    char *line;
    size_t capacity;
    size_t number;
    uint64_t now_us; /* of the last event: time does not go back */
    bool truncated;
    struct arena header_arena;
    struct arena arena;
    struct recording_header header;
};

/* Returns the length of the next line, without its LF; 0 at the end (a line of
 * a recording is never empty), or -errno. `*ret_whole`: it had its LF. */
static ssize_t read_line(struct recording *recording, bool *ret_whole)
{
    ssize_t length;

    errno = 0;
    length = getline(&recording->line, &recording->capacity, recording->file);
    if (length < 0)
        return ferror(recording->file) || errno ? -(errno ? errno : EIO) : 0;
    recording->number++;
    *ret_whole = recording->line[length - 1] == '\n';
    if (*ret_whole)
        recording->line[--length] = '\0';
    return length ? length : -ENODATA;
}

static int read_header(struct recording *recording, char *error, size_t size)
{
    bool whole = false;
    ssize_t length;
    int c, error_number;

    errno = 0;
    c = getc(recording->file);
    error_number = errno ? errno : EIO;
    if (c == EOF && ferror(recording->file)) {
        snprintf(error, size, "%s", strerrordesc_np(error_number));
        return -error_number;
    }
    /* A device or an image may have no line's end at all: do not look for it. */
    if (c != EOF && c != '{' && c != '\n') {
        snprintf(error, size, "not a recording of pathdog");
        return -EBADMSG;
    }
    if (c != EOF)
        ungetc(c, recording->file);
    length = read_line(recording, &whole);
    if (length == 0 || length == -ENODATA) {
        snprintf(error, size, "empty: not a recording of pathdog");
        return -EBADMSG;
    }
    if (length < 0) {
        snprintf(error, size, "%s", strerrordesc_np((int)-length));
        return (int)length;
    }
    return header_decode(recording->line, (size_t)length, &recording->header_arena,
                         &recording->header, error, size);
}

int recording_open(const char *path, struct recording **ret_recording, char *error, size_t size)
{
    struct recording *recording;
    FILE *file = strcmp(path, "-") ? fopen(path, "re") : stdin;
    int r;

    if (!file) {
        r = -errno;
        snprintf(error, size, "%s", strerrordesc_np(-r));
        return r;
    }
    recording = memory_new(1, sizeof(*recording));
    recording->file = file;
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
    if (recording->file != stdin)
        fclose(recording->file);
    free(recording->line);
    arena_clear(&recording->header_arena);
    arena_clear(&recording->arena);
    free(recording);
    return NULL;
}

int recording_next(struct recording *recording, struct event *ret, char *error, size_t size)
{
    char why[200];
    bool whole = true;
    ssize_t length = read_line(recording, &whole);
    int r;

    if (length == 0)
        return 0;
    if (length < 0) {
        r = length == -ENODATA ? -EBADMSG : (int)length;
        snprintf(error, size, "line %zu: %s", recording->number,
                 r == -EBADMSG ? "empty" : strerrordesc_np(-r));
        return r;
    }
    arena_reset(&recording->arena);
    r = event_decode(recording->line, (size_t)length, &recording->arena, ret, why, sizeof(why));
    if (r == 0 && ret->now_us < recording->now_us) {
        snprintf(why, sizeof(why), "\"t\" is before that of the line before");
        r = -EBADMSG;
    }
    if (r < 0 && !whole) {
        recording->truncated = true;
        return 0;
    }
    if (r < 0) {
        snprintf(error, size, "line %zu: %s", recording->number, why);
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
