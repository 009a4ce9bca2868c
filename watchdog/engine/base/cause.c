/* SPDX-License-Identifier: Apache-2.0 */
/* Causes that are open, and the record of each when it is closed. */
#include "cause.h"

#include "../state.h"
#include "outbox.h"

#define OPEN_PER_INSTANCE 64u

static uint64_t open_cause(struct engine *engine, const struct instance *instance,
                           const char *trigger, const char *reason)
{
    struct causes *causes = &engine->causes;
    unsigned open = 0;

    for (size_t i = 0; i < causes->count; i++)
        open += causes->open[i].instance == instance;
    if (open >= OPEN_PER_INSTANCE || !reason)
        return 0;
    causes->open =
        array_reserve(causes->open, &causes->capacity, causes->count + 1, sizeof(struct cause));
    causes->open[causes->count++] = (struct cause){
        .id = ++causes->last,
        .instance = instance,
        .trigger = trigger,
        .reason = text_new(reason),
        .opened_us = engine->now_us,
        .peers = engine->peers.count,
    };
    return causes->last;
}

uint64_t cause_open(struct engine *engine, const struct instance *instance, const char *reason)
{
    return open_cause(engine, instance, instance->name, reason);
}

uint64_t cause_open_own(struct engine *engine, const char *trigger, const char *reason)
{
    return open_cause(engine, NULL, trigger, reason);
}

struct cause *cause_find(struct engine *engine, uint64_t id)
{
    for (size_t i = 0; id && i < engine->causes.count; i++)
        if (engine->causes.open[i].id == id)
            return &engine->causes.open[i];
    return NULL;
}

uint64_t cause_age_us(struct engine *engine, uint64_t id)
{
    const struct cause *cause = cause_find(engine, id);

    return cause ? sub_u64(engine->now_us, cause->opened_us) : RECORD_AGE_UNKNOWN;
}

void cause_count_advice(struct engine *engine, uint64_t id)
{
    struct cause *cause = cause_find(engine, id);

    if (cause)
        cause->advised++;
}

void cause_uncount_advice(struct engine *engine, uint64_t id)
{
    struct cause *cause = cause_find(engine, id);

    if (cause)
        cause->advised--;
}

void cause_count_verdict(struct engine *engine, uint64_t id, enum verdict verdict)
{
    struct cause *cause = cause_find(engine, id);

    if (cause)
        cause->verdicts[verdict]++;
}

void cause_close(struct engine *engine, const struct instance *instance, uint64_t id)
{
    struct cause *cause = cause_find(engine, id);

    if (cause && cause->instance == instance)
        cause->closing = true;
}

void causes_close(struct engine *engine, const struct instance *instance)
{
    for (size_t i = 0; i < engine->causes.count; i++) {
        struct cause *cause = &engine->causes.open[i];

        if (instance && cause->instance != instance)
            continue;
        cause->closing = true;
        cause->instance = NULL; /* it may be freed before the turn ends */
    }
}

static void write_record(struct engine *engine, struct cause *cause)
{
    struct record_cause *written = memory_new(1, sizeof(*written));

    written->cause = cause->id;
    written->trigger = cause->trigger;
    written->reason = cause->reason;
    written->peers = cause->peers;
    written->advised = cause->advised;
    memcpy(written->verdicts, cause->verdicts, sizeof(written->verdicts));
    outbox_record(engine, RECORD_CAUSE)->cause = written;
}

void causes_flush(struct engine *engine)
{
    struct causes *causes = &engine->causes;
    size_t left = 0;

    for (size_t i = 0; i < causes->count; i++) {
        if (causes->open[i].closing)
            write_record(engine, &causes->open[i]);
        else
            causes->open[left++] = causes->open[i];
    }
    causes->count = left;
}

void causes_clear(struct engine *engine)
{
    for (size_t i = 0; i < engine->causes.count; i++)
        text_unref(engine->causes.open[i].reason);
    free(engine->causes.open);
}
