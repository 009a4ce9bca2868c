/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a peer was without a working path, as far as records tell; pure.
 *
 * It begins with a decision of kind "dead", or as long before it as its evidence says that nothing
 * was heard. It ends with the outcome of a move after which the connection was heard (effect
 * better, same or worse), or with a new connection of that name. Where no record says when
 * it ended, it has no length: a path that comes back by itself leaves no record.
 */
#ifndef CTL_OUTAGE_H
#define CTL_OUTAGE_H

#include <jansson.h>
#include <stdint.h>

struct outages;

/* Is told of each as it ends, in that order. */
struct outage_watch {
    void (*ended)(void *user, const char *peer, uint64_t from_us, uint64_t until_us);
    void *user;
};

/* `watch` is borrowed, and may be NULL. */
struct outages *outages_new(const struct outage_watch *watch);

/* One record more, in order. Peers of two units are never the same. */
void outages_take(struct outages *outages, const char *unit, const json_t *record);

/* `{"ended":…,"unknown":…,"unknown_peers":[…],"longest":{"peer":…,"from_us":…,"until_us":…}}`, to
 * be freed; "longest" is null where none ended. */
json_t *outages_result(const struct outages *outages);

/* NULL is fine. Returns NULL. */
struct outages *outages_free(struct outages *outages);

#endif
