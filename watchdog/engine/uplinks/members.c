/* SPDX-License-Identifier: Apache-2.0 */
/* See members.h. */
#include "members.h"

#include "../peers/peer.h"
#include "../state.h"
#include "groups.h"

static bool is_kept(const struct engine *engine)
{
    return engine->uplinks.n > 1;
}

/* The only function that changes which uplink a connection uses. */
static void set_uplink(struct engine *engine, struct peer *peer, uint8_t place)
{
    struct uplink *before = uplink_at(engine, peer->uplink), *now = uplink_at(engine, place);

    if (before && before->n_peers)
        before->n_peers--;
    if (now)
        now->n_peers++;
    peer->uplink = place & 0x7f;
}

void members_path(struct engine *engine, struct peer *peer)
{
    if (is_kept(engine))
        set_uplink(engine, peer, uplink_place(engine, uplinks_of(engine, peer->view.path)));
    groups_path(engine, peer);
}

void members_gone(struct engine *engine, struct peer *peer)
{
    if (peer->uplink)
        set_uplink(engine, peer, 0);
    groups_gone(engine, peer);
    peer->home = 0;
}

void members_settled(struct peer *peer)
{
    peer->home = 0;
}

void members_moved(struct engine *engine, struct peer *peer, const struct destination *destination,
                   bool asked)
{
    const struct uplink *from, *to;
    uint8_t home;

    members_path(engine, peer);
    if (!destination || !destination->uplink || !destination->target)
        return;
    from = uplinks_find(engine, destination->uplink->s);
    to = uplinks_find(engine, destination->target->s);
    if (asked && to)
        peer->home = uplink_place(engine, to);
    if (!from || !to || from == to || asked)
        return;
    home = peer->home ? peer->home : uplink_place(engine, from);
    peer->home = home == uplink_place(engine, to) ? 0 : home;
}

static bool address_equal(const struct pd_address *a, const struct pd_address *b)
{
    return a->family == b->family && !memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

static bool addresses_equal(const struct uplink *a, const struct uplink *b)
{
    if (a->n_addresses != b->n_addresses)
        return false;
    for (size_t i = 0; i < a->n_addresses; i++)
        if (!address_equal(&a->addresses[i], &b->addresses[i]))
            return false;
    return true;
}

/* The same uplinks at the same places, with the same addresses: connections stay where they are. */
static bool is_alike(const struct uplinks *a, const struct uplinks *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->list[i].name->s, b->list[i].name->s) != 0 ||
            strcmp(a->list[i].interface->s, b->list[i].interface->s) != 0 ||
            !addresses_equal(&a->list[i], &b->list[i]))
            return false;
    return true;
}

static void new_places(const struct engine *engine, const struct uplinks *before,
                       uint8_t places[static UPLINKS_CHOSEN_MAX + 1])
{
    places[0] = 0;
    for (size_t i = 0; i < before->n && i < UPLINKS_CHOSEN_MAX; i++)
        places[i + 1] =
            uplink_place(engine, uplinks_by_interface(engine, before->list[i].interface->s));
}

static void renumber(struct engine *engine, const struct uplinks *before)
{
    uint8_t places[UPLINKS_CHOSEN_MAX + 1];
    struct peer *peer;

    new_places(engine, before, places);
    for (size_t i = 0; i < engine->uplinks.n; i++)
        engine->uplinks.list[i].n_peers = 0;
    for (size_t i = 0; i < engine->uplinks.n_probes; i++)
        engine->uplinks.probes[i].uplink = places[engine->uplinks.probes[i].uplink];
    for (uint32_t i = 0; (peer = peers_next(engine, &i));) {
        const struct uplink *found = is_kept(engine) ? uplinks_of(engine, peer->view.path) : NULL;
        uint8_t old = is_kept(engine) ? places[peer->uplink] : 0;

        peer->uplink = 0;
        peer->home = is_kept(engine) ? places[peer->home] : 0;
        set_uplink(engine, peer, found ? uplink_place(engine, found) : old);
    }
}

void members_renumber(struct engine *engine, const struct uplinks *before)
{
    if (is_alike(before, &engine->uplinks))
        return;
    if (before->n > 1 || is_kept(engine))
        renumber(engine, before);
    groups_renumber(engine);
}

/* Better ones first, in the order of the file. */
static struct uplink *better_class(const struct engine *engine, const struct uplink *from,
                                   unsigned family)
{
    struct uplink *best = NULL;

    for (size_t i = 0; i < engine->uplinks.n; i++) {
        struct uplink *uplink = &engine->uplinks.list[i];

        if (uplink->class < (best ? best->class : from->class) &&
            uplink_serves(uplink, family, engine->now_us))
            best = uplink;
    }
    return best;
}

struct uplink *members_wanted(const struct engine *engine, const struct peer *peer)
{
    struct uplink *from = uplink_at(engine, peer->uplink), *home, *better;
    unsigned family = uplinks_family(peer);

    if (!from || peer->home == peer->uplink || peer->state != PEER_UP || peer_inbound(peer) ||
        !peer_movable(engine, peer, BY_MIGRATE))
        return NULL;
    better = from->configured ? better_class(engine, from, family) : NULL;
    home = uplink_at(engine, peer->home);
    if (home && home != from && home->class <= from->class &&
        (!better || home->class <= better->class) && uplink_serves(home, family, engine->now_us))
        return home;
    return better;
}
