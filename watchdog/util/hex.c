/* SPDX-License-Identifier: Apache-2.0 */
#include "hex.h"

#include <string.h>

static const char digits[] = "0123456789abcdef0123456789ABCDEF";

static uint8_t value(char digit)
{
    return (uint8_t)((strchr(digits, digit) - digits) % 16);
}

bool hex_is_bytes(const char *text, size_t length, size_t max)
{
    if (!length || length % 2 || length / 2 > max)
        return false;
    for (size_t i = 0; i < length; i++)
        if (!memchr(digits, text[i], sizeof(digits) - 1))
            return false;
    return true;
}

size_t hex_take(const char *text, size_t length, uint8_t *out, size_t max)
{
    size_t n = length / 2 < max ? length / 2 : max;

    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)(value(text[2 * i]) << 4 | value(text[2 * i + 1]));
    return n;
}
