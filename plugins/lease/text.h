/* SPDX-License-Identifier: Apache-2.0 */
/* The words of the lease trigger: reasons, and what is told to operators. */
#ifndef LEASE_TEXT_H
#define LEASE_TEXT_H

#include "term.h"

/* Two relays' names, and what is between them. */
#define LEASE_REASON_SIZE 768u

/* What `target` is: NULL, the relay `now`, or another one. `rate` is that of the end's direction.
 */
void lease_reason(char text[static LEASE_REASON_SIZE], const struct lease_term *term,
                  const struct lease_left *left, uint64_t rate, const char *now,
                  const char *target);

/* Of what is left, and in `eta_ms` (PD_UNKNOWN: never) at this rate. `now` NULL: the relay is not
 * known. Returns the length, as snprintf does. */
int lease_report(char *text, size_t size, const struct lease_left *left, uint64_t eta_ms,
                 const char *now, uint64_t now_us);

#endif
