/* SPDX-License-Identifier: Apache-2.0 */
/* How the node's connections use the host's interfaces: addresses, rows, answers, probes. */
#include <stdio.h>
#include <string.h>

#include "engine/peers/peer.h"
#include "hosts.h"
#include "sim.h"
#include "util/address.h"
#include "util/util.h"

#define CALM_STEP_US 250000u

static uint64_t pick(struct sim *sim, uint64_t n)
{
    return hosts_pick(sim, n);
}

/* Any at all where none does. */
static size_t any_living(struct sim *sim)
{
    size_t i = pick(sim, HOST_INTERFACES);

    for (size_t k = 0; k < HOST_INTERFACES && !hosts_lives(sim, i); k++)
        i = (i + 1) % HOST_INTERFACES;
    return i;
}

/* ---- what the world does, where it has to do with uplinks ---- */

uint64_t hosts_pace(struct sim *sim, uint64_t next_us)
{
    if (!sim->hosts.on || !sim->hosts.calm || pick(sim, 512) == 0)
        return next_us;
    return min_u64(next_us, sim->now_us + CALM_STEP_US);
}

uint32_t hosts_features(struct sim *sim, uint32_t features)
{
    if (!sim->hosts.on)
        return features;
    if (pick(sim, 4))
        features |= NODE_BIND;
    if (pick(sim, 2))
        features |= NODE_PROBE_PATH;
    return features;
}

static void write_local(struct sim *sim, char *text, size_t size, uint32_t addresses, size_t i)
{
    size_t at = pick(sim, HOST_POOL);

    while (!(addresses & 1u << at))
        at = (at + 1) % HOST_POOL;
    if (at == HOST_POOL - 1)
        snprintf(text, size, "[%s%%%s]:1000", hosts_pool[at], hosts_name(i));
    else
        snprintf(text, size, 1u << at & HOST_IPV6 ? "[%s]:1000" : "%s:1000", hosts_pool[at]);
}

/* The local one mostly of an interface that there is, the other of the same family. */
void hosts_addresses(struct sim *sim, const char **local, const char **remote)
{
    size_t i;

    if (!sim->hosts.on || pick(sim, 6) == 0)
        return;
    i = any_living(sim);
    if (*local && sim->hosts.list[i].addresses) {
        write_local(sim, sim->text[0], sizeof(sim->text[0]), sim->hosts.list[i].addresses, i);
        if (*remote && *sim->text[0] == '[' && pick(sim, 16))
            snprintf(sim->text[1], sizeof(sim->text[1]), "[2001:db8::%x]:443",
                     1 + (unsigned)pick(sim, 4));
    }
}

/* A connection that is known lives on, where the world has a new one of its name. */
bool hosts_stays(struct sim *sim, const struct sim_peer *peer)
{
    return sim->hosts.on && sim->hosts.calm && peer->known && pick(sim, 8);
}

size_t hosts_of(const struct sim *sim, const struct sim_peer *peer)
{
    if (peer->bound)
        return peer->bound - 1;
    for (size_t k = 0; peer->local.family && k < HOST_POOL; k++) {
        struct pd_address own;
        char text[64];

        snprintf(text, sizeof(text), 1u << k & HOST_IPV6 ? "[%s]:1" : "%s:1", hosts_pool[k]);
        if (address_parse(text, &own) < 0 || own.family != peer->local.family ||
            memcmp(own.bytes, peer->local.bytes, own.family == 4 ? 4 : 16) != 0)
            continue;
        for (size_t i = 0; i < HOST_INTERFACES; i++)
            if (sim->hosts.list[i].addresses & 1u << k)
                return i;
    }
    return HOST_INTERFACES;
}

void hosts_life(struct sim *sim, struct sim_peer *peer)
{
    size_t i =
        sim->hosts.on && peer->has_row && pick(sim, 12) ? hosts_of(sim, peer) : HOST_INTERFACES;

    if (i == HOST_INTERFACES)
        return;
    if (!hosts_lives(sim, i))
        peer->life = SIM_FROZEN;
    else if (peer->life == SIM_FROZEN || peer->life == SIM_WILD)
        peer->life = SIM_ALIVE;
}

void hosts_rtt(struct sim *sim, const struct sim_peer *peer, struct pd_row *row)
{
    size_t i = sim->hosts.on ? hosts_of(sim, peer) : HOST_INTERFACES;

    if (i == HOST_INTERFACES)
        return;
    row->v[PD_SRTT_US] = 10000 * (i + 1) + pick(sim, 4000);
    row->v[PD_LATEST_RTT_US] = 10000 * (i + 1) + pick(sim, 8000);
}

/* Advice that names an interface says so in its reason. */
void hosts_advice(struct sim *sim, struct pd_advice *advice)
{
    static const struct pd_field leads[HOST_INTERFACES] = {
        {.name = "oif_after", .text = "eth0"}, {.name = "oif_after", .text = "eth1"},
        {.name = "oif_after", .text = "eth2"}, {.name = "oif_after", .text = "eth3"},
        {.name = "oif_after", .text = "eth4"}, {.name = "oif_after", .text = "eth5"},
    };

    if (!sim->hosts.on)
        return;
    if (pick(sim, 8) == 0)
        advice->kind = PD_KIND_BETTER;
    if (advice->interface && pick(sim, 2))
        advice->interface = hosts_name(pick(sim, HOST_INTERFACES));
    if (advice->interface || advice->local)
        advice->reason = "named";
    if (advice->kind == PD_KIND_MOVED && pick(sim, 2)) {
        advice->evidence = &leads[pick(sim, HOST_INTERFACES)];
        advice->n_evidence = 1;
    }
}

