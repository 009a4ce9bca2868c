/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interfaces of this host that may be uplinks, kept by rtnetlink: those over which a route
 * leads to everywhere, and those that the configuration names; and which of them are modems, or
 * metered by NetworkManager's word (host-metered.h). It decides nothing.
 */
#ifndef HOST_NET_H
#define HOST_NET_H

#include <systemd/sd-event.h>

#include "config/config.h"
#include "engine/event.h"

struct host_net;

struct host_net_handlers {
    /* They are others now, or have something else; all of them, valid for the call. */
    void (*changed)(void *user, const struct event_interfaces *interfaces);
    /* Must only note it. */
    void (*notice)(void *user, enum pd_level level, const char *what, const char *text);
    void *user;
};

/* `config` says which are named; it is borrowed until the next host_net_configure. The first
 * call of `changed` comes from within the loop. Returns 0 or -errno. */
int host_net_new(sd_event *loop, const struct config *config,
                 const struct host_net_handlers *handlers, struct host_net **ret_net);

void host_net_configure(struct host_net *net, const struct config *config);

/* NULL is fine. Returns NULL. */
struct host_net *host_net_free(struct host_net *interfaces);

#endif
