/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What triggers say of connections that their peers have given up (host call `given_up`), and by
 * what means these are moved then; and that the kernel has no route to them (`no_route`), which
 * keeps everybody but an operator from dialling them anew. A word of this very turn may have come
 * before the decision or after it, so that nothing is checked by it.
 */
#include <string.h>

#include "sim.h"

static void said(void *user, uint64_t conn, bool given_up)
{
    struct sim *sim = user;
    struct sim_peer *peer = model_find(sim, conn);

    if (!peer)
        return;
    peer->given_up = given_up ? SIM_GIVEN_UP : SIM_NOT_GIVEN_UP;
    peer->given_up_turn = sim->turn;
}

static void said_route(void *user, uint64_t conn, bool none)
{
    struct sim *sim = user;
    struct sim_peer *peer = model_find(sim, conn);

    if (!peer)
        return;
    peer->unrouted = none ? SIM_GIVEN_UP : SIM_NOT_GIVEN_UP;
    peer->unrouted_turn = sim->turn;
}

void given_up_init(struct sim *sim)
{
    for (size_t i = 0; i < SIM_INSTANCES; i++) {
        sim->pokes[i].given_up = said;
        sim->pokes[i].no_route = said_route;
        sim->pokes[i].user = sim;
    }
}

/* An instance may have ended, and with it all that was said so: which ones, only the engine knows.
 */
void given_up_unsure(struct sim *sim)
{
    for (size_t i = 0; i < SIM_NAMES; i++) {
        if (sim->peers[i].given_up == SIM_GIVEN_UP)
            sim->peers[i].given_up = SIM_MAYBE_GIVEN_UP;
        if (sim->peers[i].unrouted == SIM_GIVEN_UP)
            sim->peers[i].unrouted = SIM_MAYBE_GIVEN_UP;
    }
}

/* Decided just now, by the rule: not in the queue, nor by what was prescribed. */
void given_up_check(struct sim *sim, const struct sim_request *request,
                    const struct record_decision *record)
{
    const struct sim_peer *peer = request->peer;
    bool poked = !strncmp(record->trigger, "poke", 4) || !strncmp(record->trigger, "prod", 4);
    bool network = record->kind == PD_KIND_MOVED || record->kind == PD_KIND_DEAD;
    bool dialable = (sim->features & NODE_RECONNECT) && peer->reconnectable && !peer->undialable;
    /* It may follow others off an uplink, or take the place of a dial that was taken back. */
    bool unmovable = peer->role == PD_ROLE_SERVER || peer->disabled || !peer->migratable;

    if (peer->unrouted_turn != sim->turn && !record->target)
        SIM_CHECK(sim,
                  record->by == BY_MIGRATE || record->kind == PD_KIND_OPERATOR ||
                      peer->unrouted != SIM_GIVEN_UP,
                  "%s is dialled anew, and there is no route to it", peer->name);
    if (!poked || peer->given_up_turn == sim->turn || sim->config.prefer != PREFER_NODE ||
        sim->prefer_reconnect)
        return;
    if (record->by == BY_RECONNECT)
        SIM_CHECK(sim, network && (unmovable || peer->given_up != SIM_NOT_GIVEN_UP),
                  "%s is dialled anew, and nothing says so", peer->name);
    else
        SIM_CHECK(sim, !network || !dialable || peer->given_up != SIM_GIVEN_UP,
                  "migrate of %s, which its peer has given up", peer->name);
    sim->given_ups += record->by == BY_RECONNECT && peer->given_up == SIM_GIVEN_UP;
}