const char *hosts_operator(struct sim *sim, const char *interface)
{
    if (!sim->hosts.on || !interface || pick(sim, 2))
        return interface;
    return hosts_name(pick(sim, HOST_INTERFACES));
}

/* A request that names an interface is answered by what that is like. */
void hosts_answer(struct sim *sim)
{
    struct event_answer *answer = &sim->event.answer;
    size_t i;

    if (!sim->hosts.on || !answer->request || answer->request > sim->n_requests || !pick(sim, 6))
        return;
    i = sim->requests[answer->request].interface;
    if (i == HOST_INTERFACES && !answer->ok)
        return;
    if (i == HOST_INTERFACES) /* wherever the route table leads */
        i = any_living(sim);
    answer->malformed = false;
    answer->ok = hosts_lives(sim, i);
    answer->code = answer->ok ? 0 : NODE_TIMEOUT;
    if (answer->ok)
        write_local(sim, sim->text[0], sizeof(sim->text[0]), sim->hosts.list[i].addresses, i);
    answer->local = answer->ok ? sim->text[0] : NULL;
}

/* ---- probes ---- */

static void probed(struct sim *sim, uint64_t probe, bool ok, int64_t code)
{
    size_t interface =
        probe && probe <= sim->hosts.n_probes ? sim->hosts.probes[probe].interface : 0;

    sim->event.type = EVENT_PROBED;
    sim->event.probed = (struct event_probed){
        .probe = probe,
        .ok = ok,
        .rtt_us = ok ? 8000 * (interface + 1) + pick(sim, 5000) : 0,
        .code = ok ? 0 : code,
        .message = ok || pick(sim, 2) ? NULL : "no",
    };
}

/* One that is answered already, or was asked of another node, or never. */
void hosts_answer_stray(struct sim *sim)
{
    uint64_t recent = min_u64(sim->hosts.n_probes, 16);
    uint64_t probe = sim->hosts.n_probes + 2 - pick(sim, recent + 3);

    probed(sim, probe, pick(sim, 2), NODE_TIMEOUT);
}

void hosts_probed(struct sim *sim)
{
    uint64_t probe = sim->event.probed.probe;
    struct hosts *hosts = &sim->hosts;

    hosts->stray = !probe || probe > hosts->n_probes || !hosts->probes[probe].open;
    if (hosts->stray)
        return;
    hosts->probes[probe].open = false;
    hosts->open--;
    hosts->answered++;
}

bool hosts_answer_probe(struct sim *sim)
{
    static const int64_t codes[] = {NODE_TIMEOUT, NODE_NO_PATH, NODE_NOT_CONNECTED, NODE_BUSY, 0};
    struct hosts *hosts = &sim->hosts;
    uint64_t recent = min_u64(hosts->n_probes, 64), number = hosts->n_probes - recent + 1;
    struct host_probe *probe;
    int64_t code;

    number += pick(sim, recent);
    for (uint64_t i = 0; i < recent && (!hosts->probes[number].open || hosts->probes[number].lost);
         i++)
        number = number < hosts->n_probes ? number + 1 : hosts->n_probes - recent + 1;
    probe = &hosts->probes[number];
    if (!probe->open || probe->lost)
        return false;
    if (pick(sim, 30) == 0) {
        probe->lost = true;
        return false;
    }
    if (hosts_lives(sim, probe->interface) && pick(sim, hosts->calm ? 60 : 8)) {
        probed(sim, number, true, 0);
        return true;
    }
    if (sim->now_us < probe->until_us && pick(sim, 8)) /* nothing comes back until then */
        return false;
    code = codes[pick(sim, ARRAY_SIZE(codes))];
    probed(sim, number, false, code);
    return true;
}

/* ---- advice ---- */

/* A trigger finds some of the connections dead that are so. */
bool hosts_advise_dead(struct sim *sim)
{
    struct poke *poke;
    const char *instance;
    unsigned count = 0;

    if (!sim->config.n_instances)
        return false;
    poke = &sim->pokes[sim->setups[sim->setup].owners[0]];
    instance = sim->setups[sim->setup].instances[0].name;
    for (size_t i = 0; i < SIM_NAMES && count < 12; i++) {
        struct sim_peer *peer = &sim->peers[i];
        const struct peer *known = peer->known ? peers_find(sim->engine, peer->conn) : NULL;
        size_t interface = hosts_of(sim, peer);
        struct poke_step *step;

        if (!known || interface == HOST_INTERFACES || hosts_lives(sim, interface))
            continue;
        step = poke_add(poke, POKE_IN_SIGNAL, POKE_ADVISE);
        step->peer = known->view.index;
        step->advice = (struct pd_advice){.kind = PD_KIND_DEAD, .reason = "nothing comes"};
        count++;
    }
    if (!count)
        return false;
    sim->event.type = EVENT_SIGNAL;
    sim->event.signal = (struct event_signal){.trigger = instance, .kind = "go"};
    return true;
}
