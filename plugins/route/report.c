/* SPDX-License-Identifier: Apache-2.0 */
/* For operators: the next hop that a connection uses, and what the kernel says now. */
#include "policy.h"

#include "util/util.h"

#include <stdio.h>

#define NEXTHOP_TEXT 200u

int route_report(const void *self, const struct pd_peer *who, const void *state, uint64_t now_us,
                 char *text, size_t size)
{
    const struct route *route = self;
    const struct route_peer *peer = state;
    const struct key *key = peer->linked ? &route->keys.slots[peer->key] : NULL;
    char used[NEXTHOP_TEXT] = "not known yet", now[NEXTHOP_TEXT] = "not looked up yet";

    (void)who;
    (void)now_us;
    if (peer->known)
        nexthop_text(&nexthops_slot(&route->nexthops, peer->known)->nexthop, used, sizeof(used));
    if (key && key->no_route)
        snprintf(now, sizeof(now), "no route");
    else if (key && key->answer && key->answer == peer->known)
        snprintf(now, sizeof(now), "the same");
    else if (key && key->answer)
        nexthop_text(&nexthops_slot(&route->nexthops, key->answer)->nexthop, now, sizeof(now));
    return snprintf(text, size, "route in use: %s%s; by the route lookup now: %s%s%s", used,
                    route_gateway_failed(route, peer) ? " (the gateway does not answer)" : "", now,
                    key && key->by_default ? ", by a default route" : "",
                    peer->asked ? "; a move there was advised" : "");
}
