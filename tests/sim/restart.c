/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pathdog is started again: another engine, with what the one before had learnt,
 * after a clean stop or after a kill. The node goes on meanwhile.
 */
#include <string.h>

#include "kept.h"
#include "sim.h"
#include "util/util.h"

/* What a trigger was about to do, it does in the new run; the causes of the old one are no
 * numbers of it. */
static void forget_causes(struct sim *sim, struct poke *poke)
{
    for (size_t call = 0; call < POKE_CALLS; call++)
        for (size_t i = 0; i < poke->n_steps[call]; i++) {
            struct poke_step *step = &poke->steps[call][i];

            step->advice.cause = 0;
            if (step->what == POKE_CLOSE_CAUSE)
                step->number = 0;
        }
    poke->last_cause = 0;
    sim->advised += poke->advised;
}

/* The numbers begin again; what was open is nobody's. */
static void forget_run(struct sim *sim)
{
    sim->n_requests = sim->n_decisions = 0;
    if (sim->decisions)
        memset(sim->decisions, 0, sim->decisions_capacity);
    memset(sim->causes, 0, sizeof(sim->causes));
    sim->open = sim->queued = sim->moved = 0;
    sim->firsts = sim->repeats = sim->last_decision = sim->poll = 0;
    sim->looking = false;
    sim->advised = 0;
    sim->undecided = 0;
    for (size_t i = 0; i < SIM_INSTANCES; i++)
        forget_causes(sim, &sim->pokes[i]);
}

/* What must be known again of a connection, if the same boot tells it. */
static void forget_connections(struct sim *sim, bool useful)
{
    for (size_t i = 0; i < SIM_NAMES; i++) {
        struct sim_peer *peer = &sim->peers[i];

        if (!useful)
            peer->kept_conn = 0;
        if (useful && peer->known) {
            peer->kept_conn = peer->conn;
            peer->kept_disabled = peer->disabled;
            peer->kept_undialable = peer->undialable;
        }
        peer->known = peer->unreported = false;
        peer->request = 0;
        peer->sooner_us = 0; /* how often the gap was shortened is not kept */
    }
    sim->up = sim->reported = false;
    hosts_restart(sim);
}

static void check_kept(const struct sim *sim, const struct kept *kept, bool useful)
{
    for (size_t i = 0; i < SIM_NAMES; i++) {
        const struct sim_peer *peer = &sim->peers[i];
        const struct learnt_peer *learnt = kept_peer(kept, peer->conn);
        const struct learnt_name *name = kept_name(kept, peer->name);

        if (useful && peer->known && (peer->disabled || peer->undialable))
            SIM_CHECK(sim,
                      learnt && learnt->disabled == peer->disabled &&
                          learnt->undialable == peer->undialable,
                      "%s is not kept as it is", peer->name);
        if (peer->held && (!peer->held_until_us || peer->held_until_us > sim->now_us))
            SIM_CHECK(sim, name && name->held && name->held_until_us == peer->held_until_us,
                      "the hold of %s is not kept", peer->name);
    }
}

void sim_restart(struct sim *sim)
{
    bool clean = choose(&sim->choice, 2), useful = sim->last_boot[0];
    const struct engine_config *config = &sim->setups[sim->setup].config;
    struct engine_counts counts;
    struct kept kept;

    if (clean) {
        sim->event = (struct event){.type = EVENT_COMMAND, .command.type = COMMAND_STOP};
        sim_handle(sim);
        check_stopped(sim);
    }
    kept_take(&kept, sim->engine, 1 + choose(&sim->choice, 30));
    check_kept(sim, &kept, useful);
    /* fewer may be kept than there were before max_peers was lowered */
    useful = useful && kept.learnt.n_peers <= config->max_peers;
    if (!useful)
        kept.learnt.n_peers = 0;
    sim->engine = engine_free(sim->engine);
    forget_run(sim);
    forget_connections(sim, useful);
    sim->observing = config->mode == MODE_OBSERVE;
    sim->event = (struct event){.type = EVENT_TYPE_COUNT}; /* the one before was another engine's */
    SIM_CHECK(sim, engine_new(config, sim->now_us, sim->now_us, &sim->engine) == 0, "no engine");
    sim->box = engine_outbox(sim->engine);
    check_outbox(sim);
    sim->event = (struct event){.type = EVENT_RESTORE, .restore = kept.learnt};
    sim_handle(sim);
    counts = engine_counts(sim->engine);
    SIM_CHECK(sim, !counts.peers && !counts.open && !sim->box->n_actions,
              "something is done because of what was kept");
    kept_free(&kept);
    sim->restarts++;
}
