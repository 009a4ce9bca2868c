/* SPDX-License-Identifier: Apache-2.0 */
/* What happened to each uplink, and how many connections were moved to it; pure. */
#ifndef CTL_REPORT_UPLINKS_H
#define CTL_REPORT_UPLINKS_H

#include <jansson.h>

/* One record more, in order; `rows` is an object that keeps what was found so far. Uplinks of two
 * units are never the same; "" is a unit, too. */
void report_take_uplink(json_t *rows, const char *unit, const json_t *record);

/* `[{"unit":…,"uplink":…,"changes":{…},"moves":…,"failed":…,"last":{"change":…,"reason":…,
 * "time_us":…}}]`, in the order in which they came up; "last" is null where there is no record of
 * the uplink itself. An array of its own. */
json_t *report_uplinks(const json_t *rows);

#endif
