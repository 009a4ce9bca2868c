/* SPDX-License-Identifier: Apache-2.0 */
/*
 * After moved or dead advice the connection is watched until it is known to
 * live. If it is dead, and may be reconnected, the fallback is advised.
 * Progress outranks everything: a connection that lives is never closed.
 */
#ifndef ENGINE_FALLBACK_H
#define ENGINE_FALLBACK_H

#include "../base/deadline.h"
#include "../base/text.h"

struct engine;
struct peer;

struct watch {
    bool on : 1;
    bool probed : 1;
    bool given : 1;       /* the present silence has led to a decision */
    bool polled : 1;      /* a row has come since `advised_us` */
    bool bulk : 1;        /* as the advice */
    bool application : 1; /* data waits, by the last row; else at most a keep-alive */
    bool flipped : 1;     /* the kernel's way out has changed since the last progress */
    bool untried : 1;     /* and it has not been dialled anew since */
    bool gone : 1;        /* the kernel has proven that nothing can arrive on the path in use */
    bool no_carrier : 1;  /* its interface has no carrier: nothing can, unless it leaves another way
                           */
    bool no_way : 1;      /* a trigger knows no way out */
    bool no_path : 1;     /* the node knew none at its last answer, which was at `advised_us` */
    bool unrouted : 1;    /* the kernel had no route to the peer at the last row */
    bool silent : 1;      /* nothing got through to any that shares its link */
    uint64_t cause;
    uint64_t advised_us; /* also the last answer since */
    uint64_t until_us;
    struct deadline deadline;
};

void fallback_advised(struct engine *engine, struct peer *peer, const struct reason *reason);

/* A request of this connection ended. True if it is dead and the fallback has
 * been advised in its stead. */
bool fallback_answered(struct engine *engine, struct peer *peer, enum outcome outcome);

/* The node knows by other means than a row that the connection lives. */
void fallback_lives(struct engine *engine, struct peer *peer);

/* A row came, and what it says has been taken over. */
void fallback_row(struct engine *engine, struct peer *peer, const struct pd_sample *sample);

/* For operators: when the connection would be closed by the fallback, NEVER: not as things are; and
 * why, as a word and in words. False: the fallback does not watch it, or may not close it. */
struct fallback_plan {
    const char *dial, *why;
    uint64_t after_us;
};
bool fallback_plan(const struct engine *engine, const struct peer *peer,
                   struct fallback_plan *ret_plan);

/* Something was unanswered long enough: a poll is wanted now; or the watch is over. */
void fallback_due(struct engine *engine, struct deadline *deadline);

void fallback_off(struct engine *engine, struct peer *peer);

/* Dead, as docs/decisions.md defines it: something is unanswered, and nothing comes. */
bool fallback_dead(const struct engine *engine, const struct peer *peer, uint64_t now_us);

#endif
