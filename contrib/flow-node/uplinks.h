/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The uplinks of this host: interfaces that are up, have an address, and have a default route, for
 * each family by itself. Built from a dump of what the kernel has. Pure.
 */
#ifndef FLOW_NODE_UPLINKS_H
#define FLOW_NODE_UPLINKS_H

#include <stddef.h>

#include "rtnl-decode.h"

struct uplink {
    char name[IFNAMSIZ];
    uint32_t index;
    uint8_t family;         /* 4 or 6 */
    uint8_t gateway_family; /* 4, 6; 0: a link without gateways, as of a modem */
    uint8_t gateway[16];
    uint8_t address[16]; /* the first one */
    uint32_t metric;     /* of its default route; the lowest is the host's own choice */
};

struct uplinks;

/* `names`: only these interfaces are uplinks, and their default routes may be in any table but
 * those of protocol `own_protocol`, which are ours. No names: every interface with a default route
 * in table main, but a VPN's. The names must outlive it. */
struct uplinks *uplinks_new(const char *const *names, size_t n_names, uint8_t own_protocol);
/* NULL is fine. Returns NULL. */
struct uplinks *uplinks_free(struct uplinks *uplinks);

/* A dump: what came before is forgotten at its begin; events; at its end uplinks_list is new. */
void uplinks_begin(struct uplinks *uplinks);
void uplinks_take(struct uplinks *uplinks, const struct rtnl_event *event);
void uplinks_end(struct uplinks *uplinks);

/* Can this news change the list? */
bool uplinks_concerned(const struct uplinks *uplinks, const struct rtnl_event *event);

/* Sorted by name and family; until the next uplinks_end. */
const struct uplink *uplinks_list(const struct uplinks *uplinks, size_t *ret_count);
const struct uplink *uplinks_find(const struct uplinks *uplinks, const char *name, uint8_t family);
/* A default route of which the kernel does not say where it leads. */
bool uplinks_hidden(const struct uplinks *uplinks);
/* An address of any interface of this host; on this interface only. */
bool uplinks_is_local(const struct uplinks *uplinks, uint8_t family, const uint8_t address[16]);
bool uplinks_is_on(const struct uplinks *uplinks, uint32_t index, uint8_t family,
                   const uint8_t address[16]);
/* The name of an interface; NULL: not known. */
const char *uplinks_name(const struct uplinks *uplinks, uint32_t index);

bool uplink_is_equal(const struct uplink *a, const struct uplink *b);

#endif
