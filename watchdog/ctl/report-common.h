/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What several machines had at the same time, and what it had in common: is it one machine, an
 * uplink, or what is behind it? Pure.
 */
#ifndef CTL_REPORT_COMMON_H
#define CTL_REPORT_COMMON_H

#include "history.h"

/* `[{"machine":…,"runs":…,"decisions":…,"dead":…}]` in the order in which they came up. `names` is
 * run → machine. */
json_t *report_machines(const struct history *ordered, const json_t *names);

/* The times of trouble (docs/fleet.md) in which two machines or more had some, those of the most
 * machines first: `[{"from_us":…,"until_us":…,"machines":[…],"decisions":…,"shared":[{"what":…,
 * "value":…,"machines":…,"count":…}]}]`, what the most of them share first. */
json_t *report_common(const struct history *ordered, const json_t *names);

#endif
