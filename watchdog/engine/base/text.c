/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared immutable strings, evidence and reasons, counted. One thread, so the
 * counts are plain.
 */
#include "text.h"

#include "../../util/util.h"

struct text *text_new(const char *s)
{
    struct text *text;
    size_t length;

    if (!s)
        return NULL;
    length = strlen(s);
    text = memory_check(malloc(sizeof(*text) + length + 1));
    text->refs = 1;
    text->length = (uint32_t)length;
    memcpy(text->s, s, length + 1);
    return text;
}

struct text *text_ref(struct text *text)
{
    if (text)
        text->refs++;
    return text;
}

struct text *text_unref(struct text *text)
{
    if (text && --text->refs == 0)
        free(text);
    return NULL;
}

struct destination *destination_ref(struct destination *destination)
{
    if (destination)
        destination->refs++;
    return destination;
}

struct destination *destination_unref(struct destination *destination)
{
    if (destination && --destination->refs == 0) {
        text_unref(destination->uplink);
        text_unref(destination->target);
        text_unref(destination->interface);
        text_unref(destination->choice);
        free(destination);
    }
    return NULL;
}

/* One block: the fields, then their strings. */
struct evidence *evidence_new(const struct pd_field *fields, size_t n_fields)
{
    struct evidence *evidence;
    size_t size = sizeof(*evidence) + n_fields * sizeof(*fields);
    char *end;

    if (n_fields == 0)
        return NULL;
    for (size_t i = 0; i < n_fields; i++)
        size += strlen(fields[i].name) + 1 + (fields[i].text ? strlen(fields[i].text) + 1 : 0);
    evidence = memory_check(malloc(size));
    evidence->refs = 1;
    evidence->n_fields = (uint32_t)n_fields;
    end = (char *)(evidence->fields + n_fields);
    for (size_t i = 0; i < n_fields; i++) {
        struct pd_field *field = &evidence->fields[i];

        *field = fields[i];
        field->name = end;
        end = stpcpy(end, fields[i].name) + 1;
        if (fields[i].text) {
            field->text = end;
            end = stpcpy(end, fields[i].text) + 1;
        }
    }
    return evidence;
}

struct evidence *evidence_ref(struct evidence *evidence)
{
    if (evidence)
        evidence->refs++;
    return evidence;
}

struct evidence *evidence_unref(struct evidence *evidence)
{
    if (evidence && --evidence->refs == 0)
        free(evidence);
    return NULL;
}

bool evidence_equal(const struct evidence *evidence, const struct pd_field *fields, size_t n_fields)
{
    if (!evidence)
        return n_fields == 0;
    if (evidence->n_fields != n_fields)
        return false;
    for (size_t i = 0; i < n_fields; i++) {
        const struct pd_field *have = &evidence->fields[i];

        if (have->number != fields[i].number || strcmp(have->name, fields[i].name) != 0 ||
            !string_equal(have->text, fields[i].text))
            return false;
    }
    return true;
}

struct reason *reason_new(const char *trigger, enum reason_by by, const struct pd_advice *advice)
{
    struct reason *reason = memory_new(1, sizeof(*reason));

    reason->refs = 1;
    reason->kind = advice->kind;
    reason->by = by;
    reason->no_target = advice->no_target;
    reason->trigger = trigger;
    reason->cause = advice->cause;
    reason->text = text_new(advice->reason);
    reason->evidence = evidence_new(advice->evidence, advice->n_evidence);
    reason->interface = string_copy(advice->interface);
    reason->local = string_copy(advice->local);
    reason->via = string_copy(advice->via);
    return reason;
}

struct reason *reason_again(const struct reason *reason, uint64_t cause, struct text *text)
{
    struct reason *copy = memory_new(1, sizeof(*copy));

    *copy = *reason;
    copy->refs = 1;
    copy->cause = cause;
    copy->text = text_ref(text ? text : reason->text);
    copy->evidence = evidence_ref(reason->evidence);
    copy->interface = string_copy(reason->interface);
    copy->local = string_copy(reason->local);
    copy->via = string_copy(reason->via);
    return copy;
}

struct reason *reason_repeated(const struct reason *reason)
{
    struct reason *repeated = memory_new(1, sizeof(*repeated));

    *repeated = *reason;
    repeated->refs = 1;
    repeated->repeated = true;
    text_ref(repeated->text);
    evidence_ref(repeated->evidence);
    repeated->interface = string_copy(reason->interface);
    repeated->local = string_copy(reason->local);
    repeated->via = string_copy(reason->via);
    return repeated;
}

struct reason *reason_ref(struct reason *reason)
{
    if (reason)
        reason->refs++;
    return reason;
}

struct reason *reason_unref(struct reason *reason)
{
    if (!reason || --reason->refs > 0)
        return NULL;
    text_unref(reason->text);
    evidence_unref(reason->evidence);
    free(reason->interface);
    free(reason->local);
    free(reason->via);
    free(reason);
    return NULL;
}

bool reason_proves(const struct reason *reason, const char *proof)
{
    const struct evidence *evidence = reason->evidence;

    for (uint32_t i = 0; evidence && i < evidence->n_fields; i++)
        if (!strcmp(evidence->fields[i].name, "proof"))
            return string_equal(evidence->fields[i].text, proof);
    return false;
}

bool reason_equal(const struct reason *reason, const char *trigger, enum reason_by by,
                  const struct pd_advice *advice)
{
    return reason->trigger == trigger && reason->by == by && reason->kind == advice->kind &&
           reason->cause == advice->cause && reason->no_target == advice->no_target &&
           strcmp(reason->text->s, advice->reason) == 0 &&
           evidence_equal(reason->evidence, advice->evidence, advice->n_evidence) &&
           string_equal(reason->interface, advice->interface) &&
           string_equal(reason->local, advice->local) && string_equal(reason->via, advice->via);
}
