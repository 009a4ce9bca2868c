/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of JSON that are built member by member. */
#include "object.h"
#include "../util/util.h"

static void made(int r)
{
    if (r < 0) /* it is the only reason that there can be */
        memory_out();
}

void object_set(sd_json_variant **object, const char *name, sd_json_variant *value)
{
    if (value)
        made(sd_json_variant_set_field(object, name, value));
}

void object_set_flag(sd_json_variant **object, const char *name, bool value)
{
    made(sd_json_variant_set_field_boolean(object, name, value));
}

void object_set_number(sd_json_variant **object, const char *name, uint64_t value)
{
    made(sd_json_variant_set_field_unsigned(object, name, value));
}

void object_set_text(sd_json_variant **object, const char *name, const char *value)
{
    made(sd_json_variant_set_field_string(object, name, value));
}

sd_json_variant *object_with(const char *name, sd_json_variant *value)
{
    sd_json_variant *object = NULL;

    object_set(&object, name, value);
    return object;
}

void array_add(sd_json_variant **array, sd_json_variant *value)
{
    made(sd_json_variant_append_array(array, value));
}
