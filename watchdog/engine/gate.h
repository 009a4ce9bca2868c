/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate: advice + connection + now → verdict. Every trigger's advice goes
 * through the same rules, in one order; every advice ends here in exactly one
 * decision record (or is counted in one, where the same refusal repeats).
 */
#ifndef ENGINE_GATE_H
#define ENGINE_GATE_H

#include "state.h"

static inline bool kind_is_network(enum pd_kind kind)
{
    return kind == PD_KIND_MOVED || kind == PD_KIND_DEAD;
}

/* Decides on all advice of this turn, and asks. */
void gate_run(struct engine *engine);

/* Advice of pathdog itself; decided at the end of this turn. `bulk`: it follows
 * from a cause that concerns more than a thousand peers. */
void gate_advise(struct engine *engine, struct peer *peer, const char *trigger, enum because_by by,
                 bool bulk, const struct pd_advice *advice);

/* Advice of pathdog itself in this turn, which a later row of the turn disproved. */
void gate_take_back(struct engine *engine, struct peer *peer, const char *trigger);

/* Gives remembered advice once more, as a new decision. */
void gate_advise_remembered(struct engine *engine, struct peer *peer);

/* There is some, and it would be damped now: then it is given when there is a token. */
bool gate_remembered_damped(struct engine *engine, struct peer *peer);
void gate_remember_untold(struct engine *engine, struct peer *peer, struct because *because);
void gate_forget_remembered(struct engine *engine, struct peer *peer);

/* A connection is about to go: advice about it that waits is `gone`. */
void gate_peer_gone(struct engine *engine, struct peer *peer);

/* What the gate looks at in advice. */
struct gate_question {
    enum pd_kind kind;
    enum by by;
    bool no_target;
};

/* By what means advice of this kind would be followed. */
enum by gate_choose_by(const struct engine *engine, const struct peer *peer, enum pd_kind kind,
                       enum because_by by);

/* The table of docs/decisions.md: does this row apply by itself, whatever stands
 * above it? `*ret_into` is set where advice would be merged. */
bool gate_applies(const struct engine *engine, const struct peer *peer,
                  const struct gate_question *question, enum verdict verdict, uint64_t *ret_into);

/* The first row that applies. VERDICT_MIGRATE and VERDICT_RECONNECT mean: as far
 * as the budget allows. */
enum verdict gate_verdict(const struct engine *engine, const struct peer *peer,
                          const struct gate_question *question, uint64_t *ret_into);

/* May this connection be closed and dialled again? */
bool gate_reconnect_possible(const struct engine *engine, const struct peer *peer);

/* The record of a decision; `move` is NULL unless it is being asked for now. */
void decision_write(struct engine *engine, const struct record_subject *subject,
                    struct because *because, enum by by, uint64_t decision, enum verdict verdict,
                    const struct move *move, uint64_t into, uint64_t repeats);

#endif
