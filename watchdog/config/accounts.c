/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Are the users and groups that the config names there, on this machine? Apart from
 * the parser, because a recording is replayed on other machines.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>

#include "../util/format.h"
#include "config.h"

static bool is_number(const char *text)
{
    return *text && text[strspn(text, "0123456789")] == '\0';
}

static int check_groups(const struct config_instance *instance, char **ret_error)
{
    for (size_t i = 0; i < instance->n_options; i++) {
        const struct pd_option *option = &instance->trigger->options[i];
        const struct config_origin *origin = &instance->origins[i];
        const char *group = instance->values[i].text;

        if (option->type != PD_OPTION_GROUP || !group || getgrnam(group))
            continue;
        if (!origin->line)
            origin = &instance->section; /* the default is to blame */
        return error_set(ret_error, -EINVAL,
                         "%s:%u: [trigger:%s] %s: \"%.80s\": there is no such group", origin->file,
                         origin->line, instance->name, option->name, group);
    }
    return 0;
}

int config_check_accounts(const struct config *config, char **ret_error)
{
    if (config->node_user && !is_number(config->node_user) && !getpwnam(config->node_user)) {
        CLEANUP_FREE char *place = config_place(config, "node_user");

        return error_set(ret_error, -EINVAL, "%s: \"%.80s\": there is no such user", place,
                         config->node_user);
    }
    for (size_t i = 0; i < config->n_instances; i++) {
        int r = check_groups(&config->instances[i], ret_error);

        if (r < 0)
            return r;
    }
    return 0;
}
