/* SPDX-License-Identifier: Apache-2.0 */
#include "movable.h"

#include <stdio.h>

/* The server sees it at an address of an uplink: it goes there, whatever else the routes say of
 * packets without a mark. So does a VPN's own flow, while the routes lead all else into the VPN. */
static bool is_on_uplink(const struct mover *mover, const struct flow *flow)
{
    size_t n_uplinks;
    const struct uplink *list = mover_uplinks(mover, &n_uplinks);

    for (size_t i = 0; i < n_uplinks; i++)
        if (list[i].family == flow->tuple.family &&
            mover_is_on(mover, list[i].name, flow->tuple.family, flow->entry.seen_at))
            return true;
    return false;
}

struct mover_settings options_mover(const struct options *options)
{
    return (struct mover_settings){
        .table = options->table,
        .mark_mask = options->mark_mask,
        .route_table = options->route_table,
        .rule_priority = options->rule_priority,
        .protocol = MOVER_PROTOCOL,
        .uplinks = (const char *const *)options->uplinks.at,
        .n_uplinks = options->uplinks.n,
    };
}

bool flow_is_movable(struct owners *owners, const struct mover *mover, const struct flow *flow,
                     struct owner_route *ret_route, char *ret_why, size_t why_size, int *ret_error)
{
    struct uplink uplink;

    *ret_error = owner_route(owners, &flow->tuple, flow->lan[0] ? flow->lan : NULL, ret_route);
    if (ret_route->is_forbidden) {
        snprintf(ret_why, why_size, "a route or a rule says that nothing may go there");
        return false;
    }
    if (ret_route->is_specific) {
        snprintf(ret_why, why_size,
                 "its server has a route of its own over %s, which goes before every uplink",
                 ret_route->interface);
        return false;
    }
    if (!ret_route->interface[0] || is_on_uplink(mover, flow) ||
        mover_uplink(mover, ret_route->interface, flow->tuple.family, &uplink))
        return true;
    snprintf(ret_why, why_size, "the routes lead it to %s, which is no uplink",
             ret_route->interface);
    return false;
}
