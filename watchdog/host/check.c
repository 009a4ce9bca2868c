/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is a descriptor fit to be used? Only looks at the tables; the rules are
 * those of include/pathdog/trigger.h. Pure.
 */
#include <errno.h>

#include "../config/value.h"
#include "../util/format.h"
#include "plugin.h"

/* [a-z][a-z0-9X]{0,31} */
static bool is_name(const char *name, char extra)
{
    size_t length = 0;

    if (!name || name[0] < 'a' || name[0] > 'z')
        return false;
    for (; name[length]; length++)
        if (length >= 32 ||
            !((name[length] >= 'a' && name[length] <= 'z') ||
              (name[length] >= '0' && name[length] <= '9') || name[length] == extra))
            return false;
    return length <= 32;
}

static int check_option(const struct pd_option *options, size_t i, char **ret_error)
{
    const struct pd_option *option = &options[i];
    CLEANUP_FREE char *wrong = NULL;
    struct pd_value value;

    if (!is_name(option->name, '_'))
        return error_set(ret_error, -EINVAL,
                         "option %zu is called \"%.40s\"; a name is "
                         "[a-z][a-z0-9_]{0,31}",
                         i + 1, option->name);
    if (!strcmp(option->name, "match") || !strcmp(option->name, "enabled"))
        return error_set(ret_error, -EINVAL, "option %s: the name is reserved for pathdog",
                         option->name);
    for (size_t j = 0; j < i; j++)
        if (!strcmp(options[j].name, option->name))
            return error_set(ret_error, -EINVAL, "option %s appears twice", option->name);
    if ((unsigned)option->type > PD_OPTION_MODE)
        return error_set(ret_error, -EINVAL, "option %s has the unknown type %u", option->name,
                         (unsigned)option->type);
    if (option->max && option->min > option->max)
        return error_set(ret_error, -EINVAL,
                         "option %s has an empty range: min %llu, max "
                         "%llu",
                         option->name, (unsigned long long)option->min,
                         (unsigned long long)option->max);
    if (!option->help)
        return error_set(ret_error, -EINVAL, "option %s has no help", option->name);
    if (option->default_text && option_parse(option, option->default_text, &value, &wrong) < 0)
        return error_set(ret_error, -EINVAL, "option %s has a bad default: %s", option->name,
                         wrong);
    return 0;
}

static int check_options(const struct pd_option *options, char **ret_error)
{
    for (size_t i = 0; options && options[i].name; i++) {
        int r = i < PLUGIN_OPTIONS_MAX
                    ? check_option(options, i, ret_error)
                    : error_set(ret_error, -EINVAL,
                                "more than %u options, or the list of options has no end",
                                PLUGIN_OPTIONS_MAX);

        if (r < 0)
            return r;
    }
    return 0;
}

int plugin_check(const struct pd_trigger *trigger, const char *name, char **ret_error)
{
    if (trigger->abi != PD_TRIGGER_ABI)
        return error_set(ret_error, -EINVAL, "was built for trigger ABI %u; this pathdog has %u",
                         trigger->abi, PD_TRIGGER_ABI);
    if (trigger->size < PD_TRIGGER_SIZE_MIN || trigger->size > sizeof(*trigger))
        return error_set(ret_error, -EINVAL,
                         "its descriptor has %u bytes; this pathdog takes %zu to %zu",
                         trigger->size, PD_TRIGGER_SIZE_MIN, sizeof(*trigger));
    if (!is_name(trigger->name, '-'))
        return error_set(ret_error, -EINVAL, "its name \"%.40s\" is not [a-z][a-z0-9-]{0,31}",
                         trigger->name ? trigger->name : "");
    if (strcmp(trigger->name, name) != 0)
        return error_set(ret_error, -EINVAL, "its name is %s, its file is called %s", trigger->name,
                         name);
    if (!trigger->summary)
        return error_set(ret_error, -EINVAL, "has no summary");
    if (trigger->instance_size > PLUGIN_INSTANCE_BYTES)
        return error_set(ret_error, -EINVAL, "wants %zu bytes per instance; at most %zu are given",
                         trigger->instance_size, PLUGIN_INSTANCE_BYTES);
    if (trigger->peer_size > PLUGIN_PEER_BYTES)
        return error_set(ret_error, -EINVAL, "wants %zu bytes per peer; at most %zu are given",
                         trigger->peer_size, PLUGIN_PEER_BYTES);
    return check_options(trigger->options, ret_error);
}

int plugin_check_source(const struct pd_source *source, char **ret_error)
{
    if (source->abi != PD_SOURCE_ABI)
        return error_set(ret_error, -EINVAL, "was built for source ABI %u; this pathdog has %u",
                         source->abi, PD_SOURCE_ABI);
    if (source->size != sizeof(*source))
        return error_set(ret_error, -EINVAL, "its source has %u bytes; this pathdog's has %zu",
                         source->size, sizeof(*source));
    if (!source->start || !source->stop)
        return error_set(ret_error, -EINVAL, "its source has no %s",
                         source->start ? "stop" : "start");
    return 0;
}
