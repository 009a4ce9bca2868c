/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of a program's table: what its options_read() makes of a command line and an
 * environment. */
#ifndef SETTINGS_OPTIONS_LAB_H
#define SETTINGS_OPTIONS_LAB_H

#include "options_private.h"
#include "settings/settings-lab.h"

struct reading {
    struct options options;
    unsigned wanted;
    char *warnings, *error;
    int r;
};

static inline void read_all(struct reading *reading, const char *words, const char *variables)
{
    struct said said;

    said_begin(&said, words, variables);
    *reading = (struct reading){0};
    reading->r = options_read(said.argc, said.argv, said.environment, &reading->options,
                              &reading->wanted, &reading->warnings, &reading->error);
    said_end(&said);
    assert_true(reading->r < 0 ? reading->error != NULL : !reading->error);
}

static inline void forget(struct reading *reading)
{
    options_free(&reading->options);
    free(reading->warnings);
    free(reading->error);
}

/* A file with a line for each setting, and one for its section, is read. */
static inline void read_each(struct reading *reading, const char *text)
{
    CLEANUP_FREE char *path = file_with(text), *words = string_format("--config|%s", path);
    size_t lines = 0;

    for (const char *at = text; (at = strchr(at, '\n')); at++)
        lines++;
    assert_int_equal(lines - 1, options_settings.n);
    read_all(reading, words, "");
    unlink(path);
    if (reading->r < 0)
        fail_msg("%s", reading->error);
}

#endif
