/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gateways that do not answer: the kernel cannot send anything through them. Pure.
 */
#include "policy.h"

#include "util/util.h"

static struct route_gateway *gateway_find(struct route *route, uint32_t oif, const char *gateway)
{
    for (size_t i = 0; i < ARRAY_SIZE(route->gateways); i++)
        if (route->gateways[i].oif == oif && !strcmp(route->gateways[i].gateway, gateway))
            return &route->gateways[i];
    return NULL;
}

static void gateway_add(struct route *route, uint32_t oif, const char *gateway)
{
    struct route_gateway *entry = NULL;

    for (size_t i = 0; !entry && i < ARRAY_SIZE(route->gateways); i++)
        if (!route->gateways[i].oif)
            entry = &route->gateways[i];
    if (!entry) {
        entry = &route->gateways[route->oldest_gateway];
        route->oldest_gateway = (route->oldest_gateway + 1) % ROUTE_GATEWAYS;
        route->n_gateways--;
    }
    *entry = (struct route_gateway){.oif = oif};
    memcpy(entry->gateway, gateway, strnlen(gateway, sizeof(entry->gateway) - 1));
    route->n_gateways++;
}

void route_gateway(struct route *route, uint32_t oif, const char *gateway, bool failed)
{
    struct route_gateway *entry = gateway && oif ? gateway_find(route, oif, gateway) : NULL;

    if (!gateway) {
        memset(route->gateways, 0, sizeof(route->gateways));
        route->n_gateways = 0;
    } else if (failed && oif && !entry) {
        gateway_add(route, oif, gateway);
    } else if (!failed && entry) {
        *entry = (struct route_gateway){0};
        route->n_gateways--;
    }
    for (uint32_t i = 0; i < route->keys.n_slots; i++)
        route->keys.slots[i].unsettled |= route->keys.slots[i].live;
}

bool route_gateway_failed(const struct route *route, const struct nexthop *nexthop)
{
    if (!route->n_gateways || !nexthop->gateway[0])
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(route->gateways); i++)
        if (route->gateways[i].oif == nexthop->oif &&
            !strcmp(route->gateways[i].gateway, nexthop->gateway))
            return true;
    return false;
}
