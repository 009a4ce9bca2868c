/* SPDX-License-Identifier: Apache-2.0 */
#include "sources.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/entries.h"
#include "util/format.h"
#include "util/printable.h"
#include "version.h"

/* ---- the file ---- */

static int section_check(const struct settings *settings, const struct ini_entry *entry,
                         char **ret_error)
{
    const char *also = settings->section_short;

    if (!strcmp(entry->section, settings->program) || (also && !strcmp(entry->section, also)))
        return 0;
    return error_set(ret_error, -EINVAL,
                     "%s:%u: [%s]: unknown section; allowed is [%s]%s%s%s, or none", entry->file,
                     entry->line, entry->section, settings->program, also ? " or [" : "",
                     also ? also : "", also ? "]" : "");
}

/* Each setting once, however it is written: `lines` has where. */
static int entry_take(const struct settings *settings, void *options, const struct ini_entry *entry,
                      unsigned *lines, char **ret_error)
{
    CLEANUP_FREE char *why = NULL;
    const struct setting *setting;
    unsigned *line;

    if (section_check(settings, entry, ret_error) < 0)
        return -EINVAL;
    if (!entry->key)
        return 0;
    setting = setting_find(settings, entry->key);
    if (!setting) {
        why = setting_instead(settings, entry->key, "");
        return error_set(ret_error, -EINVAL, "%s:%u: %s: unknown key; %s", entry->file, entry->line,
                         entry->key, why);
    }
    line = &lines[setting - settings->at];
    if (*line)
        return error_set(ret_error, -EINVAL, "%s:%u: %s is set twice; first in line %u",
                         entry->file, entry->line, entry->key, *line);
    *line = entry->line;
    if (setting_apply(setting, options, entry->value, &why) < 0)
        return error_set(ret_error, -EINVAL, "%s:%u: %s: %s", entry->file, entry->line, entry->key,
                         why);
    return 0;
}

int settings_text(const struct settings *settings, void *options, const char *name,
                  const char *text, size_t size, char **ret_error)
{
    struct ini ini = {.outside = settings->program};
    unsigned *lines = memory_new(settings->n + 1, sizeof(*lines));
    int r = ini_read(&ini, name, text, size, ret_error);

    for (size_t i = 0; r >= 0 && i < ini.n_entries; i++)
        r = entry_take(settings, options, &ini.entries[i], lines, ret_error);
    ini_clear(&ini);
    free(lines);
    return r;
}

static int file_read(const struct settings *settings, void *options, const char *path,
                     char **ret_error)
{
    CLEANUP_FREE char *text = NULL;
    int fd, r = 0;
    struct stat st;
    size_t size = 0;
    ssize_t n = 0;

    if (!*path)
        return error_set(ret_error, -EINVAL,
                         "--config, or %sCONFIG: \"\" is empty; allowed is a file's path",
                         settings->prefix);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return error_set(ret_error, -EINVAL, "%s: %s", path, strerror(errno));
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return error_set(ret_error, -EINVAL, "%s: is not a regular file", path);
    }
    text = memory_new(INI_FILE_BYTES + 2, 1);
    while (size <= INI_FILE_BYTES && (n = read(fd, text + size, INI_FILE_BYTES + 1 - size)) > 0)
        size += (size_t)n;
    if (n < 0)
        r = error_set(ret_error, -EINVAL, "%s: %s", path, strerror(errno));
    close(fd);
    return r < 0 ? r : settings_text(settings, options, path, text, size, ret_error);
}

/* ---- the environment ---- */

const char *environment_value(char *const *environment, const char *name)
{
    size_t length = strlen(name);

    for (; environment && *environment; environment++)
        if (!strncmp(*environment, name, length) && (*environment)[length] == '=')
            return *environment + length + 1;
    return NULL;
}

