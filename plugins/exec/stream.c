/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes → messages and lines. See stream.h. */
#include "stream.h"

#include "util/util.h"

void message_stream_init(struct message_stream *stream)
{
    stream->length = 0;
    stream->too_long = false;
    stream->line_is_empty = true;
}

bool message_stream_is_open(const struct message_stream *stream)
{
    return stream->length || stream->too_long;
}

void message_stream_end(struct message_stream *stream,
                        const struct message_stream_handlers *handlers)
{
    size_t length = stream->length;
    bool too_long = stream->too_long;
    struct message message;
    const char *error;

    if (length && stream->text[length - 1] == '\n')
        length--;
    message_stream_init(stream);
    if (too_long)
        handlers->bad(handlers->user, "the message is longer than 4096 bytes");
    else if (!length)
        return;
    else if (message_parse(stream->text, length, &message, &error) < 0)
        handlers->bad(handlers->user, error);
    else
        handlers->message(handlers->user, &message);
}

/* A part of a line, or its end. */
static void message_stream_add(struct message_stream *stream, const char *bytes, size_t n)
{
    if (stream->too_long)
        return;
    if (stream->length + n > MESSAGE_MAX) {
        stream->too_long = true;
        stream->length = 0;
        return;
    }
    memcpy(stream->text + stream->length, bytes, n);
    stream->length += n;
}

void message_stream_feed(struct message_stream *stream, const char *bytes, size_t n,
                         const struct message_stream_handlers *handlers)
{
    const char *end = bytes + n;

    while (bytes < end) {
        const char *newline = memchr(bytes, '\n', (size_t)(end - bytes));
        size_t length = (size_t)((newline ? newline : end) - bytes);

        if (length) {
            message_stream_add(stream, bytes, length);
            stream->line_is_empty = false;
        }
        if (!newline)
            return;
        bytes = newline + 1;
        if (stream->line_is_empty)
            message_stream_end(stream, handlers);
        else if (!stream->too_long) /* there is room: the end of its last line does not count */
            stream->text[stream->length++] = '\n';
        stream->line_is_empty = true;
    }
}

void line_stream_end(struct line_stream *stream,
                     void (*line)(void *user, const char *text, size_t length, bool cut),
                     void *user)
{
    if (stream->length)
        line(user, stream->text, stream->length, stream->too_long);
    stream->length = 0;
    stream->too_long = false;
}

void line_stream_feed(struct line_stream *stream, const char *bytes, size_t n,
                      void (*line)(void *user, const char *text, size_t length, bool cut),
                      void *user)
{
    const char *end = bytes + n;

    while (bytes < end) {
        const char *newline = memchr(bytes, '\n', (size_t)(end - bytes));
        size_t length = (size_t)((newline ? newline : end) - bytes);
        size_t kept = min_u64(length, sizeof(stream->text) - stream->length);

        memcpy(stream->text + stream->length, bytes, kept);
        stream->length += kept;
        stream->too_long |= kept < length;
        if (!newline)
            return;
        bytes = newline + 1;
        line_stream_end(stream, line, user);
    }
}
