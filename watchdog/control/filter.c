/* SPDX-License-Identifier: Apache-2.0 */
/* Which records a client wants. */
#include "filter.h"

#include <fnmatch.h>

#include "../util/util.h"

static const struct record_subject *subject_of(const struct record *record)
{
    switch (record->type) {
    case RECORD_DECISION:
        return &record->decision.subject;
    case RECORD_OUTCOME:
        return &record->outcome.subject;
    case RECORD_EFFECT:
        return &record->effect.subject;
    case RECORD_PEER:
        return &record->peer.subject;
    default:
        return NULL;
    }
}

static uint64_t decision_of(const struct record *record)
{
    switch (record->type) {
    case RECORD_DECISION:
        return record->decision.decision;
    case RECORD_OUTCOME:
        return record->outcome.decision;
    case RECORD_EFFECT:
        return record->effect.decision;
    default:
        return 0;
    }
}

/* "srtt" also means "srtt:overseas". */
static bool is_trigger(const char *wanted, const char *instance)
{
    size_t length = strlen(wanted);

    return !strncmp(wanted, instance, length) && (!instance[length] || instance[length] == ':');
}

/* Outcomes and effects do not name their trigger and verdict: those filters are
 * about decisions, and leave the others out. */
bool filter_fits(const struct filter *filter, const struct record *record)
{
    const struct record_subject *subject = subject_of(record);

    if (!(filter->types & 1u << record->type) || record->time_us < filter->since_us)
        return false;
    if (filter->decision && decision_of(record) != filter->decision)
        return false;
    if (filter->verdict >= 0 && (record->type != RECORD_DECISION ||
                                 record->decision.verdict != (enum verdict)filter->verdict))
        return false;
    if (filter->trigger &&
        (record->type != RECORD_DECISION || !is_trigger(filter->trigger, record->decision.trigger)))
        return false;
    return !filter->peer || (subject && fnmatch(filter->peer, subject->peer->s, 0) == 0);
}

void filter_clear(struct filter *filter)
{
    free(filter->peer);
    free(filter->trigger);
    *filter = (struct filter){.verdict = -1};
}
