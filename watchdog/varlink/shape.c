/* SPDX-License-Identifier: Apache-2.0 */
#include "shape.h"

#include <errno.h>

#include "../util/util.h"

#define FIELDS_MAX 96u

const char *text_of(sd_json_variant *object, const char *name)
{
    sd_json_variant *value = sd_json_variant_by_key(object, name);

    return sd_json_variant_is_string(value) ? sd_json_variant_string(value) : "";
}

uint64_t number_of(sd_json_variant *object, const char *name)
{
    sd_json_variant *value = sd_json_variant_by_key(object, name);

    return sd_json_variant_is_unsigned(value) ? sd_json_variant_unsigned(value) : 0;
}

sd_json_variant *member(sd_json_variant *object, const char *name)
{
    sd_json_variant *value = sd_json_variant_by_key(object, name);

    return sd_json_variant_is_null(value) ? NULL : value;
}

static bool is_word(const sd_varlink_symbol *symbol, sd_json_variant *value)
{
    if (!sd_json_variant_is_string(value))
        return false;
    for (const sd_varlink_field *field = symbol->fields; field->field_type; field++)
        if (field->field_type == SD_VARLINK_ENUM_VALUE &&
            !strcmp(field->name, sd_json_variant_string(value)))
            return true;
    return false;
}

static int keep(bool good, sd_json_variant *value, sd_json_variant **ret)
{
    if (!good)
        return -EINVAL;
    *ret = sd_json_variant_ref(value);
    return 0;
}

/* One value, not an array. Types do not contain themselves. */
static int shape_one(const sd_varlink_field *field, sd_json_variant *value, sd_json_variant **ret,
                     const char **ret_bad)
{
    switch (field->field_type) {
    case SD_VARLINK_BOOL:
        return keep(sd_json_variant_is_boolean(value), value, ret);
    case SD_VARLINK_INT:
        return keep(sd_json_variant_is_integer(value) || sd_json_variant_is_unsigned(value), value,
                    ret);
    case SD_VARLINK_STRING:
        return keep(sd_json_variant_is_string(value), value, ret);
    case SD_VARLINK_OBJECT:
        return keep(sd_json_variant_is_object(value), value, ret);
    case SD_VARLINK_NAMED_TYPE:
        if (field->symbol->symbol_type == SD_VARLINK_ENUM_TYPE)
            return keep(is_word(field->symbol, value), value, ret);
        return shape(field->symbol, SD_VARLINK_REGULAR, value, ret, ret_bad);
    default:
        return -EINVAL;
    }
}

static int shape_all(const sd_varlink_field *field, sd_json_variant *values, sd_json_variant **ret,
                     const char **ret_bad)
{
    size_t n = sd_json_variant_elements(values), made = 0;
    CLEANUP_FREE sd_json_variant **all = memory_new(n, sizeof(sd_json_variant *));
    int r = sd_json_variant_is_array(values) ? 0 : -EINVAL;

    for (; r == 0 && made < n; made += r == 0)
        r = shape_one(field, sd_json_variant_by_index(values, made), &all[made], ret_bad);
    if (r == 0)
        r = sd_json_variant_new_array(ret, all, n);
    while (made)
        sd_json_variant_unref(all[--made]);
    return r;
}

static int shape_field(const sd_varlink_field *field, sd_json_variant *value, sd_json_variant **ret,
                       const char **ret_bad)
{
    int r;

    *ret_bad = NULL;
    if (sd_json_variant_is_null(value))
        r = keep(field->field_flags & SD_VARLINK_NULLABLE, value, ret);
    else if (field->field_flags & SD_VARLINK_ARRAY)
        r = shape_all(field, value, ret, ret_bad);
    else
        r = shape_one(field, value, ret, ret_bad);
    if (r < 0 && !*ret_bad)
        *ret_bad = field->name;
    return r;
}

int shape(const sd_varlink_symbol *symbol, sd_varlink_field_direction_t direction,
          sd_json_variant *value, sd_json_variant **ret, const char **ret_bad)
{
    sd_json_variant *parts[2 * FIELDS_MAX];
    size_t n = 0;
    int r = 0;

    if (value && !sd_json_variant_is_object(value))
        return -EINVAL;
    for (const sd_varlink_field *field = symbol->fields; r == 0 && field->field_type; field++) {
        sd_json_variant *there;

        if (field->field_type == _SD_VARLINK_FIELD_COMMENT || field->field_direction != direction)
            continue;
        there = sd_json_variant_by_key(value, field->name);
        if (!there && field->field_flags & SD_VARLINK_NULLABLE)
            continue;
        if (!there) {
            *ret_bad = field->name;
            r = -EINVAL;
            break;
        }
        r = n + 2 > ARRAY_SIZE(parts) ? -E2BIG : sd_json_variant_new_string(&parts[n], field->name);
        if (r < 0)
            break;
        n++;
        r = shape_field(field, there, &parts[n], ret_bad);
        n += r == 0;
    }
    if (r == 0)
        r = sd_json_variant_new_object(ret, parts, n);
    while (n)
        sd_json_variant_unref(parts[--n]);
    return r < 0 ? r : 0;
}
