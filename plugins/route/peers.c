/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which key a connection belongs to, and what its own changes mean for the next hop
 * out that it is known to use.
 */
#include "policy.h"

#include "util/util.h"

static void peer_unlink(struct pd_turn *turn, struct route_peer *peer)
{
    struct route *route = turn->self;
    struct key *key = &route->keys.slots[peer->key];
    struct route_peer *other;

    if (!peer->linked)
        return;
    if (peer->previous == ROUTE_NONE) {
        key->first = peer->next;
    } else {
        other = turn->host->state(turn, peer->previous);
        other->next = peer->next;
    }
    if (peer->next == ROUTE_NONE) {
        key->last = peer->previous;
    } else {
        other = turn->host->state(turn, peer->next);
        other->previous = peer->previous;
    }
    key->n_peers--;
    key->in_flight_bytes -= peer->in_flight_bytes;
    peer->linked = false;
    keys_release(&route->keys, &route->nexthops, peer->key);
}

/* Returns whether the key is another than before. */
static bool peer_link(struct pd_turn *turn, const struct pd_peer *who, struct route_peer *peer)
{
    struct route *route = turn->self;
    struct key_name name;
    struct route_peer *last;
    struct key *key;
    uint32_t index;

    key_name_of(who,
                peer->bound ? nexthops_slot(&route->nexthops, peer->bound)->nexthop.ifname : "",
                route->ports, &name);
    index = keys_find(&route->keys, &name);
    if (peer->linked && peer->key == index)
        return false;
    /* Found before the old one is released, so that it is not that one's slot. */
    peer_unlink(turn, peer);
    key = &route->keys.slots[index];
    peer->key = index;
    peer->previous = key->last;
    peer->next = ROUTE_NONE;
    peer->linked = true;
    if (key->last == ROUTE_NONE) {
        key->first = who->index;
    } else {
        last = turn->host->state(turn, key->last);
        last->next = who->index;
    }
    key->last = who->index;
    key->n_peers++;
    if (who->index >= route->n_indices)
        route->n_indices = who->index + 1;
    key->in_flight_bytes += peer->in_flight_bytes;
    route_tell(turn, who->index, peer);
    return true;
}

/* Compare now where the key's answer is current, else when it comes. */
static void peer_compare(struct pd_turn *turn, struct route_peer *peer)
{
    struct route *route = turn->self;
    struct key *key = &route->keys.slots[peer->key];

    if (key->epoch && key->epoch == route->epoch && !key->no_route && !peer->known &&
        !key->source_gone) {
        /* Nothing to compare with, and nothing to say: the usual case of a new peer. */
        nexthops_set(&route->nexthops, &peer->known, key->answer);
        return;
    }
    key->unsettled = true;
    route_ask(turn, peer->key);
}

/* What is remembered of what was asked for does not hold any more. */
static void peer_forget(struct route *route, struct route_peer *peer)
{
    nexthops_set(&route->nexthops, &peer->known, 0);
    nexthops_set(&route->nexthops, &peer->asked, 0);
    nexthops_set(&route->nexthops, &peer->open, 0);
    nexthops_set(&route->nexthops, &peer->bound, 0);
    peer->adopt = peer->dead = false;
    peer->cut = CUT_NOT;
}

void route_bind(struct pd_turn *turn, const struct pd_peer *who, const struct nexthop *interface)
{
    struct route *route = turn->self;
    struct route_peer *peer = turn->host->state(turn, who->index);

    nexthops_unref(&route->nexthops, peer->bound);
    peer->bound = nexthops_intern(&route->nexthops, interface);
    peer_link(turn, who, peer);
}

/* It is bound to this interface: it uses the next hop there, whatever the routes say of others.
 * `moved`: by us, just now, and its source address may be an old one. */
static void peer_bind(struct pd_turn *turn, const struct pd_peer *who, struct route_peer *peer,
                      bool moved)
{
    struct route *route = turn->self;
    struct nexthop nexthop = {0};

    if (peer->asked)
        turn->host->withdraw(turn, who->index);
    peer_forget(route, peer);
    memcpy(nexthop.ifname, who->path->interface,
           strnlen(who->path->interface, sizeof(nexthop.ifname) - 1));
    route_bind(turn, who, &nexthop);
    peer->adopt = peer->moved = moved;
    peer_compare(turn, peer);
}

static bool peer_bound_to(const struct route *route, const struct route_peer *peer,
                          const struct pd_path *path)
{
    return peer->bound &&
           !strcmp(nexthops_slot(&route->nexthops, peer->bound)->nexthop.ifname, path->interface);
}

/* Bound to an interface that could not be used when we saw it first: no answer has its number. */
static uint16_t nexthop_unknown(struct route *route, uint16_t bound)
{
    struct nexthop nexthop = nexthops_slot(&route->nexthops, bound)->nexthop;

    nexthop.oif = UINT32_MAX;
    return nexthops_intern(&route->nexthops, &nexthop);
}

