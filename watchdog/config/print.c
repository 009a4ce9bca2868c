/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The effective config as INI text: for --check with the origin of each value,
 * for recordings in a form that reads back as the same. Writes to no stream of
 * its own.
 */
#include "../engine/base/names.h"
#include "../util/format.h"
#include "settings.h"
#include "value.h"

static void print_line(FILE *out, enum config_style style, const char *key, const char *value,
                       const struct config_origin *origin)
{
    /* Behind a blank, # and ; would begin a comment. */
    const char *equals = *value == '#' || *value == ';' ? "=" : *value ? " = " : " =";
    int length = fprintf(out, "%s%s%s", key, equals, value);

    if (style == CONFIG_ORIGINS) {
        fprintf(out, "%*s", length < 40 ? 40 - length : 1, "");
        if (!origin->file)
            fputs("# default", out);
        else if (!origin->line)
            fprintf(out, "# %s", origin->file);
        else
            fprintf(out, "# %s:%u", origin->file, origin->line);
    }
    fputc('\n', out);
}

static void print_settings(FILE *out, const struct config *config, enum config_style style)
{
    fputs("[watchdog]\n", out);
    for (size_t i = 0; i < n_settings; i++) {
        CLEANUP_FREE char *value = setting_text(&settings[i], config);

        if (value)
            print_line(out, style, settings[i].option.name, value, &config->origins[i]);
        else if (style == CONFIG_ORIGINS)
            fprintf(out, "# %s is not set: %s\n", settings[i].option.name,
                    settings[i].unset ? settings[i].unset : "nothing");
    }
}

static void print_instance(FILE *out, const struct config_instance *instance,
                           enum config_style style)
{
    fprintf(out, "\n[trigger:%s]", instance->name);
    if (style == CONFIG_ORIGINS)
        fprintf(out, "  # %s:%u", instance->section.file, instance->section.line);
    fputc('\n', out);
    if (!instance->enabled || instance->enabled_origin.file)
        print_line(out, style, "enabled", instance->enabled ? "yes" : "no",
                   &instance->enabled_origin);
    if (instance->match_text)
        print_line(out, style, "match", instance->match_text, &instance->match_origin);
    for (size_t i = 0; i < instance->n_options; i++) {
        const struct pd_option *option = &instance->trigger->options[i];
        CLEANUP_FREE char *value = option_format(option, &instance->values[i]);

        if (value)
            print_line(out, style, option->name, value, &instance->origins[i]);
        else if (style == CONFIG_ORIGINS)
            fprintf(out, "# %s is not set\n", option->name);
    }
}

static void print_uplink(FILE *out, const struct config_uplink *uplink, enum config_style style)
{
    fprintf(out, "\n[uplink:%s]", uplink->name);
    if (style == CONFIG_ORIGINS)
        fprintf(out, "  # %s:%u", uplink->section.file, uplink->section.line);
    fputc('\n', out);
    print_line(out, style, "interface", uplink->interface, &uplink->interface_origin);
    print_line(out, style, "class", uplink_class_names[uplink->class], &uplink->class_origin);
}

static void print_alert(FILE *out, const struct config_alert *alert, enum config_style style)
{
    fputs("\n[alert]", out);
    if (style == CONFIG_ORIGINS)
        fprintf(out, "  # %s:%u", alert->section.file, alert->section.line);
    fputc('\n', out);
    for (size_t i = 0; i < ALERT_KEY_COUNT; i++) {
        CLEANUP_FREE char *value = option_format(&alert_options[i], &alert->values[i]);

        if (value)
            print_line(out, style, alert_options[i].name, value, &alert->origins[i]);
        else if (style == CONFIG_ORIGINS)
            fprintf(out, "# %s is not set\n", alert_options[i].name);
    }
}

char *config_alert_text(const struct config *config)
{
    char *text = NULL;
    size_t size;
    FILE *out = memory_check(open_memstream(&text, &size));

    print_alert(out, &config->alert, CONFIG_ORIGINS);
    if (fclose(out))
        memory_out();
    return text;
}

char *config_text(const struct config *config, enum config_style style)
{
    char *text = NULL;
    size_t size;
    FILE *out = memory_check(open_memstream(&text, &size));

    print_settings(out, config, style);
    if (config->alert.given)
        print_alert(out, &config->alert, style);
    for (size_t i = 0; i < config->n_uplinks; i++)
        print_uplink(out, &config->uplinks[i], style);
    for (size_t i = 0; i < config->n_instances; i++)
        if (style == CONFIG_ORIGINS || config->instances[i].enabled)
            print_instance(out, &config->instances[i], style);
    if (fclose(out))
        memory_out();
    return text;
}
