/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's interfaces, and what gets through over them: the world of uplinks. Its choices come
 * from a stream of their own, so that a run without uplinks is what it was before there were any.
 */
#ifndef SIM_HOSTS_H
#define SIM_HOSTS_H

#include "choice.h"
#include "engine/engine.h"

#define HOST_INTERFACES 6u
#define HOST_POOL       19u /* addresses that an interface may have, bit by bit */
#define HOST_IPV4       0x00fffu
#define HOST_IPV6       0x7f000u
#define HOST_SECTIONS   5u

struct sim;
struct sim_peer;
struct sim_setup;

struct host_interface {
    bool there, carrier, modem, route4, route6;
    bool silent; /* nothing gets through, and nothing says so */
    uint32_t addresses;
};

/* An uplink as it is by the configuration and by what the engine was told last. */
struct host_uplink {
    const char *name, *interface;
    enum uplink_class class;
    bool configured, carrier, route4, route6;
    uint32_t addresses;
};

/* A probe that was asked for, by its number from 1. */
struct host_probe {
    uint64_t conn;
    size_t interface;
    uint64_t until_us; /* the time that the node was given */
    bool open;         /* not answered, and the node is the same */
    bool lost;         /* and will not be */
};

extern const char *const hosts_pool[HOST_POOL];

struct hosts {
    bool on;   /* there may be uplinks in this run */
    bool calm; /* time goes in small steps, and what breaks stays broken for a while */
    struct choice choice;
    struct host_interface list[HOST_INTERFACES]; /* as they are */
    struct host_interface told[HOST_INTERFACES]; /* as the engine knows them */
    size_t order[HOST_INTERFACES], n_told;       /* in which it was told */
    struct event_interface event[HOST_INTERFACES];
    char texts[HOST_INTERFACES][512];
    struct host_probe *probes;
    size_t n_probes, probes_capacity;
    uint32_t open;
    uint64_t cut_us; /* when the engine was told last of one without carrier; 0: never */
    bool stray;      /* the present answer is of none that is open */
    /* what came of it */
    uint64_t asked, answered, returned;
    uint64_t chosen[PD_KIND_COUNT]; /* requests that name an uplink that nobody prescribed */
    uint64_t changes[UPLINK_CHANGE_COUNT];
};

/* ---- hosts.c: the host ---- */

/* Once, before the first configuration. */
void hosts_init(struct sim *sim);
void hosts_clear(struct sim *sim);

/* pathdog is started again: it knows nothing of the host. */
void hosts_restart(struct sim *sim);

/* The node is another, or away: what it was asked is answered no more. */
void hosts_node_gone(struct sim *sim);

/* Sections, what may be chosen. */
void hosts_configure(struct sim *sim, struct sim_setup *setup);

/* Perhaps something happens to the host: fills sim.event then, and returns true. */
bool hosts_next(struct sim *sim);

uint64_t hosts_pick(struct sim *sim, uint64_t n);

/* HOST_INTERFACES: there is no such one. */
size_t hosts_find(const char *interface);
const char *hosts_name(size_t interface);

/* Something gets through over it. */
bool hosts_lives(const struct sim *sim, size_t interface);

/* Has one of these addresses this family? 0: any. */
bool hosts_family(uint32_t addresses, uint8_t family);

/* The uplinks as they must be. */
size_t hosts_uplinks(const struct sim *sim, struct host_uplink list[HOST_INTERFACES]);

/* ---- hosts-node.c: how connections use it ---- */

/* The interface that a connection uses, as the node knows it; HOST_INTERFACES: none. */
size_t hosts_of(const struct sim *sim, const struct sim_peer *peer);

/* A probe that is open is answered, or one that is not; a trigger finds some of those connections
 * dead that are so. These fill sim.event; false: nothing happens. */
bool hosts_answer_probe(struct sim *sim);
void hosts_answer_stray(struct sim *sim);
bool hosts_advise_dead(struct sim *sim);

/* Takes an answer over, before the engine does. */
void hosts_probed(struct sim *sim);

/* What the world does, changed where it has to do with uplinks. */
uint64_t hosts_pace(struct sim *sim, uint64_t next_us);
uint32_t hosts_features(struct sim *sim, uint32_t features);
void hosts_addresses(struct sim *sim, const char **local, const char **remote);
bool hosts_stays(struct sim *sim, const struct sim_peer *peer);
void hosts_life(struct sim *sim, struct sim_peer *peer);
void hosts_rtt(struct sim *sim, const struct sim_peer *peer, struct pd_row *row);
void hosts_advice(struct sim *sim, struct pd_advice *advice);
const char *hosts_operator(struct sim *sim, const char *interface);
void hosts_answer(struct sim *sim);

#endif
