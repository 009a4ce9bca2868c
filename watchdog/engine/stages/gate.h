/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate: advice + connection + now → verdict. Every trigger's advice goes
 * through the same rules, in one order; every advice ends here in exactly one
 * decision record (or is counted in one, where the same refusal repeats).
 */
#ifndef ENGINE_GATE_H
#define ENGINE_GATE_H

#include "../event.h"
#include "../record.h"

struct engine;
struct peer;

/* A pass over the advice of this turn, which may take several steps. */
struct deciding {
    bool runs;
    size_t count;   /* so much advice is in this pass; what comes meanwhile is in the next */
    unsigned ranks; /* that are in it, one bit each: see rank_of() */
    unsigned rank;  /* that is decided now, */
    size_t at;      /* so far */
};

/* Decides on advice of this turn and asks, `most` at a time. Returns false while there is more:
 * nothing else may happen to the engine before. */
bool gate_run(struct engine *engine, size_t most);

/* What policies withdrew since they were called: ends what waits of that. After each call into
 * policies that something else of the turn follows; the first step of gate_run begins with it. */
void gate_withdrawn(struct engine *engine);

/* A connection is about to go: advice about it that waits is `gone`. */
void gate_peer_gone(struct engine *engine, struct peer *peer);

/* The last turn: advice about it that is deferred has `expired`. */
void gate_stop(struct engine *engine, struct peer *peer);

/* What the gate looks at in advice. */
struct gate_question {
    enum pd_kind kind;
    enum by by;
    bool no_target;
    bool bound; /* to an uplink that was chosen, whatever the route table says */
    bool probing;
    bool newer;        /* what is open, or queued, gives way to it */
    bool cools;        /* one that shares its link moved, and it did not help */
    bool awaits;       /* one that shares its link goes first: */
    uint64_t into;     /* that decision, 0: none yet */
    bool repeated;     /* its move failed for good before */
    bool over_another; /* what is dead is to go over another relay, or direct: what failed was not
                          that */
    bool gone;         /* the kernel has proven that nothing can arrive on the old path */
};

/* The table of docs/decisions.md: does this row apply by itself, whatever stands
 * above it? `*ret_into` is set where advice would be merged. */
bool gate_applies(const struct engine *engine, const struct peer *peer,
                  const struct gate_question *question, enum verdict verdict, uint64_t *ret_into);

/* The first row that applies. VERDICT_MIGRATE and VERDICT_RECONNECT mean: as far
 * as the budget allows. */
enum verdict gate_verdict(const struct engine *engine, const struct peer *peer,
                          const struct gate_question *question, uint64_t *ret_into);

#endif
