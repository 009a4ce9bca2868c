/* SPDX-License-Identifier: Apache-2.0 */
/* Which records a client wants. */
#include "filter.h"

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

bool filter_notes(const struct filter *filter)
{
    return filter->trigger || filter->verdict >= 0 || filter->uplink;
}

static bool is_text(const char *wanted, const struct text *text)
{
    return text && !strcmp(wanted, text->s);
}

static bool decision_fits(const struct filter *filter, const struct record_decision *decision)
{
    if (filter->verdict >= 0 && decision->verdict != (enum verdict)filter->verdict)
        return false;
    if (filter->uplink && !is_text(filter->uplink, decision->uplink) &&
        !is_text(filter->uplink, decision->target))
        return false;
    return !filter->trigger || is_trigger(filter->trigger, decision->trigger);
}

static uint64_t *word_of(struct noted *noted, uint64_t decision)
{
    return &noted->bits[decision % NOTED_DECISIONS / 64];
}

/* Makes room for later numbers: of those that fall out nothing is known any more. */
static void noted_reach(struct noted *noted, uint64_t decision)
{
    if (decision <= noted->newest)
        return;
    if (decision - noted->newest >= NOTED_DECISIONS)
        memset(noted->bits, 0, sizeof(noted->bits));
    else
        for (uint64_t i = noted->newest + 1; i <= decision; i++)
            *word_of(noted, i) &= ~(UINT64_C(1) << i % 64);
    noted->newest = decision;
}

void filter_note(struct filter *filter, const struct record *record)
{
    struct noted *noted = filter->noted;
    uint64_t decision;

    if (!noted || record->type != RECORD_DECISION)
        return;
    decision = record->decision.decision;
    noted_reach(noted, decision);
    if (decision_fits(filter, &record->decision) && noted->newest - decision < NOTED_DECISIONS)
        *word_of(noted, decision) |= UINT64_C(1) << decision % 64;
}

static bool is_noted(struct noted *noted, uint64_t decision)
{
    return noted && decision <= noted->newest && noted->newest - decision < NOTED_DECISIONS &&
           *word_of(noted, decision) & UINT64_C(1) << decision % 64;
}

/* It belongs to no decision, and to no peer. */
static bool uplink_fits(const struct filter *filter, const struct record_uplink *uplink)
{
    return !filter->trigger && filter->verdict < 0 && !filter->decision && !filter->peer &&
           (!filter->uplink || is_text(filter->uplink, uplink->uplink));
}

bool filter_fits(const struct filter *filter, const struct record *record)
{
    const struct record_subject *subject = subject_of(record);
    uint64_t decision = decision_of(record);

    if (!(filter->types & 1u << record->type) || record->time_us < filter->since_us)
        return false;
    if (record->type == RECORD_UPLINK)
        return uplink_fits(filter, &record->uplink);
    if (filter->decision && decision != filter->decision)
        return false;
    if (record->type == RECORD_DECISION && !decision_fits(filter, &record->decision))
        return false;
    if (record->type != RECORD_DECISION && filter_notes(filter) &&
        (!decision || !is_noted(filter->noted, decision)))
        return false;
    return !filter->peer || (subject && glob_matches(filter->peer, subject->peer->s));
}

void filter_clear(struct filter *filter)
{
    glob_free(filter->peer);
    free(filter->trigger);
    free(filter->uplink);
    free(filter->noted);
    *filter = (struct filter){.verdict = -1};
}
