/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing run of bytes that is filled at its end and taken from its front,
 * and JSON written straight into it. Knows nothing of who reads it; pure.
 */
#ifndef UTIL_BUFFER_H
#define UTIL_BUFFER_H

#include "util.h"

/* Zeroed is empty. `data + start` is the first byte that was not taken. */
struct buffer {
    char *data;
    size_t start;
    size_t length; /* bytes from `start` on */
    size_t capacity;
    /* So many bytes at most, 0: no bound. What would go beyond is not kept, nor is what was there:
     * `overflowed` is set, and what is left is no whole message. Whoever appends need not look; the
     * owner does, and gives up. */
    size_t limit;
    bool overflowed; /* until buffer_clear */
};

/* Never NULL. */
static inline const char *buffer_bytes(const struct buffer *buffer)
{
    return buffer->data ? buffer->data + buffer->start : "";
}

void buffer_grow(struct buffer *buffer, size_t n_bytes);

/* A place for at least `n_bytes` more at the end; buffer_added says how many
 * of them were written. */
static inline char *buffer_space(struct buffer *buffer, size_t n_bytes)
{
    if (buffer->capacity - buffer->start - buffer->length < n_bytes || !buffer->data)
        buffer_grow(buffer, n_bytes);
    return buffer->data + buffer->start + buffer->length;
}

void buffer_overflow(struct buffer *buffer);

static inline void buffer_added(struct buffer *buffer, size_t n_bytes)
{
    buffer->length += n_bytes;
    if (buffer->limit && buffer->length > buffer->limit)
        buffer_overflow(buffer);
}

static inline void buffer_append(struct buffer *buffer, const void *bytes, size_t n_bytes)
{
    if (!n_bytes)
        return;
    memcpy(buffer_space(buffer, n_bytes), bytes, n_bytes);
    buffer_added(buffer, n_bytes);
}

static inline void buffer_text(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

/* Takes bytes from the front; gives memory back when a great burst is over. */
void buffer_take(struct buffer *buffer, size_t n_bytes);

/* Empties it and frees its memory; its limit stays. */
void buffer_clear(struct buffer *buffer);

/* The most digits that a number has. */
#define DECIMAL_MAX 20

/* How many digits `value` has: at least 1. */
size_t decimal_length(uint64_t value);

/* Writes the last `length` digits of `value`, without an end. */
void decimal_fill(char *out, size_t length, uint64_t value);

void buffer_u64(struct buffer *buffer, uint64_t value);
void buffer_i64(struct buffer *buffer, int64_t value);

/* Appends `text` as a JSON string with its quotes. What is not UTF-8 becomes
 * U+FFFD, so that the line is always JSON; what may not be shown (printable.h) is \uXXXX, so that
 * it does no harm on a terminal. */
void buffer_json(struct buffer *buffer, const char *text, size_t length);

#endif
