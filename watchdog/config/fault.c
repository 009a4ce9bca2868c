/* SPDX-License-Identifier: Apache-2.0 */
/* Where something is wrong, and what is known there. */
#include "../util/format.h"
#include "../util/nearest.h"
#include "build.h"
#include "settings.h"

int config_fail(const struct ini_entry *entry, char **ret_error, int error, char *text)
{
    *ret_error = entry->key ? string_format("%s:%u: [%s] %s: %s", entry->file, entry->line,
                                            entry->section, entry->key, text)
                            : string_format("%s:%u: [%s]: %s", entry->file, entry->line,
                                            entry->section, text);
    free(text);
    return error;
}

struct config_origin config_origin_of(struct config *config, const struct ini_entry *entry)
{
    return (struct config_origin){
        .file = config_own(config, string_copy(entry->file)),
        .line = entry->line,
    };
}

char *config_unknown_key(const char *key, const char *const *known, size_t n_known)
{
    const char *nearest = nearest_word(key, known, n_known);
    char *list = string_copy(""), *text;

    if (nearest)
        text = string_format("unknown key; did you mean %s?", nearest);
    else {
        for (size_t i = 0; i < n_known; i++) {
            char *longer = string_format("%s%s%s", list, i ? ", " : "", known[i]);

            free(list);
            list = longer;
        }
        text = string_format("unknown key; known are %s", list);
    }
    free(list);
    return text;
}
