/* SPDX-License-Identifier: Apache-2.0 */
/* Values of options, copied with their texts. */
#include "values.h"

#include "../../util/util.h"

static size_t count_options(const struct pd_trigger *trigger)
{
    size_t count = 0;

    while (trigger->options && trigger->options[count].name)
        count++;
    return count;
}

struct pd_value *values_copy(const struct pd_trigger *trigger, const struct pd_value *values)
{
    size_t count = count_options(trigger);
    struct pd_value *copy = memory_new(count, sizeof(*copy));

    for (size_t i = 0; i < count; i++) {
        copy[i] = values[i];
        copy[i].text = string_copy(values[i].text);
    }
    return copy;
}

struct pd_value *values_free(const struct pd_trigger *trigger, struct pd_value *values)
{
    for (size_t i = 0; i < count_options(trigger); i++)
        free((char *)values[i].text);
    free(values);
    return NULL;
}

bool values_equal(const struct pd_trigger *trigger, const struct pd_value *a,
                  const struct pd_value *b)
{
    for (size_t i = 0; i < count_options(trigger); i++)
        if (a[i].number != b[i].number || a[i].given != b[i].given ||
            !string_equal(a[i].text, b[i].text))
            return false;
    return true;
}
