/* SPDX-License-Identifier: Apache-2.0 */
/* Where settings come from: a file, the environment, the command line; the later goes before. All
 * are checked, also what another one goes before. */
#ifndef SETTINGS_SOURCES_H
#define SETTINGS_SOURCES_H

#include "settings.h"

/* Over the defaults in `options`: the file that is named, then the environment, then the flags.
 * Where help or the version is wanted, only the flags before that are looked at, and nothing is
 * set. Returns 0, or -EINVAL and a sentence that names the source, the key, the value and what is
 * allowed. Lines of `*ret_warnings` are no errors; both are to be freed. */
int settings_read(const struct settings *settings, int argc, char *const *argv,
                  char *const *environment, void *options, unsigned *ret_wanted,
                  char **ret_warnings, char **ret_error);

/* What a file says: keys without a section, or in the program's. `name` is for messages. */
int settings_text(const struct settings *settings, void *options, const char *name,
                  const char *text, size_t size, char **ret_error);

/* Prints what settings_read() left: warnings and the error, or the help or the version where that
 * is wanted. */
void settings_print(const struct settings *settings, unsigned wanted, const char *warnings,
                    const char *error);

/* For defaults that depend on it. */
const char *environment_value(char *const *environment, const char *name);
/* A file in the directory that the unit has; NULL: there is none. The caller frees it. */
char *environment_runtime(char *const *environment, const char *file);
/* Whether standard error is the journal. */
bool environment_has_journal(char *const *environment);

#endif
