/* SPDX-License-Identifier: Apache-2.0 */
/* For tests: a command line and an environment as two strings, and files. */
#ifndef SETTINGS_LAB_H
#define SETTINGS_LAB_H

#include "../../tests/unit/check.h"

#include <unistd.h>

#include "util/format.h"

#define SAID_MOST 24

struct said {
    char *argv[SAID_MOST], *environment[SAID_MOST]; /* both ended by NULL */
    int argc;
    char *owned[2];
};

static inline int said_split(char *text, char **ret, int n)
{
    char *save = NULL;

    for (char *word = strtok_r(text, "|", &save); word; word = strtok_r(NULL, "|", &save)) {
        assert_true(n < SAID_MOST - 1);
        ret[n++] = word;
    }
    return n;
}

/* `words` and `variables` have bars between them. */
static inline void said_begin(struct said *said, const char *words, const char *variables)
{
    static char program[] = "program";

    *said = (struct said){.argv = {program}, .owned = {string_copy(words), string_copy(variables)}};
    said->argc = said_split(said->owned[0], said->argv, 1);
    said_split(said->owned[1], said->environment, 0);
}

static inline void said_end(struct said *said)
{
    free(said->owned[0]);
    free(said->owned[1]);
}

/* A file with that text; the caller frees its path and removes it. */
static inline char *file_with(const char *text)
{
    char *path = string_copy("/tmp/settings-test-XXXXXX");
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    return path;
}

#endif
