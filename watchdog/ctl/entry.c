/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way back of watchdog/out/format.c: which members each kind of record has,
 * and what is made of the text that the journal keeps of them.
 */
#include "entry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../util/printable.h"
#include "../util/util.h"

#define PREFIX   "PATHDOG_"
#define TEXT_MAX 65536u

enum shape {
    TEXT,
    TEXT_OR_NULL,
    TEXT_IF_GIVEN,
    NUMBER,
    NUMBER_OR_NULL,
    NUMBER_IF_GIVEN,
    BOOL_OR_NULL,
    EVIDENCE, /* an object of all fields that begin so */
    VERDICTS, /* likewise, of numbers */
    ERROR,    /* an object of two fields, or null */
};

struct member {
    const char *name;
    enum shape shape;
};

static const struct member decision_members[] = {
    {"time_us", NUMBER},
    {"run", TEXT},
    {"decision", NUMBER},
    {"cause", NUMBER_OR_NULL},
    {"peer", TEXT},
    {"conn", NUMBER},
    {"trigger", TEXT},
    {"kind", TEXT},
    {"by", TEXT},
    {"reason", TEXT_OR_NULL},
    {"evidence", EVIDENCE},
    {"verdict", TEXT},
    {"uplink", TEXT_IF_GIVEN},
    {"target", TEXT_IF_GIVEN},
    {"choice", TEXT_IF_GIVEN},
    {"into", NUMBER_IF_GIVEN},
    {"repeats", NUMBER_IF_GIVEN},
    {"request", NUMBER_IF_GIVEN},
    {"attempt", NUMBER_IF_GIVEN},
    {"timeout_ms", NUMBER_IF_GIVEN},
    {NULL, TEXT},
};
static const struct member outcome_members[] = {
    {"time_us", NUMBER},
    {"run", TEXT},
    {"decision", NUMBER},
    {"request", NUMBER},
    {"attempt", NUMBER},
    {"peer", TEXT},
    {"conn", NUMBER},
    {"by", TEXT},
    {"outcome", TEXT},
    {"validated", BOOL_OR_NULL},
    {"elapsed_us", NUMBER},
    {"local_before", TEXT_OR_NULL},
    {"local_after", TEXT_OR_NULL},
    {"target", TEXT_IF_GIVEN},
    {"conn_new", NUMBER_OR_NULL},
    {"error", ERROR},
    {NULL, TEXT},
};
static const struct member effect_members[] = {
    {"time_us", NUMBER},
    {"run", TEXT},
    {"decision", NUMBER},
    {"peer", TEXT},
    {"conn", NUMBER},
    {"effect", TEXT},
    {"rtt_before_us", NUMBER_OR_NULL},
    {"rtt_after_us", NUMBER_OR_NULL},
    {"samples_before", NUMBER},
    {"samples_after", NUMBER},
    {NULL, TEXT},
};
static const struct member cause_members[] = {
    {"time_us", NUMBER},
    {"run", TEXT},
    {"cause", NUMBER},
    {"trigger", TEXT},
    {"reason", TEXT_OR_NULL},
    {"peers", NUMBER},
    {"advised", NUMBER},
    {"verdicts", VERDICTS},
    {NULL, TEXT},
};
static const struct member node_members[] = {
    {"time_us", NUMBER},
    {"run", TEXT},
    {"state", TEXT},
    {"node", TEXT_OR_NULL},
    {"implementation", TEXT_OR_NULL},
    {"boot", TEXT_OR_NULL},
    {"reason", TEXT_OR_NULL},
    {NULL, TEXT},
};
static const struct member peer_members[] = {
    {"time_us", NUMBER}, {"run", TEXT},  {"state", TEXT},          {"peer", TEXT},
    {"conn", NUMBER},    {"role", TEXT}, {"reason", TEXT_OR_NULL}, {NULL, TEXT},
};
static const struct member uplink_members[] = {
    {"time_us", NUMBER},         {"run", TEXT},    {"uplink", TEXT_OR_NULL},
    {"interface", TEXT_OR_NULL}, {"change", TEXT}, {"reason", TEXT_OR_NULL},
    {"peers", NUMBER},           {NULL, TEXT},
};
static const struct member notice_members[] = {
    {"time_us", NUMBER},    {"run", TEXT},     {"level", TEXT}, {"what", TEXT_OR_NULL},
    {"text", TEXT_OR_NULL}, {"count", NUMBER}, {NULL, TEXT},
};

static const struct {
    const char *name;
    const struct member *members;
} kinds[] = {
    {"decision", decision_members}, {"outcome", outcome_members}, {"effect", effect_members},
    {"cause", cause_members},       {"node", node_members},       {"peer", peer_members},
    {"uplink", uplink_members},     {"notice", notice_members},
};

static bool is_named(const struct entry_field *field, const char *name)
{
    return strlen(name) == field->n_name && !memcmp(name, field->name, field->n_name);
}

const struct entry_field *entry_find(const struct entry_field *fields, size_t n_fields,
                                     const char *name)
{
    for (size_t i = 0; i < n_fields; i++)
        if (is_named(&fields[i], name))
            return &fields[i];
    return NULL;
}

