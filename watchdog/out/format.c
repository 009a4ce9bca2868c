/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records as JSON and as journal fields. The members and their order are
 * docs/records.md's; other people's scripts read them.
 */
#include "format.h"

#include "../engine/base/names.h"
#include "../util/json-write.h"
#include "message-ids.h"

/* Both forms are made from one walk, which the compiler copies for each. */
enum form {
    FORM_JSON,
    FORM_JOURNAL,
};

#define WALK static inline __attribute__((always_inline)) void

/* ---- members ---- */

/* A journal field opens with room for its length; returns where that is. */
static size_t field_open(struct buffer *buffer, const char *prefix, const char *name)
{
    size_t at = buffer->length, n = strlen(name);
    char *out;

    buffer_append(buffer, "\0\0\0\0", sizeof(uint32_t));
    buffer_text(buffer, prefix);
    out = buffer_space(buffer, n + 1);
    for (size_t i = 0; i < n; i++)
        out[i] = (char)(name[i] >= 'a' && name[i] <= 'z' ? name[i] - 'a' + 'A'
                        : name[i] == '-'                 ? '_'
                                                         : name[i]);
    out[n] = '=';
    buffer_added(buffer, n + 1);
    return at;
}

static void field_close(struct buffer *buffer, size_t at)
{
    uint32_t n_bytes = (uint32_t)(buffer->length - at - sizeof(n_bytes));

    memcpy(buffer->data + buffer->start + at, &n_bytes, sizeof(n_bytes));
}

static void field_text(struct buffer *buffer, const char *prefix, const char *name,
                       const char *text, size_t n_bytes)
{
    size_t at = field_open(buffer, prefix, name);

    buffer_append(buffer, text, n_bytes);
    field_close(buffer, at);
}

static void field_number(struct buffer *buffer, const char *prefix, const char *name,
                         uint64_t number)
{
    size_t at = field_open(buffer, prefix, name);

    buffer_u64(buffer, number);
    field_close(buffer, at);
}

WALK json_word(struct buffer *buffer, const char *word)
{
    size_t length = strlen(word);
    char *out = buffer_space(buffer, length + 2);

    out[0] = '"';
    mempcpy(out + 1, word, length);
    out[length + 1] = '"';
    buffer_added(buffer, length + 2);
}

WALK member_bytes(struct buffer *buffer, enum form form, const char *name, const char *text,
                  size_t n_bytes)
{
    if (form == FORM_JOURNAL) {
        field_text(buffer, "PATHDOG_", name, text, n_bytes);
        return;
    }
    put_name(buffer, name);
    buffer_json(buffer, text, n_bytes);
}

/* What does not apply: null in JSON, not there in the journal. */
WALK member_null(struct buffer *buffer, enum form form, const char *name)
{
    if (form == FORM_JOURNAL)
        return;
    put_null(buffer, name);
}

WALK member_text(struct buffer *buffer, enum form form, const char *name, const struct text *text)
{
    if (text)
        member_bytes(buffer, form, name, text->s, text->length);
    else
        member_null(buffer, form, name);
}

/* Words of our own tables and sections' names: nothing to escape. */
WALK member_word(struct buffer *buffer, enum form form, const char *name, const char *word)
{
    if (form == FORM_JOURNAL) {
        field_text(buffer, "PATHDOG_", name, word, strlen(word));
        return;
    }
    put_name(buffer, name);
    json_word(buffer, word);
}

WALK member_number(struct buffer *buffer, enum form form, const char *name, uint64_t number)
{
    if (form == FORM_JOURNAL) {
        field_number(buffer, "PATHDOG_", name, number);
        return;
    }
    put_u64(buffer, name, number);
}

WALK member_known(struct buffer *buffer, enum form form, const char *name, uint64_t number,
                  uint64_t unknown)
{
    if (number != unknown)
        member_number(buffer, form, name, number);
    else
        member_null(buffer, form, name);
}

