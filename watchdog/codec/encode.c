/* SPDX-License-Identifier: Apache-2.0 */
/* Events → lines. Only appends to the buffer it is given. */
#include "../engine/base/names.h"
#include "../node/summaries.h"
#include "codec.h"
#include "learnt-text.h"
#include "members.h"
#include "values.h"

static void put_enum(struct buffer *out, const struct member *member, uint32_t value)
{
    const struct member_names *names = member->names;

    if (value < names->count && names->names[value])
        put_text(out, member->name, names->names[value]);
    else
        put_u64(out, member->name, value);
}

static void put_features(struct buffer *out, const char *name, uint32_t features)
{
    put_open(out, name, "[");
    for (size_t i = 0; i < FEATURE_COUNT; i++)
        if (features & (1u << i))
            put_text(out, NULL, feature_names[i]);
    put_close(out, "]");
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
        if (value.text)
            encode_text(out, member->name, value.text);
        return;
    case MEMBER_U64:
        memcpy(&value.u64, at, sizeof(value.u64));
        encode_u64(out, member->name, value.u64);
        return;
    case MEMBER_I64:
        memcpy(&value.i64, at, sizeof(value.i64));
        put_name(out, member->name);
        buffer_i64(out, value.i64);
        return;
    case MEMBER_FLAG:
    case MEMBER_BOOL:
        memcpy(&value.boolean, at, sizeof(value.boolean));
        if (member->kind == MEMBER_BOOL || value.boolean)
            put_bool(out, member->name, value.boolean);
        return;
    case MEMBER_U32:
    case MEMBER_ENUM:
    case MEMBER_FEATURES:
        memcpy(&value.u32, at, sizeof(value.u32));
        if (member->kind == MEMBER_U32)
            put_u64(out, member->name, value.u32);
        else if (member->kind == MEMBER_ENUM)
            put_enum(out, member, value.u32);
        else
            put_features(out, member->name, value.u32);
        return;
    }
}

static void put_fields(struct buffer *out, const struct event_signal *signal)
{
    put_open(out, "fields", "[");
    for (size_t i = 0; i < signal->n_fields; i++) {
        const struct pd_field *field = &signal->fields[i];

        put_open(out, NULL, "{");
        encode_text(out, "name", field->name);
        if (field->text)
            encode_text(out, "text", field->text);
        else
            encode_u64(out, "number", field->number);
        put_close(out, "}");
    }
    put_close(out, "]");
}

static void put_row(struct buffer *out, const struct sample_row *row, const enum pd_column *columns,
                    size_t n_columns)
{
    put_open(out, NULL, "[");
    encode_u64(out, NULL, row->conn);
    for (size_t i = 0; i < n_columns; i++) {
        uint64_t value = row->row.v[columns[i]];

        if (value == PD_UNKNOWN)
            put_null(out, NULL);
        else
            encode_u64(out, NULL, value);
    }
    put_close(out, "]");
}

static void put_samples(struct buffer *out, const struct event_samples *samples)
{
    enum pd_column columns[PD_COLUMN_COUNT];
    size_t n_columns = 0;

    put_open(out, "columns", "[");
    for (int i = 0; i < PD_COLUMN_COUNT; i++) {
        if (!(samples->columns & (1u << i)))
            continue;
        put_text(out, NULL, column_name((enum pd_column)i));
        columns[n_columns++] = (enum pd_column)i;
    }
    put_close(out, "]");
    put_open(out, "rows", "[");
    for (size_t i = 0; i < samples->n_rows; i++)
        put_row(out, &samples->rows[i], columns, n_columns);
    put_close(out, "]");
}

static void put_interfaces(struct buffer *out, const struct event_interfaces *interfaces)
{
    put_open(out, "interfaces", "[");
    for (size_t i = 0; i < interfaces->n; i++) {
        const struct event_interface *interface = &interfaces->list[i];

        put_open(out, NULL, "{");
        encode_text(out, "name", interface->name);
        encode_text(out, "addresses", interface->addresses);
        put_bool(out, "carrier", interface->carrier);
        put_bool(out, "modem", interface->modem);
        put_bool(out, "route4", interface->route4);
        put_bool(out, "route6", interface->route6);
        put_close(out, "}");
    }
    put_close(out, "]");
}

static void put_relays(struct buffer *out, const struct event_relays *relays)
{
    put_open(out, "relays", "[");
    for (size_t i = 0; i < relays->n; i++) {
        put_open(out, NULL, "{");
        encode_text(out, "relay", relays->list[i].name);
        encode_text(out, "address", relays->list[i].address);
        encode_text(out, "speaks", relays->list[i].speaks);
        put_close(out, "}");
    }
    put_close(out, "]");
}

void event_encode(struct buffer *out, const struct event *event)
{
    const struct event_format *format = event_format(event->type);

    if (!format)
        return;
    buffer_text(out, "{");
    encode_u64(out, "t", event->now_us);
    encode_u64(out, "rt", event->realtime_us);
    encode_text(out, "event", format->name);
    for (const struct member *member = format->members; member->name; member++)
        put_member(out, member, event);
    if (event->type == EVENT_SIGNAL)
        put_fields(out, &event->signal);
    else if (event->type == EVENT_SAMPLES)
        put_samples(out, &event->samples);
    else if (event->type == EVENT_INTERFACES)
        put_interfaces(out, &event->interfaces);
    else if (event->type == EVENT_RELAYS)
        put_relays(out, &event->relays);
    else if (event->type == EVENT_RESTORE) {
        put_name(out, "learnt");
        learnt_encode(out, &event->restore);
    }
    buffer_text(out, "}\n");
}

void header_encode(struct buffer *out, const struct recording_header *header)
{
    buffer_text(out, "{");
    put_text(out, "pathdog", "recording");
    put_u64(out, "version", RECORDING_VERSION);
    encode_text(out, "run", header->run);
    encode_u64(out, "started_us", header->started_us);
    encode_u64(out, "realtime_us", header->realtime_us);
    encode_text(out, "config", header->config);
    buffer_text(out, "}\n");
}
