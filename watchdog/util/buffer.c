/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The byte buffer, its bound, numbers in decimal and JSON strings.
 */
#include "buffer.h"

#include "printable.h"
#include "utf8.h"

/* A drained buffer above this is freed, so that a storm leaves nothing behind. */
#define BUFFER_KEPT_BYTES ((size_t)256 * 1024)

static void memory_drop(struct buffer *buffer)
{
    free(buffer->data);
    buffer->data = NULL;
    buffer->start = buffer->length = buffer->capacity = 0;
}

void buffer_overflow(struct buffer *buffer)
{
    memory_drop(buffer);
    buffer->overflowed = true;
}

void buffer_grow(struct buffer *buffer, size_t n_bytes)
{
    if (buffer->limit && buffer->length + n_bytes > buffer->limit)
        buffer_overflow(buffer);
    /* Moving to the front is worth it only where half of it was taken: each
     * byte is then moved at most once per byte taken. */
    if (buffer->data && buffer->start > buffer->capacity / 2) {
        memmove(buffer->data, buffer->data + buffer->start, buffer->length);
        buffer->start = 0;
    }
    buffer->data = array_reserve(buffer->data, &buffer->capacity,
                                 max_u64(buffer->start + buffer->length + n_bytes, 256), 1);
}

void buffer_take(struct buffer *buffer, size_t n_bytes)
{
    buffer->start += n_bytes;
    buffer->length -= n_bytes;
    if (buffer->length)
        return;
    buffer->start = 0;
    if (buffer->capacity > BUFFER_KEPT_BYTES)
        memory_drop(buffer);
}

void buffer_clear(struct buffer *buffer)
{
    memory_drop(buffer);
    buffer->overflowed = false;
}

size_t decimal_length(uint64_t value)
{
    static const uint64_t powers[] = {
        0,
        10,
        100,
        1000,
        10000,
        100000,
        1000000,
        10000000,
        100000000,
        1000000000,
        10000000000,
        100000000000,
        1000000000000,
        10000000000000,
        100000000000000,
        1000000000000000,
        10000000000000000,
        100000000000000000,
        1000000000000000000,
        10000000000000000000u,
    };
    /* 1233 / 4096 is a little more than log10(2): right, or one too many. */
    size_t guess = (size_t)(64 - __builtin_clzll(value | 1)) * 1233 >> 12;

    return guess + (value >= powers[guess]);
}

void decimal_fill(char *out, size_t length, uint64_t value)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                                "25262728293031323334353637383940414243444546474849"
                                "50515253545556575859606162636465666768697071727374"
                                "75767778798081828384858687888990919293949596979899";

    while (length >= 2) {
        length -= 2;
        memcpy(out + length, pairs + 2 * (value % 100), 2);
        value /= 100;
    }
    if (length)
        *out = (char)('0' + value);
}

void buffer_u64(struct buffer *buffer, uint64_t value)
{
    size_t length = decimal_length(value);

    decimal_fill(buffer_space(buffer, length), length, value);
    buffer_added(buffer, length);
}

void buffer_i64(struct buffer *buffer, int64_t value)
{
    if (value >= 0) {
        buffer_u64(buffer, (uint64_t)value);
        return;
    }
    buffer_append(buffer, "-", 1);
    buffer_u64(buffer, -(uint64_t)value);
}

/* Appends "\uXXXX". */
static void append_unit(struct buffer *buffer, uint32_t unit)
{
    static const char hex[] = "0123456789abcdef";
    char *out = buffer_space(buffer, 6);

    out[0] = '\\';
    out[1] = 'u';
    for (unsigned i = 0; i < 4; i++)
        out[2 + i] = hex[unit >> (12 - 4 * i) & 15];
    buffer_added(buffer, 6);
}

/* Appends what a character that cannot stand for itself is in a JSON string. */
static void append_escaped(struct buffer *buffer, uint32_t c)
{
    if (c == '"' || c == '\\') {
        buffer_append(buffer, c == '"' ? "\\\"" : "\\\\", 2);
    } else if (c == '\n') {
        buffer_append(buffer, "\\n", 2);
    } else if (c < 0x10000) {
        append_unit(buffer, c);
    } else {
        append_unit(buffer, 0xd800 + ((c - 0x10000) >> 10));
        append_unit(buffer, 0xdc00 + ((c - 0x10000) & 0x3ff));
    }
}

void buffer_json(struct buffer *buffer, const char *text, size_t length)
{
    size_t plain = 0, at = 0;

    buffer_append(buffer, "\"", 1);
    while (at < length) {
        uint32_t c = (unsigned char)text[at];
        size_t n_bytes = c < 0x80 ? 1 : utf8_decode(text + at, length - at, &c);

        if (n_bytes && c != '"' && c != '\\' &&
            (c < 0x80 ? c >= 0x20 && c != 0x7f : character_is_shown(c))) {
            at += n_bytes;
            continue;
        }
        buffer_append(buffer, text + plain, at - plain);
        if (n_bytes)
            append_escaped(buffer, c);
        else
            buffer_append(buffer, "\xef\xbf\xbd", 3);
        at += n_bytes ? n_bytes : 1;
        plain = at;
    }
    buffer_append(buffer, text + plain, at - plain);
    buffer_append(buffer, "\"", 1);
}
