/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernel for the route policy's tests: a table of next hops that a test changes,
 * and the questions that wait until the test has them answered.
 */
#ifndef MOCK_KERNEL_H
#define MOCK_KERNEL_H

#include <pathdog/mock-host.h>

#define MS     1000ull
#define SECOND 1000000ull

extern const struct pd_trigger pathdog_trigger_route;

/* What "the kernel" answers, by destination or by family; the first that fits. */
struct rule {
    const char *match;  /* is found in the query's text; "" fits all */
    const char *answer; /* fields of a next hop-out; `error=…` for none */
};

#define UP0        "oif=2 ifname=up0 gateway=10.0.1.1 source=10.0.1.2 prefix=default"
#define UP1        "oif=3 ifname=up1 gateway=10.0.2.1 source=10.0.2.2 prefix=default"
#define UP2        "oif=4 ifname=up2 gateway=10.0.3.1 source=10.0.3.2 prefix=default"
#define NO_NEXTHOP "error=ENETUNREACH"
#define PENDING    4096

struct kernel {
    struct rule rules[8];
    const char *gone; /* an address that is on no interface */
    uint64_t ids[PENDING];
    char queries[PENDING][160];
    size_t n_pending;
    size_t answered;
};

/* Starts the trigger beside a kernel whose only next hop is UP0. */
void kernel_begin(struct mock *mock, struct kernel *kernel, const char *options);

/* Answers the oldest `count` questions, or all, also those that come meanwhile. */
void kernel_answer(struct mock *mock, size_t count);
void kernel_answer_all(struct mock *mock);

/* These have what they lead to answered. */
uint32_t kernel_peer_up(struct mock *mock, const char *name, const char *local, const char *remote);
void kernel_changed(struct mock *mock);
/* The next hop to everybody is another now. */
void kernel_flip(struct mock *mock, const char *nexthop);
/* The engine moved this connection; `local` NULL: the node does not say where to. */
void kernel_migrated(struct mock *mock, uint32_t peer, const char *local);

#endif
