/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of all settings: a name, what may stand there, where it goes. The flag is --NAME, the
 * key of the configuration NAME (or with _ for -), the variable FLOW_NODE_NAME in capitals. Pure.
 */
#ifndef FLOW_NODE_SETTINGS_H
#define FLOW_NODE_SETTINGS_H

#include <stdio.h>

#include "options.h"

#define SETTING_VARIABLE_PREFIX "FLOW_NODE_"
#define SETTING_VARIABLE_SIZE   64u

struct setting;

size_t settings_count(void);
const struct setting *setting_at(size_t place);
/* The place of the setting with that name, - and _ being the same; settings_count(): none. */
size_t setting_find(const char *name);
const char *setting_name(const struct setting *setting);
/* The name of its variable. Returns `out`. */
char *setting_variable(const struct setting *setting, char out[SETTING_VARIABLE_SIZE]);

/* Reads `text` into its place. Returns 0, or -EINVAL and a sentence, to be freed: what was read,
 * and what is allowed. */
int setting_apply(const struct setting *setting, struct options *options, const char *text,
                  char **ret_error);

/* "; did you mean …?", "; known are …": for a name that is none. The caller frees it. */
char *setting_instead(const char *name, const char *prefix);

/* What there is by default; text settings are NULL. */
void settings_default(struct options *ret);

/* A line for each. */
void settings_help(FILE *out);

#endif
