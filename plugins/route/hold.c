/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may be over in a moment: a lease that is flushed and set again, an address for which
 * duplicates are still looked for. What follows from it waits, for a bounded time. Pure.
 */
#include "policy.h"

#include "util/util.h"

/* A DHCP client needs a few milliseconds. A router advertisement's route may be there before its
 * prefix. */
#define LOSS_US 50000u
/* Duplicate address detection: a random delay of up to 1 s, and 1 s for each probe (RFC 4862). */
#define TENTATIVE_US 3000000u

void route_loss(struct route *route, uint32_t oif, uint64_t now_us)
{
    struct route_loss *loss = &route->losses[0];

    for (size_t i = 0; i < ARRAY_SIZE(route->losses); i++) {
        if (route->losses[i].oif == oif) {
            loss = &route->losses[i];
            break;
        }
        if (route->losses[i].until_us < loss->until_us)
            loss = &route->losses[i];
    }
    *loss = (struct route_loss){oif, add_u64(now_us, LOSS_US)};
}

void route_loss_ends(struct route *route, uint32_t oif)
{
    for (size_t i = 0; i < ARRAY_SIZE(route->losses); i++)
        if (route->losses[i].oif == oif)
            route->losses[i] = (struct route_loss){0};
}

uint64_t route_losing(const struct route *route, uint32_t oif, uint64_t now_us)
{
    uint64_t until_us = 0;

    for (size_t i = 0; i < ARRAY_SIZE(route->losses); i++)
        if (!oif || route->losses[i].oif == oif)
            until_us = max_u64(until_us, route->losses[i].until_us);
    return until_us > now_us ? until_us : 0;
}

/* For how long at most, 0: not at all. */
static uint64_t hold_us(const struct route *route, const struct key *key, uint32_t oif,
                        uint64_t now_us)
{
    if (key->provisional == PROVISIONAL_TENTATIVE)
        return TENTATIVE_US;
    if (route_losing(route, oif, now_us) ||
        (key->provisional == PROVISIONAL_NONE && key->name.destination_family == 6))
        return LOSS_US;
    return 0;
}

bool route_hold(struct route *route, struct key *key, uint32_t oif, uint64_t now_us)
{
    uint64_t for_us = hold_us(route, key, oif, now_us), until_us;

    if (!for_us)
        return false;
    if (!key->held_since_us)
        key->held_since_us = now_us;
    until_us = add_u64(key->held_since_us, for_us);
    if (now_us >= until_us)
        return false;
    key->unsettled = true;
    route->held_us = route->held_us ? min_u64(route->held_us, until_us) : until_us;
    return true;
}
