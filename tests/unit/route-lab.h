/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both halves of the route trigger, on a loop, against a real kernel: in a network
 * namespace of the test's own with two uplinks. Needs root.
 */
#ifndef ROUTE_LAB_H
#define ROUTE_LAB_H

#include "check.h"

#include <pathdog/mock-host.h>
#include <pathdog/source.h>

#define MS     1000ull
#define SECOND 1000000ull
/* For what must come: more than a slow and busy machine needs. */
#define PATIENCE_US (60 * SECOND)

struct kept; /* a signal that the policy has not got yet */

struct lab {
    struct mock mock;
    struct pd_source_host host;
    void *source;
    struct kept *queue;
    size_t n_queue, capacity;
    size_t n_changed;
    size_t n_overflows;
};

uint64_t now_us(void);

/* A namespace, its uplinks up0 and up1 with the default route over up0, and the trigger with those
 * options. Without root the test is skipped. */
void lab_begin(struct lab *lab, const char *options);
void lab_end(struct lab *lab);

/* One turn of the loop; what the source has told is given to the policy. */
void lab_turn(struct lab *lab, uint64_t timeout_us);
/* Until nothing more comes. */
void lab_settle(struct lab *lab);
void lab_wait_advice(struct lab *lab, size_t count);

/* Peer 0 over the default next hop, peer 1 with a prefix of its own: when that is
 * flipped and told, everything before has been looked at. */
void lab_peers(struct lab *lab, const char *local, const char *remote);
/* Flips it. Returns how much advice there was for peer 0. */
size_t lab_canary(struct lab *lab);

/* ip(8), and a /proc/sys. */
__attribute__((format(printf, 1, 2))) void ip(const char *format, ...);
void sysctl_set(const char *name, const char *value);
/* So many lines for ip(8), the two lower bytes of the number in each. */
void lines_run(const char *format, unsigned count);

/* Of all that listens to rtnetlink: messages are lost soon. */
void receive_buffers_shrink(void);

#endif
