/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of one evaluation: evaluate.c compares, reason.c has the words.
 */
#ifndef ROUTE_EVALUATE_H
#define ROUTE_EVALUATE_H

#include "policy.h"

/* The prefix of a key that goes, and went, by a default route. */
extern const char route_default_flip[];

enum proof {
    PROOF_NONE,
    PROOF_UNREACHABLE, /* nothing can arrive there */
    PROOF_NO_CARRIER,  /* only what leaves another way, and is followed, can be answered */
};

/* What a connection is advised for: what it says is the same for all that differ in none of this.
 */
struct verdict {
    uint16_t base, now; /* next hops */
    bool again;         /* it was advised before, while there was nothing to send from */
    enum proof proof;   /* of its old path */
    enum cut cut;
    const char *prefix;
};

/* Kept while it stays the same: mostly for all peers. */
struct verdict_text {
    struct verdict verdict;
    bool valid;
    char reason[448];
    struct pd_field evidence[8];
    size_t n_evidence;
};

struct evaluating {
    struct pd_turn *turn;
    struct route *route;
    struct key *key;    /* of the peer that is evaluated now */
    const char *prefix; /* that its answer goes by, or route_default_flip; NULL: not told */
    bool allowed;
    int result;
    struct verdict_text text;
};

/* Would it say the same as of the peer before? */
bool verdict_same(const struct verdict_text *text, const struct verdict *verdict);
void verdict_write(struct verdict_text *text, const struct nexthops *nexthops,
                   const struct verdict *verdict);

#endif
