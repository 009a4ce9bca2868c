/* SPDX-License-Identifier: Apache-2.0 */
#include "uplinks.h"

#include <linux/rtnetlink.h>
#include <string.h>

#include "util/util.h"

struct link {
    uint32_t index;
    char name[IFNAMSIZ];
    bool up, tunnel;
};

struct address {
    uint32_t index;
    uint8_t family;
    bool usable;
    uint8_t bytes[16];
};

struct way {
    uint8_t family;
    uint32_t table, metric;
    struct rtnl_hop hop;
};

struct uplinks {
    const char *const *names;
    size_t n_names;
    uint8_t own_protocol;
    bool hidden;
    struct link *links;
    size_t n_links, links_capacity;
    struct address *addresses;
    size_t n_addresses, addresses_capacity;
    struct way *ways; /* default routes */
    size_t n_ways, ways_capacity;
    struct uplink *list;
    size_t n_list, list_capacity;
};

struct uplinks *uplinks_new(const char *const *names, size_t n_names, uint8_t own_protocol)
{
    struct uplinks *uplinks = memory_new(1, sizeof(*uplinks));

    uplinks->names = names;
    uplinks->n_names = n_names;
    uplinks->own_protocol = own_protocol;
    return uplinks;
}

struct uplinks *uplinks_free(struct uplinks *uplinks)
{
    if (!uplinks)
        return NULL;
    free(uplinks->links);
    free(uplinks->addresses);
    free(uplinks->ways);
    free(uplinks->list);
    free(uplinks);
    return NULL;
}

void uplinks_begin(struct uplinks *uplinks)
{
    uplinks->n_links = uplinks->n_addresses = uplinks->n_ways = 0;
    uplinks->hidden = false;
}

static bool is_wanted(const struct uplinks *uplinks, const char *name)
{
    for (size_t i = 0; i < uplinks->n_names; i++)
        if (!strcmp(uplinks->names[i], name))
            return true;
    return !uplinks->n_names;
}

static bool route_counts(const struct uplinks *uplinks, const struct rtnl_event *event)
{
    return event->is_default && event->protocol != uplinks->own_protocol &&
           (uplinks->n_names || event->table == RT_TABLE_MAIN);
}

void uplinks_take(struct uplinks *uplinks, const struct rtnl_event *event)
{
    if (event->kind == RTNL_LINK) {
        struct link link = {.index = event->index, .up = event->up, .tunnel = event->tunnel};

        memcpy(link.name, event->name, sizeof(link.name));
        uplinks->links = array_reserve(uplinks->links, &uplinks->links_capacity,
                                       uplinks->n_links + 1, sizeof(link));
        uplinks->links[uplinks->n_links++] = link;
    } else if (event->kind == RTNL_ADDRESS) {
        struct address address = {
            .index = event->index, .family = event->family, .usable = event->usable};

        memcpy(address.bytes, event->address, sizeof(address.bytes));
        uplinks->addresses = array_reserve(uplinks->addresses, &uplinks->addresses_capacity,
                                           uplinks->n_addresses + 1, sizeof(address));
        uplinks->addresses[uplinks->n_addresses++] = address;
    } else if (event->kind == RTNL_ROUTE && route_counts(uplinks, event)) {
        uplinks->hidden = uplinks->hidden || event->by_object;
        for (size_t i = 0; i < event->n_hops; i++) {
            uplinks->ways = array_reserve(uplinks->ways, &uplinks->ways_capacity,
                                          uplinks->n_ways + 1, sizeof(*uplinks->ways));
            uplinks->ways[uplinks->n_ways++] = (struct way){.family = event->family,
                                                            .table = event->table,
                                                            .metric = event->metric,
                                                            .hop = event->hops[i]};
        }
    }
}

static const struct link *link_find(const struct uplinks *uplinks, uint32_t index)
{
    for (size_t i = 0; i < uplinks->n_links; i++)
        if (uplinks->links[i].index == index)
            return &uplinks->links[i];
    return NULL;
}

static const struct address *address_first(const struct uplinks *uplinks, uint32_t index,
                                           uint8_t family)
{
    for (size_t i = 0; i < uplinks->n_addresses; i++) {
        const struct address *address = &uplinks->addresses[i];

        if (address->index == index && address->family == family && address->usable)
            return address;
    }
    return NULL;
}

/* Table main counts before others, then the metric. */
static int way_order(const void *left, const void *right)
{
    const struct way *a = left, *b = right;

    if ((a->table == RT_TABLE_MAIN) != (b->table == RT_TABLE_MAIN))
        return a->table == RT_TABLE_MAIN ? -1 : 1;
    if (a->metric != b->metric)
        return a->metric < b->metric ? -1 : 1;
    return a->hop.index < b->hop.index ? -1 : a->hop.index > b->hop.index;
}

