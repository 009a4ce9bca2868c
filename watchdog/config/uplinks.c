/* SPDX-License-Identifier: Apache-2.0 */
/* The sections [uplink:NAME]. Whether there is such an interface is nobody's fault: it may come. */
#include <errno.h>
#include <net/if.h>

#include "../engine/base/names.h"
#include "../util/format.h"
#include "../util/nearest.h"
#include "build.h"
#include "settings.h"

#define UPLINKS_MAX 64u

static const char *const keys[] = {"interface", "class"};

static bool is_interface(const char *name)
{
    return *name && strlen(name) < IF_NAMESIZE && !strpbrk(name, "/: \t") && strcmp(name, ".") &&
           strcmp(name, "..");
}

static int add(struct config *config, const struct ini_entry *entry, char **ret_error)
{
    const char *name = entry->section + strlen("uplink:");
    struct config_uplink *uplink = &config->uplinks[config->n_uplinks];

    if (!*name || strchr(name, ':'))
        return config_fail(entry, ret_error, -EINVAL,
                           string_copy("an uplink's section is [uplink:NAME]"));
    if (config->n_uplinks == UPLINKS_MAX)
        return config_fail(
            entry, ret_error, -EINVAL,
            string_format("is one uplink more than the %u that there may be", UPLINKS_MAX));
    *uplink = (struct config_uplink){
        .name = config_own(config, string_copy(name)),
        .section = config_origin_of(config, entry),
    };
    uplink->interface = uplink->name;
    config->n_uplinks++;
    return 0;
}

static int set_class(struct config *config, struct config_uplink *uplink,
                     const struct ini_entry *entry, char **ret_error)
{
    const char *nearest;
    size_t n = 0;

    for (; uplink_class_names[n]; n++)
        if (!strcmp(entry->value, uplink_class_names[n])) {
            uplink->class = (enum uplink_class)n;
            uplink->class_origin = config_origin_of(config, entry);
            return 0;
        }
    nearest = nearest_word(entry->value, uplink_class_names, n);
    return config_fail(entry, ret_error, -EINVAL,
                       string_format("\"%.80s\": allowed is primary, spare or metered%s%s%s",
                                     entry->value, nearest ? "; did you mean " : "",
                                     nearest ? nearest : "", nearest ? "?" : ""));
}

static int set(struct config *config, struct config_uplink *uplink, const struct ini_entry *entry,
               char **ret_error)
{
    if (!strcmp(entry->key, "class"))
        return set_class(config, uplink, entry, ret_error);
    if (strcmp(entry->key, "interface") != 0)
        return config_fail(entry, ret_error, -EINVAL,
                           config_unknown_key(entry->key, keys, ARRAY_SIZE(keys)));
    if (!is_interface(entry->value))
        return config_fail(entry, ret_error, -EINVAL,
                           string_format("\"%.80s\" is not the name of an interface: 1 to 15 bytes "
                                         "without \"/\", \":\" and blanks",
                                         entry->value));
    uplink->interface = config_own(config, string_copy(entry->value));
    uplink->interface_origin = config_origin_of(config, entry);
    return 0;
}

static struct config_uplink *find(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->n_uplinks; i++)
        if (!strcmp(config->uplinks[i].name, name))
            return &config->uplinks[i];
    return NULL;
}

/* A name stands for an interface where none is given; and each interface is one uplink. */
static int check(const struct config *config, char **ret_error)
{
    for (size_t i = 0; i < config->n_uplinks; i++) {
        const struct config_uplink *one = &config->uplinks[i];

        if (!is_interface(one->interface))
            return error_set(ret_error, -EINVAL,
                             "%s:%u: [uplink:%s]: needs \"interface\": its name is not the name of "
                             "an interface",
                             one->section.file, one->section.line, one->name);
        for (size_t j = 0; j < i; j++)
            if (!strcmp(config->uplinks[j].interface, one->interface))
                return error_set(ret_error, -EINVAL,
                                 "%s:%u: [uplink:%s]: has the interface %s, which [uplink:%s] in "
                                 "%s:%u has already",
                                 one->section.file, one->section.line, one->name, one->interface,
                                 config->uplinks[j].name, config->uplinks[j].section.file,
                                 config->uplinks[j].section.line);
    }
    return 0;
}

int uplinks_apply(struct config *config, const struct ini *ini, char **ret_error)
{
    int r = 0;

    config->uplinks = config_own(config, memory_new(UPLINKS_MAX, sizeof(*config->uplinks)));
    for (size_t i = 0; i < ini->n_entries && r >= 0; i++) {
        const struct ini_entry *entry = &ini->entries[i];
        struct config_uplink *uplink;

        if (strncmp(entry->section, "uplink:", 7) != 0)
            continue;
        uplink = find(config, entry->section + 7);
        if (entry->key)
            r = set(config, uplink, entry, ret_error);
        else if (!uplink)
            r = add(config, entry, ret_error);
    }
    return r < 0 ? r : check(config, ret_error);
}

void uplinks_fill(struct config *config)
{
    struct uplink_config *list = config_own(config, memory_new(config->n_uplinks, sizeof(*list)));

    for (size_t i = 0; i < config->n_uplinks; i++)
        list[i] = (struct uplink_config){
            .name = config->uplinks[i].name,
            .interface = config->uplinks[i].interface,
            .class = config->uplinks[i].class,
        };
    config->engine.uplinks = list;
    config->engine.n_uplinks = config->n_uplinks;
}

char *uplinks_instead(const char *value)
{
    CLEANUP_FREE char *copy = string_copy(value);
    char *save = NULL, *text = string_copy("write a section for each uplink instead:");

    for (char *word = strtok_r(copy, " \t", &save); word; word = strtok_r(NULL, " \t", &save)) {
        char *longer = string_format("%s [uplink:%.15s]", text, word);

        free(text);
        text = longer;
    }
    return text;
}
