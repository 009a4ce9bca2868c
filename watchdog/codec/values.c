/* SPDX-License-Identifier: Apache-2.0 */
/* Single values ↔ JSON. */
#include "values.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "../util/utf8.h"

/* ---- out ---- */

static bool is_utf8(const char *text, size_t length)
{
    for (size_t at = 0, n; at < length; at += n) {
        n = utf8_length(text + at, length - at);
        if (!n)
            return false;
    }
    return true;
}

void encode_text(struct buffer *out, const char *name, const char *text)
{
    size_t length = strlen(text);

    put_name(out, name);
    if (is_utf8(text, length)) {
        buffer_json(out, text, length);
        return;
    }
    buffer_text(out, "{\"hex\":\"");
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)text[i];
        char pair[2] = {"0123456789abcdef"[byte >> 4], "0123456789abcdef"[byte & 15]};

        buffer_append(out, pair, sizeof(pair));
    }
    buffer_text(out, "\"}");
}

void encode_u64(struct buffer *out, const char *name, uint64_t value)
{
    bool quoted = value > INT64_MAX;

    put_name(out, name);
    buffer_append(out, "\"", quoted);
    buffer_u64(out, value);
    buffer_append(out, "\"", quoted);
}

/* ---- in ---- */

int decoding_wrong(const struct decoding *d, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(d->error, d->size, format, arguments);
    va_end(arguments);
    return -EBADMSG;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int get_hex(const struct decoding *d, const json_t *value, const char *name,
                   const char **ret)
{
    const char *hex = json_string_value(value);
    size_t length = json_string_length(value);
    char *text;

    if (!hex || length % 2)
        return decoding_wrong(d, "\"%s\": \"hex\" is not a string of pairs of digits", name);
    text = arena_new(d->arena, length / 2 + 1, 1);
    for (size_t i = 0; i < length; i += 2) {
        int high = hex_digit(hex[i]), low = hex_digit(hex[i + 1]);

        if (high < 0 || low < 0 || !(high + low))
            return decoding_wrong(d, "\"%s\": \"hex\" has a pair that is not a byte of text", name);
        text[i / 2] = (char)(high << 4 | low);
    }
    *ret = text;
    return 0;
}

int decode_text(const struct decoding *d, const json_t *value, const char *name, const char **ret)
{
    size_t length = json_string_length(value);

    if (json_is_object(value))
        return get_hex(d, json_object_get(value, "hex"), name, ret);
    if (!json_is_string(value))
        return decoding_wrong(d, "\"%s\" is not a string", name);
    if (strlen(json_string_value(value)) != length)
        return decoding_wrong(d, "\"%s\" has U+0000 in it", name);
    *ret = arena_copy(d->arena, json_string_value(value), length);
    return 0;
}

/* Decimal digits without leading zeros, at most 2^64-1. */
static int decimal_read(const char *text, uint64_t *ret)
{
    uint64_t value = 0;

    if (!*text || (*text == '0' && text[1]))
        return -EINVAL;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || __builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
            return -EINVAL;
    }
    *ret = value;
    return 0;
}

int decode_u64(const struct decoding *d, const json_t *value, const char *name, uint64_t *ret)
{
    if (json_is_integer(value) && json_integer_value(value) >= 0)
        *ret = (uint64_t)json_integer_value(value);
    else if (!json_is_string(value) || decimal_read(json_string_value(value), ret))
        return decoding_wrong(d, "\"%s\" is not a number from 0 to 2^64-1", name);
    return 0;
}

int decode_u32(const struct decoding *d, const json_t *value, const char *name, uint32_t *ret)
{
    json_int_t number = json_integer_value(value);

    if (!json_is_integer(value) || number < 0 || number > UINT32_MAX)
        return decoding_wrong(d, "\"%s\" is not a number from 0 to 2^32-1", name);
    *ret = (uint32_t)number;
    return 0;
}
