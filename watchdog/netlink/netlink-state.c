/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the host has. See netlink-state.h.
 */
#include "netlink-state.h"

#include "util/util.h"

static size_t link_place(const struct netlink_state *state, uint32_t index)
{
    size_t low = 0, high = state->n_links;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (state->links[middle].index < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct link_state *state_link(const struct netlink_state *state, uint32_t index)
{
    size_t place = link_place(state, index);

    if (place < state->n_links && state->links[place].index == index)
        return &state->links[place];
    return NULL;
}

/* By name; of one name, which is so for a moment only while links are renamed, by index. */
static int name_order(const struct link_name *entry, const char name[16], uint32_t index)
{
    int order = strncmp(entry->name, name, sizeof(entry->name));

    return order ? order : (entry->index > index) - (entry->index < index);
}

static size_t name_place(const struct netlink_state *state, size_t count, const char name[16],
                         uint32_t index)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (name_order(&state->names[middle], name, index) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* There are `count` names. */
static void name_add(struct netlink_state *state, size_t count, const struct link_state *link)
{
    size_t place = name_place(state, count, link->name, link->index);
    struct link_name *entry;

    state->names =
        array_reserve(state->names, &state->names_capacity, count + 1, sizeof(*state->names));
    entry = &state->names[place];
    memmove(entry + 1, entry, (count - place) * sizeof(*entry));
    entry->index = link->index;
    memcpy(entry->name, link->name, sizeof(entry->name));
}

static void name_remove(struct netlink_state *state, size_t count, const struct link_state *link)
{
    struct link_name *entry = &state->names[name_place(state, count, link->name, link->index)];

    memmove(entry, entry + 1, (size_t)(state->names + count - (entry + 1)) * sizeof(*entry));
}

struct link_state *state_link_named(const struct netlink_state *state, const char *name)
{
    size_t place;

    if (strlen(name) >= sizeof(state->names->name))
        return NULL;
    place = name_place(state, state->n_links, name, 0);
    if (place == state->n_links || strcmp(state->names[place].name, name) != 0)
        return NULL;
    return state_link(state, state->names[place].index);
}

static int address_order(const struct address_state *address, unsigned family, const uint8_t *bytes,
                         uint32_t index)
{
    int order;

    if (address->family != family)
        return address->family < family ? -1 : 1;
    order = memcmp(address->bytes, bytes, 16);
    if (order)
        return order;
    return (address->index > index) - (address->index < index);
}

static size_t address_place(const struct netlink_state *state, unsigned family,
                            const uint8_t *bytes, uint32_t index)
{
    size_t low = 0, high = state->n_addresses;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (address_order(&state->addresses[middle], family, bytes, index) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int by_link_order(const struct link_address *entry, uint32_t index, unsigned family,
                         const uint8_t *bytes)
{
    if (entry->index != index)
        return entry->index < index ? -1 : 1;
    if (entry->family != family)
        return entry->family < family ? -1 : 1;
    return memcmp(entry->bytes, bytes, sizeof(entry->bytes));
}

static size_t by_link_place(const struct netlink_state *state, size_t count, uint32_t index,
                            unsigned family, const uint8_t *bytes)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (by_link_order(&state->by_link[middle], index, family, bytes) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* There are `count` of them. */
static void by_link_add(struct netlink_state *state, size_t count,
                        const struct address_state *address)
{
    size_t place = by_link_place(state, count, address->index, address->family, address->bytes);
    struct link_address *entry;

    state->by_link =
        array_reserve(state->by_link, &state->by_link_capacity, count + 1, sizeof(*entry));
    entry = &state->by_link[place];
    memmove(entry + 1, entry, (count - place) * sizeof(*entry));
    entry->index = address->index;
    entry->family = address->family;
    memcpy(entry->bytes, address->bytes, sizeof(entry->bytes));
}

static void by_link_remove(struct netlink_state *state, size_t count,
                           const struct address_state *address)
{
    struct link_address *entry = &state->by_link[by_link_place(state, count, address->index,
                                                               address->family, address->bytes)];

    memmove(entry, entry + 1, (size_t)(state->by_link + count - (entry + 1)) * sizeof(*entry));
}

const struct link_address *state_addresses_of(const struct netlink_state *state, uint32_t index,
                                              size_t *ret_count)
{
    static const uint8_t lowest[16];
    size_t first = by_link_place(state, state->n_addresses, index, 0, lowest), end = first;

    while (end < state->n_addresses && state->by_link[end].index == index)
        end++;
    *ret_count = end - first;
    return state->by_link + first;
}

bool state_address_used(struct netlink_state *state, unsigned family, const uint8_t *bytes)
{
    size_t place = address_place(state, family, bytes, 0);
    bool found = false;

    for (; place < state->n_addresses; place++) {
        struct address_state *address = &state->addresses[place];

        if (address->family != family || memcmp(address->bytes, bytes, 16) != 0)
            break;
        address->used = found = true;
    }
    return found;
}

bool state_address_on(const struct netlink_state *state, uint32_t index, unsigned family,
                      const uint8_t *bytes)
{
    size_t place = address_place(state, family, bytes, index);

    return place < state->n_addresses &&
           !address_order(&state->addresses[place], family, bytes, index);
}

bool state_address_cut(const struct netlink_state *state, unsigned family, const uint8_t *bytes)
{
    size_t place = address_place(state, family, bytes, 0);
    bool found = false;

    for (; place < state->n_addresses; place++) {
        const struct address_state *address = &state->addresses[place];
        const struct link_state *link;

        if (address->family != family || memcmp(address->bytes, bytes, 16) != 0)
            break;
        link = state_link(state, address->index);
        if (link && link->carrier)
            return false;
        found = true;
    }
    return found;
}

/* Not of its own link only, nor of this host only. */
static bool address_goes_far(const struct link_address *address)
{
    static const uint8_t loopback6[16] = {[15] = 1};
    const uint8_t *bytes = address->bytes;

    if (address->family == 4)
        return bytes[0] != 127;
    return !(bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80) &&
           memcmp(bytes, loopback6, sizeof(loopback6)) != 0;
}

static bool addresses_have(const struct link_address *addresses, size_t count, uint32_t index,
                           unsigned family)
{
    for (size_t i = 0; i < count; i++)
        if (addresses[i].index == index && addresses[i].family == family &&
            address_goes_far(&addresses[i]))
            return true;
    return false;
}

enum state_sources state_sources_of(const struct netlink_state *state, uint32_t index,
                                    unsigned family)
{
    size_t count;
    const struct link_address *addresses = state_addresses_of(state, index, &count);

    if (addresses_have(addresses, count, index, family))
        return STATE_SOURCES_USABLE;
    if (addresses_have(state->tentative, state->n_tentative, index, family))
        return STATE_SOURCES_TENTATIVE;
    return STATE_SOURCES_NONE;
}

/* Returns whether one that was tentative is so no more. */
static bool tentative_take(struct netlink_state *state, const struct netlink_event *event)
{
    struct link_address *added;
    size_t place = 0;

    while (place < state->n_tentative &&
           by_link_order(&state->tentative[place], event->index, event->family, event->address))
        place++;
    if (event->tentative && place == state->n_tentative) {
        state->tentative = array_reserve(state->tentative, &state->tentative_capacity,
                                         state->n_tentative + 1, sizeof(*state->tentative));
        added = &state->tentative[state->n_tentative++];
        *added = (struct link_address){.index = event->index, .family = event->family};
        memcpy(added->bytes, event->address, sizeof(added->bytes));
        return false;
    }
    if (event->tentative || place == state->n_tentative)
        return false;
    state->tentative[place] = state->tentative[--state->n_tentative];
    return true;
}

static enum state_change change_of(bool used)
{
    return used ? STATE_NEWS_USED : STATE_NEWS;
}

static void links_remove(struct netlink_state *state, size_t place)
{
    name_remove(state, state->n_links, &state->links[place]);
    state->n_links--;
    memmove(&state->links[place], &state->links[place + 1],
            (state->n_links - place) * sizeof(*state->links));
}

static enum state_change link_take(struct netlink_state *state, const struct netlink_event *event)
{
    size_t place = link_place(state, event->index);
    struct link_state *link = state_link(state, event->index);
    bool differs, known = link;

    if (event->removed) {
        if (!link)
            return STATE_SAME;
        bool used = link->used;

        links_remove(state, place);
        return change_of(used);
    }
    if (!link) {
        state->links = array_reserve(state->links, &state->links_capacity, state->n_links + 1,
                                     sizeof(*state->links));
        link = &state->links[place];
        memmove(link + 1, link, (state->n_links - place) * sizeof(*link));
        state->n_links++;
        *link = (struct link_state){.index = event->index};
    }
    differs = link->up != event->up || link->carrier != event->carrier;
    link->up = event->up;
    link->carrier = event->carrier;
    link->sweep = state->sweep;
    if (!known || strcmp(link->name, event->ifname) != 0) {
        if (known)
            name_remove(state, state->n_links, link);
        memcpy(link->name, event->ifname, sizeof(link->name));
        name_add(state, state->n_links - 1, link);
    }
    return differs ? change_of(link->used) : STATE_SAME;
}

static void addresses_remove(struct netlink_state *state, size_t place)
{
    by_link_remove(state, state->n_addresses, &state->addresses[place]);
    state->n_addresses--;
    memmove(&state->addresses[place], &state->addresses[place + 1],
            (state->n_addresses - place) * sizeof(*state->addresses));
}

static enum state_change address_take(struct netlink_state *state,
                                      const struct netlink_event *event)
{
    size_t place = address_place(state, event->family, event->address, event->index);
    struct address_state *address = place < state->n_addresses ? &state->addresses[place] : NULL;
    bool found = address && !address_order(address, event->family, event->address, event->index);
    bool decided = tentative_take(state, event);

    if (event->removed || !event->usable) {
        if (!found)
            return decided ? STATE_NEWS : STATE_SAME;
        bool used = address->used;

        addresses_remove(state, place);
        return change_of(used);
    }
    if (found) {
        /* Lifetimes, flags: leases that are renewed all day. */
        address->sweep = state->sweep;
        return STATE_SAME;
    }
    state->addresses = array_reserve(state->addresses, &state->addresses_capacity,
                                     state->n_addresses + 1, sizeof(*state->addresses));
    address = &state->addresses[place];
    memmove(address + 1, address, (state->n_addresses - place) * sizeof(*address));
    state->n_addresses++;
    *address = (struct address_state){
        .index = event->index,
        .sweep = state->sweep,
        .family = event->family,
    };
    memcpy(address->bytes, event->address, sizeof(address->bytes));
    by_link_add(state, state->n_addresses - 1, address);
    return STATE_NEWS;
}

enum state_change state_take(struct netlink_state *state, const struct netlink_event *event)
{
    if (event->kind == NETLINK_LINK)
        return link_take(state, event);
    if (event->kind == NETLINK_ADDRESS)
        return address_take(state, event);
    return STATE_SAME;
}

void state_sweep_begin(struct netlink_state *state)
{
    state->sweep++;
    state->n_tentative = 0;
}

void state_sweep_end(struct netlink_state *state)
{
    for (size_t i = state->n_links; i-- > 0;)
        if (state->links[i].sweep != state->sweep)
            links_remove(state, i);
    for (size_t i = state->n_addresses; i-- > 0;)
        if (state->addresses[i].sweep != state->sweep)
            addresses_remove(state, i);
}

void state_done(struct netlink_state *state)
{
    free(state->links);
    free(state->names);
    free(state->addresses);
    free(state->by_link);
    free(state->tentative);
    *state = (struct netlink_state){0};
}
