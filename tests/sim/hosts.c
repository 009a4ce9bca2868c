/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interfaces come and go, lose their carrier, get each other's addresses, are silent; the node's
 * connections use them. One choice per statement: a seed means the same to every compiler.
 */
#include "hosts.h"

#include <stdio.h>
#include <string.h>

#include "sim.h"
#include "util/util.h"

static const char *const names[HOST_INTERFACES] = {"eth0", "eth1", "eth2", "eth3", "eth4", "eth5"};

/* The first dozen are those that the world without uplinks uses, too. */
const char *const hosts_pool[HOST_POOL] = {
    "10.0.0.0",  "10.0.0.1",  "10.0.0.2",  "10.0.0.3",  "10.0.1.0",   "10.0.1.1", "10.0.1.2",
    "10.0.1.3",  "10.0.2.0",  "10.0.2.1",  "10.0.2.2",  "10.0.2.3",   "fd00::1",  "fd00:1::1",
    "fd00:2::1", "fd00:3::1", "fd00:4::1", "fd00:5::1", "fe80::aa:1",
};

/* One section is called as the interface of another may be. */
static const char *const sections[HOST_SECTIONS] = {"cable", "dsl", "eth1", "lte", "sat"};

/* Runs of bytes have one stream. */
uint64_t hosts_pick(struct sim *sim, uint64_t n)
{
    return choose(sim->choice.bytes ? &sim->choice : &sim->hosts.choice, n);
}

static uint64_t pick(struct sim *sim, uint64_t n)
{
    return hosts_pick(sim, n);
}

size_t hosts_find(const char *interface)
{
    size_t i = 0;

    while (i < HOST_INTERFACES && strcmp(names[i], interface) != 0)
        i++;
    return i;
}

const char *hosts_name(size_t interface)
{
    return interface < HOST_INTERFACES ? names[interface] : "none";
}

bool hosts_family(uint32_t addresses, uint8_t family)
{
    return addresses & (family == 4 ? HOST_IPV4 : family == 6 ? HOST_IPV6 : HOST_IPV4 | HOST_IPV6);
}

bool hosts_lives(const struct sim *sim, size_t interface)
{
    const struct host_interface *one = &sim->hosts.list[interface];

    return one->there && one->carrier && !one->silent && one->addresses;
}

/* ---- the host ---- */

static void give_addresses(struct sim *sim, size_t i)
{
    struct host_interface *interface = &sim->hosts.list[i];
    uint32_t v4 = 3u << 2 * i, v6 = 1u << (12 + i);

    interface->addresses = pick(sim, 8) ? v4 : 0;
    if (pick(sim, 2))
        interface->addresses |= v6;
    if (pick(sim, 8) == 0)
        interface->addresses |= 1u << (HOST_POOL - 1);
}

static void give_all(struct sim *sim, size_t i)
{
    struct host_interface *interface = &sim->hosts.list[i];

    interface->there = true;
    interface->carrier = pick(sim, 8);
    interface->modem = pick(sim, 5) == 0;
    interface->route4 = pick(sim, 8);
    interface->route6 = pick(sim, 3);
    interface->silent = false;
    give_addresses(sim, i);
}

void hosts_init(struct sim *sim)
{
    struct hosts *hosts = &sim->hosts;
    uint64_t count;

    hosts->choice = choice_seeded(sim->choice.state ^ 0x75706c696e6b73u);
    hosts->on = pick(sim, 3);
    if (!hosts->on)
        return;
    hosts->calm = pick(sim, 2);
    count = pick(sim, 5);
    for (size_t i = 0; i < count; i++)
        give_all(sim, i);
}

void hosts_clear(struct sim *sim)
{
    free(sim->hosts.probes);
}

void hosts_node_gone(struct sim *sim)
{
    for (size_t i = 1; i <= sim->hosts.n_probes; i++)
        sim->hosts.probes[i].open = false;
    sim->hosts.open = 0;
}

void hosts_restart(struct sim *sim)
{
    hosts_node_gone(sim);
    sim->hosts.n_probes = 0;
    sim->hosts.n_told = 0;
}

void hosts_configure(struct sim *sim, struct sim_setup *setup)
{
    struct engine_config *config = &setup->config;
    size_t first, count;

    config->uplinks = setup->uplinks;
    config->n_uplinks = 0;
    if (!sim->hosts.on)
        return;
    config->choose = pick(sim, 8);
    config->returns = (enum return_when)pick(sim, 3);
    first = pick(sim, HOST_INTERFACES);
    count = pick(sim, 2) ? pick(sim, HOST_SECTIONS + 1) : 0;
    for (size_t i = 0; i < count; i++)
        setup->uplinks[config->n_uplinks++] = (struct uplink_config){
            .name = sections[i],
            .interface = names[(first + i) % HOST_INTERFACES],
            .class = (enum uplink_class)pick(sim, 3),
        };
}

static void break_something(struct sim *sim)
{
    struct hosts *hosts = &sim->hosts;
    struct host_interface *interface = &hosts->list[pick(sim, HOST_INTERFACES)];
    struct host_interface *other = &hosts->list[pick(sim, HOST_INTERFACES)];
    uint32_t some;

    switch (pick(sim, 9)) {
    case 0:
    case 1:
    case 2:
        interface->carrier = !interface->carrier;
        break;
    case 3:
        interface->route4 = !interface->route4;
        break;
    case 4:
        interface->route6 = !interface->route6;
        break;
    case 5:
        some = interface->addresses & (uint32_t)pick(sim, 1u << HOST_POOL);
        interface->addresses &= ~some;
        other->addresses |= some; /* may be the same one */
        break;
    case 6: /* both have it */
        other->addresses |= interface->addresses;
        break;
    case 7:
        interface->there = false;
        break;
    default:
        give_all(sim, (size_t)(interface - hosts->list));
        break;
    }
}

