/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program can be told, as a table: names, what may stand there, where it goes in the
 * program's own struct. The flag is --NAME, the key of the file NAME (or with _ for -), the
 * variable PREFIX_NAME in capitals; sources.h reads them. Pure.
 */
#ifndef SETTINGS_SETTINGS_H
#define SETTINGS_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <pathdog/trigger.h>

#define SETTING_VARIABLE_SIZE 64u

struct setting;

/* Reads `text` into `place`. Returns 0, or -EINVAL and a sentence, to be freed: what was read, and
 * what is allowed; then the place is as it was. A program may have kinds of its own. */
typedef int setting_kind(const struct setting *setting, void *place, const char *text,
                         char **ret_error);

setting_kind setting_bool;
setting_kind setting_u16, setting_u32, setting_u64; /* the option's limits are within the type's */
setting_kind setting_choice; /* an unsigned, or an enum: the place in `choices` */
setting_kind setting_file;   /* a char *, owned; NULL where it is "none" */

struct setting {
    struct pd_option option; /* default_text NULL: 0, or what the program puts there */
    setting_kind *kind;
    size_t offset;
    const char *const *choices; /* ended by NULL */
    const char *value;          /* for --help: what its value is called */
};

#define SETTING_NUMBER(name_, struct_, member_, type_, kind_, default_, min_, max_, value_, help_) \
    {                                                                                              \
        .option = {(name_), (type_), (default_), (min_), (max_), (help_)}, .kind = (kind_),        \
        .offset = offsetof(struct_, member_), .value = (value_)                                    \
    }
#define SETTING_TEXT(name_, struct_, member_, kind_, default_, value_, help_)                      \
    SETTING_NUMBER(name_, struct_, member_, PD_OPTION_TEXT, kind_, default_, 0, 0, value_, help_)
#define SETTING_BOOLEAN(name_, struct_, member_, default_, help_)                                  \
    SETTING_NUMBER(name_, struct_, member_, PD_OPTION_BOOLEAN, setting_bool, default_, 0, 0,       \
                   "yes|no", help_)
#define SETTING_CHOICE(name_, struct_, member_, default_, choices_, value_, help_)                 \
    {                                                                                              \
        .option = {(name_), PD_OPTION_TEXT, (default_), 0, 0, (help_)}, .kind = setting_choice,    \
        .offset = offsetof(struct_, member_), .choices = (choices_), .value = (value_)             \
    }

enum {
    SETTINGS_RUN,
    SETTINGS_HELP,
    SETTINGS_VERSION,
    SETTINGS_OWN, /* and more: what flags of the program's own ask for */
};

/* A flag without a value, that is no setting. */
struct settings_flag {
    const char *name, *help;
    unsigned wanted;
};

/* A constant of the program's. */
struct settings {
    const char *program;       /* also the file's section */
    const char *section_short; /* its other name; NULL: none */
    const char *prefix;        /* of the variables: "FLOW_NODE_" */
    size_t size;               /* of the program's struct */
    const struct setting *at;
    size_t n;
    const struct settings_flag *flags; /* beside --help and --version */
    size_t n_flags;
    const char *purpose; /* for --help: a sentence; and what stands below the settings */
    const char *below;
};

/* The one with that name, - and _ being the same; NULL: none. */
const struct setting *setting_find(const struct settings *settings, const char *name);
/* The name of its variable. Returns `out`. */
char *setting_variable(const struct settings *settings, const struct setting *setting,
                       char out[SETTING_VARIABLE_SIZE]);
/* Reads `text` into the program's struct, as its kind does. */
int setting_apply(const struct setting *setting, void *options, const char *text, char **ret_error);
/* "did you mean …?", "known are …": for a name that is none. The caller frees it. */
char *setting_instead(const struct settings *settings, const char *name, const char *prefix);

/* For kinds of text: `text` as a char * of its own, which may not be empty. `wrong`: NULL, or the
 * half sentence why it is none. */
int setting_text(char **place, const char *text, const char *allowed,
                 const char *(*wrong)(const char *text), char **ret_error);

/* Sets the whole struct; what has no default is 0. */
void settings_default(const struct settings *settings, void *ret);

void settings_help(const struct settings *settings, FILE *out);

#endif
