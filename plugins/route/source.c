/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The route trigger's source, the half that listens: rtnetlink's events
 * (../netlink), of which all that matters is that something may be different now.
 * Never blocks, and trusts no event: when some were lost, everything is told and
 * looked up again.
 */
#include "source.h"

#include "options.h"

#include "util/glob.h"
#include "util/util.h"

#include <errno.h>
#include <stdio.h>

/* Interfaces that are said to lose something, in one batch: more are one by one. */
#define LOSING 8u

struct route_source {
    struct pd_source_host *host;
    struct netlink_listener *listener;
    struct globs *ignore; /* names of interfaces */
    struct answers answers;

    bool reported;           /* a report of everything has come to its end */
    bool rule_ports;         /* seen in the report that runs */
    bool ports;              /* as last said to the policy */
    bool muted;              /* `changed` was said and nothing was asked since */
    bool news;               /* in the batch that is read */
    bool news_other;         /* and it was not only about default routes */
    uint32_t losing[LOSING]; /* and from which interfaces something was taken away */
    size_t n_losing;
};

/* ---- saying so ---- */

static void changed_emit(struct route_source *source)
{
    struct pd_signal signal = {.kind = "changed"};

    if (!source->muted)
        source->answers.default_only = true;
    source->answers.default_only &= !source->news_other;
    source->news = source->news_other = false;
    /* What was not looked up yet will be looked up as it is now. */
    if (source->muted)
        return;
    source->muted = true;
    source->answers.matches = ANSWERS_MATCHES;
    source->host->emit(source->host, &signal);
}

static void interface_emit(struct route_source *source, const char *kind, uint32_t index)
{
    struct pd_field field = {.name = "oif", .number = index};
    struct pd_signal signal = {.kind = kind, .fields = &field, .n_fields = 1};

    source->host->emit(source->host, &signal);
}

static void gateway_emit(struct route_source *source, const struct netlink_event *event)
{
    char gateway[IP_TEXT_SIZE];
    struct pd_field fields[] = {
        {.name = "oif", .number = event->index},
        {.name = "gateway", .text = gateway},
        {.name = "failed", .number = event->failed},
    };
    struct pd_signal signal = {.kind = "gateway", .fields = fields, .n_fields = ARRAY_SIZE(fields)};

    ip_format(gateway, event->family, event->address);
    source->host->emit(source->host, &signal);
}

/* The kernel may take another route then: of equal-cost ones, and of IPv6 routers. */
static void neighbour_take(struct route_source *source, const struct netlink_event *event)
{
    if (!gateways_take(&source->answers.gateways, event))
        return;
    gateway_emit(source, event);
    source->news = source->news_other = true;
}

static void losing_emit(struct route_source *source)
{
    for (size_t i = 0; i < source->n_losing; i++)
        interface_emit(source, "lost", source->losing[i]);
    source->n_losing = 0;
}

/* An address or a route was taken away. Without carrier it does not come back in a moment. */
static void losing_note(struct route_source *source, uint32_t index)
{
    const struct link_state *link = state_link(netlink_listener_state(source->listener), index);

    if (!link || !link->used || !link->carrier)
        return;
    for (size_t i = 0; i < source->n_losing; i++)
        if (source->losing[i] == index)
            return;
    if (source->n_losing == LOSING)
        losing_emit(source);
    source->losing[source->n_losing++] = index;
}

static void down_note(struct route_source *source, uint32_t index)
{
    const struct link_state *link = state_link(netlink_listener_state(source->listener), index);

    if (link && link->carrier)
        return;
    losing_emit(source); /* in the order in which it happened */
    interface_emit(source, "down", index);
}

/* Do lookups need the ports? Paths of equal cost may be chosen by them, too. */
static bool hash_policy_ports(const char *path)
{
    FILE *file = fopen(path, "re");
    int policy = 0;

    if (!file)
        return false;
    if (fscanf(file, "%d", &policy) != 1)
        policy = 0;
    fclose(file);
    return policy == 1 || policy == 3;
}

static void ports_emit(struct route_source *source)
{
    bool ports = source->rule_ports ||
                 hash_policy_ports("/proc/sys/net/ipv4/fib_multipath_hash_policy") ||
                 hash_policy_ports("/proc/sys/net/ipv6/fib_multipath_hash_policy");
    struct pd_field field = {.name = "ports", .number = ports};
    struct pd_signal signal = {.kind = "keys", .fields = &field, .n_fields = 1};

    if (ports == source->ports)
        return;
    source->ports = ports;
    source->host->emit(source->host, &signal);
}

