/* SPDX-License-Identifier: Apache-2.0 */
/* Events → lines. Only appends to the buffer it is given. */
#include "../node/summaries.h"
#include "../util/utf8.h"
#include "codec.h"
#include "members.h"

static bool is_utf8(const char *text, size_t length)
{
    for (size_t at = 0, n; at < length; at += n) {
        n = utf8_length(text + at, length - at);
        if (!n)
            return false;
    }
    return true;
}

static void put_text(struct buffer *out, const char *text)
{
    size_t length = strlen(text);

    if (is_utf8(text, length)) {
        buffer_json(out, text, length);
        return;
    }
    buffer_text(out, "{\"hex\":\"");
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)text[i];
        char pair[2] = {"0123456789abcdef"[byte >> 4], "0123456789abcdef"[byte & 15]};

        buffer_append(out, pair, sizeof(pair));
    }
    buffer_text(out, "\"}");
}

static void put_u64(struct buffer *out, uint64_t value)
{
    bool quoted = value > INT64_MAX; /* JSON readers have no larger integer */

    buffer_append(out, "\"", quoted);
    buffer_u64(out, value);
    buffer_append(out, "\"", quoted);
}

static void put_bool(struct buffer *out, bool value)
{
    buffer_text(out, value ? "true" : "false");
}

static void put_name(struct buffer *out, const char *name)
{
    buffer_append(out, ",\"", 2);
    buffer_text(out, name);
    buffer_append(out, "\":", 2);
}

static void put_enum(struct buffer *out, const struct member_names *names, uint32_t value)
{
    if (value < names->count && names->names[value])
        put_text(out, names->names[value]);
    else
        buffer_u64(out, value);
}

static void put_features(struct buffer *out, uint32_t features)
{
    const char *separator = "";

    buffer_text(out, "[");
    for (size_t i = 0; i < feature_names.count; i++) {
        if (!(features & (1u << i)))
            continue;
        buffer_text(out, separator);
        put_text(out, feature_names.names[i]);
        separator = ",";
    }
    buffer_text(out, "]");
}

static void put_member(struct buffer *out, const struct member *member, const struct event *event)
{
    const char *at = (const char *)event + member->offset;
    union {
        const char *text;
        uint64_t u64;
        int64_t i64;
        uint32_t u32;
        bool boolean;
    } value = {0};

    switch (member->kind) {
    case MEMBER_TEXT:
    case MEMBER_OPTIONAL:
        memcpy(&value.text, at, sizeof(value.text));
        if (value.text) {
            put_name(out, member->name);
            put_text(out, value.text);
        }
        return;
    case MEMBER_U64:
        memcpy(&value.u64, at, sizeof(value.u64));
        put_name(out, member->name);
        put_u64(out, value.u64);
        return;
    case MEMBER_I64:
        memcpy(&value.i64, at, sizeof(value.i64));
        put_name(out, member->name);
        buffer_i64(out, value.i64);
        return;
    case MEMBER_BOOL:
        memcpy(&value.boolean, at, sizeof(value.boolean));
        put_name(out, member->name);
        put_bool(out, value.boolean);
        return;
    case MEMBER_U32:
    case MEMBER_ENUM:
    case MEMBER_FEATURES:
        memcpy(&value.u32, at, sizeof(value.u32));
        put_name(out, member->name);
        if (member->kind == MEMBER_U32)
            buffer_u64(out, value.u32);
        else if (member->kind == MEMBER_ENUM)
            put_enum(out, member->names, value.u32);
        else
            put_features(out, value.u32);
        return;
    }
}

static void put_fields(struct buffer *out, const struct event_signal *signal)
{
    put_name(out, "fields");
    buffer_text(out, "[");
    for (size_t i = 0; i < signal->n_fields; i++) {
        const struct pd_field *field = &signal->fields[i];

        buffer_text(out, i ? ",{\"name\":" : "{\"name\":");
        put_text(out, field->name);
        put_name(out, field->text ? "text" : "number");
        if (field->text)
            put_text(out, field->text);
        else
            put_u64(out, field->number);
        buffer_text(out, "}");
    }
    buffer_text(out, "]");
}

static void put_row(struct buffer *out, const struct sample_row *row, const enum pd_column *columns,
                    size_t n_columns)
{
    buffer_append(out, "[", 1);
    put_u64(out, row->conn);
    for (size_t i = 0; i < n_columns; i++) {
        uint64_t value = row->row.v[columns[i]];

        buffer_append(out, ",", 1);
        if (value == PD_UNKNOWN)
            buffer_append(out, "null", 4);
        else
            put_u64(out, value);
    }
    buffer_append(out, "]", 1);
}

static void put_samples(struct buffer *out, const struct event_samples *samples)
{
    enum pd_column columns[PD_COLUMN_COUNT];
    size_t n_columns = 0;

    put_name(out, "columns");
    buffer_text(out, "[");
    for (int i = 0; i < PD_COLUMN_COUNT; i++) {
        if (!(samples->columns & (1u << i)))
            continue;
        buffer_text(out, n_columns ? "," : "");
        put_text(out, column_name((enum pd_column)i));
        columns[n_columns++] = (enum pd_column)i;
    }
    buffer_text(out, "]");
    put_name(out, "rows");
    buffer_text(out, "[");
    for (size_t i = 0; i < samples->n_rows; i++) {
        buffer_text(out, i ? "," : "");
        put_row(out, &samples->rows[i], columns, n_columns);
    }
    buffer_text(out, "]");
}

void event_encode(struct buffer *out, const struct event *event)
{
    const struct event_format *format = event_format(event->type);

    if (!format)
        return;
    buffer_text(out, "{\"t\":");
    put_u64(out, event->now_us);
    put_name(out, "rt");
    put_u64(out, event->realtime_us);
    put_name(out, "event");
    put_text(out, format->name);
    for (const struct member *member = format->members; member->name; member++)
        put_member(out, member, event);
    if (event->type == EVENT_SIGNAL)
        put_fields(out, &event->signal);
    else if (event->type == EVENT_SAMPLES)
        put_samples(out, &event->samples);
    buffer_text(out, "}\n");
}

void header_encode(struct buffer *out, const struct recording_header *header)
{
    buffer_text(out, "{\"pathdog\":\"recording\",\"version\":");
    buffer_u64(out, RECORDING_VERSION);
    put_name(out, "run");
    put_text(out, header->run);
    put_name(out, "started_us");
    put_u64(out, header->started_us);
    put_name(out, "realtime_us");
    put_u64(out, header->realtime_us);
    put_name(out, "config");
    put_text(out, header->config);
    buffer_text(out, "}\n");
}