/* One of those that most have is as it should be. */
static void mend_something(struct sim *sim)
{
    size_t i = pick(sim, HOST_INTERFACES - 2);

    if (!sim->hosts.list[i].there || !hosts_family(sim->hosts.list[i].addresses, 0))
        give_addresses(sim, i);
    sim->hosts.list[i].there = sim->hosts.list[i].carrier = sim->hosts.list[i].route4 = true;
}

static bool has_section(const struct sim *sim, size_t i)
{
    for (size_t k = 0; k < sim->config.n_uplinks; k++)
        if (!strcmp(sim->config.uplinks[k].interface, names[i]))
            return true;
    return false;
}

static void write_addresses(char *text, size_t size, uint32_t addresses)
{
    size_t length = 0;

    *text = '\0';
    for (size_t i = 0; i < HOST_POOL; i++)
        if (addresses & 1u << i)
            length += (size_t)snprintf(text + length, size - length, "%s%s", length ? " " : "",
                                       hosts_pool[i]);
}

/* All that may be an uplink, whole, in any order. */
static void tell(struct sim *sim)
{
    struct hosts *hosts = &sim->hosts;
    size_t first = pick(sim, 6) ? 0 : pick(sim, HOST_INTERFACES);

    hosts->n_told = 0;
    for (size_t k = 0; k < HOST_INTERFACES; k++) {
        size_t i = (first + k) % HOST_INTERFACES;
        const struct host_interface *interface = &hosts->list[i];

        if (!interface->there)
            continue;
        if (!interface->route4 && !interface->route6 && !has_section(sim, i) && pick(sim, 8))
            continue;
        write_addresses(hosts->texts[i], sizeof(hosts->texts[i]), interface->addresses);
        hosts->told[i] = *interface;
        if (!interface->carrier)
            hosts->cut_us = sim->now_us;
        hosts->order[hosts->n_told] = i;
        hosts->event[hosts->n_told++] = (struct event_interface){
            .name = names[i],
            .addresses = hosts->texts[i],
            .carrier = interface->carrier,
            .modem = interface->modem,
            .route4 = interface->route4,
            .route6 = interface->route6,
        };
    }
    sim->event.type = EVENT_INTERFACES;
    sim->event.interfaces = (struct event_interfaces){hosts->event, hosts->n_told};
}

/* ---- what happens ---- */

/* By the name of an uplink or an interface, of which there may be none. */
static void hold_or_release(struct sim *sim)
{
    bool section = pick(sim, 2);
    const char *uplink =
        section ? sections[pick(sim, HOST_SECTIONS)] : names[pick(sim, HOST_INTERFACES)];

    sim->event.type = EVENT_COMMAND;
    sim->event.command = (struct event_command){
        .type = pick(sim, 3) ? COMMAND_RELEASE : COMMAND_HOLD,
        .uplink = uplink,
    };
    sim->event.command.who = pick(sim, 2) ? "uid 1000" : NULL;
    sim->event.command.duration_us = pick(sim, 2) ? 1 + pick(sim, 20000000) : 0;
}

bool hosts_next(struct sim *sim)
{
    struct hosts *hosts = &sim->hosts;

    if (!hosts->on)
        return false;
    if (pick(sim, hosts->calm ? 500 : 60) == 0) {
        size_t i = pick(sim, HOST_INTERFACES);

        hosts->list[i].silent = !hosts->list[i].silent;
    }
    if (hosts->open && pick(sim, hosts->calm ? 2 : 4) == 0 && hosts_answer_probe(sim))
        return true;
    if (pick(sim, 400) == 0) {
        hosts_answer_stray(sim);
        return true;
    }
    if (pick(sim, hosts->n_told ? (hosts->calm ? 400 : 40) : 8) == 0) {
        pick(sim, 2) ? break_something(sim) : mend_something(sim);
        tell(sim);
        return true;
    }
    if (pick(sim, hosts->calm ? 300 : 150) == 0) {
        hold_or_release(sim);
        return true;
    }
    return pick(sim, 30) == 0 && hosts_advise_dead(sim);
}

/* ---- the model ---- */

static void fill(const struct sim *sim, struct host_uplink *uplink)
{
    const struct hosts *hosts = &sim->hosts;

    for (size_t k = 0; k < hosts->n_told; k++) {
        const struct host_interface *told = &hosts->told[hosts->order[k]];

        if (strcmp(names[hosts->order[k]], uplink->interface) != 0)
            continue;
        uplink->carrier = told->carrier;
        uplink->route4 = told->route4;
        uplink->route6 = told->route6;
        uplink->addresses = told->addresses;
    }
}

size_t hosts_uplinks(const struct sim *sim, struct host_uplink list[HOST_INTERFACES])
{
    const struct hosts *hosts = &sim->hosts;
    size_t count = 0;

    for (size_t i = 0; i < sim->config.n_uplinks; i++)
        list[count++] = (struct host_uplink){.name = sim->config.uplinks[i].name,
                                             .interface = sim->config.uplinks[i].interface,
                                             .class = sim->config.uplinks[i].class,
                                             .configured = true};
    for (size_t k = 0; !sim->config.n_uplinks && k < hosts->n_told; k++)
        list[count++] = (struct host_uplink){
            .name = names[hosts->order[k]],
            .interface = names[hosts->order[k]],
            .class = hosts->told[hosts->order[k]].modem ? UPLINK_METERED : UPLINK_SPARE,
        };
    for (size_t i = 0; i < count; i++)
        fill(sim, &list[i]);
    return count;
}