char *environment_runtime(char *const *environment, const char *file)
{
    const char *runtime = environment_value(environment, "RUNTIME_DIRECTORY");

    return runtime && *runtime == '/'
               ? string_format("%.*s/%s", (int)strcspn(runtime, ":"), runtime, file)
               : NULL;
}

bool environment_has_journal(char *const *environment)
{
    const char *stream = environment_value(environment, "JOURNAL_STREAM");
    uintmax_t device, inode;
    struct stat st;
    char *end;

    if (!stream || fstat(STDERR_FILENO, &st) < 0)
        return false;
    device = strtoumax(stream, &end, 10);
    if (*end != ':')
        return false;
    inode = strtoumax(end + 1, &end, 10);
    return !*end && device == st.st_dev && inode == st.st_ino;
}

static int environment_take(const struct settings *settings, void *options,
                            char *const *environment, char **ret_error)
{
    char name[SETTING_VARIABLE_SIZE];

    for (size_t i = 0; i < settings->n; i++) {
        const struct setting *setting = &settings->at[i];
        const char *value =
            environment_value(environment, setting_variable(settings, setting, name));
        CLEANUP_FREE char *why = NULL;

        if (value && setting_apply(setting, options, value, &why) < 0)
            return error_set(ret_error, -EINVAL, "environment, %s: %s", name, why);
    }
    return 0;
}

/* Others may have such names as well (a container's host, for services of that name). */
static char *environment_unknown(const struct settings *settings, char *const *environment)
{
    const size_t prefix = strlen(settings->prefix);
    char *warnings = string_copy("");

    for (; environment && *environment; environment++) {
        CLEANUP_FREE char *name = NULL, *instead = NULL;
        char *longer;

        if (strncmp(*environment, settings->prefix, prefix) != 0)
            continue;
        name = string_format("%.*s", (int)strcspn(*environment, "="), *environment);
        for (char *at = name + prefix; *at; at++)
            *at = *at >= 'A' && *at <= 'Z' ? (char)(*at - 'A' + 'a') : *at;
        if (setting_find(settings, name + prefix) || !strcmp(name + prefix, "config"))
            continue;
        instead = setting_instead(settings, name + prefix, "");
        longer = string_format("%senvironment, %.*s: no such setting; %s\n", warnings,
                               (int)strcspn(*environment, "="), *environment, instead);
        free(warnings);
        warnings = longer;
    }
    return warnings;
}

/* ---- the command line ---- */

struct flag {
    const char *name; /* of the argument, without -- */
    size_t name_size;
    const char *value; /* NULL: it has none */
};

static bool flag_is(const struct flag *flag, const char *name)
{
    return strlen(name) == flag->name_size && !memcmp(flag->name, name, flag->name_size);
}

/* What a flag without a value asks for; SETTINGS_RUN: it is a setting. */
static unsigned flag_wants(const struct settings *settings, const struct flag *flag)
{
    if (flag_is(flag, "help"))
        return SETTINGS_HELP;
    if (flag_is(flag, "version"))
        return SETTINGS_VERSION;
    for (size_t i = 0; i < settings->n_flags; i++)
        if (flag_is(flag, settings->flags[i].name))
            return settings->flags[i].wanted;
    return SETTINGS_RUN;
}

/* The next one; `*at` moves behind it. Returns 0 or -EINVAL. */
static int flag_next(const struct settings *settings, int argc, char *const *argv, int *at,
                     struct flag *ret, char **ret_error)
{
    const char *word = argv[(*at)++], *equals;

    if (!strcmp(word, "-h"))
        word = "--help";
    if (strncmp(word, "--", 2) != 0 || !word[2])
        return error_set(ret_error, -EINVAL,
                         "unexpected argument \"%.80s\": %s takes options only; see --help", word,
                         settings->program);
    equals = strchr(word, '=');
    *ret = (struct flag){word + 2, equals ? (size_t)(equals - word) - 2 : strlen(word + 2),
                         equals ? equals + 1 : NULL};
    if (flag_wants(settings, ret) != SETTINGS_RUN)
        return ret->value ? error_set(ret_error, -EINVAL, "--%.*s takes no value",
                                      (int)ret->name_size, ret->name)
                          : 0;
    if (!ret->value && *at < argc && strncmp(argv[*at], "--", 2) != 0)
        ret->value = argv[(*at)++];
    return 0;
}

