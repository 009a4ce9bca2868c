/* SPDX-License-Identifier: Apache-2.0 */
/* What a record holds on to. */
#include "../../util/util.h"
#include "text.h"

#define PLACES_MAX 5u

/* Where its texts are, so that taking and giving back cannot differ. */
static size_t record_texts(struct record *record, struct text **ret_places[PLACES_MAX])
{
    size_t n = 0;

    switch (record->type) {
    case RECORD_DECISION:
        ret_places[n++] = &record->decision.subject.peer;
        ret_places[n++] = &record->decision.reason;
        ret_places[n++] = &record->decision.uplink;
        ret_places[n++] = &record->decision.target;
        ret_places[n++] = &record->decision.choice;
        break;
    case RECORD_OUTCOME:
        ret_places[n++] = &record->outcome.subject.peer;
        ret_places[n++] = &record->outcome.local_before;
        ret_places[n++] = &record->outcome.local_after;
        ret_places[n++] = &record->outcome.error_message;
        ret_places[n++] = &record->outcome.target;
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
    case RECORD_UPLINK:
        ret_places[n++] = &record->uplink.uplink;
        ret_places[n++] = &record->uplink.interface;
        ret_places[n++] = &record->uplink.reason;
        break;
    case RECORD_NOTICE:
        ret_places[n++] = &record->notice.what;
        ret_places[n++] = &record->notice.text;
        break;
    }
    return n;
}

void record_ref(struct record *record)
{
    struct text **places[PLACES_MAX];
    size_t n;

    if (record->type == RECORD_CAUSE) {
        struct record_cause *copy = memory_new(1, sizeof(*copy));

        *copy = *record->cause;
        record->cause = copy;
    }
    n = record_texts(record, places);
    for (size_t i = 0; i < n; i++)
        text_ref(*places[i]);
    if (record->type == RECORD_DECISION)
        evidence_ref(record->decision.evidence);
}

void record_unref(struct record *record)
{
    struct text **places[PLACES_MAX];
    size_t n = record_texts(record, places);

    for (size_t i = 0; i < n; i++)
        text_unref(*places[i]);
    if (record->type == RECORD_DECISION)
        evidence_unref(record->decision.evidence);
    if (record->type == RECORD_CAUSE)
        free(record->cause);
}

/* Of one field, with its name and a short text. */
#define EVIDENCE_BYTES (sizeof(struct pd_field) + 32)

static size_t part(size_t n_bytes, uint32_t refs)
{
    return n_bytes / (refs ? refs : 1);
}

size_t record_bytes(const struct record *record)
{
    struct record copy = *record;
    struct text **places[PLACES_MAX];
    size_t n = record_texts(&copy, places), n_bytes = 0;
    const struct evidence *evidence;

    for (size_t i = 0; i < n; i++)
        if (*places[i])
            n_bytes += part(sizeof(struct text) + (*places[i])->length, (*places[i])->refs);
    evidence = record->type == RECORD_DECISION ? record->decision.evidence : NULL;
    if (evidence)
        n_bytes += part(evidence->n_fields * EVIDENCE_BYTES, evidence->refs);
    if (record->type == RECORD_CAUSE)
        n_bytes += sizeof(*record->cause);
    return n_bytes;
}
