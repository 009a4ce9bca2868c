/* SPDX-License-Identifier: Apache-2.0 */
/* How much a command may write, and when one that ended is started again. Pure. */
#ifndef EXEC_LIMITS_H
#define EXEC_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In each window: bytes of both streams, messages (also bad ones), lines of standard error that are
 * logged. */
#define LIMITS_WINDOW_US UINT64_C(10000000)
#define LIMITS_BYTES     (UINT64_C(1) << 20)
#define LIMITS_MESSAGES  200u
#define LIMITS_LINES     20u

/* The first pause, the longest one, and how long a command must have run to begin with the first
 * again. */
#define BACKOFF_FIRST_US UINT64_C(1000000)
#define BACKOFF_MOST_US  UINT64_C(300000000)
#define BACKOFF_LIVED_US UINT64_C(60000000)

struct limits {
    uint64_t since_us;
    uint64_t bytes;
    uint32_t messages, lines;
    uint64_t lines_left_out; /* since that was asked for last */
};

/* False: that is too much. */
bool limits_take_bytes(struct limits *limits, uint64_t now_us, size_t n);
bool limits_take_message(struct limits *limits, uint64_t now_us);
/* False: it is not to be logged, and is counted. */
bool limits_take_line(struct limits *limits, uint64_t now_us);

/* The pause after a run of this length; 0 at `*backoff_us` is the beginning. */
uint64_t backoff_next(uint64_t *backoff_us, uint64_t lived_us);

#endif
