/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines → events. A recording may have been edited by hand or cut off: every
 * member is checked. Members that are not known are ignored.
 */
#include <errno.h>

#include "../engine/base/names.h"
#include "../node/summaries.h"
#include "../util/hex.h"
#include "codec.h"
#include "learnt-text.h"
#include "members.h"
#include "samples-scan.h"
#include "values.h"

static int get_enum(const struct decoding *d, const json_t *value, const struct member *member,
                    uint32_t *ret)
{
    const struct member_names *names = member->names;

    for (uint32_t i = 0; i < names->count; i++) {
        if (json_is_integer(value) ? json_integer_value(value) == i
                                   : json_is_string(value) && names->names[i] &&
                                         !strcmp(json_string_value(value), names->names[i])) {
            *ret = i;
            return 0;
        }
    }
    return decoding_wrong(d, "\"%s\" has a value that is not allowed", member->name);
}

static int get_features(const struct decoding *d, const json_t *value, const char *name,
                        uint32_t *ret)
{
    const json_t *feature;
    size_t i;

    *ret = 0;
    if (!json_is_array(value))
        return decoding_wrong(d, "\"%s\" is not an array", name);
    json_array_foreach(value, i, feature)
    {
        uint32_t bit = 0;

        for (size_t n = 0; n < FEATURE_COUNT && json_is_string(feature); n++) {
            if (!strcmp(json_string_value(feature), feature_names[n]))
                bit = 1u << n;
        }
        if (!bit)
            return decoding_wrong(d, "\"%s\": entry %zu is unknown", name, i);
        *ret |= bit;
    }
    return 0;
}

/* ---- members ---- */

static int get_member(const struct decoding *d, const json_t *root, const struct member *member,
                      struct event *ret)
{
    const json_t *value = json_object_get(root, member->name);
    char *at = (char *)ret + member->offset;
    union {
        const char *text;
        uint64_t u64;
        int64_t i64;
        uint32_t u32;
        bool boolean;
    } got = {0};
    size_t size = sizeof(got.u32);
    int r = 0;

    if (!value && (member->kind == MEMBER_OPTIONAL || member->kind == MEMBER_FLAG))
        return 0;
    if (!value)
        return decoding_wrong(d, "\"%s\" is missing", member->name);
    switch (member->kind) {
    case MEMBER_TEXT:
    case MEMBER_OPTIONAL:
        r = decode_text(d, value, member->name, &got.text);
        size = sizeof(got.text);
        break;
    case MEMBER_U64:
        r = decode_u64(d, value, member->name, &got.u64);
        size = sizeof(got.u64);
        break;
    case MEMBER_U32:
        r = decode_u32(d, value, member->name, &got.u32);
        break;
    case MEMBER_I64:
        if (!json_is_integer(value))
            r = decoding_wrong(d, "\"%s\" is not an integer", member->name);
        got.i64 = json_integer_value(value);
        size = sizeof(got.i64);
        break;
    case MEMBER_BOOL:
    case MEMBER_FLAG:
        if (!json_is_boolean(value))
            r = decoding_wrong(d, "\"%s\" is not true or false", member->name);
        got.boolean = json_is_true(value);
        size = sizeof(got.boolean);
        break;
    case MEMBER_ENUM:
        r = get_enum(d, value, member, &got.u32);
        break;
    case MEMBER_FEATURES:
        r = get_features(d, value, member->name, &got.u32);
        break;
    }
    if (r == 0)
        memcpy(at, &got, size);
    return r;
}

static int get_fields(const struct decoding *d, const json_t *root, struct event_signal *ret)
{
    const json_t *list = json_object_get(root, "fields"), *entry;
    struct pd_field *fields;
    size_t i;

    if (!json_is_array(list))
        return decoding_wrong(d, "\"fields\" is not an array");
    fields = arena_new(d->arena, json_array_size(list), sizeof(*fields));
    json_array_foreach(list, i, entry)
    {
        const json_t *text = json_object_get(entry, "text");

        if (decode_text(d, json_object_get(entry, "name"), "name", &fields[i].name) ||
            (text ? decode_text(d, text, "text", &fields[i].text)
                  : decode_u64(d, json_object_get(entry, "number"), "number", &fields[i].number)))
            return -EBADMSG;
    }
    ret->fields = fields;
    ret->n_fields = json_array_size(list);
    return 0;
}

