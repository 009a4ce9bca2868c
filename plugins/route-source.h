/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the route trigger's source: the half that listens
 * (route-netlink.c) and the half that answers (route-answer.c).
 */
#ifndef ROUTE_SOURCE_H
#define ROUTE_SOURCE_H

#include "netlink-state.h"
#include "route-lookup.h"

#include <pathdog/source.h>

struct question {
    uint64_t id;
    uint64_t token; /* of the answer before, 0: none */
    struct lookup lookup;
    bool is_address;    /* is `lookup.source` on this host? */
    bool by_default;    /* no destination: the default way out */
    bool both_families; /* of IPv4 and of IPv6 */
    bool source_gone;
    bool no_such_link; /* of a link-local destination */
};

struct answers {
    struct pd_source_host *host;
    struct netlink_state *state; /* the other half's */
    struct lookup_socket *socket;
    sd_event_source *defer; /* on while something waits */
    struct question *queue;
    size_t capacity, head, count;
    bool busy;         /* something was answered since the loop last came round */
    bool default_only; /* all that changed were default routes */
    unsigned matches;  /* more lookups that may be spent on saying which route it was */
};

/* Lookups that tell the changed route's prefix, per event: the sentence is not
 * worth more. */
#define ANSWERS_MATCHES 32u

int answers_start(struct answers *answers, struct pd_source_host *host,
                  struct netlink_state *state);
void answers_stop(struct answers *answers);
int answers_query(struct answers *answers, const struct pd_query *query);

#endif
