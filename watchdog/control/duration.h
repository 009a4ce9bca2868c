/* SPDX-License-Identifier: Apache-2.0 */
/* Spans of time as people write them; pure. */
#ifndef CONTROL_DURATION_H
#define CONTROL_DURATION_H

#include <stddef.h>
#include <stdint.h>

#define DURATION_SIZE 32u

/* "350 us", "41.2 ms", "12 s", "3 min 5 s", "2 h 10 min", "4 d 3 h". Returns `out`. */
char *duration_text(char out[DURATION_SIZE], uint64_t span_us);

/* Reads "10min", "1h 30min", "90" (seconds), as the config file has it. Returns
 * 0, or -EINVAL. */
int duration_parse(const char *text, uint64_t *ret_us);

#endif
