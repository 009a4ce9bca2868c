/* SPDX-License-Identifier: Apache-2.0 */
/* Foreign text made fit for a log line. Never reads beyond `length`; pure. */
#include "printable.h"

#include <string.h>

#include "utf8.h"
#include "util.h"

/*
 * What a terminal would obey, or a reader would not see. From the Unicode Character Database 15.0:
 * in UnicodeData.txt the general categories Cc (but for those below U+00A0), Cf, Zl, Zp and Co; in
 * DerivedCoreProperties.txt Default_Ignorable_Code_Point, the variation selectors and the fillers
 * of Hangul among them; and U+2800, a symbol that is blank. Noncharacters are in is_shown().
 */
static const struct {
    uint32_t first, last;
} hidden[] = {
    {0x00ad, 0x00ad},    {0x034f, 0x034f},   {0x0600, 0x0605},   {0x061c, 0x061c},
    {0x06dd, 0x06dd},    {0x070f, 0x070f},   {0x0890, 0x0891},   {0x08e2, 0x08e2},
    {0x115f, 0x1160},    {0x17b4, 0x17b5},   {0x180b, 0x180f},   {0x200b, 0x200f},
    {0x2028, 0x202e},    {0x2060, 0x206f},   {0x2800, 0x2800},   {0x3164, 0x3164},
    {0xe000, 0xf8ff},    {0xfdd0, 0xfdef},   {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},
    {0xffa0, 0xffa0},    {0xfff0, 0xfffb},   {0x110bd, 0x110bd}, {0x110cd, 0x110cd},
    {0x13430, 0x1343f},  {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
    {0xf0000, 0x10ffff},
};

static bool is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

bool character_is_shown(uint32_t c)
{
    size_t low = 0, high = ARRAY_SIZE(hidden);

    if (c < hidden[0].first)
        return !is_control(c);
    if ((c & 0xfffe) == 0xfffe) /* the last two of each plane */
        return false;
    while (low < high) {
        size_t middle = (low + high) / 2;

        if (c > hidden[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    return low == ARRAY_SIZE(hidden) || c < hidden[low].first;
}

bool text_is_printable(const char *text, size_t length)
{
    uint32_t c;

    for (size_t at = 0, n; at < length; at += n) {
        n = utf8_decode(text + at, length - at, &c);
        if (!n || is_control(c))
            return false;
    }
    return true;
}

bool text_is_shown(const char *text, size_t length)
{
    uint32_t c;

    for (size_t at = 0, n; at < length; at += n) {
        n = utf8_decode(text + at, length - at, &c);
        if (!n || !character_is_shown(c))
            return false;
    }
    return true;
}

static size_t put_hex(char *out, char letter, uint32_t value, unsigned n_digits)
{
    static const char digits[] = "0123456789abcdef";

    out[0] = '\\';
    out[1] = letter;
    for (unsigned i = 0; i < n_digits; i++)
        out[2 + i] = digits[value >> 4 * (n_digits - 1 - i) & 15];
    return 2 + n_digits;
}

/* One character of `n` bytes (0: a byte that is none), as it is shown. Returns its length. */
static size_t put_shown(char out[PRINTABLE_MOST], const char *text, size_t n, uint32_t c)
{
    if (!n)
        return put_hex(out, 'x', (unsigned char)*text, 2);
    if (character_is_shown(c)) {
        memcpy(out, text, n);
        return n;
    }
    return c < 0x80      ? put_hex(out, 'x', c, 2)
           : c < 0x10000 ? put_hex(out, 'u', c, 4)
                         : put_hex(out, 'U', c, 8);
}

size_t text_printable(char *out, size_t size, const char *text, size_t length)
{
    size_t used = 0, fits = 0; /* `fits`: where an ellipsis still has room */
    char shown[PRINTABLE_MOST];
    uint32_t c = 0;

    for (size_t at = 0; at < length;) {
        size_t n = utf8_decode(text + at, length - at, &c);
        size_t n_shown = put_shown(shown, text + at, n, c);

        if (used + n_shown + 1 > size) {
            memcpy(out + fits, "...", 4);
            return fits + 3;
        }
        memcpy(out + used, shown, n_shown);
        used += n_shown;
        at += n ? n : 1;
        if (used + 4 <= size)
            fits = used;
    }
    out[used] = '\0';
    return used;
}

char *text_shown(const char *text)
{
    size_t length = strlen(text), size = PRINTABLE_GROWTH * length + 8;
    char *shown = memory_new(size, 1);

    text_printable(shown, size, text, length);
    return shown;
}

char *lines_shown(const char *text)
{
    size_t size = PRINTABLE_GROWTH * strlen(text) + 8, used = 0;
    char *shown = memory_new(size, 1);

    while (*text) {
        const char *end = strchrnul(text, '\n');

        used += text_printable(shown + used, size - used, text, (size_t)(end - text));
        if (*end) /* it takes the room of an escape that was not needed */
            shown[used++] = *end++;
        text = end;
    }
    shown[used] = '\0';
    return shown;
}
