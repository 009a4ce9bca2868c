/* SPDX-License-Identifier: Apache-2.0 */
/* What happened so far: samples from the counters. What can be is there from the beginning, as 0: a
 * counter that appears with 1 tells nobody that it grew. */
#include "../engine/base/names.h"
#include "page.h"

static const char *const changes[] = {"down", "up"};
static const char *const scrapes[] = {[SCRAPE_OK] = "ok",
                                      [SCRAPE_BAD] = "bad",
                                      [SCRAPE_GONE] = "gone",
                                      [SCRAPE_SLOW] = "slow",
                                      [SCRAPE_REFUSED] = "refused"};

static void put_decisions(struct text_out *text, const struct counts *counts)
{
    for (enum pd_kind kind = 0; kind < PD_KIND_COUNT; kind++)
        for (enum verdict verdict = 0; verdict < VERDICT_COUNT; verdict++)
            text_sample(text, LABELS({"kind", kind_name(kind)}, {"verdict", verdict_name(verdict)}),
                        counts->decisions[kind][verdict]);
}

static void put_outcomes(struct text_out *text, const struct counts *counts)
{
    for (enum by by = 0; by <= BY_RECONNECT; by++)
        for (enum outcome outcome = 0; outcome < OUTCOME_COUNT; outcome++)
            text_sample(text, LABELS({"by", by_name(by)}, {"outcome", outcome_name(outcome)}),
                        counts->outcomes[by][outcome]);
}

/* One for each name, and one for all others. */
static void put_named(struct text_out *text, const char *label, const struct labels *labels,
                      const uint64_t *values)
{
    for (size_t i = 0; i <= labels->n; i++) {
        bool other = i == labels->n;

        text_sample(text, LABELS({label, other ? LABELS_OTHER : labels->names[i]}),
                    values[other ? labels->most : i]);
    }
}

static void put_uplink_changes(struct text_out *text, const struct counts *counts)
{
    const struct labels *labels = &counts->uplinks;

    for (size_t i = 0; i <= labels->n; i++)
        for (enum uplink_change change = 0; change < UPLINK_CHANGE_COUNT; change++)
            text_sample(text,
                        LABELS({"change", uplink_change_name(change)},
                               {"uplink", i == labels->n ? LABELS_OTHER : labels->names[i]}),
                        counts->uplink_changes[i == labels->n ? labels->most : i][change]);
}

static void put_notices(struct text_out *text, const struct counts *counts)
{
    const struct labels *labels = &counts->notices;

    for (size_t i = 0; i < labels->n; i++) {
        const char *level = level_names[PD_LEVEL_ERROR + (labels->names[i][0] - '0')];

        text_sample(text, LABELS({"level", level}, {"what", labels->names[i] + 1}),
                    counts->notice[i]);
    }
    for (size_t i = 0; i < COUNTED_LEVELS; i++)
        text_sample(text,
                    LABELS({"level", level_names[PD_LEVEL_ERROR + i]}, {"what", LABELS_OTHER}),
                    counts->other_notices[i]);
}

/* By a few names that are known. */
static void put_table(struct text_out *text, const char *label, const char *const *names, size_t n,
                      const uint64_t *values)
{
    for (size_t i = 0; i < n; i++)
        text_sample(text, LABELS({label, names[i]}), values[i]);
}

static void put_histograms(struct text_out *text, enum family_id id, const struct counts *counts)
{
    if (id == METRIC_OUTAGE)
        text_histogram(text, NULL, &counts->outage, &outage_bounds);
    for (enum pd_kind kind = 0; id == METRIC_REACTION && kind < PD_KIND_COUNT; kind++)
        text_histogram(text, &(struct label){"kind", kind_name(kind)}, &counts->reaction[kind],
                       &reaction_bounds);
    for (enum by by = 0; id == METRIC_MIGRATION && by <= BY_RECONNECT; by++)
        text_histogram(text, &(struct label){"by", by_name(by)}, &counts->migration[by],
                       &migration_bounds);
}

bool page_counts(struct text_out *text, enum family_id id, const struct page_facts *facts,
                 const struct counts *counts)
{
    switch (id) {
    case METRIC_NODE_CHANGES:
        put_table(text, "state", changes, ARRAY_SIZE(changes), counts->nodes);
        return true;
    case METRIC_PEER_CHANGES:
        put_table(text, "state", changes, ARRAY_SIZE(changes), counts->peers);
        return true;
    case METRIC_UPLINK_CHANGES:
        put_uplink_changes(text, counts);
        return true;
    case METRIC_DECISIONS:
        put_decisions(text, counts);
        return true;
    case METRIC_TRIGGER_DECISIONS:
        put_named(text, "trigger", &counts->triggers, counts->trigger_decisions);
        return true;
    case METRIC_CAUSES:
        put_named(text, "trigger", &counts->triggers, counts->causes);
        return true;
    case METRIC_REQUESTS:
        for (enum by by = 0; by <= BY_RECONNECT; by++)
            text_sample(text, LABELS({"by", by_name(by)}), counts->requests[by]);
        return true;
    case METRIC_OUTCOMES:
        put_outcomes(text, counts);
        return true;
    case METRIC_EFFECTS:
        for (enum effect effect = 0; effect < EFFECT_COUNT; effect++)
            text_sample(text, LABELS({"effect", effect_name(effect)}), counts->effects[effect]);
        return true;
    case METRIC_REACTION:
    case METRIC_MIGRATION:
    case METRIC_OUTAGE:
        put_histograms(text, id, counts);
        return true;
    case METRIC_OUTAGES_OPEN:
        text_sample(text, NULL, no_path_open(counts->no_path));
        return true;
    case METRIC_OUTAGES_UNKNOWN:
        text_sample(text, NULL, no_path_unknown(counts->no_path));
        return true;
    case METRIC_NOTICES:
        put_notices(text, counts);
        return true;
    case METRIC_SCRAPES:
        put_table(text, "result", scrapes, ARRAY_SIZE(scrapes), facts->scrapes);
        return true;
    default:
        return false;
    }
}
