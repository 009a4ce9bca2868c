/* SPDX-License-Identifier: Apache-2.0 */
/* The first rows of each list of a report, REPORT_LIST at most. Arrays of their own. */
#ifndef CTL_REPORT_TOP_H
#define CTL_REPORT_TOP_H

#include "history.h"

/* With the most failed moves, moves that did not help, and deaths. */
json_t *report_worst_peers(const json_t *peers);
/* That were given most often. */
json_t *report_most_reasons(const json_t *reasons);
/* That advised most peers; of equal ones the latest. */
json_t *report_largest_causes(const json_t *causes);

#endif
