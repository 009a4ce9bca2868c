/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys to which no route leads: nothing is advised for them, and one notice says which. Pure.
 */
#include "policy.h"

#include "util/util.h"

#include <stdio.h>

/* Errors that are an answer. */
static const char *const errors[] = {
    "ENETUNREACH", "EHOSTUNREACH", "EACCES", "EINVAL",        "no-carrier",
    "ENETDOWN",    "EAGAIN",       "ENODEV", "EADDRNOTAVAIL",
};

uint8_t route_error_number(const char *error)
{
    for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
        if (!strcmp(errors[i], error))
            return (uint8_t)(i + 1);
    return 0;
}

void key_lost(struct route *route, struct key *key, uint8_t error)
{
    if (key->no_route)
        return;
    key->no_route = key->unsaid = true;
    key->error = error;
    route->keys.n_no_route++;
    route->keys.n_unsaid++;
}

void key_not_lost(struct route *route, struct key *key)
{
    route->keys.n_no_route -= key->no_route;
    route->keys.n_unsaid -= key->unsaid;
    key->no_route = key->unsaid = false;
}

void route_tell(struct pd_turn *turn, uint32_t index, struct route_peer *peer)
{
    const struct route *route = turn->self;
    bool none = peer->linked && route->keys.slots[peer->key].no_route;

    if (peer->no_route == none)
        return;
    peer->no_route = none;
    turn->host->no_route(turn, index, none);
}

void route_tell_key(struct pd_turn *turn, uint32_t key)
{
    const struct route *route = turn->self;
    struct route_peer *peer;

    for (uint32_t i = route->keys.slots[key].first; i != ROUTE_NONE; i = peer->next) {
        peer = turn->host->state(turn, i);
        route_tell(turn, i, peer);
    }
}

/* "to 192.0.2.1 (ENETUNREACH)" */
static void key_text(const struct key *key, char *text, size_t size)
{
    char destination[IP_TEXT_SIZE] = "";

    if (key->name.destination_family)
        ip_format(destination, key->name.destination_family, key->name.destination);
    snprintf(text, size, "%s%s (%s)", destination[0] ? "to " : "anywhere", destination,
             errors[key->error - 1]);
}

void route_say_lost(struct pd_turn *turn)
{
    struct route *route = turn->self;
    struct keys *keys = &route->keys;
    char text[256], first[96] = "", others[48] = "";
    uint32_t n_keys = 0, n_peers = 0;
    uint64_t until_us = keys->n_unsaid ? route_losing(route, 0, turn->now_us) : 0;

    if (!keys->n_unsaid)
        return;
    if (until_us) { /* it may be there again by then */
        route->held_us = route->held_us ? min_u64(route->held_us, until_us) : until_us;
        return;
    }
    for (uint32_t i = 0; i < keys->n_slots; i++) {
        struct key *key = &keys->slots[i];

        if (!key->live || !key->unsaid)
            continue;
        if (!n_keys++)
            key_text(key, first, sizeof(first));
        n_peers += key->n_peers;
        key->unsaid = false;
    }
    keys->n_unsaid = 0;
    if (n_keys > 1)
        snprintf(others, sizeof(others), " and %u more", n_keys - 1);
    snprintf(text, sizeof(text),
             "no route %s%s, %u peer%s: no move is advised until there is a route", first, others,
             n_peers, n_peers == 1 ? "" : "s");
    turn->host->notice(turn, PD_LEVEL_WARNING, "no-way-out", text);
}
