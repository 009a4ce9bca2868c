/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON written member by member into a buffer. Commas come by themselves: one
 * is needed unless the last byte opens something. Pure.
 */
#ifndef UTIL_JSON_WRITE_H
#define UTIL_JSON_WRITE_H

#include "buffer.h"

/* Where a value is to come: after a comma if need be, `name` where not NULL. Nothing in a name is
 * escaped. */
static inline void put_name(struct buffer *out, const char *name)
{
    size_t length = name ? strlen(name) : 0;
    char *start = buffer_space(out, length + 4), *at = start;
    char last = out->length ? start[-1] : '{';

    if (last != '{' && last != '[' && last != ':')
        *at++ = ',';
    if (name) {
        *at++ = '"';
        at = mempcpy(at, name, length);
        *at++ = '"';
        *at++ = ':';
    }
    buffer_added(out, (size_t)(at - start));
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

static inline void put_null(struct buffer *out, const char *name)
{
    put_text(out, name, NULL);
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
        put_null(out, name);
    else
        put_u64(out, name, value);
}

static inline void put_bool(struct buffer *out, const char *name, bool value)
{
    put_name(out, name);
    buffer_text(out, value ? "true" : "false");
}

#endif
