/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Closing a connection and dialling anew loses data, and needs a path that works: does anything say
 * that a dial can work, and how long is it waited for that?
 */
#ifndef ENGINE_DIAL_H
#define ENGINE_DIAL_H

#include "../state.h"

/* Why the fallback would close a connection now, or would not. */
enum dial {
    DIAL_GONE,  /* the kernel has proven that nothing can arrive, and it cannot be migrated */
    DIAL_SIGN,  /* something says that a dial can work */
    DIAL_BLIND, /* nothing says so: only after a long time */
    DIAL_IDLE,  /* only a keep-alive waits */
    DIAL_NEVER, /* there is no way out */
};

enum dial dial_judge(const struct engine *engine, const struct peer *peer);

/* So long without progress, after the last thing tried, before it is closed; NEVER. */
uint64_t dial_after_us(const struct engine *engine, const struct peer *peer, enum dial dial);

/* In so many rows, at least, nothing was acknowledged. */
uint32_t dial_rows(enum dial dial);

/* For the evidence, a word; and for the reason, a phrase. */
const char *dial_name(enum dial dial);
const char *dial_text(enum dial dial);

#endif
