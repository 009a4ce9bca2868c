/* SPDX-License-Identifier: Apache-2.0 */
/* Events → lines. Only appends to the buffer it is given. */
#include "../engine/base/names.h"
#include "../node/summaries.h"
#include "codec.h"
#include "learnt-text.h"
#include "members.h"
#include "values.h"

static void put_enum(struct buffer *out, const struct member_names *names, uint32_t value)
{
    if (value < names->count && names->names[value])
        encode_text(out, names->names[value]);
    else
        buffer_u64(out, value);
}

static void put_features(struct buffer *out, uint32_t features)
{
    const char *separator = "";

    buffer_text(out, "[");
    for (size_t i = 0; i < FEATURE_COUNT; i++) {
        if (!(features & (1u << i)))
            continue;
        buffer_text(out, separator);
        encode_text(out, feature_names[i]);
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
            encode_name(out, member->name);
            encode_text(out, value.text);
        }
        return;
    case MEMBER_U64:
        memcpy(&value.u64, at, sizeof(value.u64));
        encode_name(out, member->name);
        encode_u64(out, value.u64);
        return;
    case MEMBER_I64:
        memcpy(&value.i64, at, sizeof(value.i64));
        encode_name(out, member->name);
        buffer_i64(out, value.i64);
        return;
    case MEMBER_BOOL:
        memcpy(&value.boolean, at, sizeof(value.boolean));
        encode_name(out, member->name);
        encode_bool(out, value.boolean);
        return;
    case MEMBER_U32:
    case MEMBER_ENUM:
    case MEMBER_FEATURES:
        memcpy(&value.u32, at, sizeof(value.u32));
        encode_name(out, member->name);
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
    encode_name(out, "fields");
    buffer_text(out, "[");
    for (size_t i = 0; i < signal->n_fields; i++) {
        const struct pd_field *field = &signal->fields[i];

        buffer_text(out, i ? ",{\"name\":" : "{\"name\":");
        encode_text(out, field->name);
        encode_name(out, field->text ? "text" : "number");
        if (field->text)
            encode_text(out, field->text);
        else
            encode_u64(out, field->number);
        buffer_text(out, "}");
    }
    buffer_text(out, "]");
}

static void put_row(struct buffer *out, const struct sample_row *row, const enum pd_column *columns,
                    size_t n_columns)
{
    buffer_append(out, "[", 1);
    encode_u64(out, row->conn);
    for (size_t i = 0; i < n_columns; i++) {
        uint64_t value = row->row.v[columns[i]];

        buffer_append(out, ",", 1);
        if (value == PD_UNKNOWN)
            buffer_append(out, "null", 4);
        else
            encode_u64(out, value);
    }
    buffer_append(out, "]", 1);
}

static void put_samples(struct buffer *out, const struct event_samples *samples)
{
    enum pd_column columns[PD_COLUMN_COUNT];
    size_t n_columns = 0;

    encode_name(out, "columns");
    buffer_text(out, "[");
    for (int i = 0; i < PD_COLUMN_COUNT; i++) {
        if (!(samples->columns & (1u << i)))
            continue;
        buffer_text(out, n_columns ? "," : "");
        encode_text(out, column_name((enum pd_column)i));
        columns[n_columns++] = (enum pd_column)i;
    }
    buffer_text(out, "]");
    encode_name(out, "rows");
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
    encode_u64(out, event->now_us);
    encode_name(out, "rt");
    encode_u64(out, event->realtime_us);
    encode_name(out, "event");
    encode_text(out, format->name);
    for (const struct member *member = format->members; member->name; member++)
        put_member(out, member, event);
    if (event->type == EVENT_SIGNAL)
        put_fields(out, &event->signal);
    else if (event->type == EVENT_SAMPLES)
        put_samples(out, &event->samples);
    else if (event->type == EVENT_RESTORE) {
        encode_name(out, "learnt");
        learnt_encode(out, &event->restore);
    }
    buffer_text(out, "}\n");
}

void header_encode(struct buffer *out, const struct recording_header *header)
{
    buffer_text(out, "{\"pathdog\":\"recording\",\"version\":");
    buffer_u64(out, RECORDING_VERSION);
    encode_name(out, "run");
    encode_text(out, header->run);
    encode_name(out, "started_us");
    encode_u64(out, header->started_us);
    encode_name(out, "realtime_us");
    encode_u64(out, header->realtime_us);
    encode_name(out, "config");
    encode_text(out, header->config);
    buffer_text(out, "}\n");
}
