/* SPDX-License-Identifier: Apache-2.0 */
/* Spans of time to and from text. */
#include "duration.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../util/util.h"

static const struct unit {
    const char *name;
    uint64_t us;
} units[] = {
    {"us", 1},
    {"ms", 1000},
    {"s", 1000000},
    {"min", 60 * UINT64_C(1000000)},
    {"h", 3600 * UINT64_C(1000000)},
    {"d", 86400 * UINT64_C(1000000)},
};

enum { US, MS, S, MIN, H, D };

char *duration_text(char out[DURATION_SIZE], uint64_t span_us)
{
    size_t unit = D;

    while (unit > US && span_us < units[unit].us)
        unit--;
    uint64_t whole = span_us / units[unit].us, rest = span_us % units[unit].us;

    if (unit == US)
        snprintf(out, DURATION_SIZE, "%" PRIu64 " us", whole);
    else if (unit <= S && whole < 10)
        snprintf(out, DURATION_SIZE, "%" PRIu64 ".%" PRIu64 " %s", whole,
                 rest * 10 / units[unit].us, units[unit].name);
    else if (unit <= S || rest / units[unit - 1].us == 0)
        snprintf(out, DURATION_SIZE, "%" PRIu64 " %s", whole, units[unit].name);
    else
        snprintf(out, DURATION_SIZE, "%" PRIu64 " %s %" PRIu64 " %s", whole, units[unit].name,
                 rest / units[unit - 1].us, units[unit - 1].name);
    return out;
}

/* One number with its unit; moves `*text` behind it and the spaces after it. */
static int part_parse(const char **text, uint64_t *ret_us)
{
    const char *at = *text;
    uint64_t number = 0, unit_us = units[S].us;
    size_t length;

    if (*at < '0' || *at > '9')
        return -EINVAL;
    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(number, 10u, &number) ||
            __builtin_add_overflow(number, (uint64_t)(*at - '0'), &number))
            return -EINVAL;
    at += strspn(at, " ");
    length = strcspn(at, " 0123456789");
    if (length) {
        unit_us = 0;
        for (size_t i = 0; i < ARRAY_SIZE(units); i++)
            if (strlen(units[i].name) == length && !strncmp(units[i].name, at, length))
                unit_us = units[i].us;
    }
    if (!unit_us || __builtin_mul_overflow(number, unit_us, ret_us))
        return -EINVAL;
    at += length;
    *text = at + strspn(at, " ");
    return 0;
}

int duration_parse(const char *text, uint64_t *ret_us)
{
    uint64_t sum_us = 0, part_us;

    do {
        if (part_parse(&text, &part_us) < 0 || __builtin_add_overflow(sum_us, part_us, &sum_us))
            return -EINVAL;
    } while (*text);
    *ret_us = sum_us;
    return 0;
}