/* A setting, or --config. */
static int flag_take(const struct settings *settings, const struct flag *flag, void *options,
                     const char **ret_config, char **ret_error)
{
    CLEANUP_FREE char *name = string_format("%.*s", (int)flag->name_size, flag->name), *why = NULL;
    const struct setting *setting = strchr(name, '_') ? NULL : setting_find(settings, name);

    if (!setting && !flag_is(flag, "config")) {
        why = setting_instead(settings, name, "--");
        return error_set(ret_error, -EINVAL, "unknown option --%.80s; %s", name, why);
    }
    if (!flag->value)
        return error_set(ret_error, -EINVAL, "--%s needs a value; see --help", name);
    if (!setting)
        *ret_config = flag->value;
    else if (options && setting_apply(setting, options, flag->value, &why) < 0)
        return error_set(ret_error, -EINVAL, "--%s: %s", name, why);
    return 0;
}

/* Only to be looked at (options NULL), or taken. */
static int flags_take(const struct settings *settings, int argc, char *const *argv, void *options,
                      unsigned *ret_wanted, const char **ret_config, char **ret_error)
{
    struct flag flag = {.name = ""};

    for (int at = 1; at < argc;) {
        unsigned wanted;

        if (flag_next(settings, argc, argv, &at, &flag, ret_error) < 0)
            return -EINVAL;
        wanted = flag_wants(settings, &flag);
        if (wanted != SETTINGS_RUN)
            *ret_wanted = wanted;
        else if (flag_take(settings, &flag, options, ret_config, ret_error) < 0)
            return -EINVAL;
        if (wanted == SETTINGS_HELP || wanted == SETTINGS_VERSION)
            return 0;
    }
    return 0;
}

/* ---- all of them ---- */

int settings_read(const struct settings *settings, int argc, char *const *argv,
                  char *const *environment, void *options, unsigned *ret_wanted,
                  char **ret_warnings, char **ret_error)
{
    CLEANUP_FREE char *variable = string_format("%sCONFIG", settings->prefix);
    const char *config = environment_value(environment, variable);

    *ret_wanted = SETTINGS_RUN;
    *ret_warnings = NULL;
    if (flags_take(settings, argc, argv, NULL, ret_wanted, &config, ret_error) < 0)
        return -EINVAL;
    if (*ret_wanted == SETTINGS_HELP || *ret_wanted == SETTINGS_VERSION)
        return 0;
    if ((config && file_read(settings, options, config, ret_error) < 0) ||
        environment_take(settings, options, environment, ret_error) < 0 ||
        flags_take(settings, argc, argv, options, ret_wanted, &config, ret_error) < 0)
        return -EINVAL;
    *ret_warnings = environment_unknown(settings, environment);
    return 0;
}

static void say(const struct settings *settings, const char *kind, const char *text, size_t size)
{
    CLEANUP_FREE char *copy = string_format("%.*s", (int)size, text), *shown = text_shown(copy);

    fprintf(stderr, "%s: %s%s\n", settings->program, kind, shown);
}

void settings_print(const struct settings *settings, unsigned wanted, const char *warnings,
                    const char *error)
{
    for (const char *at = warnings; at && *at;) {
        size_t length = strcspn(at, "\n");

        say(settings, "warning: ", at, length);
        at += length + (at[length] == '\n');
    }
    if (error)
        say(settings, "", error, strlen(error));
    else if (wanted == SETTINGS_HELP)
        settings_help(settings, stdout);
    else if (wanted == SETTINGS_VERSION)
        printf("%s " PATHDOG_VERSION "\n", settings->program);
}
