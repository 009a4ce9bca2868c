/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spans of time as people write them, and whole numbers, from which they are made; pure. What is
 * wrong is told in `*ret_why`, to be read behind the value: "is negative".
 */
#ifndef UTIL_DURATION_H
#define UTIL_DURATION_H

#include <stddef.h>
#include <stdint.h>

#define DURATION_SIZE 32u

/* To be read: "350 us", "41.2 ms", "12 s", "3 min 5 s", "2 h 10 min", "4 d 3 h". Returns `out`. */
char *duration_text(char out[DURATION_SIZE], uint64_t span_us);

#define DURATION_EXACT_SIZE 64u

/* To be read again, all of it: "1min 30s", "0". Returns `out`. */
char *duration_exact(char out[DURATION_EXACT_SIZE], uint64_t span_us);

/* Reads "10min", "1h 30min", "90" (seconds; only where it stands alone). Returns 0 or -EINVAL. */
int duration_parse(const char *text, uint64_t *ret_us, const char **ret_why);

/* Reads decimal digits. Returns where they end, or NULL: none, too large, or with decimals. */
const char *number_parse(const char *text, uint64_t *ret_number, const char **ret_why);

#endif
