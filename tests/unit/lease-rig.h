/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of the trigger lease: a host that keeps what was advised, and a node with one
 * connection played by the test. */
#ifndef TEST_LEASE_RIG_H
#define TEST_LEASE_RIG_H

#include "check.h"

#include <pathdog/mock-host.h>

#include <stdbool.h>

#define SECOND 1000000ull
#define UN     PD_UNKNOWN

extern const struct pd_trigger pathdog_trigger_lease;

/* The node's list: none, one or two. */
void relays(struct mock *mock, bool obeys, const char *one, const char *two);

/* One connection on relay A, of a node that told no list. */
void begin(struct mock *mock, const char *options);

void later(struct mock *mock, uint64_t us);

/* 5 s after the row before; values as the node tells them. */
void row(struct mock *mock, uint64_t sent, uint64_t received, uint64_t ms, uint64_t sent_left,
         uint64_t received_left);
void counters(struct mock *mock, uint64_t sent, uint64_t received);
void ms_left(struct mock *mock, uint64_t ms);

#endif
