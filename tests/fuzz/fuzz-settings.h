/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the settings of a program that uses contrib/settings: a file; where there is a NUL,
 * what stands behind it are flags, with a blank between them. */
#ifndef FUZZ_SETTINGS_H
#define FUZZ_SETTINGS_H

#include "fuzz.h"

#include "options_private.h"

#define FLAGS_MOST 32

/* The target's: all settings are within their bounds, also where some were refused. */
static void check(const struct options *options);
/* And what there is only where none was. */
static void check_run(const struct options *options);

static void check_flags(char *text)
{
    static char name[] = "program", *const environment[] = {NULL};
    char *argv[FLAGS_MOST + 1] = {name}, *warnings = NULL, *error = NULL, *save = NULL;
    unsigned wanted;
    struct options options;
    int argc = 1;

    for (char *word = strtok_r(text, " ", &save); word && argc < FLAGS_MOST;
         word = strtok_r(NULL, " ", &save)) {
        /* no file of this machine is opened */
        if (strstr(word, "config"))
            continue;
        argv[argc++] = word;
    }
    if (options_read(argc, argv, environment, &options, &wanted, &warnings, &error) < 0) {
        MUST(error && *error);
    } else {
        MUST(!error);
        if (wanted != SETTINGS_HELP && wanted != SETTINGS_VERSION)
            check_run(&options);
    }
    check(&options);
    free(warnings);
    free(error);
    options_free(&options);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size ? memchr(data, '\0', size) : NULL;
    size_t length = nul ? (size_t)(nul - data) : size;
    struct options options;
    char *error = NULL, *flags;

    settings_default(&options_settings, &options);
    if (settings_text(&options_settings, &options, "fuzz", (const char *)data, length, &error) < 0)
        MUST(error && !strncmp(error, "fuzz:", 5));
    else
        MUST(!error);
    check(&options);
    free(error);
    options_free(&options);
    flags = nul ? strndup((const char *)nul + 1, size - length - 1) : NULL;
    if (flags)
        check_flags(flags);
    free(flags);
    return 0;
}

#endif
