/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records of several runs, from several sources, in one order; which of them are wanted. Pure.
 * Records are JSON objects as in docs/records.md.
 */
#ifndef CTL_HISTORY_H
#define CTL_HISTORY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Above so many pieces of advice of one cause, the journal has the cause and not each decision. */
#define CAUSE_LISTED 1000u

struct history {
    json_t **records;
    size_t n_records, capacity;
};

/* NULL and 0: whatever. */
struct history_filter {
    const char *peer;    /* a glob */
    const char *trigger; /* "srtt" also means "srtt:overseas" */
    const char *verdict;
    const char *uplink; /* of what uses it, or was to move to it; and what happened to it */
    uint64_t since_us, until_us;
    bool everything; /* also causes, nodes, peers, uplinks and notices */
    bool no_storms;  /* without everything: not even the causes that stand for many decisions */
};

/* Members of a record, as far as they are there: else 0, "". */
uint64_t record_number(const json_t *record, const char *name);
const char *record_word(const json_t *record, const char *name);

/* An effect `better` of what was moved or dead: it gets through again, and is not much faster. */
bool record_is_restored(const json_t *effect);

/* An outcome that is neither a move nor a failure: the connection went, lives, or was asked
 * something newer. */
bool record_proves_nothing(const char *outcome);

/* Takes the record over. */
void history_add(struct history *history, json_t *record);

/* Orders by time, then by number; what is there twice, by its run and its numbers, goes. */
void history_order(struct history *history);

/* A cause of which the journal has the sum, and not every decision. */
bool history_is_storm(const json_t *record);

/* Is the record in the ordered history? */
bool history_has(const struct history *history, const json_t *record);

/* As far as the record alone can tell: of what belongs to a decision, the trigger, the verdict and
 * the uplink are that decision's. */
bool history_may_fit(const struct history_filter *filter, const json_t *record);

/* Of one that may fit: does the decision that it belongs to fit? Records come in their order;
 * `decisions` is an object that keeps which of them do. */
bool history_fits(const struct history_filter *filter, json_t *decisions, const json_t *record);

/* Of an ordered history: outcomes and effects whose decision does not fit go. */
void history_narrow(struct history *history, const struct history_filter *filter);

/* Only the last so many stay. */
void history_last(struct history *history, uint64_t count);

/* How many runs there are records of, of an ordered history: 0, 1, or 2 for more. */
unsigned history_runs(const struct history *history);

/* A word as the gate has them; `ret_list` (to be freed) is what is allowed where it is none. */
bool history_is_verdict(const char *word, char **ret_list);

void history_clear(struct history *history);

#endif
