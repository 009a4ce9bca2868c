/* SPDX-License-Identifier: Apache-2.0 */
/* Moments as people write and read them, in the machine's time zone. */
#ifndef CTL_WHEN_H
#define CTL_WHEN_H

#include <stdbool.h>
#include <stdint.h>

#define WHEN_SIZE 48u
#define WHEN_ALLOWED                                                                               \
    "a span back from now (\"10min\"), a time (\"14:30\"), a date (\"2026-11-20\", "               \
    "\"2026-11-20 14:30\", \"2026-11-20 14:30:00 +0100\"), \"today\", \"yesterday\", "             \
    "\"now\", or \"@SECONDS\" since 1970"

/* Reads what WHEN_ALLOWED lists; a time of the day is today's. */
bool when_parse(const char *text, uint64_t now_us, uint64_t *ret_us);

/* "2026-11-20 14:30:00 +0100"; with `ms` "2026-11-20 14:30:00.123 +0100". Returns `out`. */
char *when_format(char out[WHEN_SIZE], uint64_t time_us, bool ms);

/* The text lives as long as the block that it is asked for in. */
#define when_text(time_us) when_format((char[WHEN_SIZE]){0}, (time_us), false)

#endif
