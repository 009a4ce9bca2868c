/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gateways that answers have named, and which of them the kernel could not reach: neighbours
 * that are nobody's gateway fail all the time. Knows no socket.
 */
#include "source.h"

#include "util/util.h"

static bool gateway_is(const struct gateway *gateway, uint32_t oif, uint8_t family,
                       const uint8_t *bytes)
{
    return gateway->oif == oif && gateway->family == family &&
           !memcmp(gateway->bytes, bytes, ip_length(family));
}

static struct gateway *gateway_find(struct gateways *gateways, uint32_t oif, uint8_t family,
                                    const uint8_t *bytes)
{
    for (size_t i = 0; i < gateways->count; i++)
        if (gateway_is(&gateways->all[i], oif, family, bytes))
            return &gateways->all[i];
    return NULL;
}

void gateways_watch(struct gateways *gateways, const struct netlink_nexthop *nexthop)
{
    struct gateway *gateway;

    if (nexthop->error || !nexthop->gateway_family ||
        gateway_find(gateways, nexthop->oif, nexthop->gateway_family, nexthop->gateway))
        return;
    if (gateways->count < GATEWAYS) {
        gateway = &gateways->all[gateways->count++];
    } else {
        gateway = &gateways->all[gateways->oldest];
        gateways->oldest = (gateways->oldest + 1) % GATEWAYS;
        gateways->n_failed -= gateway->failed;
    }
    *gateway = (struct gateway){.oif = nexthop->oif, .family = nexthop->gateway_family};
    memcpy(gateway->bytes, nexthop->gateway, sizeof(gateway->bytes));
}

bool gateways_take(struct gateways *gateways, const struct netlink_event *event)
{
    struct gateway *gateway;

    if (!event->failed && !(event->resolved && gateways->n_failed))
        return false;
    gateway = gateway_find(gateways, event->index, event->family, event->address);
    if (!gateway || gateway->failed == event->failed)
        return false;
    gateway->failed = event->failed;
    if (event->failed)
        gateways->n_failed++;
    else
        gateways->n_failed--;
    return true;
}

void gateways_forget(struct gateways *gateways)
{
    gateways->n_failed = 0;
    for (size_t i = 0; i < gateways->count; i++)
        gateways->all[i].failed = false;
}