WALK member_bool(struct buffer *buffer, enum form form, const char *name, bool value)
{
    if (form == FORM_JOURNAL) {
        field_text(buffer, "PATHDOG_", name, value ? "true" : "false", value ? 4 : 5);
        return;
    }
    put_bool(buffer, name, value);
}

WALK member_subject(struct buffer *buffer, enum form form, const struct record_subject *subject)
{
    member_text(buffer, form, "peer", subject->peer);
    member_number(buffer, form, "conn", subject->conn);
}

static void evidence_json(struct buffer *buffer, const struct evidence *evidence)
{
    put_name(buffer, "evidence");
    buffer_append(buffer, "{", 1);
    for (uint32_t i = 0; evidence && i < evidence->n_fields; i++) {
        const struct pd_field *field = &evidence->fields[i];

        if (i)
            buffer_append(buffer, ",", 1);
        buffer_json(buffer, field->name, strlen(field->name)); /* a plugin's word */
        buffer_append(buffer, ":", 1);
        if (field->text)
            buffer_json(buffer, field->text, strlen(field->text));
        else if (field->number == PD_UNKNOWN)
            buffer_append(buffer, "null", 4);
        else
            buffer_u64(buffer, field->number);
    }
    buffer_append(buffer, "}", 1);
}

static void evidence_journal(struct buffer *buffer, const struct evidence *evidence)
{
    for (uint32_t i = 0; evidence && i < evidence->n_fields; i++) {
        const struct pd_field *field = &evidence->fields[i];

        if (field->text)
            field_text(buffer, "PATHDOG_EVIDENCE_", field->name, field->text, strlen(field->text));
        else if (field->number != PD_UNKNOWN)
            field_number(buffer, "PATHDOG_EVIDENCE_", field->name, field->number);
    }
}

/* ---- records ---- */

WALK walk_decision(struct buffer *buffer, enum form form, const struct record_decision *decision)
{
    member_number(buffer, form, "decision", decision->decision);
    member_known(buffer, form, "cause", decision->cause, 0);
    member_subject(buffer, form, &decision->subject);
    member_word(buffer, form, "trigger", decision->trigger);
    member_word(buffer, form, "kind", kind_name(decision->kind));
    member_word(buffer, form, "by", by_name(decision->by));
    member_text(buffer, form, "reason", decision->reason);
    if (form == FORM_JSON)
        evidence_json(buffer, decision->evidence);
    else
        evidence_journal(buffer, decision->evidence);
    member_word(buffer, form, "verdict", verdict_name(decision->verdict));
    if (decision->uplink)
        member_text(buffer, form, "uplink", decision->uplink);
    if (decision->target)
        member_text(buffer, form, "target", decision->target);
    if (decision->choice)
        member_text(buffer, form, "choice", decision->choice);
    if (decision->into)
        member_number(buffer, form, "into", decision->into);
    if (decision->repeats)
        member_number(buffer, form, "repeats", decision->repeats);
    if (decision->request) {
        member_number(buffer, form, "request", decision->request);
        member_number(buffer, form, "attempt", decision->attempt);
        member_number(buffer, form, "timeout_ms", decision->timeout_ms);
    }
}

static void error_journal(struct buffer *buffer, const struct record_outcome *outcome)
{
    size_t at = field_open(buffer, "PATHDOG_", "error_code");

    buffer_i64(buffer, outcome->error_code);
    field_close(buffer, at);
    if (outcome->error_message)
        field_text(buffer, "PATHDOG_", "error_message", outcome->error_message->s,
                   outcome->error_message->length);
}

WALK walk_error(struct buffer *buffer, enum form form, const struct record_outcome *outcome)
{
    if (!outcome->error) {
        member_null(buffer, form, "error");
        return;
    }
    if (form == FORM_JOURNAL) {
        error_journal(buffer, outcome);
        return;
    }
    put_name(buffer, "error");
    buffer_text(buffer, "{\"code\":");
    buffer_i64(buffer, outcome->error_code);
    member_text(buffer, form, "message", outcome->error_message);
    buffer_append(buffer, "}", 1);
}

