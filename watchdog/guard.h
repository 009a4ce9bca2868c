/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ends the process at a time, whatever holds up its main thread then: a source of a trigger that
 * does not stop, or a fault. All that is known to wait is waited for with an end of its own,
 * before.
 */
#ifndef GUARD_H
#define GUARD_H

#include <stdint.h>

struct guard;

/* NULL: there can be none. */
struct guard *guard_start(uint64_t at_us, int status, const char *text);

/* In time. NULL is fine. Returns NULL. */
struct guard *guard_end(struct guard *guard);

#endif