/* The field of a member: "rtt_before_us" → PATHDOG_RTT_BEFORE_US. */
static const struct entry_field *field_of(const struct entry_field *fields, size_t n_fields,
                                          const char *member)
{
    char name[64] = PREFIX;
    size_t at = strlen(PREFIX);

    for (; *member && at + 1 < sizeof(name); member++)
        name[at++] = (char)(*member >= 'a' && *member <= 'z' ? *member - 'a' + 'A' : *member);
    name[at] = '\0';
    return entry_find(fields, n_fields, name);
}

/* Anybody may write to the journal: what is no UTF-8 is made so, and what is too long is cut. */
static json_t *text_value(const struct entry_field *field)
{
    json_t *text = field->n_value <= TEXT_MAX ? json_stringn(field->value, field->n_value) : NULL;
    CLEANUP_FREE char *clean = NULL;
    size_t n;

    if (text)
        return text;
    n = min_u64(PRINTABLE_GROWTH * field->n_value, TEXT_MAX) + 8;
    clean = memory_new(n, 1);
    return json_stringn(clean, text_printable(clean, n, field->value, field->n_value));
}

/* NULL: it is no whole number, or not written as one. */
static json_t *number_value(const struct entry_field *field)
{
    char text[24], *end;
    long long number;

    if (!field->n_value || field->n_value >= sizeof(text))
        return NULL;
    memcpy(text, field->value, field->n_value);
    text[field->n_value] = '\0';
    if ((*text < '0' || *text > '9') && *text != '-')
        return NULL;
    if (*text == '0' && text[1])
        return NULL;
    errno = 0;
    number = strtoll(text, &end, 10);
    return errno || end == text || *end ? NULL : json_integer(number);
}

static json_t *bool_value(const struct entry_field *field)
{
    if (field->n_value == 4 && !memcmp(field->value, "true", 4))
        return json_true();
    return field->n_value == 5 && !memcmp(field->value, "false", 5) ? json_false() : NULL;
}

/* All fields that begin so; their names end in what comes after it, in small letters. */
static json_t *object_value(const struct entry_field *fields, size_t n_fields, const char *prefix,
                            char underscore, bool numbers)
{
    size_t n_prefix = strlen(prefix);
    json_t *object = json_object();

    for (size_t i = 0; i < n_fields; i++) {
        char name[64];
        json_t *value;
        size_t n = 0;

        if (fields[i].n_name <= n_prefix || memcmp(fields[i].name, prefix, n_prefix) != 0)
            continue;
        for (size_t at = n_prefix; at < fields[i].n_name && n + 1 < sizeof(name); at++) {
            char c = fields[i].name[at];

            name[n++] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c == '_' ? underscore : c);
        }
        name[n] = '\0';
        value = number_value(&fields[i]);
        if (!value && !numbers)
            value = text_value(&fields[i]);
        json_object_set_new(object, name, value);
    }
    return object;
}

static json_t *error_value(const struct entry_field *fields, size_t n_fields)
{
    const struct entry_field *code = entry_find(fields, n_fields, PREFIX "ERROR_CODE");
    const struct entry_field *message = entry_find(fields, n_fields, PREFIX "ERROR_MESSAGE");

    if (!code)
        return json_null();
    return json_pack("{s:o,s:o}", "code", number_value(code), "message",
                     message ? text_value(message) : json_null());
}

/* NULL: it must be there, and is not, or is none. */
static json_t *member_value(const struct member *member, const struct entry_field *fields,
                            size_t n_fields)
{
    const struct entry_field *field = field_of(fields, n_fields, member->name);

    switch (member->shape) {
    case TEXT:
    case TEXT_IF_GIVEN:
        return field ? text_value(field) : NULL;
    case TEXT_OR_NULL:
        return field ? text_value(field) : json_null();
    case NUMBER:
    case NUMBER_IF_GIVEN:
        return field ? number_value(field) : NULL;
    case NUMBER_OR_NULL:
        return field ? number_value(field) : json_null();
    case BOOL_OR_NULL:
        return field ? bool_value(field) : json_null();
    case EVIDENCE:
        return object_value(fields, n_fields, PREFIX "EVIDENCE_", '_', false);
    case VERDICTS:
        return object_value(fields, n_fields, PREFIX "VERDICTS_", '-', true);
    case ERROR:
        return error_value(fields, n_fields);
    }
    return NULL;
}

json_t *entry_record(const struct entry_field *fields, size_t n_fields)
{
    const struct entry_field *kind = entry_find(fields, n_fields, PREFIX "RECORD");
    const struct member *member = NULL;
    json_t *record;

    for (size_t i = 0; kind && i < ARRAY_SIZE(kinds); i++)
        if (strlen(kinds[i].name) == kind->n_value &&
            !memcmp(kinds[i].name, kind->value, kind->n_value))
            member = kinds[i].members;
    if (!member)
        return NULL;
    record = json_pack("{s:o}", "record", text_value(kind));
    for (; member->name; member++) {
        json_t *value = member_value(member, fields, n_fields);

        if (!value && (member->shape == NUMBER_IF_GIVEN || member->shape == TEXT_IF_GIVEN))
            continue;
        if (!value) {
            json_decref(record);
            return NULL;
        }
        json_object_set_new(record, member->name, value);
    }
    return record;
}