WALK walk_outcome(struct buffer *buffer, enum form form, const struct record_outcome *outcome)
{
    member_number(buffer, form, "decision", outcome->decision);
    member_number(buffer, form, "request", outcome->request);
    member_number(buffer, form, "attempt", outcome->attempt);
    member_subject(buffer, form, &outcome->subject);
    member_word(buffer, form, "by", by_name(outcome->by));
    member_word(buffer, form, "outcome", outcome_name(outcome->outcome));
    if (outcome->by == BY_MIGRATE)
        member_bool(buffer, form, "validated", outcome->validated);
    else
        member_null(buffer, form, "validated");
    member_number(buffer, form, "elapsed_us", outcome->elapsed_us);
    member_text(buffer, form, "local_before", outcome->local_before);
    member_text(buffer, form, "local_after", outcome->local_after);
    if (outcome->target)
        member_text(buffer, form, "target", outcome->target);
    member_known(buffer, form, "conn_new", outcome->conn_new, 0);
    walk_error(buffer, form, outcome);
}

WALK walk_effect(struct buffer *buffer, enum form form, const struct record_effect *effect)
{
    member_number(buffer, form, "decision", effect->decision);
    member_subject(buffer, form, &effect->subject);
    member_word(buffer, form, "effect", effect_name(effect->effect));
    member_known(buffer, form, "rtt_before_us", effect->rtt_before_us, PD_UNKNOWN);
    member_known(buffer, form, "rtt_after_us", effect->rtt_after_us, PD_UNKNOWN);
    member_number(buffer, form, "samples_before", effect->samples_before);
    member_number(buffer, form, "samples_after", effect->samples_after);
}

static void verdicts_json(struct buffer *buffer, const struct record_cause *cause)
{
    put_open(buffer, "verdicts", "{");
    for (size_t i = 0; i < VERDICT_COUNT; i++)
        if (cause->verdicts[i])
            put_u64(buffer, verdict_name((enum verdict)i), cause->verdicts[i]);
    put_close(buffer, "}");
}

WALK walk_cause(struct buffer *buffer, enum form form, const struct record_cause *cause)
{
    member_number(buffer, form, "cause", cause->cause);
    member_word(buffer, form, "trigger", cause->trigger);
    member_text(buffer, form, "reason", cause->reason);
    member_number(buffer, form, "peers", cause->peers);
    member_number(buffer, form, "advised", cause->advised);
    if (form == FORM_JSON)
        verdicts_json(buffer, cause);
    else
        for (size_t i = 0; i < VERDICT_COUNT; i++)
            if (cause->verdicts[i])
                field_number(buffer, "PATHDOG_VERDICTS_", verdict_name((enum verdict)i),
                             cause->verdicts[i]);
}

WALK walk_node(struct buffer *buffer, enum form form, const struct record_node *node)
{
    member_word(buffer, form, "state", node->up ? "up" : "down");
    member_text(buffer, form, "node", node->node);
    member_text(buffer, form, "implementation", node->implementation);
    member_text(buffer, form, "boot", node->boot);
    member_text(buffer, form, "reason", node->reason);
}

WALK walk_peer(struct buffer *buffer, enum form form, const struct record_peer *peer)
{
    member_word(buffer, form, "state", peer->up ? "up" : "down");
    member_subject(buffer, form, &peer->subject);
    member_word(buffer, form, "role", role_names[peer->role]);
    member_text(buffer, form, "reason", peer->reason);
}

WALK walk_uplink(struct buffer *buffer, enum form form, const struct record_uplink *uplink)
{
    member_text(buffer, form, "uplink", uplink->uplink);
    member_text(buffer, form, "interface", uplink->interface);
    member_word(buffer, form, "change", uplink_change_name(uplink->change));
    member_text(buffer, form, "reason", uplink->reason);
    member_number(buffer, form, "peers", uplink->peers);
}

