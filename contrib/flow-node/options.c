/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where settings come from: defaults, a file, the environment, the command line; the later goes
 * before. All are checked, also what another one goes before.
 */
#include "options_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/entries.h"
#include "parse.h"
#include "util/format.h"
#include "util/printable.h"
#include "version.h"

#define SECTION         "flow-node"
#define RUNTIME_DEFAULT "/run/flow-node"
#define SOCKET_NAME     "node.sock"
#define SETTINGS_MOST   32u

/* ---- the file ---- */

/* Each setting once, however it is written. */
static int entry_take(struct options *options, const struct ini_entry *entry,
                      unsigned lines[SETTINGS_MOST], char **ret_error)
{
    CLEANUP_FREE char *why = NULL;
    size_t place;

    if (strcmp(entry->section, SECTION) != 0)
        return error_set(ret_error, -EINVAL,
                         "%s:%u: [%s]: unknown section; allowed is [" SECTION "], or none",
                         entry->file, entry->line, entry->section);
    if (!entry->key)
        return 0;
    place = setting_find(entry->key);
    if (place == settings_count()) {
        why = setting_instead(entry->key, "");
        return error_set(ret_error, -EINVAL, "%s:%u: %s: unknown key; %s", entry->file, entry->line,
                         entry->key, why);
    }
    if (lines[place])
        return error_set(ret_error, -EINVAL, "%s:%u: %s is set twice; first in line %u",
                         entry->file, entry->line, entry->key, lines[place]);
    lines[place] = entry->line;
    if (setting_apply(setting_at(place), options, entry->value, &why) < 0)
        return error_set(ret_error, -EINVAL, "%s:%u: %s: %s", entry->file, entry->line, entry->key,
                         why);
    return 0;
}

int options_text(struct options *options, const char *name, const char *text, size_t size,
                 char **ret_error)
{
    struct ini ini = {.outside = SECTION};
    unsigned lines[SETTINGS_MOST] = {0};
    int r = ini_read(&ini, name, text, size, ret_error);

    for (size_t i = 0; r >= 0 && i < ini.n_entries; i++)
        r = entry_take(options, &ini.entries[i], lines, ret_error);
    ini_clear(&ini);
    return r;
}

static int file_read(struct options *options, const char *path, char **ret_error)
{
    CLEANUP_FREE char *text = NULL;
    int fd, r = 0;
    struct stat st;
    size_t size = 0;
    ssize_t n = 0;

    if (!*path)
        return error_set(ret_error, -EINVAL,
                         "--config, or " SETTING_VARIABLE_PREFIX
                         "CONFIG: \"\" is empty; allowed is a file's path");
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
    return r < 0 ? r : options_text(options, path, text, size, ret_error);
}

/* ---- the environment ---- */

static const char *variable_value(char *const *environment, const char *name)
{
    size_t length = strlen(name);

    for (; environment && *environment; environment++)
        if (!strncmp(*environment, name, length) && (*environment)[length] == '=')
            return *environment + length + 1;
    return NULL;
}

static int environment_take(struct options *options, char *const *environment, char **ret_error)
{
    char name[SETTING_VARIABLE_SIZE];

    for (size_t i = 0; i < settings_count(); i++) {
        const char *value = variable_value(environment, setting_variable(setting_at(i), name));
        CLEANUP_FREE char *why = NULL;

        if (value && setting_apply(setting_at(i), options, value, &why) < 0)
            return error_set(ret_error, -EINVAL, "environment, %s: %s", name, why);
    }
    return 0;
}

