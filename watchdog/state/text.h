/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state file's content: what was learnt, of which boot of the machine, and
 * whether the run that wrote it ended cleanly. Pure; trusts nothing it reads.
 *
 * {"pathdog":"state","version":1,"clean":false,"kernel_boot":"…","learnt":{…}}
 */
#ifndef STATE_TEXT_H
#define STATE_TEXT_H

#include "../codec/learnt-text.h"

#define STATE_VERSION 1

struct state {
    bool clean;
    const char *kernel_boot;
    struct learnt learnt;
};

/* All before the names; the pieces of learnt-text.h follow, then the end. */
void state_encode_head(struct buffer *out, const struct state *state);
void state_encode_end(struct buffer *out);

/* What is read is in `arena`. 0, or -EBADMSG and an error of `size` bytes. */
int state_decode(const char *text, size_t length, struct arena *arena, struct state *ret,
                 char *error, size_t size);

#endif