/* ---- samples ---- */

static int get_columns(const struct decoding *d, const json_t *list,
                       enum pd_column columns[static PD_COLUMN_COUNT], uint32_t *ret)
{
    const json_t *name;
    size_t i;

    *ret = 0;
    json_array_foreach(list, i, name)
    {
        int column = json_is_string(name) ? column_find(json_string_value(name)) : -1;

        if (column < 0 || *ret & (1u << column))
            return decoding_wrong(d, "\"columns\": entry %zu is unknown, or appears twice", i);
        *ret |= 1u << column;
        columns[i] = (enum pd_column)column;
    }
    return 0;
}

static int get_row(const struct decoding *d, const json_t *list, const enum pd_column *columns,
                   size_t n_columns, struct sample_row *ret)
{
    if (json_array_size(list) != n_columns + 1)
        return decoding_wrong(d, "\"rows\": a row is not an array as long as the columns");
    if (decode_u64(d, json_array_get(list, 0), "rows", &ret->conn))
        return -EBADMSG;
    for (size_t i = 0; i < PD_COLUMN_COUNT; i++)
        ret->row.v[i] = PD_UNKNOWN;
    for (size_t i = 0; i < n_columns; i++) {
        const json_t *value = json_array_get(list, i + 1);

        if (!json_is_null(value) && decode_u64(d, value, "rows", &ret->row.v[columns[i]]))
            return -EBADMSG;
    }
    return 0;
}

static int get_samples(const struct decoding *d, const json_t *root, struct event_samples *ret)
{
    const json_t *list = json_object_get(root, "columns");
    const json_t *rows = json_object_get(root, "rows"), *row;
    enum pd_column columns[PD_COLUMN_COUNT];
    struct sample_row *samples;
    size_t i;

    if (!json_is_array(list) || !json_is_array(rows))
        return decoding_wrong(d, "\"columns\" or \"rows\" is not an array");
    if (get_columns(d, list, columns, &ret->columns))
        return -EBADMSG;
    samples = arena_new(d->arena, json_array_size(rows), sizeof(*samples));
    json_array_foreach(rows, i, row)
    {
        if (get_row(d, row, columns, json_array_size(list), &samples[i]))
            return -EBADMSG;
    }
    ret->rows = samples;
    ret->n_rows = json_array_size(rows);
    return 0;
}

static int get_interface(const struct decoding *d, const json_t *object,
                         struct event_interface *ret)
{
    const struct {
        const char *name;
        bool *at;
    } flags[] = {{"carrier", &ret->carrier},
                 {"modem", &ret->modem},
                 {"route4", &ret->route4},
                 {"route6", &ret->route6}};

    if (decode_text(d, json_object_get(object, "name"), "name", &ret->name) ||
        decode_text(d, json_object_get(object, "addresses"), "addresses", &ret->addresses))
        return -EBADMSG;
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
        const json_t *value = json_object_get(object, flags[i].name);

        if (!json_is_boolean(value))
            return decoding_wrong(d, "\"%s\" is not true or false", flags[i].name);
        *flags[i].at = json_is_true(value);
    }
    return 0;
}

static int get_interfaces(const struct decoding *d, const json_t *list,
                          struct event_interfaces *ret)
{
    struct event_interface *interfaces;
    const json_t *object;
    size_t i;

    if (!json_is_array(list))
        return decoding_wrong(d, "\"interfaces\" is not an array");
    interfaces = arena_new(d->arena, json_array_size(list), sizeof(*interfaces));
    json_array_foreach(list, i, object)
    {
        if (get_interface(d, object, &interfaces[i]))
            return -EBADMSG;
    }
    *ret = (struct event_interfaces){interfaces, json_array_size(list)};
    return 0;
}

/* The key is already there: what is not one could not be read by the engine. */
static int get_relays(const struct decoding *d, const json_t *list, struct event_relays *ret)
{
    struct pd_relay *relays;
    const json_t *object;
    size_t i;

    if (ret->key && !hex_is_bytes(ret->key, strlen(ret->key), RELAY_KEY_MAX))
        return decoding_wrong(d, "\"key\" is not an even number of hexadecimal digits, 2 to %u",
                              2 * RELAY_KEY_MAX);
    if (!json_is_array(list) || json_array_size(list) > RELAYS_MAX)
        return decoding_wrong(d, "\"relays\" is not an array of at most %u", RELAYS_MAX);
    relays = arena_new(d->arena, json_array_size(list), sizeof(*relays));
    json_array_foreach(list, i, object)
    {
        if (decode_text(d, json_object_get(object, "relay"), "relay", &relays[i].name) ||
            decode_text(d, json_object_get(object, "address"), "address", &relays[i].address) ||
            decode_text(d, json_object_get(object, "speaks"), "speaks", &relays[i].speaks))
            return -EBADMSG;
    }
    ret->list = relays;
    ret->n = json_array_size(list);
    return 0;
}

