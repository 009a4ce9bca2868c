/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table is made anew from the configuration and from what the host has, whenever one of the
 * two is another. It is short, and that is rare.
 */
#include "uplinks.h"

#include <arpa/inet.h>

#include "../state.h"

/* ---- what the host has ---- */

static void host_clear(struct event_interfaces *host)
{
    for (size_t i = 0; i < host->n; i++) {
        free((char *)(uintptr_t)host->list[i].name);
        free((char *)(uintptr_t)host->list[i].addresses);
    }
    free((struct event_interface *)(uintptr_t)host->list);
    *host = (struct event_interfaces){0};
}

static void host_copy(struct event_interfaces *ret, const struct event_interfaces *host)
{
    struct event_interface *list = memory_new(host->n, sizeof(*list));

    for (size_t i = 0; i < host->n; i++) {
        list[i] = host->list[i];
        list[i].name = string_copy(host->list[i].name);
        list[i].addresses = string_copy(host->list[i].addresses);
    }
    *ret = (struct event_interfaces){list, host->n};
}

static const struct event_interface *host_find(const struct event_interfaces *host,
                                               const char *name)
{
    for (size_t i = 0; i < host->n; i++)
        if (!strcmp(host->list[i].name, name))
            return &host->list[i];
    return NULL;
}

/* ---- the table ---- */

static bool address_read(const char *text, struct pd_address *ret)
{
    ret->family = inet_pton(AF_INET, text, ret->bytes) == 1    ? 4
                  : inet_pton(AF_INET6, text, ret->bytes) == 1 ? 6
                                                               : 0;
    return ret->family != 0;
}

/* Words separated by blanks; what is no address is left out. */
static void take_addresses(struct uplink *uplink, const char *text)
{
    CLEANUP_FREE char *copy = string_copy(text);

    uplink->addresses = memory_new(strlen(text) / 2 + 1, sizeof(*uplink->addresses));
    for (char *word = copy, *next; word; word = next) {
        next = strchr(word, ' ');
        if (next)
            *next++ = '\0';
        if (address_read(word, &uplink->addresses[uplink->n_addresses]))
            uplink->n_addresses++;
    }
}

static enum uplink_condition condition_of(const struct event_interface *interface,
                                          const struct uplink *uplink)
{
    if (!interface)
        return UPLINK_ABSENT;
    if (!interface->carrier)
        return UPLINK_NO_CARRIER;
    if (!uplink->n_addresses)
        return UPLINK_NO_ADDRESS;
    return interface->route4 || interface->route6 ? UPLINK_UP : UPLINK_NO_ROUTE;
}

uint64_t uplink_penalty_us(const struct uplink *uplink, unsigned place, uint64_t now_us)
{
    const struct penalty *penalty = &uplink->is.penalty[place];
    uint64_t from_us = max_u64(penalty->at_us, uplink->is.since_us);

    return uplink->condition == UPLINK_UP ? sub_u64(penalty->left_us, sub_u64(now_us, from_us))
                                          : penalty->left_us;
}

/* What it has, and what is remembered of it. */
static void fill(struct uplink *uplink, const struct event_interface *interface,
                 const struct uplinks *before, uint64_t now_us)
{
    const struct uplink *was = uplinks_on(before, uplink->interface->s);

    if (interface)
        take_addresses(uplink, interface->addresses);
    uplink->route4 = interface && interface->route4;
    uplink->route6 = interface && interface->route6;
    uplink->condition = condition_of(interface, uplink);
    uplink->is.since_us = now_us;
    if (!was)
        return;
    uplink->is = was->is;
    uplink->n_peers = was->n_peers;
    text_ref(uplink->is.change_reason);
    if (was->condition == uplink->condition)
        return;
    for (unsigned i = 0; i < ARRAY_SIZE(uplink->is.penalty); i++)
        uplink->is.penalty[i] = (struct penalty){uplink_penalty_us(was, i, now_us), now_us};
    uplink->is.since_us = now_us;
}

void uplinks_list_clear(struct uplinks *uplinks)
{
    for (size_t i = 0; i < uplinks->n; i++) {
        text_unref(uplinks->list[i].name);
        text_unref(uplinks->list[i].interface);
        text_unref(uplinks->list[i].is.change_reason);
        free(uplinks->list[i].addresses);
    }
    free(uplinks->list);
    uplinks->list = NULL;
    uplinks->n = 0;
}

static struct uplink *add(struct uplinks *uplinks, const char *name, const char *interface)
{
    struct uplink *uplink = &uplinks->list[uplinks->n++];

    uplink->name = text_new(name);
    uplink->interface = text_new(interface);
    return uplink;
}

/* Is there a reason to remember a learned one that the host has no more? */
static bool is_missed(const struct uplink *was)
{
    return !was->configured && (was->n_peers || was->is.left_us || was->is.held);
}

static void learn(struct engine *engine, const struct uplinks *before)
{
    struct uplinks *uplinks = &engine->uplinks;

    for (size_t i = 0; i < uplinks->host.n; i++) {
        const struct event_interface *interface = &uplinks->host.list[i];
        struct uplink *uplink = add(uplinks, interface->name, interface->name);

        uplink->class = interface->modem ? UPLINK_METERED : UPLINK_SPARE;
        fill(uplink, interface, before, engine->now_us);
    }
    for (size_t i = 0; i < before->n && uplinks->n < UPLINKS_CHOSEN_MAX; i++) {
        const struct uplink *was = &before->list[i];
        struct uplink *uplink;

        if (!is_missed(was) || host_find(&uplinks->host, was->interface->s))
            continue;
        uplink = add(uplinks, was->name->s, was->interface->s);
        uplink->class = was->class;
        fill(uplink, NULL, before, engine->now_us);
    }
}

