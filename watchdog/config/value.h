/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The values of options as text: times, sizes, booleans, fractions. One parser,
 * one formatter and one sentence about what is allowed, for the config file,
 * the error messages, --check and --list-triggers alike. Pure.
 */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include <pathdog/trigger.h>

/* Longest value of any option. */
#define VALUE_MAX_BYTES 4096u

/* Reads `text` as a value of that type; texts and globs are only looked at.
 * Returns 0 or -EINVAL, with `*ret_why` a constant half sentence ("is not …"). */
int value_parse(enum pd_option_type type, const char *text, uint64_t *ret_number,
                const char **ret_why);

/* The shortest text that value_parse reads as the same number: "1min 30s",
 * "64K", "1/4", "yes". The caller frees it. */
char *value_format(enum pd_option_type type, uint64_t number);

/* What may stand there: "a time from 1ms to 1h". The caller frees it. */
char *option_allowed(const struct pd_option *option);

/* Reads and checks the value of one option. `*ret_value` borrows `text`.
 * Returns 0, or -EINVAL and a sentence: what was read, what is allowed. */
int option_parse(const struct pd_option *option, const char *text, struct pd_value *ret_value,
                 char **ret_error);

/* The same from a value: the caller frees it; NULL where it is not set. */
char *option_format(const struct pd_option *option, const struct pd_value *value);

/* "time", "integer" …: for --list-triggers. */
const char *option_type_name(enum pd_option_type type);

#endif
