/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The next hop that a connection is known to use, kept across a restart of
 * pathdog. What was asked for and not reached is not kept: after a restart that
 * is advised again, by what the kernel says then.
 */
#include "policy.h"

#include "util/util.h"

#include <errno.h>
#include <stdio.h>

/* oif, ifname, gateway, source, also, adopt, and the interface that it was moved to, if any;
 * none of them can have a tab in it. */
#define PARTS 7

int route_save(const void *self, const struct pd_peer *who, const void *state, char *text,
               size_t size)
{
    const struct route *route = self;
    const struct route_peer *peer = state;
    const struct nexthop *nexthop;

    (void)who;
    if (!peer->known)
        return 0;
    nexthop = &nexthops_slot(&route->nexthops, peer->known)->nexthop;
    if (!nexthop->oif) /* its address is on no interface: that is seen again */
        return 0;
    return snprintf(
        text, size, "%u\t%s\t%s\t%s\t%s\t%d%s%s", nexthop->oif, nexthop->ifname, nexthop->gateway,
        nexthop->source, nexthop->also, peer->adopt, peer->bound ? "\t" : "",
        peer->bound ? nexthops_slot(&route->nexthops, peer->bound)->nexthop.ifname : "");
}

static bool address_or_nothing(const char *text)
{
    uint8_t bytes[16];

    return !text[0] || ip_parse(text, bytes);
}

/* The text comes from a file: every part is checked. */
static int nexthop_read(char *text, struct nexthop *ret_nexthop, bool *ret_adopt,
                        struct nexthop *ret_bound)
{
    char *parts[PARTS], *end = text;
    size_t count = 0;
    unsigned long long oif;

    for (char *part; (part = strsep(&end, "\t")); count++) {
        if (count == PARTS)
            return -EINVAL;
        parts[count] = part;
    }
    if (count < PARTS - 1 || strspn(parts[0], "0123456789") != strlen(parts[0]))
        return -EINVAL;
    oif = strtoull(parts[0], NULL, 10);
    if (!oif || oif > UINT32_MAX || strlen(parts[1]) >= sizeof(ret_nexthop->ifname) ||
        strlen(parts[4]) >= sizeof(ret_nexthop->also) || !address_or_nothing(parts[2]) ||
        !address_or_nothing(parts[3]))
        return -EINVAL;
    *ret_nexthop = (struct nexthop){.oif = (uint32_t)oif};
    memcpy(ret_nexthop->ifname, parts[1], strlen(parts[1]));
    snprintf(ret_nexthop->gateway, sizeof(ret_nexthop->gateway), "%s", parts[2]);
    snprintf(ret_nexthop->source, sizeof(ret_nexthop->source), "%s", parts[3]);
    memcpy(ret_nexthop->also, parts[4], strlen(parts[4]));
    *ret_adopt = parts[5][0] == '1';
    *ret_bound = (struct nexthop){0};
    if (count == PARTS) {
        if (strlen(parts[6]) >= sizeof(ret_bound->ifname))
            return -EINVAL;
        memcpy(ret_bound->ifname, parts[6], strlen(parts[6]));
    }
    return 0;
}

int route_restore(struct pd_turn *turn, const struct pd_peer_event *event, const char *text)
{
    struct route *route = turn->self;
    struct route_peer *peer = event->state;
    char copy[PD_SAVED_MAX];
    struct nexthop nexthop, bound;
    uint16_t known;
    bool adopt;

    if (strlen(text) >= sizeof(copy))
        return -EINVAL;
    memcpy(copy, text, strlen(text) + 1);
    if (nexthop_read(copy, &nexthop, &adopt, &bound) < 0)
        return -EINVAL;
    known = nexthops_intern(&route->nexthops, &nexthop);
    if (!known)
        return -E2BIG;
    peer->adopt = adopt;
    if (bound.ifname[0])
        route_bind(turn, event->peer, &bound);
    if (known == peer->known) {
        nexthops_unref(&route->nexthops, known);
        return 0;
    }
    nexthops_unref(&route->nexthops, peer->known);
    peer->known = known;
    route->keys.slots[peer->key].unsettled = true;
    route_ask(turn, peer->key);
    if (nexthops_slot(&route->nexthops, known)->refs == 1)
        route_changed(turn); /* is its source still on the host? */
    return 0;
}
