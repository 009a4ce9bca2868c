/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entries → the config object: settings first, for they say where the triggers
 * are; then the triggers' sections by their own option tables; then what must
 * fit together. Whole or not at all. Reads no file (load.c does).
 */
#include "config.h"

#include <errno.h>

#include "../util/format.h"
#include "../util/glob.h"
#include "../util/nearest.h"
#include "build.h"
#include "settings.h"
#include "value.h"

/* ---- [watchdog] ---- */

static int apply_setting(struct config *config, const struct ini_entry *entry, char **ret_error)
{
    const char *names[64];
    char *text = NULL;
    int r;

    for (size_t i = 0; i < n_settings; i++) {
        names[i] = settings[i].option.name;
        if (strcmp(entry->key, names[i]) != 0)
            continue;
        r = setting_parse(&settings[i], config, config_own(config, string_copy(entry->value)),
                          &text);
        if (r < 0)
            return config_fail(entry, ret_error, r, text);
        config->origins[i] = config_origin_of(config, entry);
        return 0;
    }
    if (!strcmp(entry->key, "uplinks")) /* as it was called before there were sections */
        return config_fail(entry, ret_error, -EINVAL, uplinks_instead(entry->value));
    return config_fail(entry, ret_error, -EINVAL,
                       config_unknown_key(entry->key, names, n_settings));
}

/* A default, in this instance's own runtime directory. */
static const char *default_of(struct config *config, const struct config_lookup *lookup,
                              const char *text)
{
    size_t length = strlen(CONFIG_RUNTIME);

    if (!text || !lookup->runtime || strncmp(text, CONFIG_RUNTIME, length) != 0 ||
        (text[length] && text[length] != '/'))
        return text;
    return config_own(config, string_format("%s%s", lookup->runtime, text + length));
}

