/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The byte buffer, numbers in decimal and JSON strings. Only appends; who must
 * bound a buffer looks at its length.
 */
#include "buffer.h"

#include "utf8.h"

/* A drained buffer above this is freed, so that a storm leaves nothing behind. */
#define BUFFER_KEPT_BYTES ((size_t)256 * 1024)

void buffer_grow(struct buffer *buffer, size_t n_bytes)
{
    /* Moving to the front is worth it only where half of it was taken: each
     * byte is then moved at most once per byte taken. */
    if (buffer->start > buffer->capacity / 2) {
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
        buffer_clear(buffer);
}

void buffer_clear(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}

size_t decimal_write(char *out, uint64_t value)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                                "25262728293031323334353637383940414243444546474849"
                                "50515253545556575859606162636465666768697071727374"
                                "75767778798081828384858687888990919293949596979899";
    char digits[DECIMAL_MAX];
    size_t at = sizeof(digits), length;

    while (value >= 100) {
        at -= 2;
        memcpy(digits + at, pairs + 2 * (value % 100), 2);
        value /= 100;
    }
    if (value >= 10) {
        at -= 2;
        memcpy(digits + at, pairs + 2 * value, 2);
    } else {
        digits[--at] = (char)('0' + value);
    }
    length = sizeof(digits) - at;
    memcpy(out, digits + at, length);
    return length;
}

void buffer_u64(struct buffer *buffer, uint64_t value)
{
    buffer_added(buffer, decimal_write(buffer_space(buffer, DECIMAL_MAX), value));
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

/* Appends what one byte below 0x80 is in a JSON string. */
static void append_escaped(struct buffer *buffer, unsigned char byte)
{
    static const char hex[] = "0123456789abcdef";
    char *out = buffer_space(buffer, 6);

    if (byte == '"' || byte == '\\' || byte == '\n') {
        out[0] = '\\';
        out[1] = byte == '\n' ? 'n' : (char)byte;
        buffer_added(buffer, 2);
        return;
    }
    memcpy(out, "\\u00", 4);
    out[4] = hex[byte >> 4];
    out[5] = hex[byte & 15];
    buffer_added(buffer, 6);
}

void buffer_json(struct buffer *buffer, const char *text, size_t length)
{
    size_t plain = 0, at = 0;

    buffer_append(buffer, "\"", 1);
    while (at < length) {
        unsigned char byte = (unsigned char)text[at];
        size_t n_bytes = byte < 0x80 ? 1 : utf8_length(text + at, length - at);

        if (n_bytes && byte >= 0x20 && byte != '"' && byte != '\\' && byte != 0x7f) {
            at += n_bytes;
            continue;
        }
        buffer_append(buffer, text + plain, at - plain);
        if (n_bytes)
            append_escaped(buffer, byte);
        else
            buffer_append(buffer, "\xef\xbf\xbd", 3);
        at++;
        plain = at;
    }
    buffer_append(buffer, text + plain, at - plain);
    buffer_append(buffer, "\"", 1);
}
