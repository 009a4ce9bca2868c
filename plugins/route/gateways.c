/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gateways that answers have named, and which of them the kernel could not reach: neighbours
 * that are nobody's gateway fail all the time. Knows no socket.
 */
#include "source.h"

#include "util/util.h"

static bool gateway_is(const struct netlink_neighbour *gateway, uint32_t oif, uint8_t family,
                       const uint8_t *bytes)
{
    return gateway->index == oif && gateway->family == family &&
           !memcmp(gateway->address, bytes, ip_length(family));
}

/* Returns its place, or `count`. */
static size_t gateway_find(const struct gateways *gateways, uint32_t oif, uint8_t family,
                           const uint8_t *bytes)
{
    size_t i = 0;

    while (i < gateways->count && !gateway_is(&gateways->addresses[i], oif, family, bytes))
        i++;
    return i;
}

/* Where a new one goes: the policy waits for word of those that have failed. NEIGHBOURS_MAX: there
 * is no room. */
static size_t gateway_room(const struct gateways *gateways)
{
    size_t room = NEIGHBOURS_MAX;

    if (gateways->count < NEIGHBOURS_MAX)
        return gateways->count;
    for (size_t i = 0; i < gateways->count; i++)
        if (!gateways->all[i].failed &&
            (room == NEIGHBOURS_MAX ||
             (int32_t)(gateways->all[i].used - gateways->all[room].used) < 0))
            room = i;
    return room;
}

void gateways_watch(struct gateways *gateways, const struct netlink_nexthop *nexthop)
{
    uint8_t family = nexthop->gateway_family;
    size_t place = gateways->last;

    if (nexthop->error || !family)
        return;
    /* Mostly all answers name the same. */
    if (place >= gateways->count ||
        !gateway_is(&gateways->addresses[place], nexthop->oif, family, nexthop->gateway))
        place = gateway_find(gateways, nexthop->oif, family, nexthop->gateway);
    if (place == gateways->count) {
        place = gateway_room(gateways);
        if (place == NEIGHBOURS_MAX)
            return;
        gateways->count += place == gateways->count;
        gateways->addresses[place] =
            (struct netlink_neighbour){.index = nexthop->oif, .family = family};
        memcpy(gateways->addresses[place].address, nexthop->gateway, ip_length(family));
        gateways->all[place] = (struct gateway){0};
        gateways->differs = true;
    }
    gateways->all[place].used = ++gateways->clock;
    gateways->last = place;
}

bool gateways_take(struct gateways *gateways, const struct netlink_event *event)
{
    size_t place = gateway_find(gateways, event->index, event->family, event->address);

    if (place == gateways->count || gateways->all[place].failed == event->failed)
        return false;
    /* That it is asked again is no answer. An entry that was taken away says nothing of it. */
    if (!event->failed && !event->resolved && !event->removed)
        return false;
    gateways->all[place].failed = event->failed;
    return true;
}

bool gateways_forget(struct gateways *gateways)
{
    bool failed = false;

    for (size_t i = 0; i < gateways->count; i++) {
        failed |= gateways->all[i].failed;
        gateways->all[i].failed = false;
    }
    return failed;
}
