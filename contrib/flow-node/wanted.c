/* SPDX-License-Identifier: Apache-2.0 */
#include "wanted.h"

#include <errno.h>
#include <stdlib.h>

#include "parse.h"
#include "util/account.h"
#include "util/format.h"
#include "util/glob.h"

_Static_assert(ARRAY_SIZE(((struct wanted *)0)->uids) >= WORDS_MOST, "a place for each user");

static int user_find(const char *name, uint32_t *ret)
{
    char *end;
    unsigned long number;
    uid_t uid;
    int r;

    if (*name >= '0' && *name <= '9') {
        errno = 0;
        number = strtoul(name, &end, 10);
        if (*end || errno || number >= UINT32_MAX)
            return -ENOENT;
        *ret = (uint32_t)number;
        return 0;
    }
    r = account_user(name, &uid);
    *ret = r < 0 ? 0 : uid;
    return r;
}

int wanted_init(struct wanted *wanted, const struct options *options, char **ret_error)
{
    *wanted = (struct wanted){.options = options};
    for (size_t i = 0; i < options->users.n; i++) {
        int r = user_find(options->users.at[i], &wanted->uids[i]);

        if (r == -ENOENT)
            return error_set(
                ret_error, -EINVAL,
                "users: there is no user \"%s\"; allowed are names and numbers of users",
                options->users.at[i]);
        if (r < 0)
            return error_set(ret_error, r, "users: \"%s\" cannot be looked up: %s",
                             options->users.at[i], strerror(-r));
        wanted->n_uids++;
    }
    return 0;
}

static bool has_word(const struct words *words, const char *word)
{
    for (size_t i = 0; i < words->n; i++)
        if (!strcmp(words->at[i], word))
            return true;
    return false;
}

static bool user_is_wanted(const struct wanted *wanted, const struct owner *owner)
{
    for (size_t i = 0; i < wanted->n_uids; i++)
        if (wanted->uids[i] == owner->uid)
            return owner->has_socket;
    return !wanted->n_uids;
}

static bool unit_is_wanted(const struct words *units, const struct owner *owner)
{
    for (size_t i = 0; i < units->n; i++)
        if (glob_matches_once(units->at[i], owner->unit))
            return owner->unit[0];
    return !units->n;
}

bool owner_is_wanted(const struct wanted *wanted, const struct owner *owner)
{
    const struct options *options = wanted->options;

    switch (owner->kind) {
    case OWNER_LOCAL:
        return options->local && user_is_wanted(wanted, owner) &&
               unit_is_wanted(&options->units, owner);
    case OWNER_FORWARDED:
        return has_word(&options->lan, owner->lan);
    default:
        return false;
    }
}

const char *owner_name(const struct owner *owner)
{
    if (!owner->has_socket)
        return NULL;
    return owner->unit[0] ? owner->unit : owner->user;
}
