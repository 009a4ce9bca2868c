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

struct link_state *state_link_named(const struct netlink_state *state, const char *name)
{
    for (size_t i = 0; i < state->n_links; i++)
        if (!strcmp(state->links[i].name, name))
            return &state->links[i];
    return NULL;
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

static enum state_change change_of(bool used)
{
    return used ? STATE_NEWS_USED : STATE_NEWS;
}

static void links_remove(struct netlink_state *state, size_t place)
{
    state->n_links--;
    memmove(&state->links[place], &state->links[place + 1],
            (state->n_links - place) * sizeof(*state->links));
}

static enum state_change link_take(struct netlink_state *state, const struct netlink_event *event)
{
    size_t place = link_place(state, event->index);
    struct link_state *link = state_link(state, event->index);
    bool differs;

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
    memcpy(link->name, event->ifname, sizeof(link->name));
    return differs ? change_of(link->used) : STATE_SAME;
}

static void addresses_remove(struct netlink_state *state, size_t place)
{
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

    if (event->removed || !event->usable) {
        if (!found)
            return STATE_SAME;
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
}

void state_sweep_end(struct netlink_state *state)
{
    size_t kept = 0;

    for (size_t i = 0; i < state->n_links; i++)
        if (state->links[i].sweep == state->sweep)
            state->links[kept++] = state->links[i];
    state->n_links = kept;
    kept = 0;
    for (size_t i = 0; i < state->n_addresses; i++)
        if (state->addresses[i].sweep == state->sweep)
            state->addresses[kept++] = state->addresses[i];
    state->n_addresses = kept;
}

void state_done(struct netlink_state *state)
{
    free(state->links);
    free(state->addresses);
    *state = (struct netlink_state){0};
}
