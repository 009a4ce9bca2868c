/* SPDX-License-Identifier: Apache-2.0 */
/* Markup, and text in it. */
#include "html.h"

#include <stdarg.h>

#include "../util/printable.h"
#include "../util/utf8.h"

void html_put(struct buffer *out, const char *format, ...)
{
    va_list arguments, again;
    int length;

    va_start(arguments, format);
    va_copy(again, arguments);
    length = vsnprintf(NULL, 0, format, arguments);
    if (length > 0) {
        vsnprintf(buffer_space(out, (size_t)length + 1), (size_t)length + 1, format, again);
        buffer_added(out, (size_t)length);
    }
    va_end(again);
    va_end(arguments);
}

static const char *entity(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

/* As much of it as ends with a character. */
static size_t cut(const char *text, size_t length, size_t most)
{
    size_t at = 0;

    if (length <= most)
        return length;
    while (at < most) {
        size_t n = utf8_length(text + at, length - at);

        if (at + (n ? n : 1) > most)
            break;
        at += n ? n : 1;
    }
    return at;
}

void html_text(struct buffer *out, const char *text, size_t most)
{
    size_t length = strlen(text), n = cut(text, length, most), size = PRINTABLE_GROWTH * n + 16;
    CLEANUP_FREE char *shown = memory_new(size, 1);
    const char *from = shown;

    text_printable(shown, size, text, n);
    for (const char *p = shown;; p++) {
        const char *instead = entity(*p);

        if (*p && !instead)
            continue;
        buffer_append(out, from, (size_t)(p - from));
        if (!*p)
            break;
        buffer_text(out, instead);
        from = p + 1;
    }
    if (n < length)
        html_put(out, "… (%zu bytes)", length);
}

void html_percent(struct buffer *out, uint64_t part, uint64_t whole)
{
    uint64_t hundredths;

    part = min_u64(part, whole);
    /* a time in microseconds has room for that up to the year 7800 */
    hundredths =
        whole ? part > UINT64_MAX / 10000 ? part / (whole / 10000) : part * 10000 / whole : 0;
    html_put(out, "%u.%02u%%", (unsigned)(hundredths / 100), (unsigned)(hundredths % 100));
}

void html_count(struct buffer *out, uint64_t count)
{
    char digits[DECIMAL_MAX];
    size_t n = decimal_length(count);

    decimal_fill(digits, n, count);
    for (size_t i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0)
            buffer_text(out, "\u202f");
        buffer_append(out, &digits[i], 1);
    }
}