/* ---- lines ---- */

static int get_event(const struct decoding *d, const json_t *root, struct event *ret)
{
    const char *name = json_string_value(json_object_get(root, "event"));
    const struct event_format *format = NULL;
    int r;

    for (int i = 0; i < EVENT_TYPE_COUNT && name; i++) {
        if (strcmp(event_format((enum event_type)i)->name, name))
            continue;
        format = event_format((enum event_type)i);
        ret->type = (enum event_type)i;
    }
    if (!format)
        return decoding_wrong(d, "\"event\" is not a known event");
    if (decode_u64(d, json_object_get(root, "t"), "t", &ret->now_us) ||
        decode_u64(d, json_object_get(root, "rt"), "rt", &ret->realtime_us))
        return -EBADMSG;
    for (const struct member *member = format->members; member->name; member++) {
        r = get_member(d, root, member, ret);
        if (r < 0)
            return r;
    }
    if (ret->type == EVENT_SIGNAL)
        return get_fields(d, root, &ret->signal);
    if (ret->type == EVENT_INTERFACES)
        return get_interfaces(d, json_object_get(root, "interfaces"), &ret->interfaces);
    if (ret->type == EVENT_RELAYS)
        return get_relays(d, json_object_get(root, "relays"), &ret->relays);
    if (ret->type == EVENT_RESTORE)
        return learnt_decode(d, json_object_get(root, "learnt"), &ret->restore);
    return ret->type == EVENT_SAMPLES ? get_samples(d, root, &ret->samples) : 0;
}

static int get_header(const struct decoding *d, const json_t *root, struct recording_header *ret)
{
    const json_t *magic = json_object_get(root, "pathdog");
    const json_t *version = json_object_get(root, "version");

    if (!json_is_string(magic) || strcmp(json_string_value(magic), "recording"))
        return decoding_wrong(d, "this is not a recording of pathdog");
    if (!json_is_integer(version) || json_integer_value(version) != RECORDING_VERSION)
        return decoding_wrong(d, "a recording of another version; this pathdog reads version %d",
                              RECORDING_VERSION);
    if (decode_text(d, json_object_get(root, "run"), "run", &ret->run) ||
        decode_u64(d, json_object_get(root, "started_us"), "started_us", &ret->started_us) ||
        decode_u64(d, json_object_get(root, "realtime_us"), "realtime_us", &ret->realtime_us))
        return -EBADMSG;
    return decode_text(d, json_object_get(root, "config"), "config", &ret->config);
}

static int load(const struct decoding *d, const char *line, size_t length, json_t **ret)
{
    json_error_t error;

    *ret = json_loadb(line, length, JSON_ALLOW_NUL, &error);
    if (!*ret)
        return decoding_wrong(d, "byte %d: %s", error.position, error.text);
    if (json_is_object(*ret))
        return 0;
    json_decref(*ret);
    return decoding_wrong(d, "not an object");
}

int event_decode(const char *line, size_t length, struct arena *arena, struct event *ret,
                 char *error, size_t size)
{
    const struct decoding d = {.arena = arena, .error = error, .size = size};
    json_t *root;
    int r;

    if (samples_scan(line, length, arena, ret))
        return 0;
    r = load(&d, line, length, &root);
    memset(ret, 0, sizeof(*ret));
    if (r < 0)
        return r;
    r = get_event(&d, root, ret);
    json_decref(root);
    return r;
}

int header_decode(const char *line, size_t length, struct arena *arena,
                  struct recording_header *ret, char *error, size_t size)
{
    const struct decoding d = {.arena = arena, .error = error, .size = size};
    json_t *root;
    int r = load(&d, line, length, &root);

    *ret = (struct recording_header){0};
    if (r < 0)
        return r;
    r = get_header(&d, root, ret);
    json_decref(root);
    return r;
}
