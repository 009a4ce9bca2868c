/* SPDX-License-Identifier: Apache-2.0 */
/* Records and spans as short texts, for a screen. Pure. */
#ifndef TOP_LINES_H
#define TOP_LINES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHORT_SIZE 16u

/* At most 7 columns: "0.4 ms", "312 ms", "3.1 s", "72 s", "12 min", "3 h", "4 d". Returns `out`. */
char *short_span(char out[SHORT_SIZE], uint64_t span_us);

/* "-" where it is null. */
char *short_span_of(char out[SHORT_SIZE], const json_t *object, const char *name);

/* "10:20:31" of the day, in the machine's time zone. Returns `out`. */
char *clock_text(char out[SHORT_SIZE], uint64_t wall_us);

struct record_line {
    char time[SHORT_SIZE];
    const char *word;    /* verdict, outcome, effect, change */
    const char *subject; /* the peer, or the uplink */
    char *why;           /* to be freed */
};

/* Its texts are good as long as the record, and as `clean` has it. */
struct record_line record_line(const json_t *record);

#endif
