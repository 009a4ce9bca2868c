/* SPDX-License-Identifier: Apache-2.0 */
/* Foreign text made fit for a log line. Never reads beyond `length`; pure. */
#include "printable.h"

#include <string.h>

#include "utf8.h"

/* The length of the printable character at `text`, 0 where there is none. */
static size_t printable_length(const char *text, size_t n_bytes)
{
    const unsigned char *u = (const unsigned char *)text;
    size_t length = utf8_length(text, n_bytes);

    if (length == 1 && (u[0] < 0x20 || u[0] == 0x7f))
        return 0;
    if (length == 2 && u[0] == 0xc2 && u[1] < 0xa0)
        return 0;
    return length;
}

/* Likewise, and without what changes the order of the characters around it (U+061C, 200E, 200F,
 * 202A–202E, 2066–206F) or ends a line (U+2028, 2029). */
static size_t shown_length(const char *text, size_t n_bytes)
{
    const unsigned char *u = (const unsigned char *)text;
    size_t length = printable_length(text, n_bytes);

    if (length == 2 && u[0] == 0xd8 && u[1] == 0x9c)
        return 0;
    if (length != 3 || u[0] != 0xe2)
        return length;
    if (u[1] == 0x80 && (u[2] == 0x8e || u[2] == 0x8f || (u[2] >= 0xa8 && u[2] <= 0xae)))
        return 0;
    return u[1] == 0x81 && u[2] >= 0xa6 && u[2] <= 0xaf ? 0 : length;
}

bool text_is_printable(const char *text, size_t length)
{
    for (size_t at = 0, n; at < length; at += n) {
        n = printable_length(text + at, length - at);
        if (!n)
            return false;
    }
    return true;
}

bool text_is_shown(const char *text, size_t length)
{
    for (size_t at = 0, n; at < length; at += n) {
        n = shown_length(text + at, length - at);
        if (!n)
            return false;
    }
    return true;
}

size_t text_printable(char *out, size_t size, const char *text, size_t length)
{
    size_t used = 0, fits = 0; /* `fits`: where an ellipsis still has room */

    for (size_t at = 0; at < length;) {
        size_t n = shown_length(text + at, length - at), step = n;

        if (!n) {
            /* One mark for a whole character, also for a control of two bytes. */
            step = utf8_length(text + at, length - at);
            step = step ? step : 1;
            n = 1;
        }
        if (used + n + 1 > size) {
            memcpy(out + fits, "...", 4);
            return fits + 3;
        }
        if (n == step && shown_length(text + at, length - at))
            memcpy(out + used, text + at, n);
        else
            out[used] = '?';
        used += n;
        at += step;
        if (used + 4 <= size)
            fits = used;
    }
    out[used] = '\0';
    return used;
}
