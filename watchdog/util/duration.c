/* SPDX-License-Identifier: Apache-2.0 */
/* Spans of time to and from text. */
#include "duration.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "util.h"

/* Greatest first: this is also the order in which they are written. */
static const struct unit {
    const char *name;
    uint64_t us;
} units[] = {
    {"d", UINT64_C(86400000000)},
    {"h", UINT64_C(3600000000)},
    {"min", 60000000},
    {"s", 1000000},
    {"ms", 1000},
    {"us", 1},
};

enum { D, H, MIN, S, MS, US };

char *duration_text(char out[DURATION_SIZE], uint64_t span_us)
{
    size_t unit = D;

    while (unit < US && span_us < units[unit].us)
        unit++;
    uint64_t whole = span_us / units[unit].us, rest = span_us % units[unit].us;

    if (unit == US)
        snprintf(out, DURATION_SIZE, "%" PRIu64 " us", whole);
    else if (unit >= S && whole < 10)
        snprintf(out, DURATION_SIZE, "%" PRIu64 ".%" PRIu64 " %s", whole,
                 rest * 10 / units[unit].us, units[unit].name);
    else if (unit >= S || rest / units[unit + 1].us == 0)
        snprintf(out, DURATION_SIZE, "%" PRIu64 " %s", whole, units[unit].name);
    else
        snprintf(out, DURATION_SIZE, "%" PRIu64 " %s %" PRIu64 " %s", whole, units[unit].name,
                 rest / units[unit + 1].us, units[unit + 1].name);
    return out;
}

char *duration_exact(char out[DURATION_EXACT_SIZE], uint64_t span_us)
{
    size_t length = 0;

    strcpy(out, "0");
    for (size_t i = 0; span_us; i++) {
        uint64_t count = span_us / units[i].us;

        span_us %= units[i].us;
        if (count)
            length += (size_t)snprintf(out + length, DURATION_EXACT_SIZE - length,
                                       "%s%" PRIu64 "%s", length ? " " : "", count, units[i].name);
    }
    return out;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

const char *number_parse(const char *text, uint64_t *ret_number, const char **ret_why)
{
    uint64_t number = 0;

    if (!is_digit(*text)) {
        *ret_why = *text == '-' ? "is negative" : "has no number where one must stand";
        return NULL;
    }
    for (; is_digit(*text); text++)
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(*text - '0'), &number)) {
            *ret_why = "is too large";
            return NULL;
        }
    if (*text == '.' || *text == ',') {
        *ret_why = "has decimals; only whole numbers are read";
        return NULL;
    }
    *ret_number = number;
    return text;
}

/* The unit that stands at `*text`, as a whole word; moves `*text` behind it. */
static const struct unit *unit_parse(const char **text)
{
    size_t length = strspn(*text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    const char *word = *text;

    *text += length;
    for (size_t i = 0; i < ARRAY_SIZE(units); i++)
        if (strlen(units[i].name) == length && !memcmp(units[i].name, word, length))
            return &units[i];
    return NULL;
}

static const char *skip_blanks(const char *text)
{
    return text + strspn(text, " \t");
}

int duration_parse(const char *text, uint64_t *ret_us, const char **ret_why)
{
    const char *at = text;
    uint64_t total = 0;

    do {
        bool first = at == text;
        uint64_t number;
        const struct unit *unit;

        at = number_parse(at, &number, ret_why);
        if (!at)
            return -EINVAL;
        at = skip_blanks(at);
        unit = !*at && first ? &units[S] : unit_parse(&at);
        if (!unit) {
            *ret_why = "lacks a unit of time: us, ms, s, min, h or d";
            return -EINVAL;
        }
        if (__builtin_mul_overflow(number, unit->us, &number) ||
            __builtin_add_overflow(total, number, &total)) {
            *ret_why = "is too large";
            return -EINVAL;
        }
        at = skip_blanks(at);
    } while (*at);
    *ret_us = total;
    return 0;
}
