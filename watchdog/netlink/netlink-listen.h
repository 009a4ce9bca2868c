/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A socket of rtnetlink that is told what changes, and asks first for all that is there already:
 * what the host has, kept in a netlink_state, so that nobody has to ask for everything each time.
 * For the sources of triggers.
 */
#ifndef NETLINK_LISTEN_H
#define NETLINK_LISTEN_H

#include "neighbour-filter.h"
#include "netlink-state.h"

#include <pathdog/source.h>

struct netlink_listener;

struct netlink_handlers {
    /* One event. `reported`: it is part of the report of everything, and not news. May be NULL. */
    void (*event)(void *user, const struct netlink_event *event, enum state_change change,
                  bool reported);
    /* A report of everything begins, has come to its end. May be NULL. */
    void (*begin)(void *user);
    void (*complete)(void *user);
    /* Events were lost: everything is asked for again. May be NULL. */
    void (*lost)(void *user);
    /* What there was has been read. May be NULL. */
    void (*idle)(void *user);
    void *user;
};

enum netlink_wanted {
    NETLINK_WANT_ADDRESSES,  /* links and addresses */
    NETLINK_WANT_ALL,        /* rules, routes and nexthops, too */
    NETLINK_WANT_NEIGHBOURS, /* and the neighbours that are watched */
};

/* Opens it, and reads the first report: by its end the state is complete. The host must outlive
 * it. Returns 0 or -errno. */
int netlink_listener_new(struct pd_source_host *host, enum netlink_wanted wanted,
                         const struct netlink_handlers *handlers,
                         struct netlink_listener **ret_listener);

/* What else is ready goes first. */
void netlink_listener_later(struct netlink_listener *listener);

/* NULL is fine. Returns NULL. */
struct netlink_listener *netlink_listener_free(struct netlink_listener *listener);

/* Takes in what has come since the loop last looked. */
void netlink_listener_read(struct netlink_listener *listener);

/* Everything is to be reported again: now, or when the report that runs has ended. */
void netlink_listener_again(struct netlink_listener *listener);

/* With NETLINK_WANT_NEIGHBOURS: from now on these are watched, at most NEIGHBOURS_MAX; at first
 * none is. Returns 0, or -errno: then those from before still are. */
int netlink_listener_watch(struct netlink_listener *listener,
                           const struct netlink_neighbour *neighbours, size_t count);

struct netlink_state *netlink_listener_state(struct netlink_listener *listener);

#endif
