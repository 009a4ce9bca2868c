/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Are the users and groups that the config names there, on this machine? Apart from
 * the parser, because a recording is replayed on other machines.
 */
#include <errno.h>

#include "../util/account.h"
#include "../util/format.h"
#include "config.h"

static bool is_number(const char *text)
{
    return *text && text[strspn(text, "0123456789")] == '\0';
}

/* `r` is what the look-up said. */
static int account_fail(int r, const char *place, const char *name, const char *kind,
                        char **ret_error)
{
    if (r == -ENOENT)
        return error_set(ret_error, -EINVAL, "%s: \"%.80s\": there is no such %s", place, name,
                         kind);
    return error_set(ret_error, r, "%s: \"%.80s\": the %s cannot be looked up: %s", place, name,
                     kind, strerrordesc_np(-r));
}

static int check_groups(const struct config_instance *instance, char **ret_error)
{
    for (size_t i = 0; i < instance->n_options; i++) {
        const struct pd_option *option = &instance->trigger->options[i];
        const struct config_origin *origin = &instance->origins[i];
        const char *group = instance->values[i].text;
        CLEANUP_FREE char *place = NULL;
        gid_t unused;
        int r = option->type == PD_OPTION_GROUP && group ? account_group(group, &unused) : 0;

        if (r == 0)
            continue;
        if (!origin->line)
            origin = &instance->section; /* the default is to blame */
        place = string_format("%s:%u: [trigger:%s] %s", origin->file, origin->line, instance->name,
                              option->name);
        return account_fail(r, place, group, "group", ret_error);
    }
    return 0;
}

int config_check_accounts(const struct config *config, char **ret_error)
{
    uid_t unused;
    int r = config->node_user && !is_number(config->node_user)
                ? account_user(config->node_user, &unused)
                : 0;

    if (r < 0) {
        CLEANUP_FREE char *place = config_place(config, "node_user");

        return account_fail(r, place, config->node_user, "user", ret_error);
    }
    for (size_t i = 0; i < config->n_instances; i++) {
        r = check_groups(&config->instances[i], ret_error);
        if (r < 0)
            return r;
    }
    return 0;
}
