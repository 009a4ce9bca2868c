/* SPDX-License-Identifier: Apache-2.0 */
/* The uplinks, as an operator is told of them. */
#include "base/names.h"
#include "inspect.h"
#include "state.h"

static void report_uplink(const struct uplink *uplink, uint64_t now_us, struct inspect_uplink *ret)
{
    *ret = (struct inspect_uplink){
        .name = uplink->name,
        .interface = uplink->interface,
        .class = uplink->class,
        .configured = uplink->configured,
        .condition = uplink_condition_names[uplink->condition],
        .for_us = sub_u64(now_us, uplink->since_us),
        .route4 = uplink->route4,
        .route6 = uplink->route6,
    };
}

bool inspect_uplink(const struct engine *engine, uint64_t now_us, size_t place,
                    struct inspect_uplink *ret)
{
    if (place >= engine->uplinks.n)
        return false;
    report_uplink(&engine->uplinks.list[place], now_us, ret);
    return true;
}

bool inspect_uplink_find(const struct engine *engine, uint64_t now_us, const char *name,
                         struct inspect_uplink *ret)
{
    const struct uplink *uplink = uplinks_find(engine, name);

    if (uplink)
        report_uplink(uplink, now_us, ret);
    return uplink;
}
