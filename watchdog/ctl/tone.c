/* SPDX-License-Identifier: Apache-2.0 */
#include "tone.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static bool is_one_of(const char *word, const char *const *words)
{
    for (; *words; words++)
        if (!strcmp(word, *words))
            return true;
    return false;
}

enum tone tone_of(const char *word)
{
    static const char *const good[] = {"migrate", "reconnect", "migrated", "reconnected",
                                       "better",  "restored",  NULL};
    static const char *const neutral[] = {"same",    "unknown",  "merged", "queued",
                                          "probing", "awaiting", NULL};
    static const char *const refused[] = {"gone",      "inbound",   "disabled",   "held",
                                          "no-target", "in-flight", "cooling",    "backing-off",
                                          "damped",    "observing", "superseded", "expired",
                                          "old-lives", "cancelled", NULL};

    if (is_one_of(word, good))
        return TONE_GOOD;
    if (is_one_of(word, neutral))
        return TONE_NEUTRAL;
    return is_one_of(word, refused) ? TONE_REFUSED : TONE_BAD;
}