WALK walk_notice(struct buffer *buffer, enum form form, const struct record_notice *notice)
{
    member_word(buffer, form, "level", level_name(notice->level));
    member_text(buffer, form, "what", notice->what);
    member_text(buffer, form, "text", notice->text);
    member_number(buffer, form, "count", notice->count);
}

static const struct {
    const char *name;
    const char *message_id;
} types[] = {
    [RECORD_DECISION] = {"decision", MESSAGE_ID_DECISION},
    [RECORD_OUTCOME] = {"outcome", MESSAGE_ID_OUTCOME},
    [RECORD_EFFECT] = {"effect", MESSAGE_ID_EFFECT},
    [RECORD_CAUSE] = {"cause", MESSAGE_ID_CAUSE},
    [RECORD_NODE] = {"node", MESSAGE_ID_NODE},
    [RECORD_PEER] = {"peer", MESSAGE_ID_PEER},
    [RECORD_UPLINK] = {"uplink", MESSAGE_ID_UPLINK},
    [RECORD_NOTICE] = {"notice", MESSAGE_ID_NOTICE},
};

WALK walk_record(struct buffer *buffer, enum form form, const struct record *record,
                 const char *run)
{
    member_number(buffer, form, "time_us", record->time_us);
    member_word(buffer, form, "run", run);
    switch (record->type) {
    case RECORD_DECISION:
        walk_decision(buffer, form, &record->decision);
        break;
    case RECORD_OUTCOME:
        walk_outcome(buffer, form, &record->outcome);
        break;
    case RECORD_EFFECT:
        walk_effect(buffer, form, &record->effect);
        break;
    case RECORD_CAUSE:
        walk_cause(buffer, form, record->cause);
        break;
    case RECORD_NODE:
        walk_node(buffer, form, &record->node);
        break;
    case RECORD_PEER:
        walk_peer(buffer, form, &record->peer);
        break;
    case RECORD_UPLINK:
        walk_uplink(buffer, form, &record->uplink);
        break;
    case RECORD_NOTICE:
        walk_notice(buffer, form, &record->notice);
        break;
    }
}

void record_json(struct buffer *buffer, const struct record *record, const char *run)
{
    buffer_text(buffer, "{\"record\":\"");
    buffer_text(buffer, types[record->type].name);
    buffer_append(buffer, "\"", 1);
    walk_record(buffer, FORM_JSON, record, run);
    buffer_append(buffer, "}\n", 2);
}

void record_journal(struct buffer *buffer, const struct record *record, const char *run,
                    uint64_t n_dropped)
{
    const char priority = (char)('0' + record_level(record));
    size_t at = field_open(buffer, "", "message");

    record_sentence(buffer, record);
    if (n_dropped) {
        buffer_text(buffer, " (");
        buffer_u64(buffer, n_dropped);
        buffer_text(buffer, " records before this one were dropped)");
    }
    field_close(buffer, at);
    if (n_dropped)
        field_number(buffer, "PATHDOG_", "log_dropped", n_dropped);
    field_text(buffer, "", "priority", &priority, 1);
    field_text(buffer, "", "message_id", types[record->type].message_id,
               strlen(types[record->type].message_id));
    field_text(buffer, "", "syslog_identifier", "pathdog", 7);
    field_text(buffer, "PATHDOG_", "record", types[record->type].name,
               strlen(types[record->type].name));
    walk_record(buffer, FORM_JOURNAL, record, run);
}

size_t journal_split(const char *bytes, size_t n_bytes, struct iovec *ret_fields,
                     size_t n_fields_max)
{
    size_t n = 0;

    for (size_t at = 0; at < n_bytes && n < n_fields_max; n++) {
        uint32_t length;

        memcpy(&length, bytes + at, sizeof(length));
        at += sizeof(length);
        ret_fields[n] = (struct iovec){.iov_base = (char *)bytes + at, length};
        at += length;
    }
    return n;
}
