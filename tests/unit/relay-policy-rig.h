/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of the policy of the trigger relay: a host that keeps what was advised, and a node
 * and rows played by the test. */
#ifndef TEST_RELAY_POLICY_RIG_H
#define TEST_RELAY_POLICY_RIG_H

#include "check.h"

#include <pathdog/mock-host.h>

#include <stdbool.h>

#define MS     1000ull
#define SECOND 1000000ull

extern const struct pd_trigger pathdog_trigger_relay;

#define DIRECT  "198.51.100.7:443"
#define OPTIONS "relays=a=192.0.2.1:4433+b=192.0.2.2:4433+c=192.0.2.3:4433 key=616c706861 "

/* At 100 s; the node obeys `via`, and leaves the list to others. */
void begin(struct mock *mock, const char *options);

uint32_t add(struct mock *mock, const char *name);
/* One that comes up on a relay by the node's own choice. */
uint32_t add_relayed(struct mock *mock, const char *name, const char *via);

/* A row: what was received and sent so far, and send errors in a row. */
void row(struct mock *mock, uint32_t peer, uint64_t at_us, uint64_t received, uint64_t sent,
         uint64_t errors);

/* Rows each 500 ms in which it sends and receives nothing, until something is advised. Returns the
 * time; 0: nothing was. */
uint64_t silent_until_advised(struct mock *mock, uint32_t peer, uint64_t from_us, uint64_t most_us);

/* Of the advice, and of what the source was asked. */
const struct mock_advice *last(const struct mock *mock);
const struct mock_query *last_query(const struct mock *mock);

/* What the node then does. */
void follow(struct mock *mock, uint32_t peer, const char *via);

bool told_of(struct mock *mock, size_t place, struct pd_relay_report *ret);
bool noticed(const struct mock *mock, const char *what);

#endif
