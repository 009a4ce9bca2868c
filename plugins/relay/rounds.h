/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rounds of probes: each relay that the policy named is asked, once in a while, and what came of it
 * is told in one signal. A relay is asked with an id of this process, which no node has, from a
 * port of its own, the same each time: so it holds one registration of ours, and another one where
 * a question was not answered and was put again.
 */
#ifndef RELAY_ROUNDS_H
#define RELAY_ROUNDS_H

#include "entry.h"

#include <pathdog/source.h>

struct rounds;

struct rounds_config {
    uint64_t refresh_us; /* from the begin of one to that of the next, about */
    uint64_t first_us;   /* the very first is at a random time before this */
    bool enabled;        /* false: nothing is asked, each query is answered by nothing */
};

/* Returns 0 or -errno. */
int rounds_new(struct pd_source_host *host, const struct rounds_config *config,
               struct rounds **ret_rounds);
struct rounds *rounds_free(struct rounds *rounds);

/* These relays from now on. The first field is not one of them. Returns 0, or -EINVAL: one of them
 * is none. */
int rounds_ask(struct rounds *rounds, const struct pd_query *query);

#endif