static void make(struct engine *engine, struct uplinks *before)
{
    const struct engine_config *config = engine->config;
    struct uplinks *uplinks = &engine->uplinks;

    *before = (struct uplinks){.list = uplinks->list, .n = uplinks->n};
    uplinks->list =
        memory_new(config->n_uplinks + uplinks->host.n + before->n, sizeof(*uplinks->list));
    uplinks->n = 0;
    for (size_t i = 0; i < config->n_uplinks; i++) {
        const struct uplink_config *set = &config->uplinks[i];
        struct uplink *uplink = add(uplinks, set->name, set->interface);

        uplink->class = set->class;
        uplink->configured = true;
        fill(uplink, host_find(&uplinks->host, set->interface), before, engine->now_us);
    }
    if (!config->n_uplinks)
        learn(engine, before);
}

void uplinks_take(struct engine *engine, const struct event_interfaces *host,
                  struct uplinks *before)
{
    host_clear(&engine->uplinks.host);
    host_copy(&engine->uplinks.host, host);
    make(engine, before);
}

void uplinks_configure(struct engine *engine, struct uplinks *before)
{
    make(engine, before);
}

void uplinks_clear(struct engine *engine)
{
    struct uplinks *uplinks = &engine->uplinks;

    uplinks_list_clear(uplinks);
    host_clear(&uplinks->host);
    destination_unref(uplinks->destination);
    free(uplinks->probes);
}

/* ---- questions ---- */

static bool has_address(const struct uplink *uplink, const struct pd_address *local)
{
    for (size_t i = 0; i < uplink->n_addresses; i++) {
        const struct pd_address *own = &uplink->addresses[i];

        if (own->family == local->family &&
            !memcmp(own->bytes, local->bytes, local->family == 4 ? 4 : 16) &&
            (!*local->scope || !strcmp(local->scope, uplink->interface->s)))
            return true;
    }
    return false;
}

const struct uplink *uplinks_of(const struct engine *engine, const struct pd_path *path)
{
    const struct uplinks *uplinks = &engine->uplinks;
    const struct uplink *found = NULL;

    for (size_t i = 0; i < uplinks->n && path->interface; i++)
        if (!strcmp(uplinks->list[i].interface->s, path->interface))
            return &uplinks->list[i];
    for (size_t i = 0; i < uplinks->n && path->local.family; i++) {
        if (!has_address(&uplinks->list[i], &path->local))
            continue;
        if (found)
            return NULL;
        found = &uplinks->list[i];
    }
    return found;
}

const struct uplink *uplinks_find(const struct engine *engine, const char *name)
{
    const struct uplinks *uplinks = &engine->uplinks;

    for (size_t i = 0; i < uplinks->n; i++)
        if (!strcmp(uplinks->list[i].name->s, name))
            return &uplinks->list[i];
    return uplinks_by_interface(engine, name);
}

struct uplink *uplinks_on(const struct uplinks *uplinks, const char *interface)
{
    for (size_t i = 0; i < uplinks->n; i++)
        if (!strcmp(uplinks->list[i].interface->s, interface))
            return &uplinks->list[i];
    return NULL;
}

struct uplink *uplinks_by_interface(const struct engine *engine, const char *interface)
{
    return uplinks_on(&engine->uplinks, interface);
}

struct uplink *uplinks_target(const struct engine *engine, const struct destination *destination)
{
    return destination && destination->interface ? uplinks_by_interface(engine,
                                                                        destination->interface->s)
                                                 : NULL;
}

bool uplinks_chosen(const struct engine *engine)
{
    return engine->uplinks.n > 1 && engine->config->choose && engine->node.features & NODE_BIND;
}

uint8_t uplink_place(const struct engine *engine, const struct uplink *uplink)
{
    size_t place = uplink ? (size_t)(uplink - engine->uplinks.list) : UPLINKS_CHOSEN_MAX;

    return place < UPLINKS_CHOSEN_MAX ? (uint8_t)(place + 1) : 0;
}

struct uplink *uplink_at(const struct engine *engine, uint8_t place)
{
    return place && place <= engine->uplinks.n ? &engine->uplinks.list[place - 1] : NULL;
}

bool uplink_held(const struct uplink *uplink, uint64_t now_us)
{
    return uplink->is.held && (!uplink->is.held_until_us || uplink->is.held_until_us > now_us);
}

static bool has_family(const struct uplink *uplink, unsigned family)
{
    for (size_t i = 0; i < uplink->n_addresses; i++)
        if (!family || uplink->addresses[i].family == family)
            return true;
    return false;
}

bool uplink_serves(const struct uplink *uplink, unsigned family, uint64_t now_us)
{
    bool route = family == 4   ? uplink->route4
                 : family == 6 ? uplink->route6
                               : uplink->route4 || uplink->route6;

    return uplink->condition == UPLINK_UP && route && has_family(uplink, family) &&
           !uplink_held(uplink, now_us);
}

unsigned uplinks_family(const struct peer *peer)
{
    const struct pd_path *path = peer->view.path;

    return path->remote.family ? path->remote.family : path->local.family;
}