/* Others may have such names as well (a container's host, for services of that name). */
static char *environment_unknown(char *const *environment)
{
    const size_t prefix = strlen(SETTING_VARIABLE_PREFIX);
    char *warnings = string_copy("");

    for (; environment && *environment; environment++) {
        CLEANUP_FREE char *name = NULL, *instead = NULL;
        char *longer;

        if (strncmp(*environment, SETTING_VARIABLE_PREFIX, prefix) != 0)
            continue;
        name = string_format("%.*s", (int)strcspn(*environment, "="), *environment);
        for (char *at = name + prefix; *at; at++)
            *at = *at >= 'A' && *at <= 'Z' ? (char)(*at - 'A' + 'a') : *at;
        if (setting_find(name + prefix) < settings_count() || !strcmp(name + prefix, "config"))
            continue;
        instead = setting_instead(name + prefix, "");
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

/* What a flag without a value asks for; OPTIONS_RUN: it is a setting. */
static enum options_wanted flag_wants(const struct flag *flag)
{
    static const struct {
        const char *name;
        enum options_wanted wanted;
    } flags[] = {{"help", OPTIONS_HELP},
                 {"version", OPTIONS_VERSION},
                 {"check", OPTIONS_CHECK},
                 {"list", OPTIONS_LIST}};

    for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
        if (flag_is(flag, flags[i].name))
            return flags[i].wanted;
    return OPTIONS_RUN;
}

/* The next one; `*at` moves behind it. Returns 0 or -EINVAL. */
static int flag_next(int argc, char *const *argv, int *at, struct flag *ret, char **ret_error)
{
    const char *word = argv[(*at)++], *equals;

    if (!strcmp(word, "-h"))
        word = "--help";
    if (strncmp(word, "--", 2) != 0 || !word[2])
        return error_set(ret_error, -EINVAL,
                         "unexpected argument \"%.80s\": flow-node takes options only; see --help",
                         word);
    equals = strchr(word, '=');
    *ret = (struct flag){word + 2, equals ? (size_t)(equals - word) - 2 : strlen(word + 2),
                         equals ? equals + 1 : NULL};
    if (flag_wants(ret) != OPTIONS_RUN)
        return ret->value ? error_set(ret_error, -EINVAL, "--%.*s takes no value",
                                      (int)ret->name_size, ret->name)
                          : 0;
    if (!ret->value && *at < argc && strncmp(argv[*at], "--", 2) != 0)
        ret->value = argv[(*at)++];
    return 0;
}

/* Only to be looked at (options NULL), or taken. */
static int flags_take(int argc, char *const *argv, struct options *options,
                      enum options_wanted *ret_wanted, const char **ret_config, char **ret_error)
{
    struct flag flag = {0};

    for (int at = 1; at < argc;) {
        CLEANUP_FREE char *name = NULL, *why = NULL;
        enum options_wanted wanted;
        size_t place;

        if (flag_next(argc, argv, &at, &flag, ret_error) < 0)
            return -EINVAL;
        wanted = flag_wants(&flag);
        if (wanted != OPTIONS_RUN)
            *ret_wanted = wanted;
        if (wanted == OPTIONS_HELP || wanted == OPTIONS_VERSION)
            return 0;
        if (wanted != OPTIONS_RUN)
            continue;
        name = string_format("%.*s", (int)flag.name_size, flag.name);
        place = strchr(name, '_') ? settings_count() : setting_find(name);
        if (place == settings_count() && !flag_is(&flag, "config")) {
            why = setting_instead(name, "--");
            return error_set(ret_error, -EINVAL, "unknown option --%.80s; %s", name, why);
        }
        if (!flag.value)
            return error_set(ret_error, -EINVAL, "--%s needs a value; see --help", name);
        if (place == settings_count())
            *ret_config = flag.value;
        else if (options && setting_apply(setting_at(place), options, flag.value, &why) < 0)
            return error_set(ret_error, -EINVAL, "--%s: %s", name, why);
    }
    return 0;
}

/* ---- all of them ---- */

static bool connected_to_journal(char *const *environment)
{
    const char *stream = variable_value(environment, "JOURNAL_STREAM");
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

/* In the directory that the unit has. */
static char *socket_default(char *const *environment)
{
    const char *runtime = variable_value(environment, "RUNTIME_DIRECTORY");

    if (runtime && *runtime == '/')
        return string_format("%.*s/" SOCKET_NAME, (int)strcspn(runtime, ":"), runtime);
    return string_copy(RUNTIME_DEFAULT "/" SOCKET_NAME);
}

int options_read(int argc, char *const *argv, char *const *environment, struct options *ret,
                 enum options_wanted *ret_wanted, char **ret_warnings, char **ret_error)
{
    const char *config = variable_value(environment, SETTING_VARIABLE_PREFIX "CONFIG");

    settings_default(ret);
    *ret_wanted = OPTIONS_RUN;
    *ret_warnings = NULL;
    if (flags_take(argc, argv, NULL, ret_wanted, &config, ret_error) < 0)
        return -EINVAL;
    if (*ret_wanted == OPTIONS_HELP || *ret_wanted == OPTIONS_VERSION)
        return 0;
    ret->socket = socket_default(environment);
    ret->log = connected_to_journal(environment) ? LOG_JOURNAL : LOG_TEXT;
    if ((config && file_read(ret, config, ret_error) < 0) ||
        environment_take(ret, environment, ret_error) < 0 ||
        flags_take(argc, argv, ret, ret_wanted, &config, ret_error) < 0)
        return -EINVAL;
    *ret_warnings = environment_unknown(environment);
    return 0;
}

static void print_help(void)
{
    puts("flow-node [OPTION…]\nTells pathdog of the UDP flows of programs that know nothing of it, "
         "and moves them to other uplinks.\n");
    settings_help(stdout);
    printf("  %-31s %s\n", "--config FILE", "read settings from FILE: NAME = VALUE, a line each");
    printf("  %-31s %s\n", "--list", "print the flows that would be told, once");
    printf("  %-31s %s\n", "--check", "check the settings, and exit");
    printf("  %-31s %s\n", "--version", "print the version");
    printf("  %-31s %s\n", "--help", "print this help");
    puts(
        "\nA setting is taken from the command line, else from the environment (--min-age is "
        "FLOW_NODE_MIN_AGE),\nelse from FILE (min-age). Lists are separated by commas. Times: 90s, "
        "5min, 90 (seconds). Sizes: 64K, 1G, 1200 (bytes).\n\nExit status: 0 clean stop, 1 failure "
        "while starting or running, 2 bad options, environment or file,\n75 another flow-node "
        "runs.");
}

static void say(const char *kind, const char *text)
{
    CLEANUP_FREE char *shown = text_shown(text);

    fprintf(stderr, "flow-node: %s%s\n", kind, shown);
}

int options_parse(int argc, char **argv, struct options *ret, enum options_wanted *ret_wanted)
{
    CLEANUP_FREE char *error = NULL, *warnings = NULL;
    char *save = NULL;
    int r = options_read(argc, argv, environ, ret, ret_wanted, &warnings, &error);

    for (char *line = warnings ? strtok_r(warnings, "\n", &save) : NULL; line;
         line = strtok_r(NULL, "\n", &save))
        say("warning: ", line);
    if (r < 0) {
        say("", error);
        return r;
    }
    if (*ret_wanted == OPTIONS_HELP)
        print_help();
    if (*ret_wanted == OPTIONS_VERSION)
        puts("flow-node " PATHDOG_VERSION);
    return 0;
}

void options_free(struct options *options)
{
    free(options->socket);
    free(options->name);
    free(options->table);
    words_free(&options->users);
    words_free(&options->units);
    words_free(&options->lan);
    words_free(&options->uplinks);
    *options = (struct options){0};
}
