/* SPDX-License-Identifier: Apache-2.0 */
/* What must hold of advice that waits: for the end of a round, for a quiet moment, or for the
 * effect of the move of another connection. */
#include <inttypes.h>
#include <string.h>

#include "engine/peers/peer.h"
#include "engine/state.h"
#include "sim.h"

/* Three rounds; then two that go first, each with its quiet moment, probes, time in the queue,
 * request and effect. */
#define WAITS_MOST_US UINT64_C(180000000)

static void check_deferred(struct sim *sim, const struct peer *peer, struct sim_peer *known)
{
    const struct deferred *deferred = peer->moves->deferred;

    SIM_CHECK(sim, deferred->reason->kind == PD_KIND_DEGRADED, "waits-only-if-degraded: %s",
              peer->view.name);
    SIM_CHECK(sim, deferred->peer == peer->view.index, "waits-for-itself: %s", peer->view.name);
    SIM_CHECK(sim, peer->state == PEER_UP || peer->state == PEER_GONE, "waits-while-known: %s",
              peer->view.name);
    if (!deferred->list)
        SIM_CHECK(sim, deadline_is_on(&deferred->deadline), "quiet-moment-ends: %s has no deadline",
                  peer->view.name);
    else
        SIM_CHECK(sim, deadline_is_on(&sim->engine->groups.wake),
                  "waiting-ends: %s has no deadline", peer->view.name);
    if (!known->waits_us)
        known->waits_us = sim->now_us;
    SIM_CHECK(sim, sim->now_us <= known->waits_us + WAITS_MOST_US + sim->late_us,
              "waiting-ends: %s waits for %" PRIu64 " us", peer->view.name,
              sim->now_us - known->waits_us);
}

/* Of each group is counted who is in it, and nobody twice in a window. */
static void check_groups(struct sim *sim)
{
    const struct groups *groups = &sim->engine->groups;
    uint32_t in[GROUPS_MAX + 1] = {0}, scouts = 0;
    const struct peer *peer;

    for (uint32_t i = 0; (peer = peers_next(sim->engine, &i));)
        in[peer->group]++;
    for (size_t i = 0; i < groups->n; i++) {
        const struct group *group = &groups->list[i];

        SIM_CHECK(sim, group->n_peers == in[i + 1], "group-is-counted: %u in %zu, counted %u",
                  in[i + 1], i + 1, group->n_peers);
        SIM_CHECK(sim, group->worse <= group->measured, "worse-are-measured: %u of %u",
                  group->worse, group->measured);
        scouts += group->scout != 0;
    }
    SIM_CHECK(sim, scouts == groups->scouts, "%u go first, counted %u", scouts, groups->scouts);
}

static void count_event(struct sim *sim, const struct record_cause *cause)
{
    if (strcmp(cause->trigger, "shared") != 0)
        return;
    sim->scouts += strstr(cause->reason->s, " goes first") != NULL;
    sim->nowhere += strstr(cause->reason->s, "no other uplink") != NULL;
}

uint32_t check_fate(struct sim *sim)
{
    uint32_t undecided = 0;
    const struct peer *peer;

    for (size_t i = 0; i < sim->box->n_records; i++) {
        const struct record_decision *decision = &sim->box->records[i].decision;
        struct sim_peer *known = sim->box->records[i].type == RECORD_DECISION
                                     ? model_find(sim, decision->subject.conn)
                                     : NULL;

        if (known)
            known->waits_us = 0;
        if (sim->box->records[i].type == RECORD_CAUSE)
            count_event(sim, sim->box->records[i].cause);
    }
    for (uint32_t i = 0; (peer = peers_next(sim->engine, &i));) {
        struct sim_peer *known = model_find(sim, peer->view.conn);

        if (!peer->moves || !peer->moves->deferred) {
            if (known)
                known->waits_us = 0;
            continue;
        }
        undecided += !peer->moves->deferred->awaits;
        sim->waited++;
        sim->awaited += peer->moves->deferred->awaits;
        if (known)
            check_deferred(sim, peer, known);
    }
    check_groups(sim);
    return undecided;
}
