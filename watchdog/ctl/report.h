/* SPDX-License-Identifier: Apache-2.0 */
/* What an ordered history comes to, as JSON. Pure; says only what records say. */
#ifndef CTL_REPORT_H
#define CTL_REPORT_H

#include "history.h"

/* The longest lists in a report. */
#define REPORT_LIST 20u

/* Members as docs/control.md has them, but for those of the period and the source. `units` (run →
 * unit) tells which runs follow on each other; a run that is not there is of no unit. */
json_t *report_make(const struct history *history, const json_t *units);

/* A reason with its numbers as "N", so that those that differ in nothing else are alike; the
 * caller frees it. Words and addresses stay: "up0", "10.0.1.1". */
char *report_pattern(const char *reason);

#endif
