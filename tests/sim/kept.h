/* SPDX-License-Identifier: Apache-2.0 */
/* What an engine has learnt, copied out of it as the state file would have it. */
#ifndef SIM_KEPT_H
#define SIM_KEPT_H

#include "engine/engine.h"

struct kept {
    struct learnt learnt;
    struct learnt_name *names;
    struct learnt_peer *peers;
    size_t names_capacity, peers_capacity;
    char **texts;
    size_t n_texts, texts_capacity;
    struct learnt_saved **lists;
    size_t n_lists, lists_capacity;
};

/* In slices of so many connections. */
void kept_take(struct kept *ret_kept, const struct engine *engine, size_t slice);
void kept_free(struct kept *kept);

const struct learnt_peer *kept_peer(const struct kept *kept, uint64_t conn);
const struct learnt_name *kept_name(const struct kept *kept, const char *name);

#endif
