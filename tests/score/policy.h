/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy: who decides when a connection moves, and where to. It hears news, has one timer, and
 * acts by the calls of host.h. Only the oracles look at the truth.
 */
#ifndef SCORE_POLICY_H
#define SCORE_POLICY_H

#include "world.h"

struct policy {
    const char *name;
    const char *summary;
    size_t size; /* of its state, zeroed at the start */
    bool push;   /* wants rows unasked (NEWS_PUSH) */
    void (*start)(struct world *world, void *self);
    void (*timer)(struct world *world, void *self);
    void (*news)(struct world *world, void *self, const struct news *news);
    void (*stop)(struct world *world, void *self);
};

/* Ended by NULL (policies.c): a new one is a line there. */
extern const struct policy *const policies[];

#endif
