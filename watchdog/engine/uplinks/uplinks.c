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

/* What it has, and since when it is so: as before where it was so before. */
static void fill(struct uplink *uplink, const struct event_interface *interface,
                 const struct uplinks *before, uint64_t now_us)
{
    if (interface)
        take_addresses(uplink, interface->addresses);
    uplink->route4 = interface && interface->route4;
    uplink->route6 = interface && interface->route6;
    uplink->condition = condition_of(interface, uplink);
    uplink->since_us = now_us;
    for (size_t i = 0; i < before->n; i++)
        if (!strcmp(before->list[i].name, uplink->name) &&
            !strcmp(before->list[i].interface, uplink->interface) &&
            before->list[i].condition == uplink->condition)
            uplink->since_us = before->list[i].since_us;
}

static void list_clear(struct uplinks *uplinks)
{
    for (size_t i = 0; i < uplinks->n; i++) {
        free((char *)(uintptr_t)uplinks->list[i].name);
        free((char *)(uintptr_t)uplinks->list[i].interface);
        free(uplinks->list[i].addresses);
    }
    free(uplinks->list);
    uplinks->list = NULL;
    uplinks->n = 0;
}

static struct uplink *add(struct uplinks *uplinks, const char *name, const char *interface)
{
    struct uplink *uplink = &uplinks->list[uplinks->n++];

    uplink->name = string_copy(name);
    uplink->interface = string_copy(interface);
    return uplink;
}

static void make(struct engine *engine)
{
    const struct engine_config *config = engine->config;
    struct uplinks *uplinks = &engine->uplinks, before = *uplinks;

    uplinks->list = memory_new(config->n_uplinks + uplinks->host.n, sizeof(*uplinks->list));
    uplinks->n = 0;
    for (size_t i = 0; i < config->n_uplinks; i++) {
        const struct uplink_config *set = &config->uplinks[i];
        struct uplink *uplink = add(uplinks, set->name, set->interface);

        uplink->class = set->class;
        uplink->configured = true;
        fill(uplink, host_find(&uplinks->host, set->interface), &before, engine->now_us);
    }
    for (size_t i = 0; i < uplinks->host.n && !config->n_uplinks; i++) {
        const struct event_interface *interface = &uplinks->host.list[i];
        struct uplink *uplink = add(uplinks, interface->name, interface->name);

        uplink->class = interface->modem ? UPLINK_METERED : UPLINK_SPARE;
        fill(uplink, interface, &before, engine->now_us);
    }
    list_clear(&before);
}

void uplinks_take(struct engine *engine, const struct event_interfaces *host)
{
    host_clear(&engine->uplinks.host);
    host_copy(&engine->uplinks.host, host);
    make(engine);
}

void uplinks_configure(struct engine *engine)
{
    make(engine);
}

void uplinks_clear(struct engine *engine)
{
    list_clear(&engine->uplinks);
    host_clear(&engine->uplinks.host);
}

/* ---- questions ---- */

static bool has_address(const struct uplink *uplink, const struct pd_address *local)
{
    for (size_t i = 0; i < uplink->n_addresses; i++) {
        const struct pd_address *own = &uplink->addresses[i];

        if (own->family == local->family &&
            !memcmp(own->bytes, local->bytes, local->family == 4 ? 4 : 16) &&
            (!*local->scope || !strcmp(local->scope, uplink->interface)))
            return true;
    }
    return false;
}

const struct uplink *uplinks_of(const struct engine *engine, const struct pd_path *path)
{
    const struct uplinks *uplinks = &engine->uplinks;
    const struct uplink *found = NULL;

    for (size_t i = 0; i < uplinks->n && path->interface; i++)
        if (!strcmp(uplinks->list[i].interface, path->interface))
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
        if (!strcmp(uplinks->list[i].name, name))
            return &uplinks->list[i];
    for (size_t i = 0; i < uplinks->n; i++)
        if (!strcmp(uplinks->list[i].interface, name))
            return &uplinks->list[i];
    return NULL;
}