static int uplink_order(const void *left, const void *right)
{
    const struct uplink *a = left, *b = right;
    int names = strcmp(a->name, b->name);

    return names ? names : (int)a->family - (int)b->family;
}

static void way_take(struct uplinks *uplinks, const struct way *way)
{
    const struct link *link = link_find(uplinks, way->hop.index);
    const struct address *address = address_first(uplinks, way->hop.index, way->family);
    struct uplink *uplink;

    if (!link || !link->up || !address || !is_wanted(uplinks, link->name))
        return;
    /* The default route of a VPN: what goes there must not leave it, unless somebody says so. */
    if (link->tunnel && !uplinks->n_names)
        return;
    for (size_t i = 0; i < uplinks->n_list; i++)
        if (uplinks->list[i].index == link->index && uplinks->list[i].family == way->family)
            return;
    uplinks->list = array_reserve(uplinks->list, &uplinks->list_capacity, uplinks->n_list + 1,
                                  sizeof(*uplinks->list));
    uplink = &uplinks->list[uplinks->n_list++];
    *uplink = (struct uplink){.index = link->index,
                              .family = way->family,
                              .gateway_family = way->hop.gateway_family,
                              .metric = way->metric};
    memcpy(uplink->name, link->name, sizeof(uplink->name));
    memcpy(uplink->gateway, way->hop.gateway, sizeof(uplink->gateway));
    memcpy(uplink->address, address->bytes, sizeof(uplink->address));
}

void uplinks_end(struct uplinks *uplinks)
{
    uplinks->n_list = 0;
    if (uplinks->n_ways)
        qsort(uplinks->ways, uplinks->n_ways, sizeof(*uplinks->ways), way_order);
    for (size_t i = 0; i < uplinks->n_ways; i++)
        way_take(uplinks, &uplinks->ways[i]);
    if (uplinks->n_list)
        qsort(uplinks->list, uplinks->n_list, sizeof(*uplinks->list), uplink_order);
}

bool uplinks_concerned(const struct uplinks *uplinks, const struct rtnl_event *event)
{
    switch (event->kind) {
    case RTNL_ROUTE: /* one that was replaced is not told of as removed */
        return route_counts(uplinks, event);
    case RTNL_ADDRESS: /* the host's addresses tell its own flows from forwarded ones */
        return true;
    case RTNL_LINK:
        for (size_t i = 0; i < uplinks->n_ways; i++)
            if (uplinks->ways[i].hop.index == event->index)
                return true;
        return uplinks->n_names && is_wanted(uplinks, event->name);
    default:
        return false;
    }
}

const struct uplink *uplinks_list(const struct uplinks *uplinks, size_t *ret_count)
{
    *ret_count = uplinks->n_list;
    return uplinks->list;
}

const struct uplink *uplinks_find(const struct uplinks *uplinks, const char *name, uint8_t family)
{
    for (size_t i = 0; i < uplinks->n_list; i++)
        if (uplinks->list[i].family == family && !strcmp(uplinks->list[i].name, name))
            return &uplinks->list[i];
    return NULL;
}

bool uplinks_is_on(const struct uplinks *uplinks, uint32_t index, uint8_t family,
                   const uint8_t address[16])
{
    for (size_t i = 0; i < uplinks->n_addresses; i++) {
        const struct address *known = &uplinks->addresses[i];

        if ((!index || known->index == index) && known->family == family &&
            !memcmp(known->bytes, address, family == 4 ? 4 : 16))
            return true;
    }
    return false;
}

bool uplinks_is_local(const struct uplinks *uplinks, uint8_t family, const uint8_t address[16])
{
    return uplinks_is_on(uplinks, 0, family, address);
}

bool uplinks_hidden(const struct uplinks *uplinks)
{
    return uplinks->hidden;
}

const char *uplinks_name(const struct uplinks *uplinks, uint32_t index)
{
    const struct link *link = link_find(uplinks, index);

    return link ? link->name : NULL;
}

bool uplink_is_equal(const struct uplink *a, const struct uplink *b)
{
    return !strcmp(a->name, b->name) && a->index == b->index && a->family == b->family &&
           a->gateway_family == b->gateway_family && a->metric == b->metric &&
           !memcmp(a->gateway, b->gateway, sizeof(a->gateway)) &&
           !memcmp(a->address, b->address, sizeof(a->address));
}
