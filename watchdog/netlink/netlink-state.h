/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the host has: its interfaces with their carrier, and its addresses, kept
 * beside the kernel because a route lookup tells neither. Pure.
 */
#ifndef NETLINK_STATE_H
#define NETLINK_STATE_H

#include "netlink-decode.h"

struct link_state {
    uint32_t index;
    uint32_t sweep; /* when it was last told */
    char name[16];
    bool up, carrier;
    bool used; /* some peer's next hop */
};

struct address_state {
    uint32_t index;
    uint32_t sweep;
    uint8_t family;
    uint8_t bytes[16];
    bool used; /* somebody asked about it */
};

/* The other way: which link has this name, and which addresses a link has. */
struct link_name {
    char name[16];
    uint32_t index;
};

struct link_address {
    uint32_t index;
    uint8_t family;
    uint8_t bytes[16];
};

/* All sorted, for tables of thousands on container hosts: what somebody else asks for must not
 * cost a walk over everything. */
struct netlink_state {
    struct link_state *links;
    size_t n_links, links_capacity;
    struct link_name *names; /* as many as links */
    size_t names_capacity;
    struct address_state *addresses;
    size_t n_addresses, addresses_capacity;
    struct link_address *by_link; /* as many as addresses */
    size_t by_link_capacity;
    struct link_address *tentative; /* not usable yet; they are none of the addresses above */
    size_t n_tentative, tentative_capacity;
    uint32_t sweep;
};

enum state_change {
    STATE_SAME,
    STATE_NEWS,      /* up, down, carrier, an address more or less */
    STATE_NEWS_USED, /* and of something that is in use */
};

/* Takes in a link or an address, from an event or a dump. */
enum state_change state_take(struct netlink_state *state, const struct netlink_event *event);

/* Between these two everything that is there is told again; what was not is gone. */
void state_sweep_begin(struct netlink_state *state);
void state_sweep_end(struct netlink_state *state);

/* NULL: not known. */
struct link_state *state_link(const struct netlink_state *state, uint32_t index);
struct link_state *state_link_named(const struct netlink_state *state, const char *name);

/* The addresses of one interface, IPv4 first. They live until the next state_take. */
const struct link_address *state_addresses_of(const struct netlink_state *state, uint32_t index,
                                              size_t *ret_count);

/* Is it on an interface? Remembered as asked about, if it is. */
bool state_address_used(struct netlink_state *state, unsigned family, const uint8_t *bytes);
/* Is it on this one? */
bool state_address_on(const struct netlink_state *state, uint32_t index, unsigned family,
                      const uint8_t *bytes);
/* Is it on interfaces, and none of them has carrier? */
bool state_address_cut(const struct netlink_state *state, unsigned family, const uint8_t *bytes);

/* What an interface has to send from, beyond its own link. */
enum state_sources {
    STATE_SOURCES_USABLE,
    STATE_SOURCES_TENTATIVE, /* none yet: duplicates are looked for */
    STATE_SOURCES_NONE,
};

enum state_sources state_sources_of(const struct netlink_state *state, uint32_t index,
                                    unsigned family);

void state_done(struct netlink_state *state);

#endif
