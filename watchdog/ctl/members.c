/* SPDX-License-Identifier: Apache-2.0 */
/* Members of what the daemon answers, as a terminal may show them. Pure. */
#include "members.h"

#include <string.h>

#include "../util/printable.h"
#include "../util/util.h"

#define CLEAN_SIZE 4096u

const char *clean(const char *text, size_t length)
{
    static char copies[16][CLEAN_SIZE];
    static unsigned next;
    char *copy;

    if (text_is_shown(text, length))
        return text;
    copy = copies[next++ % ARRAY_SIZE(copies)];
    text_printable(copy, CLEAN_SIZE, text, length);
    return copy;
}

const char *text_of(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    const char *text = json_string_value(value);

    return text ? clean(text, json_string_length(value)) : "-";
}

const char *text_at(const json_t *array, size_t place)
{
    const json_t *value = json_array_get(array, place);
    const char *text = json_string_value(value);

    return text ? clean(text, json_string_length(value)) : "-";
}

uint64_t number_of(const json_t *object, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(object, name));
}

bool flag_of(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}

bool has(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    return value && !json_is_null(value);
}

const char *span_at(char out[DURATION_SIZE], const json_t *object, const char *name)
{
    return has(object, name) ? duration_text(out, number_of(object, name)) : "-";
}
