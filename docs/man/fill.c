/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A page of the manual from its template, which is scdoc(5) with the lines
 * @settings@, @triggers@, @alert@ or @alert-events@: puts the tables there, from the very ones that
 * the daemon reads. Runs at build time only.
 */
#include <stdio.h>

#include "config/settings.h"
#include "config/value.h"
#include "trigger-table.h"
#include "util/format.h"

/* What scdoc would take for its own. */
static void put(const char *text)
{
    for (; *text; text++) {
        if (strchr("\\*_~<>", *text))
            putchar('\\');
        putchar(*text);
    }
}

/* "*name* = default", then what it does and what may stand there. */
static void put_key(const struct pd_option *option, const char *otherwise, const char *allowed)
{
    const char *by_default = option->default_text ? option->default_text : otherwise;

    putchar('*');
    put(option->name);
    fputs("* = ", stdout);
    put(by_default && *by_default ? by_default : "(not set)");
    fputs("\n\t", stdout);
    put(option->help);
    fputs(". Allowed: ", stdout);
    put(allowed);
    fputs(".\n\n", stdout);
}

static void put_settings(void)
{
    for (size_t i = 0; i < n_settings; i++) {
        const struct setting *setting = &settings[i];
        CLEANUP_FREE char *allowed = setting_allowed(setting);
        CLEANUP_FREE char *otherwise =
            string_format("(%s)", setting->unset ? setting->unset : "must be set");

        put_key(&setting->option, otherwise, allowed);
    }
}

static void put_triggers(void)
{
    for (const struct pd_trigger *const *at = trigger_table; *at; at++) {
        const struct pd_trigger *trigger = *at;

        printf("## ");
        put(trigger->name);
        fputs("\n\n", stdout);
        put(trigger->summary);
        fputs(".\n\n", stdout);
        for (const struct pd_option *option = trigger->options; option && option->name; option++) {
            CLEANUP_FREE char *allowed = option_allowed(option);

            put_key(option, NULL, allowed);
        }
    }
}

static void put_alert(void)
{
    for (size_t i = 0; i < ALERT_KEY_COUNT; i++) {
        CLEANUP_FREE char *allowed = option_allowed(&alert_options[i]);

        put_key(&alert_options[i], i == ALERT_PROGRAM ? "(must be set)" : NULL, allowed);
    }
}

static void put_alert_events(void)
{
    for (size_t i = 0; i < ALERT_EVENT_COUNT; i++) {
        putchar('*');
        put(alert_events[i].name);
        fputs("*\n\t", stdout);
        put(alert_events[i].when);
        fputs(".\n\n", stdout);
    }
}

int main(int argc, char **argv)
{
    FILE *file = argc == 2 ? fopen(argv[1], "re") : NULL;
    CLEANUP_FREE char *line = NULL;
    size_t capacity = 0;

    if (!file)
        return 1;
    while (getline(&line, &capacity, file) > 0)
        if (!strcmp(line, "@settings@\n"))
            put_settings();
        else if (!strcmp(line, "@triggers@\n"))
            put_triggers();
        else if (!strcmp(line, "@alert@\n"))
            put_alert();
        else if (!strcmp(line, "@alert-events@\n"))
            put_alert_events();
        else
            fputs(line, stdout);
    fclose(file);
    return fflush(stdout) || ferror(stdout);
}
