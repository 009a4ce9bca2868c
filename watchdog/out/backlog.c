/* SPDX-License-Identifier: Apache-2.0 */
/* A queue of records, each holding what it points to. */
#include "backlog.h"

#include "../engine/text.h"
#include "../util/util.h"

/* More than this is given back after a storm. */
#define BACKLOG_KEPT 4096u

/* Where a record's texts are, so that taking and giving back cannot differ. */
static size_t record_texts(struct record *record, struct text **ret_places[4])
{
    size_t n = 0;

    switch (record->type) {
    case RECORD_DECISION:
        ret_places[n++] = &record->decision.subject.peer;
        ret_places[n++] = &record->decision.reason;
        break;
    case RECORD_OUTCOME:
        ret_places[n++] = &record->outcome.subject.peer;
        ret_places[n++] = &record->outcome.local_before;
        ret_places[n++] = &record->outcome.local_after;
        ret_places[n++] = &record->outcome.error_message;
        break;
    case RECORD_EFFECT:
        ret_places[n++] = &record->effect.subject.peer;
        break;
    case RECORD_CAUSE:
        ret_places[n++] = &record->cause->reason;
        break;
    case RECORD_NODE:
        ret_places[n++] = &record->node.node;
        ret_places[n++] = &record->node.implementation;
        ret_places[n++] = &record->node.boot;
        ret_places[n++] = &record->node.reason;
        break;
    case RECORD_PEER:
        ret_places[n++] = &record->peer.subject.peer;
        ret_places[n++] = &record->peer.reason;
        break;
    case RECORD_NOTICE:
        ret_places[n++] = &record->notice.what;
        ret_places[n++] = &record->notice.text;
        break;
    }
    return n;
}

void backlog_push(struct backlog *backlog, const struct record *record)
{
    struct text **places[4];
    struct record *copy;
    size_t n;

    if (backlog->first && backlog->first + backlog->n == backlog->capacity) {
        memmove(backlog->records, backlog->records + backlog->first,
                backlog->n * sizeof(*backlog->records));
        backlog->first = 0;
    }
    backlog->records = array_reserve(backlog->records, &backlog->capacity,
                                     backlog->first + backlog->n + 1, sizeof(*backlog->records));
    copy = &backlog->records[backlog->first + backlog->n++];
    *copy = *record;
    if (copy->type == RECORD_CAUSE) {
        copy->cause = memory_new(1, sizeof(*copy->cause));
        *copy->cause = *record->cause;
    }
    n = record_texts(copy, places);
    for (size_t i = 0; i < n; i++)
        *places[i] = *places[i] ? text_ref(*places[i]) : NULL;
    if (copy->type == RECORD_DECISION && copy->decision.evidence)
        evidence_ref(copy->decision.evidence);
}

const struct record *backlog_first(const struct backlog *backlog)
{
    return backlog->n ? &backlog->records[backlog->first] : NULL;
}

void backlog_pop(struct backlog *backlog)
{
    struct record *record = &backlog->records[backlog->first];
    struct text **places[4];
    size_t n = record_texts(record, places);

    for (size_t i = 0; i < n; i++)
        if (*places[i])
            text_unref(*places[i]);
    if (record->type == RECORD_DECISION && record->decision.evidence)
        evidence_unref(record->decision.evidence);
    if (record->type == RECORD_CAUSE)
        free(record->cause);
    backlog->first++;
    if (--backlog->n)
        return;
    backlog->first = 0;
    if (backlog->capacity > BACKLOG_KEPT)
        backlog_clear(backlog);
}

void backlog_clear(struct backlog *backlog)
{
    while (backlog->n)
        backlog_pop(backlog);
    free(backlog->records);
    *backlog = (struct backlog){0};
}