static int apply_settings(struct config *config, const struct ini *ini,
                          const struct config_lookup *lookup, char **ret_error)
{
    int r;

    config->origins = config_own(config, memory_new(n_settings, sizeof(*config->origins)));
    for (size_t i = 0; i < n_settings; i++) {
        const char *text = default_of(config, lookup, settings[i].option.default_text);

        r = text ? setting_parse(&settings[i], config, text, ret_error) : 0;
        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < ini->n_entries; i++) {
        const struct ini_entry *entry = &ini->entries[i];

        r = entry->key && !strcmp(entry->section, "watchdog")
                ? apply_setting(config, entry, ret_error)
                : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- [trigger:NAME] ---- */

/* Finds the trigger, and sets its options to their defaults. */
static int add_instance(struct config *config, const struct ini_entry *entry,
                        const struct config_lookup *lookup, char **ret_error)
{
    const char *name = entry->section + strlen("trigger:");
    size_t length = strcspn(name, ":");
    char kind[INI_SECTION_MAX + 1];
    struct config_instance *instance;
    const struct pd_trigger *trigger;
    char *text = NULL;

    memcpy(kind, name, length);
    kind[length] = '\0';
    if (!length || (name[length] && (!name[length + 1] || strchr(name + length + 1, ':'))))
        return config_fail(entry, ret_error, -EINVAL,
                           string_copy("a trigger's section is [trigger:NAME] or "
                                       "[trigger:NAME:LABEL]"));
    errno = 0;
    trigger = lookup->find(lookup->user, config->plugin_directory, kind, &text);
    if (!trigger)
        return config_fail(entry, ret_error, errno ? -errno : -EINVAL, text);

    instance = &config->instances[config->n_instances++];
    *instance = (struct config_instance){
        .name = config_own(config, string_copy(name)),
        .trigger = trigger,
        .enabled = true,
        .section = config_origin_of(config, entry),
    };
    while (trigger->options && trigger->options[instance->n_options].name)
        instance->n_options++;
    instance->values =
        config_own(config, memory_new(instance->n_options, sizeof(*instance->values)));
    instance->origins =
        config_own(config, memory_new(instance->n_options, sizeof(*instance->origins)));
    for (size_t i = 0; trigger->options && i < instance->n_options; i++) {
        const struct pd_option *option = &trigger->options[i];
        const char *usual = default_of(config, lookup, option->default_text);

        if (usual && option_parse(option, usual, &instance->values[i], &text) < 0)
            return config_fail(entry, ret_error, -EINVAL, text);
    }
    return 0;
}

static struct config_instance *find_instance(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->n_instances; i++)
        if (!strcmp(config->instances[i].name, name))
            return &config->instances[i];
    return NULL;
}

static int apply_match(struct config *config, struct config_instance *instance,
                       const struct ini_entry *entry, char **ret_error)
{
    const char *why = NULL;
    uint64_t unused;

    if (value_parse(PD_OPTION_GLOBS, entry->value, &unused, &why) < 0)
        return config_fail(entry, ret_error, -EINVAL,
                           string_format("\"%.80s\" %s", entry->value, why));
    globs_free(instance->match);
    instance->match = globs_new(entry->value);
    if (!instance->match->n)
        return config_fail(entry, ret_error, -EINVAL,
                           string_copy("is empty; allowed are globs, separated by spaces"));
    instance->match_text = config_own(config, string_copy(entry->value));
    instance->match_origin = config_origin_of(config, entry);
    return 0;
}

static int apply_option(struct config *config, struct config_instance *instance,
                        const struct ini_entry *entry, char **ret_error)
{
    static const struct pd_option enabled_option = {"enabled", PD_OPTION_BOOLEAN, "yes", 0, 0, ""};
    CLEANUP_FREE const char **names = memory_new(instance->n_options + 2, sizeof(*names));
    struct pd_value value;
    char *text = NULL;
    size_t n = 0;

    if (!strcmp(entry->key, "match"))
        return apply_match(config, instance, entry, ret_error);
    if (!strcmp(entry->key, "enabled")) {
        if (option_parse(&enabled_option, entry->value, &value, &text) < 0)
            return config_fail(entry, ret_error, -EINVAL, text);
        instance->enabled = value.number != 0;
        instance->enabled_origin = config_origin_of(config, entry);
        return 0;
    }
    for (; n < instance->n_options; n++) {
        const struct pd_option *option = &instance->trigger->options[n];

        names[n] = option->name;
        if (strcmp(entry->key, option->name) != 0)
            continue;
        if (option_parse(option, config_own(config, string_copy(entry->value)), &value, &text) < 0)
            return config_fail(entry, ret_error, -EINVAL, text);
        instance->values[n] = value;
        instance->origins[n] = config_origin_of(config, entry);
        return 0;
    }
    names[n++] = "enabled";
    names[n++] = "match";
    return config_fail(entry, ret_error, -EINVAL, config_unknown_key(entry->key, names, n));
}

static int apply_trigger(struct config *config, const struct ini_entry *entry,
                         const struct config_lookup *lookup, char **ret_error)
{
    static const char *const known[] = {"watchdog", "alert", "trigger", "uplink"};
    struct config_instance *instance;
    const char *nearest;
    char word[INI_SECTION_MAX + 1];

    if (strncmp(entry->section, "trigger:", 8) != 0) {
        snprintf(word, sizeof(word), "%.*s", (int)strcspn(entry->section, ":"), entry->section);
        nearest = nearest_word(word, known, ARRAY_SIZE(known));
        return config_fail(
            entry, ret_error, -EINVAL,
            nearest ? string_format("unknown section; did you mean [%s%s]?", nearest,
                                    nearest == known[0] || nearest == known[1] ? "" : ":NAME")
                    : string_copy("unknown section; known are [watchdog], [alert], "
                                  "[uplink:NAME], [trigger:NAME] and "
                                  "[trigger:NAME:LABEL]"));
    }
    instance = find_instance(config, entry->section + 8);
    if (!entry->key)
        return instance ? 0 : add_instance(config, entry, lookup, ret_error);
    return apply_option(config, instance, entry, ret_error);
}

static int apply_triggers(struct config *config, const struct ini *ini,
                          const struct config_lookup *lookup, char **ret_error)
{
    config->instances = config_own(config, memory_new(ini->n_entries, sizeof(*config->instances)));
    for (size_t i = 0; i < ini->n_entries; i++) {
        const char *section = ini->entries[i].section;
        int r = strcmp(section, "watchdog") != 0 && strcmp(section, "alert") != 0 &&
                        strncmp(section, "uplink:", 7) != 0
                    ? apply_trigger(config, &ini->entries[i], lookup, ret_error)
                    : 0;

        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- what must fit together ---- */

static size_t setting_index(const char *name)
{
    size_t i = 0;

    while (strcmp(settings[i].option.name, name) != 0)
        i++;
    return i;
}

static char *place_of(const struct config *config, size_t setting)
{
    const struct config_origin *origin = &config->origins[setting];

    if (!origin->line)
        return string_format("[watchdog] %s", settings[setting].option.name);
    return string_format("%s:%u: [watchdog] %s", origin->file, origin->line,
                         settings[setting].option.name);
}

char *config_place(const struct config *config, const char *key)
{
    return place_of(config, setting_index(key));
}

/* Which of two settings is to blame: the one that was set, of both the later. */
static size_t blame(const struct config *config, size_t a, size_t b)
{
    const struct config_origin *of_a = &config->origins[a], *of_b = &config->origins[b];

    if (!of_a->file || !of_b->file)
        return of_b->file ? b : a;
    return !strcmp(of_a->file, of_b->file) && of_a->line > of_b->line ? a : b;
}

static int check_order(const struct config *config, char **ret_error)
{
    static const char *const pairs[][2] = {
        {"backoff_min", "backoff_max"},
        {"cooldown", "cooldown_max"},
        {"migrate_timeout", "timeout_max"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
        size_t a = setting_index(pairs[i][0]), b = setting_index(pairs[i][1]);
        uint64_t low = *(const uint64_t *)((const char *)config + settings[a].offset);
        uint64_t high = *(const uint64_t *)((const char *)config + settings[b].offset);
        CLEANUP_FREE char *low_text = NULL, *high_text = NULL, *place = NULL;

        if (low <= high)
            continue;
        low_text = setting_text(&settings[a], config);
        high_text = setting_text(&settings[b], config);
        place = place_of(config, blame(config, a, b));
        return error_set(ret_error, -EINVAL, "%s: %s is %s%s and %s is %s%s; allowed is %s <= %s",
                         place, pairs[i][0], low_text, config->origins[a].file ? "" : " by default",
                         pairs[i][1], high_text, config->origins[b].file ? "" : " by default",
                         pairs[i][0], pairs[i][1]);
    }
    return 0;
}

/* Of one kind, only one instance can be the one for all other peers. */
static int check_instances(const struct config *config, char **ret_error)
{
    for (size_t i = 0; i < config->n_instances; i++)
        for (size_t j = 0; j < i; j++) {
            const struct config_instance *a = &config->instances[j], *b = &config->instances[i];

            if (a->trigger == b->trigger && a->enabled && b->enabled && !a->match && !b->match)
                return error_set(ret_error, -EINVAL,
                                 "%s:%u: [trigger:%s]: has no match, nor has [trigger:%s] in "
                                 "%s:%u; only one instance of a trigger may be for all peers",
                                 b->section.file, b->section.line, b->name, a->name,
                                 a->section.file, a->section.line);
        }
    return 0;
}

static int check_config(const struct config *config, const char *file, char **ret_error)
{
    const struct config_origin *node = &config->origins[setting_index("node")];
    int r;

    if (!config->node)
        return error_set(ret_error, -EINVAL,
                         "%s: [watchdog] node: is not set; set it to the node's socket: an "
                         "absolute path, or @name for an abstract one",
                         file);
    if (config->node[0] == '@' && !config->node_user)
        return error_set(ret_error, -EINVAL,
                         "%s:%u: [watchdog] node: \"%s\" is an abstract socket, which has no "
                         "permissions; set node_user to the user that the node runs as",
                         node->file, node->line, config->node);
    r = check_order(config, ret_error);
    return r < 0 ? r : check_instances(config, ret_error);
}

/* The engine's view: what is enabled. */
static void fill_instances(struct config *config)
{
    struct instance_config *instances =
        config_own(config, memory_new(config->n_instances, sizeof(*instances)));
    size_t n = 0;

    for (size_t i = 0; i < config->n_instances; i++) {
        const struct config_instance *instance = &config->instances[i];

        if (instance->enabled)
            instances[n++] = (struct instance_config){
                .trigger = instance->trigger,
                .name = instance->name,
                .match = instance->match,
                .values = instance->values,
            };
    }
    config->engine.instances = instances;
    config->engine.n_instances = n;
}

int config_build(const struct ini *ini, const char *file, const struct config_lookup *lookup,
                 struct config **ret_config, char **ret_error)
{
    struct config *config = memory_new(1, sizeof(*config));
    int r = apply_settings(config, ini, lookup, ret_error);

    if (r >= 0)
        r = alert_apply(config, ini, ret_error);
    if (r >= 0)
        r = uplinks_apply(config, ini, ret_error);
    if (r >= 0)
        r = apply_triggers(config, ini, lookup, ret_error);
    if (r >= 0)
        r = check_config(config, file, ret_error);
    if (r < 0) {
        config_free(config);
        return r;
    }
    fill_instances(config);
    uplinks_fill(config);
    *ret_config = config;
    return 0;
}

int config_build_alert(const struct ini *ini, const struct config_lookup *lookup,
                       struct config **ret_config, char **ret_error)
{
    struct config *config = memory_new(1, sizeof(*config));
    int r = apply_settings(config, ini, lookup, ret_error);

    if (r >= 0)
        r = alert_apply(config, ini, ret_error);
    if (r < 0)
        config_free(config);
    else
        *ret_config = config;
    return r;
}

void config_set_observe(struct config *config)
{
    config->engine.mode = MODE_OBSERVE;
    config->origins[setting_index("mode")] = (struct config_origin){.file = "--observe"};
}

struct config *config_free(struct config *config)
{
    if (!config)
        return NULL;
    for (size_t i = 0; i < config->n_instances; i++)
        globs_free(config->instances[i].match);
    globs_free(config->alert.match);
    for (size_t i = 0; i < config->n_owned; i++)
        free(config->owned[i]);
    free(config->owned);
    free(config);
    return NULL;
}
