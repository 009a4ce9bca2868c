/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys of [watchdog] in one table: type, default, range, where the value
 * goes. The parser, --check, --help's list and the error messages all read it.
 */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include "config.h"

enum setting_kind {
    SETTING_U64,
    SETTING_U32,
    SETTING_BOOL,
    SETTING_CHOICE, /* an enum whose values are the indexes of `choices` */
    SETTING_STRING,
};

struct setting {
    struct pd_option option;
    enum setting_kind kind;
    size_t offset; /* of the value in struct config */
    const char *const *choices;
    const char *unset; /* what holds where nothing is set and there is no default */
    /* Looks at a string. Returns NULL, or what is wrong with it. */
    const char *(*check)(const char *text);
    bool may_be_empty; /* a string */
};

extern const struct setting settings[];
extern const size_t n_settings;

/* The value of a setting as text; NULL where it is not set. The caller frees it. */
char *setting_text(const struct setting *setting, const struct config *config);

/* Sets it from text that the config owns. Returns 0, or -EINVAL and a sentence. */
int setting_parse(const struct setting *setting, struct config *config, const char *text,
                  char **ret_error);

/* What may stand there. The caller frees it. */
char *setting_allowed(const struct setting *setting);

/* Gives memory to the config; returned again. */
void *config_own(struct config *config, void *memory);

/* "a  b c" → NULL-ended array, owned by the config. */
const char *const *config_words(struct config *config, const char *text, size_t *ret_count);

#endif
