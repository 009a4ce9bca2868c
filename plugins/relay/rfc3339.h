/* SPDX-License-Identifier: Apache-2.0 */
/* Times as RFC 3339 writes them, to the second. Pure; knows no time zone of the machine. */
#ifndef RELAY_RFC3339_H
#define RELAY_RFC3339_H

#include <stddef.h>
#include <stdint.h>

#define RFC3339_SIZE 24u

/* Seconds since 1970; fractions are cut off, a second 60 is the next one. From 1970 to 9999.
 * Returns 0, or -EINVAL. */
int rfc3339_parse(const char *text, size_t length, uint64_t *ret_s);

/* "2026-11-29T16:20:00Z" */
void rfc3339_format(uint64_t time_s, char out[static RFC3339_SIZE]);

#endif
