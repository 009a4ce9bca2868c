/* SPDX-License-Identifier: Apache-2.0 */
#include "counts.h"

#define MS     UINT64_C(1000)
#define SECOND UINT64_C(1000000)

const struct bounds reaction_bounds = {14,
                                       {MS, 2 * MS, 5 * MS, 10 * MS, 25 * MS, 50 * MS, 100 * MS,
                                        250 * MS, 500 * MS, SECOND, 2500 * MS, 5 * SECOND,
                                        10 * SECOND, 30 * SECOND}};
const struct bounds migration_bounds = {11,
                                        {5 * MS, 10 * MS, 25 * MS, 50 * MS, 100 * MS, 250 * MS,
                                         500 * MS, SECOND, 2500 * MS, 5 * SECOND, 10 * SECOND}};
const struct bounds outage_bounds = {12,
                                     {250 * MS, 500 * MS, SECOND, 2500 * MS, 5 * SECOND,
                                      10 * SECOND, 30 * SECOND, 60 * SECOND, 120 * SECOND,
                                      300 * SECOND, 900 * SECOND, 3600 * SECOND}};

void counts_init(struct counts *counts, const uint64_t key[2])
{
    static const char *const own[] = {"operator", "fallback", "uplink", "return", "shared"};

    *counts = (struct counts){
        .triggers.most = COUNTED_TRIGGERS,
        .uplinks.most = COUNTED_UPLINKS,
        .notices.most = COUNTED_NOTICES,
        .no_path = no_path_new(key),
    };
    for (size_t i = 0; i < ARRAY_SIZE(own); i++)
        (void)labels_place(&counts->triggers, own[i]);
}

void counts_clear(struct counts *counts)
{
    labels_clear(&counts->triggers);
    labels_clear(&counts->uplinks);
    labels_clear(&counts->notices);
    counts->no_path = no_path_free(counts->no_path);
}

/* ---- reaction ---- */

/* When the cause of a decision began, by the wall clock; 0: not known. It is looked up again after
 * it was closed, for those that waited in the queue. */
static uint64_t cause_begun_us(struct counts *counts, const struct record *record)
{
    const struct record_decision *decision = &record->decision;
    uint64_t place = decision->cause % COUNTED_CAUSES;

    if (decision->cause_age_us != RECORD_AGE_UNKNOWN) {
        counts->begun[place].cause = decision->cause;
        counts->begun[place].opened_us = sub_u64(record->time_us, decision->cause_age_us);
    }
    return counts->begun[place].cause == decision->cause ? counts->begun[place].opened_us : 0;
}

/* From what happened to the request: the beginning of the cause, of the silence, or else the event
 * that the advice came of. */
static void take_reaction(struct counts *counts, const struct record *record, uint64_t late_us)
{
    const struct record_decision *decision = &record->decision;
    uint64_t begun_us = record->time_us;

    if (decision->cause)
        begun_us = cause_begun_us(counts, record);
    if (decision->kind == PD_KIND_DEAD)
        begun_us = sub_u64(record->time_us, silence_us(decision->evidence));
    if (decision->request && begun_us)
        histogram_add(&counts->reaction[decision->kind], &reaction_bounds,
                      add_u64(sub_u64(record->time_us, begun_us), late_us));
}

/* ---- records ---- */

static void take_decision(struct counts *counts, const struct record *record, uint64_t late_us)
{
    const struct record_decision *decision = &record->decision;
    uint64_t times = max_u64(decision->repeats, 1);
    size_t trigger = labels_place(&counts->triggers, decision->trigger);

    counts->decisions[decision->kind][decision->verdict] += times;
    counts->trigger_decisions[trigger] += times;
    if (decision->request)
        counts->requests[decision->by]++;
    take_reaction(counts, record, late_us);
}

/* Only the first request of a move is in a decision. */
static void take_outcome(struct counts *counts, const struct record_outcome *outcome)
{
    counts->outcomes[outcome->by][outcome->outcome]++;
    if (outcome->attempt > 1)
        counts->requests[outcome->by]++;
    if (outcome->outcome == OUTCOME_MIGRATED || outcome->outcome == OUTCOME_RECONNECTED)
        histogram_add(&counts->migration[outcome->by], &migration_bounds, outcome->elapsed_us);
}

static void take_notice(struct counts *counts, const struct record_notice *notice)
{
    size_t level = (size_t)(notice->level - PD_LEVEL_ERROR), place = counts->notices.most;
    char name[64];

    if (level >= COUNTED_LEVELS)
        level = COUNTED_LEVELS - 1;
    if (notice->what->length + 2 <= sizeof(name)) {
        snprintf(name, sizeof(name), "%zu%s", level, notice->what->s);
        place = labels_place(&counts->notices, name);
    }
    if (place == counts->notices.most)
        counts->other_notices[level] += notice->count;
    else
        counts->notice[place] += notice->count;
}

void counts_take(struct counts *counts, const struct record *record, uint64_t late_us)
{
    struct no_path_end end = no_path_take(counts->no_path, record);

    if (end.ended)
        histogram_add(&counts->outage, &outage_bounds, end.span_us);
    switch (record->type) {
    case RECORD_DECISION:
        take_decision(counts, record, late_us);
        break;
    case RECORD_OUTCOME:
        take_outcome(counts, &record->outcome);
        break;
    case RECORD_EFFECT:
        counts->effects[record->effect.effect]++;
        break;
    case RECORD_CAUSE:
        counts->causes[labels_place(&counts->triggers, record->cause->trigger)]++;
        break;
    case RECORD_NODE:
        counts->nodes[record->node.up]++;
        break;
    case RECORD_PEER:
        counts->peers[record->peer.up]++;
        break;
    case RECORD_UPLINK:
        counts->uplink_changes[labels_place(&counts->uplinks, record->uplink.uplink->s)]
                              [record->uplink.change]++;
        break;
    case RECORD_NOTICE:
        take_notice(counts, &record->notice);
        break;
    }
}
