/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 as RFC 3629 has it: which bytes at a place are one character. Pure. */
#ifndef UTIL_UTF8_H
#define UTIL_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* The character at `s`, of which `n_bytes` may be read. Returns its length; 0 where there is none:
 * overlong, a surrogate, above U+10FFFF, cut off. */
static inline size_t utf8_decode(const char *s, size_t n_bytes, uint32_t *ret)
{
    const unsigned char *u = (const unsigned char *)s;
    size_t length;
    uint32_t c;

    if (!n_bytes)
        return 0;
    *ret = u[0];
    if (u[0] < 0x80)
        return 1;
    length = u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;
    if (u[0] < 0xc2 || u[0] > 0xf4 || length > n_bytes)
        return 0;
    c = u[0] & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((u[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (u[i] & 0x3fu);
    }
    if ((length == 3 && (c < 0x800 || (c >= 0xd800 && c <= 0xdfff))) ||
        (length == 4 && (c < 0x10000 || c > 0x10ffff)))
        return 0;
    *ret = c;
    return length;
}

static inline size_t utf8_length(const char *s, size_t n_bytes)
{
    uint32_t unused;

    return utf8_decode(s, n_bytes, &unused);
}

#endif
