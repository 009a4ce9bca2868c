/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The uplinks of this host: the interfaces over which it reaches the internet. Those of the
 * configuration's [uplink:NAME] sections; without any, the interfaces that have a route of their
 * own to everywhere. What they have at present comes as an event, whole each time.
 */
#ifndef ENGINE_UPLINKS_H
#define ENGINE_UPLINKS_H

#include "../config.h"
#include "../event.h"

struct engine;

struct uplink {
    const char *name;
    const char *interface;
    enum uplink_class class;
    bool configured; /* by a section; else learned */
    enum uplink_condition condition;
    uint64_t since_us;   /* of the condition; the engine's clock */
    bool route4, route6; /* to everywhere, by family */
    struct pd_address *addresses;
    size_t n_addresses;
};

/* Owns all that it holds. */
struct uplinks {
    struct uplink *list;
    size_t n;
    struct event_interfaces host; /* as last told; owned: a copy */
};

/* What the host has now. */
void uplinks_take(struct engine *engine, const struct event_interfaces *host);

/* The configuration is another. */
void uplinks_configure(struct engine *engine);

/* The uplink that a connection uses: the one that it was moved to, else the one that has its local
 * address. NULL: none, or two have that address. */
const struct uplink *uplinks_of(const struct engine *engine, const struct pd_path *path);

/* By its name, else by its interface's. NULL: none. */
const struct uplink *uplinks_find(const struct engine *engine, const char *name);

void uplinks_clear(struct engine *engine);

#endif
