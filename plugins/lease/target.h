/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a connection goes whose relay will end it. Pure.
 */
#ifndef LEASE_TARGET_H
#define LEASE_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pathdog/trigger.h>

/* As many as a node may tell, and the longest name with its NUL. */
#define LEASE_RELAYS_MAX 64u
#define LEASE_NAME_SIZE  256u

struct lease_relays {
    bool obeys; /* the node obeys `via` */
    size_t n;
    char names[LEASE_RELAYS_MAX][LEASE_NAME_SIZE];
};

void lease_relays_take(struct lease_relays *relays, const struct pd_relays *told);

/*
 * The `attempt`-th place to go, from 0, for one on the relay `now`: the relays that the node told,
 * in its order, from the one behind `now` on and around; then `now` itself, which is a new circuit
 * there. With `stay` that is the first. After the last it begins again. NULL: the node is to
 * decide, for it does not obey `via`, or has not told the relay in use.
 */
const char *lease_target(const struct lease_relays *relays, const char *now, bool stay,
                         uint32_t attempt);

#endif
