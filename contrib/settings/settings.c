/* SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/value.h"
#include "util/format.h"
#include "util/nearest.h"

#define NONE "none"

const struct setting *setting_find(const struct settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->n; i++) {
        const char *a = settings->at[i].option.name, *b = name;

        while (*a && (*a == *b || (*a == '-' && *b == '_'))) {
            a++;
            b++;
        }
        if (!*a && !*b)
            return &settings->at[i];
    }
    return NULL;
}

char *setting_variable(const struct settings *settings, const struct setting *setting,
                       char out[SETTING_VARIABLE_SIZE])
{
    snprintf(out, SETTING_VARIABLE_SIZE, "%s%s", settings->prefix, setting->option.name);
    for (char *at = out; *at; at++)
        *at = *at == '-' ? '_' : (char)toupper((unsigned char)*at);
    return out;
}

int setting_apply(const struct setting *setting, void *options, const char *text, char **ret_error)
{
    return setting->kind(setting, (char *)options + setting->offset, text, ret_error);
}

char *setting_instead(const struct settings *settings, const char *name, const char *prefix)
{
    const char **names = memory_new(settings->n + 1, sizeof(*names)), *nearest;
    CLEANUP_FREE char *list = string_copy(""), *like = string_copy(name);

    for (size_t i = 0; i < settings->n; i++)
        names[i] = settings->at[i].option.name;
    names[settings->n] = "config";
    for (char *at = like; *at; at++)
        *at = *at == '_' ? '-' : (char)tolower((unsigned char)*at);
    nearest = nearest_word(like, names, settings->n + 1);
    free(names);
    if (nearest)
        return string_format("did you mean %s%s?", prefix, nearest);
    for (size_t i = 0; i < settings->n; i++) {
        char *longer =
            string_format("%s%s%s%s", list, i ? ", " : "", prefix, settings->at[i].option.name);

        free(list);
        list = longer;
    }
    return string_format("known are %s", list);
}

/* ---- kinds ---- */

static int number_read(const struct setting *setting, const char *text, uint64_t *ret,
                       char **ret_error)
{
    struct pd_value value;
    int r = option_parse(&setting->option, text, &value, ret_error);

    if (r == 0)
        *ret = value.number;
    return r;
}

int setting_bool(const struct setting *setting, void *place, const char *text, char **ret_error)
{
    uint64_t number;
    int r = number_read(setting, text, &number, ret_error);

    if (r == 0)
        *(bool *)place = number != 0;
    return r;
}

int setting_u16(const struct setting *setting, void *place, const char *text, char **ret_error)
{
    uint64_t number;
    int r = number_read(setting, text, &number, ret_error);

    if (r == 0)
        *(uint16_t *)place = (uint16_t)number;
    return r;
}

int setting_u32(const struct setting *setting, void *place, const char *text, char **ret_error)
{
    uint64_t number;
    int r = number_read(setting, text, &number, ret_error);

    if (r == 0)
        *(uint32_t *)place = (uint32_t)number;
    return r;
}

int setting_u64(const struct setting *setting, void *place, const char *text, char **ret_error)
{
    return number_read(setting, text, place, ret_error);
}

int setting_choice(const struct setting *setting, void *place, const char *text, char **ret_error)
{
    CLEANUP_FREE char *list = string_copy("");
    const char *nearest;
    size_t n = 0;

    for (; setting->choices[n]; n++) {
        char *longer = string_format("%s%s%s", list, n ? " or " : "", setting->choices[n]);

        free(list);
        list = longer;
        if (!strcmp(setting->choices[n], text)) {
            *(unsigned *)place = (unsigned)n;
            return 0;
        }
    }
    nearest = nearest_word(text, setting->choices, n);
    return error_set(ret_error, -EINVAL, "\"%.80s\": allowed is %s%s%s%s", text, list,
                     nearest ? " (did you mean " : "", nearest ? nearest : "", nearest ? "?)" : "");
}

int setting_text(char **place, const char *text, const char *allowed,
                 const char *(*wrong)(const char *text), char **ret_error)
{
    const char *why = !*text ? "is empty" : wrong ? wrong(text) : NULL;

    if (!why)
        (void)value_parse(PD_OPTION_TEXT, text, &(uint64_t){0}, &why);
    if (why)
        return error_set(ret_error, -EINVAL, "\"%.80s\" %s; allowed is %s", text, why, allowed);
    free(*place);
    *place = string_copy(text);
    return 0;
}

int setting_file(const struct setting *setting, void *place, const char *text, char **ret_error)
{
    char **file = place;
    int r = setting_text(file, text, "a file, or " NONE, NULL, ret_error);

    if (r == 0 && !strcmp(text, NONE)) {
        free(*file);
        *file = NULL;
    }
    return r;
}

/* ---- all of them ---- */

void settings_default(const struct settings *settings, void *ret)
{
    memset(ret, 0, settings->size);
    for (size_t i = 0; i < settings->n; i++) {
        const struct pd_option *option = &settings->at[i].option;
        char *error = NULL;

        if (!option->default_text ||
            setting_apply(&settings->at[i], ret, option->default_text, &error) == 0)
            continue;
        fprintf(stderr, "%s: the default of %s: %s\n", settings->program, option->name, error);
        abort(); /* the program's table is wrong */
    }
}

static void line(FILE *out, const char *usage, const char *help, const char *default_text)
{
    fprintf(out, "  %-31s %s%s%s%s\n", usage, help, default_text ? " (" : "",
            default_text ? default_text : "", default_text ? ")" : "");
}

void settings_help(const struct settings *settings, FILE *out)
{
    fprintf(out, "%s [OPTION…]\n%s\n\n", settings->program, settings->purpose);
    for (size_t i = 0; i < settings->n; i++) {
        const struct pd_option *option = &settings->at[i].option;
        CLEANUP_FREE char *usage = string_format("--%s %s", option->name, settings->at[i].value);

        line(out, usage, option->help, option->default_text);
    }
    line(out, "--config FILE", "read settings from FILE: NAME = VALUE, a line each", NULL);
    for (size_t i = 0; i < settings->n_flags; i++) {
        CLEANUP_FREE char *usage = string_format("--%s", settings->flags[i].name);

        line(out, usage, settings->flags[i].help, NULL);
    }
    line(out, "--version", "print the version", NULL);
    line(out, "--help", "print this help", NULL);
    fprintf(out, "\n%s\n", settings->below);
}