/* ---- being told everything ---- */

static void report_begins(void *user)
{
    struct route_source *source = user;

    source->rule_ports = false;
}

static void report_complete(void *user)
{
    struct route_source *source = user;

    ports_emit(source);
    source->news = source->news_other = source->reported;
    source->reported = true;
}

/* ---- events ---- */

/* May a next hop be another after this? */
static bool event_matters(const struct route_source *source, const struct netlink_event *event,
                          enum state_change change)
{
    const struct link_state *link;
    const char *name = event->ifname;

    switch (event->kind) {
    case NETLINK_ROUTES:
        return !event->cached;
    case NETLINK_RULES:
    case NETLINK_NEXTHOPS:
        return true;
    case NETLINK_LINK:
    case NETLINK_ADDRESS:
        if (change != STATE_NEWS)
            return change == STATE_NEWS_USED;
        link = state_link(netlink_listener_state(source->listener), event->index);
        if (link && link->used)
            return true;
        if (event->kind == NETLINK_ADDRESS)
            name = link ? link->name : "";
        return !globs_match(source->ignore, name);
    default:
        return false;
    }
}

static void event_take(void *user, const struct netlink_event *event, enum state_change change,
                       bool reported)
{
    struct route_source *source = user;

    if (reported) {
        source->rule_ports |= event->kind == NETLINK_RULES && event->ports;
        return;
    }
    if (event->kind == NETLINK_RULES && event->ports)
        netlink_listener_again(source->listener); /* the first of these, or was it the last? */
    if (event->kind == NETLINK_NEIGHBOUR)
        neighbour_take(source, event);
    else if (event->kind == NETLINK_LINK && change == STATE_NEWS_USED)
        down_note(source, event->index);
    else if (event->removed &&
             (event->kind == NETLINK_ADDRESS || (event->kind == NETLINK_ROUTES && !event->cached)))
        losing_note(source, event->index);
    if (!event_matters(source, event, change))
        return;
    source->news = true;
    source->news_other |= event->kind != NETLINK_ROUTES || !event->by_default;
}

static void events_lost(void *user)
{
    struct route_source *source = user;

    const struct pd_signal forgotten = {.kind = "gateways"};

    if (gateways_forget(&source->answers.gateways))
        source->host->emit(source->host, &forgotten);
    source->host->notice(source->host, PD_LEVEL_NOTICE, "netlink-overflow",
                         "rtnetlink messages were lost, the socket's buffer was full: all routes "
                         "are looked up again");
    source->news = source->news_other = true;
}

static void events_idle(void *user)
{
    struct route_source *source = user;

    losing_emit(source);
    if (source->news)
        changed_emit(source);
}

/* ---- life ---- */

static void route_source_stop(void *self)
{
    struct route_source *source = self;

    if (!source)
        return;
    answers_stop(&source->answers);
    netlink_listener_free(source->listener);
    globs_free(source->ignore);
    free(source);
}

static int route_source_start(struct pd_source_host *host, const struct pd_start *start,
                              void **ret_self)
{
    struct route_source *source = memory_new(1, sizeof(*source));
    const struct netlink_handlers handlers = {
        .event = event_take,
        .begin = report_begins,
        .complete = report_complete,
        .lost = events_lost,
        .idle = events_idle,
        .user = source,
    };
    const char *ignore = start->values[ROUTE_OPTION_IGNORE].text;
    char text[96];
    int r;

    source->host = host;
    source->ignore = globs_new(ignore ? ignore : "");
    r = netlink_listener_new(host, NETLINK_WANT_NEIGHBOURS, &handlers, &source->listener);
    if (r >= 0)
        r = answers_start(&source->answers, host, source->listener);
    if (r < 0) {
        snprintf(text, sizeof(text), "cannot open an rtnetlink socket: %s", strerror(-r));
        host->notice(host, PD_LEVEL_ERROR, "netlink-failed", text);
        route_source_stop(source);
        return r;
    }
    *ret_self = source;
    return 0;
}

static int route_source_query(void *self, const struct pd_query *query)
{
    struct route_source *source = self;

    source->muted = false;
    return answers_query(&source->answers, query);
}

PD_SOURCE(route) = {
    .abi = PD_SOURCE_ABI,
    .size = sizeof(struct pd_source),
    .start = route_source_start,
    .stop = route_source_stop,
    .query = route_source_query,
};
