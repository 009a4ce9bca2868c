/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON written member by member into a buffer. Commas come by themselves: one
 * is needed unless the last byte opens something. Pure.
 */
#ifndef CONTROL_JSON_H
#define CONTROL_JSON_H

#include "../util/buffer.h"

/* Where a value is to come: after a comma if need be, `name` where not NULL. */
static inline void put_name(struct buffer *out, const char *name)
{
    char last = out->length ? buffer_bytes(out)[out->length - 1] : '{';

    if (last != '{' && last != '[' && last != ':')
        buffer_append(out, ",", 1);
    if (!name)
        return;
    buffer_append(out, "\"", 1);
    buffer_text(out, name);
    buffer_append(out, "\":", 2);
}

/* `bracket` is "{" or "[". */
static inline void put_open(struct buffer *out, const char *name, const char *bracket)
{
    put_name(out, name);
    buffer_append(out, bracket, 1);
}

static inline void put_close(struct buffer *out, const char *bracket)
{
    buffer_append(out, bracket, 1);
}

static inline void put_text(struct buffer *out, const char *name, const char *text)
{
    put_name(out, name);
    if (text)
        buffer_json(out, text, strlen(text));
    else
        buffer_append(out, "null", 4);
}

static inline void put_u64(struct buffer *out, const char *name, uint64_t value)
{
    put_name(out, name);
    buffer_u64(out, value);
}

/* null where it is `unknown`. */
static inline void put_known(struct buffer *out, const char *name, uint64_t value, uint64_t unknown)
{
    if (value == unknown)
        put_text(out, name, NULL);
    else
        put_u64(out, name, value);
}

static inline void put_bool(struct buffer *out, const char *name, bool value)
{
    put_name(out, name);
    buffer_text(out, value ? "true" : "false");
}

#endif
