/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache of the relays that were discovered: what a later run begins with while they cannot be
 * discovered again. Pure; fuzzed.
 *
 *     {"saved_at":"2026-11-29T16:20:00Z","addrs":["192.0.2.1:4433"],"names":["eu"],
 *      "speaks":["reg-ack"]}
 *
 * `names` and `speaks` may be missing: then a relay is called as its address is written, and speaks
 * what the caller says. Other members are ignored.
 */
#ifndef RELAY_CACHE_H
#define RELAY_CACHE_H

#include "entry.h"

#include "util/buffer.h"

#define CACHE_MAX        ((size_t)256 * 1024)
#define CACHE_AGE_MAX_S  3600u
#define CACHE_AHEAD_S    60u /* two clocks may differ so much */
#define CACHE_ERROR_SIZE 200u

void cache_format(struct buffer *out, const struct relay_list *list, uint64_t now_s);

struct cache {
    struct relay_list list;
    uint64_t age_s;
};

/* `now_s`: since 1970. Returns 0; -ESTALE, it is older than an hour or from the future; or
 * -EBADMSG. With either of them the list is empty and `error` is a sentence without the path. */
int cache_parse(const char *bytes, size_t length, uint64_t now_s, enum relay_speaks otherwise,
                struct cache *ret, char error[static CACHE_ERROR_SIZE]);

/* Do these first bytes of a file show that it is a cache? */
bool cache_is_one(const char *bytes, size_t n);

#endif
