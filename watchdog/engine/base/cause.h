/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Causes: one thing that happened and concerns many peers. A trigger opens and
 * closes them; the record with the counts is written at the end of the turn in
 * which it was closed, after the decisions that it counts.
 */
#ifndef ENGINE_CAUSE_H
#define ENGINE_CAUSE_H

#include "../record.h"

struct engine;
struct instance;

struct cause {
    uint64_t id;
    const struct instance *instance; /* NULL: none */
    const char *trigger;
    struct text *reason;
    uint64_t opened_us;
    uint64_t peers, advised;
    uint64_t verdicts[VERDICT_COUNT];
    bool closing;
};

/* Of so many pieces of advice in one cause the journal has no records of their own. */
#define CAUSE_BULK_ABOVE 1000u

struct causes {
    struct cause *open;
    size_t count, capacity;
    uint64_t last;
};

/* 0 if this trigger has too many open. */
uint64_t cause_open(struct engine *engine, const struct instance *instance, const char *reason);
/* One of pathdog itself; it is closed without an instance. */
uint64_t cause_open_own(struct engine *engine, const char *trigger, const char *reason);
void cause_close(struct engine *engine, const struct instance *instance, uint64_t id);

/* Those of an instance that is closed; all for NULL. */
void causes_close(struct engine *engine, const struct instance *instance);

/* The open cause of that number, or NULL. */
struct cause *cause_find(struct engine *engine, uint64_t id);

/* So long ago it was opened; RECORD_AGE_UNKNOWN: there is no such cause, or it is closed. */
uint64_t cause_age_us(struct engine *engine, uint64_t id);

/* Counts in the open cause of that number, if there is one: advice given, a first verdict. */
void cause_count_advice(struct engine *engine, uint64_t id);
void cause_uncount_advice(struct engine *engine, uint64_t id); /* it is given again later */
void cause_count_verdict(struct engine *engine, uint64_t id, enum verdict verdict);

/* Writes the records of the causes that were closed in this turn. */
void causes_flush(struct engine *engine);
void causes_clear(struct engine *engine);

#endif
