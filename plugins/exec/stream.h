/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a command writes, piece by piece: its standard output as messages, with an empty line
 * between two, and its standard error as lines. Holds one message, or one line, whatever comes.
 * Pure.
 */
#ifndef EXEC_STREAM_H
#define EXEC_STREAM_H

#include "../messages/message.h"

#include <stdint.h>

/* The longest line of standard error; what is beyond is left out. */
#define STREAM_LINE_MAX 256u

struct message_stream {
    size_t length;      /* of the present message */
    bool too_long;      /* and what came of it was dropped */
    bool line_is_empty; /* nothing stands in the present line yet */
    char text[MESSAGE_MAX + 2];
};

struct message_stream_handlers {
    void (*message)(void *user, const struct message *message);
    void (*bad)(void *user, const char *error);
    void *user;
};

struct line_stream {
    size_t length;
    bool too_long;
    char text[STREAM_LINE_MAX];
};

void message_stream_init(struct message_stream *stream);
/* As long as `handlers` want more: they may be called many times. */
void message_stream_feed(struct message_stream *stream, const char *bytes, size_t n,
                         const struct message_stream_handlers *handlers);
/* No more comes: the last message needs no empty line. */
void message_stream_end(struct message_stream *stream,
                        const struct message_stream_handlers *handlers);
/* Has a message begun that has not ended? */
bool message_stream_is_open(const struct message_stream *stream);

/* `line` gets each line that is not empty; it is not ended by NUL. */
void line_stream_feed(struct line_stream *stream, const char *bytes, size_t n,
                      void (*line)(void *user, const char *text, size_t length, bool cut),
                      void *user);
void line_stream_end(struct line_stream *stream,
                     void (*line)(void *user, const char *text, size_t length, bool cut),
                     void *user);

#endif
