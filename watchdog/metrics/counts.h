/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the records say, as counters and histograms. Fed with each record as it leaves the engine,
 * whatever the log does with it. Pure: no clock, and nothing of it is ever waited for.
 */
#ifndef METRICS_COUNTS_H
#define METRICS_COUNTS_H

#include "../engine/record.h"
#include "histogram.h"
#include "labels.h"
#include "no-path.h"

#define COUNTED_TRIGGERS 32u
#define COUNTED_UPLINKS  32u
#define COUNTED_NOTICES  128u /* of each level and kind */
#define COUNTED_LEVELS   5u   /* from PD_LEVEL_ERROR on */
#define COUNTED_CAUSES   64u  /* whose beginning is remembered */

struct counts {
    uint64_t decisions[PD_KIND_COUNT][VERDICT_COUNT];
    struct labels triggers; /* instances */
    uint64_t trigger_decisions[COUNTED_TRIGGERS + 1], causes[COUNTED_TRIGGERS + 1];
    uint64_t requests[2]; /* by enum by */
    uint64_t outcomes[2][OUTCOME_COUNT];
    uint64_t effects[EFFECT_COUNT];
    struct labels notices; /* the level's number, and the kind */
    uint64_t notice[COUNTED_NOTICES], other_notices[COUNTED_LEVELS];
    uint64_t nodes[2], peers[2]; /* down, up */
    struct labels uplinks;
    uint64_t uplink_changes[COUNTED_UPLINKS + 1][UPLINK_CHANGE_COUNT];

    struct histogram reaction[PD_KIND_COUNT], migration[2], outage;
    struct no_path *no_path;
    struct {
        uint64_t cause, opened_us;
    } begun[COUNTED_CAUSES];
};

extern const struct bounds reaction_bounds, migration_bounds, outage_bounds;

/* `key`: random, for tables of names. */
void counts_init(struct counts *counts, const uint64_t key[2]);
void counts_clear(struct counts *counts);

/* `late_us`: so long after its event the turn's requests were on their way. */
void counts_take(struct counts *counts, const struct record *record, uint64_t late_us);

#endif
