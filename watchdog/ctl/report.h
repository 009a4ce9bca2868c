/* SPDX-License-Identifier: Apache-2.0 */
/* What an ordered history comes to, as JSON. Pure; says only what records say. */
#ifndef CTL_REPORT_H
#define CTL_REPORT_H

#include "history.h"
#include "outage.h"

/* The longest lists in a report. */
#define REPORT_LIST 20u

struct report;

/* `units` (run → unit) tells which runs follow on each other; a run that is not there is of no
 * unit. `watch`, which may be NULL, is told of times without a working path. Both are borrowed. */
struct report *report_new(const json_t *units, const struct outage_watch *watch);

/* Before all else, of what the journal has: causes of which it has the sum only. */
void report_storms(struct report *report, const struct history *history);

/* A record, in order. */
void report_take(struct report *report, const json_t *record);

/* The result, and frees. Members as docs/control.md has them, but for those of the period and the
 * source. */
json_t *report_end(struct report *report);

/* All of it, of a history. */
json_t *report_make(const struct history *history, const json_t *units);

/* A reason with its numbers as "N", so that those that differ in nothing else are alike; the
 * caller frees it. Words and addresses stay: "up0", "10.0.1.1". */
char *report_pattern(const char *reason);

#endif