void route_unbind(struct pd_turn *turn, uint32_t index, enum cut why)
{
    struct route *route = turn->self;

    while (route->keys.slots[index].live && route->keys.slots[index].first != ROUTE_NONE) {
        const struct pd_peer *who = turn->host->peer(turn, route->keys.slots[index].first);
        struct route_peer *peer = turn->host->state(turn, route->keys.slots[index].first);

        if (!peer->known)
            peer->known = nexthop_unknown(route, peer->bound);
        nexthops_set(&route->nexthops, &peer->bound, 0);
        peer->cut = why;
        peer_link(turn, who, peer);
        peer_compare(turn, peer);
    }
}

void route_open(struct pd_turn *turn, uint32_t index, struct route_peer *peer)
{
    struct nexthops *nexthops = &((struct route *)turn->self)->nexthops;

    if (peer->asked && peer->open && !nexthops_same(nexthops, peer->asked, peer->open) &&
        !turn->host->waits(turn, index))
        nexthops_set(nexthops, &peer->open, peer->asked);
}

/* Ours, or somebody's through us, succeeded: it now uses what was asked for. */
static void peer_migrated(struct pd_turn *turn, const struct pd_peer *who, struct route_peer *peer)
{
    struct route *route = turn->self;

    if (who->path->interface) {
        peer_bind(turn, who, peer, true);
        return;
    }
    nexthops_set(&route->nexthops, &peer->bound, 0);
    peer->cut = CUT_NOT;
    peer->dead = false;
    /* Else it is a late answer, to a request that was taken back for the one that is open. */
    if (!turn->host->in_flight(turn, who->index))
        route_open(turn, who->index, peer);
    nexthops_set(&route->nexthops, &peer->known, peer->open);
    peer->adopt = peer->moved = true;
    /* What was advised meanwhile is asked for next, or already. */
    if (peer->asked && !nexthops_same(&route->nexthops, peer->asked, peer->open)) {
        nexthops_set(&route->nexthops, &peer->open, peer->asked);
    } else {
        nexthops_set(&route->nexthops, &peer->asked, 0);
        nexthops_set(&route->nexthops, &peer->open, 0);
    }
    peer_link(turn, who, peer);
    peer_compare(turn, peer);
}

static void peer_path(struct pd_turn *turn, const struct pd_peer *who, struct route_peer *peer)
{
    struct route *route = turn->self;

    if (who->path->interface) {
        peer_bind(turn, who, peer, false);
        return;
    }
    if (peer->open && turn->host->in_flight(turn, who->index)) {
        /* The effect of our request, told before its answer. */
        route_open(turn, who->index, peer);
        nexthops_set(&route->nexthops, &peer->known, peer->open);
        peer->adopt = true;
    } else if (!peer->moved) {
        peer_forget(route, peer);
    }
    peer_link(turn, who, peer);
    peer_compare(turn, peer);
}

int route_peer_event(struct pd_turn *turn, const struct pd_peer_event *event)
{
    struct route *route = turn->self;
    struct route_peer *peer = event->state;

    switch (event->change) {
    case PD_PEER_UP:
        if (event->peer->path->interface) {
            peer_bind(turn, event->peer, peer, false);
            break;
        }
        peer_link(turn, event->peer, peer);
        peer_compare(turn, peer);
        break;
    case PD_PEER_TOLD:
        /* Kept, as long as it is the same path that is told. */
        if (event->peer->path->interface && !peer_bound_to(route, peer, event->peer->path)) {
            peer_bind(turn, event->peer, peer, false);
            break;
        }
        if (peer_link(turn, event->peer, peer))
            peer_forget(route, peer);
        peer_compare(turn, peer);
        break;
    case PD_PEER_DOWN:
        peer_forget(route, peer);
        peer_unlink(turn, peer);
        break;
    case PD_PEER_PATH:
        peer_path(turn, event->peer, peer);
        break;
    case PD_PEER_MIGRATED:
        peer_migrated(turn, event->peer, peer);
        break;
    case PD_PEER_MISSING:
        break;
    }
    return 0;
}

void route_rekey(struct pd_turn *turn)
{
    struct route *route = turn->self;
    uint32_t n_keys = route->keys.n_slots;

    /* Keys that are made here are at the end, or in slots that are done with. */
    for (uint32_t i = 0; i < n_keys; i++) {
        uint32_t next;

        if (!route->keys.slots[i].live)
            continue;
        for (uint32_t peer = route->keys.slots[i].first; peer != ROUTE_NONE; peer = next) {
            const struct pd_peer *who = turn->host->peer(turn, peer);
            struct route_peer *state = turn->host->state(turn, peer);

            next = state->next;
            if (who)
                peer_link(turn, who, state);
        }
    }
}
