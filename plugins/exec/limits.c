/* SPDX-License-Identifier: Apache-2.0 */
/* Counters of a window. See limits.h. */
#include "limits.h"

#include "util/util.h"

static void window(struct limits *limits, uint64_t now_us)
{
    if (limits->since_us && now_us - limits->since_us < LIMITS_WINDOW_US)
        return;
    limits->since_us = now_us ? now_us : 1;
    limits->bytes = 0;
    limits->messages = 0;
    limits->lines = 0;
}

bool limits_take_bytes(struct limits *limits, uint64_t now_us, size_t n)
{
    window(limits, now_us);
    limits->bytes += n;
    return limits->bytes <= LIMITS_BYTES;
}

bool limits_take_message(struct limits *limits, uint64_t now_us)
{
    window(limits, now_us);
    return ++limits->messages <= LIMITS_MESSAGES;
}

bool limits_take_line(struct limits *limits, uint64_t now_us)
{
    window(limits, now_us);
    if (limits->lines < LIMITS_LINES) {
        limits->lines++;
        return true;
    }
    limits->lines_left_out++;
    return false;
}

uint64_t backoff_next(uint64_t *backoff_us, uint64_t lived_us)
{
    if (lived_us >= BACKOFF_LIVED_US || !*backoff_us)
        *backoff_us = BACKOFF_FIRST_US;
    else
        *backoff_us = min_u64(*backoff_us * 2, BACKOFF_MOST_US);
    return *backoff_us;
}
