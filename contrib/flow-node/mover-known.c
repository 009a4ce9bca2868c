/* SPDX-License-Identifier: Apache-2.0 */
/* What a mover knows: its flows, the host's uplinks and addresses. */
#include "mover-private.h"

void mover_each(const struct mover *mover,
                void (*each)(void *user, const struct flow_tuple *flow, const char *interface),
                void *user)
{
    for (struct moved_flow *flow = moved_next(&mover->moved, NULL); flow;
         flow = moved_next(&mover->moved, flow))
        if (flow->present)
            each(user, &flow->flow.tuple, rules_interface(mover->rules, flow->present));
}

size_t mover_count(const struct mover *mover)
{
    return mover->moved.n_moved;
}

const char *mover_where(const struct mover *mover, const struct flow_tuple *flow)
{
    const struct moved_flow *moved = moved_find(&mover->moved, flow);

    return moved ? rules_interface(mover->rules, moved->present) : NULL;
}

bool mover_uplink(const struct mover *mover, const char *interface, uint8_t family,
                  struct uplink *ret)
{
    const struct uplink *uplink = uplinks_find(mover->uplinks, interface, family);

    if (uplink)
        *ret = *uplink;
    return uplink;
}

const struct uplink *mover_uplinks(const struct mover *mover, size_t *ret_count)
{
    return uplinks_list(mover->uplinks, ret_count);
}

bool mover_is_on(const struct mover *mover, const char *interface, uint8_t family,
                 const uint8_t address[static 16])
{
    const struct uplink *uplink = uplinks_find(mover->uplinks, interface, family);

    return uplink && uplinks_is_on(mover->uplinks, uplink->index, family, address);
}

bool mover_is_local(const struct mover *mover, uint8_t family, const uint8_t address[static 16])
{
    return uplinks_is_local(mover->uplinks, family, address);
}
