/* SPDX-License-Identifier: Apache-2.0 */
/* Whose flows are told, by the settings. */
#ifndef FLOW_NODE_WANTED_H
#define FLOW_NODE_WANTED_H

#include "options.h"
#include "owner.h"

struct wanted {
    const struct options *options;
    uint32_t uids[64];
    size_t n_uids;
};

/* Looks up the users' names. Returns 0, or -errno and a sentence, to be freed. */
int wanted_init(struct wanted *wanted, const struct options *options, char **ret_error);

bool owner_is_wanted(const struct wanted *wanted, const struct owner *owner);
/* What stands behind the flow's name: the unit, else the user, else NULL. */
const char *owner_name(const struct owner *owner);

#endif
