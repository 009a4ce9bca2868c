/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The route trigger's source, the half that listens: rtnetlink's events, of
 * which all that matters is that something may be different now. Keeps beside
 * what the host has. Never blocks, and trusts no event: when some were lost,
 * everything is told and looked up again.
 */
#include "source.h"
#include "options.h"

#include "util/util.h"

#include <errno.h>
#include <fnmatch.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* A datagram of a dump is at most this long; events are far shorter. */
#define DATAGRAM_BYTES 32768u
#define DATAGRAMS      16u
/* Datagrams read before other events have their turn. */
#define READ_SLICE 256u
/* 15 000 route messages; the default holds 256. */
#define RECEIVE_BYTES (16 << 20)
/* What changes while it is told is told again, but not for ever. */
#define DUMP_REPEATS 8u

enum dump_stage {
    DUMP_NONE,
    DUMP_LINKS,
    DUMP_ADDRESSES,
    DUMP_RULES,
};

struct route_source {
    struct pd_source_host *host;
    struct nl_sock *nl;
    sd_event_source *io;
    char *ignore_text; /* cut at its spaces */
    char **ignore;
    size_t n_ignore;
    struct netlink_state state;
    struct answers answers;

    enum dump_stage stage;
    uint32_t sequence;
    unsigned repeats;
    bool again;      /* the dump that runs is not to be trusted */
    bool reported;   /* one has come to its end */
    bool rule_ports; /* seen in the dump that runs */
    bool ports;      /* as last said to the policy */
    bool muted;      /* `changed` was said and nothing was asked since */
    bool news;       /* in the batch that is read */
    bool news_other; /* and it was not only about default routes */

    uint8_t *datagrams;
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

static void dump_ask(struct route_source *source, enum dump_stage stage)
{
    static const unsigned short types[] = {
        [DUMP_LINKS] = RTM_GETLINK, [DUMP_ADDRESSES] = RTM_GETADDR, [DUMP_RULES] = RTM_GETRULE};
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    struct {
        struct nlmsghdr header;
        struct ifinfomsg info; /* the longest of the three, and all zero */
    } request = {
        .header = {.nlmsg_len = sizeof(request),
                   .nlmsg_type = types[stage],
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                   .nlmsg_seq = ++source->sequence},
    };

    source->stage = stage;
    /* On the socket of the events: so that what it tells is in order with them. */
    if (sendto(nl_socket_get_fd(source->nl), &request, sizeof(request), MSG_DONTWAIT,
               (struct sockaddr *)&kernel, sizeof(kernel)) > 0)
        return;
    source->stage = DUMP_NONE;
    source->host->notice(source->host, PD_LEVEL_ERROR, "netlink-dump",
                         "the request for links and addresses cannot be sent to the kernel");
}

static void dump_begin(struct route_source *source)
{
    source->again = source->rule_ports = false;
    state_sweep_begin(&source->state);
    dump_ask(source, DUMP_LINKS);
}

/* Everything is to be told again: now, or when the dump that runs has ended. */
static void dump_again(struct route_source *source)
{
    if (source->stage != DUMP_NONE)
        source->again = true;
    else
        dump_begin(source);
}

static void dump_ended(struct route_source *source)
{
    if (source->stage != DUMP_RULES) {
        dump_ask(source, source->stage + 1);
        return;
    }
    source->stage = DUMP_NONE;
    if (source->again && source->repeats++ < DUMP_REPEATS) {
        dump_begin(source);
        return;
    }
    source->repeats = 0;
    state_sweep_end(&source->state);
    ports_emit(source);
    source->news = source->news_other = source->reported;
    source->reported = true;
}

/* ---- events ---- */

static bool link_ignored(const struct route_source *source, const char *name)
{
    for (size_t i = 0; i < source->n_ignore; i++)
        if (!fnmatch(source->ignore[i], name, 0))
            return true;
    return false;
}

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
        link = state_link(&source->state, event->index);
        if (link && link->used)
            return true;
        if (event->kind == NETLINK_ADDRESS)
            name = link ? link->name : "";
        return !link_ignored(source, name);
    default:
        return false;
    }
}

static void event_take(struct route_source *source, const struct netlink_event *event)
{
    bool reported = source->stage != DUMP_NONE && event->sequence == source->sequence &&
                    event->port == nl_socket_get_local_port(source->nl);
    enum state_change change = state_take(&source->state, event);

    if (reported) {
        source->again |= event->interrupted;
        source->rule_ports |= event->kind == NETLINK_RULES && event->ports;
        if (event->kind == NETLINK_END || event->kind == NETLINK_FAILED)
            dump_ended(source);
        return;
    }
    if (event->kind == NETLINK_RULES && event->ports)
        dump_again(source); /* is it the first of these, or was it the last? */
    if (!event_matters(source, event, change))
        return;
    source->news = true;
    source->news_other |= event->kind != NETLINK_ROUTES || !event->by_default;
}

static void events_lost(struct route_source *source)
{
    source->host->notice(source->host, PD_LEVEL_NOTICE, "netlink-overflow",
                         "rtnetlink messages were lost, the socket's buffer was full: all routes "
                         "are looked up again");
    source->news = source->news_other = true;
    dump_again(source);
}

/* Reads what is there, up to a batch. Returns how many datagrams, or -errno. */
static int events_read(struct route_source *source)
{
    struct mmsghdr messages[DATAGRAMS] = {0};
    struct iovec pieces[DATAGRAMS];
    struct netlink_event event;
    int n;

    for (size_t i = 0; i < DATAGRAMS; i++) {
        pieces[i] = (struct iovec){source->datagrams + i * DATAGRAM_BYTES, DATAGRAM_BYTES};
        messages[i].msg_hdr.msg_iov = &pieces[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    n = recvmmsg(nl_socket_get_fd(source->nl), messages, DATAGRAMS, MSG_DONTWAIT, NULL);
    if (n < 0)
        return -errno;
    for (int i = 0; i < n; i++) {
        const struct nlmsghdr *message;
        size_t offset = 0;

        while ((message = netlink_next(pieces[i].iov_base, messages[i].msg_len, &offset))) {
            netlink_decode(message, &event);
            event_take(source, &event);
        }
        if (messages[i].msg_hdr.msg_flags & MSG_TRUNC)
            events_lost(source);
    }
    return n;
}

static int events_ready(sd_event_source *io, int fd, uint32_t revents, void *user)
{
    struct route_source *source = user;
    size_t done = 0;
    int n;

    (void)io;
    (void)fd;
    (void)revents;
    do {
        n = events_read(source);
        if (n == -ENOBUFS)
            events_lost(source);
        if (n > 0)
            done += (size_t)n;
        /* A batch that was not full was all there was. */
    } while ((n == (int)DATAGRAMS || n == -ENOBUFS || n == -EINTR) && done++ < READ_SLICE);
    if (n < 0 && n != -EAGAIN && n != -ENOBUFS && n != -EINTR)
        source->host->notice(source->host, PD_LEVEL_ERROR, "netlink-failed", strerror(-n));
    if (source->news)
        changed_emit(source);
    return 0;
}

/* ---- life ---- */

static void ignore_read(struct route_source *source, const char *globs)
{
    char *rest, *word;
    size_t capacity = 0;

    source->ignore_text = rest = string_copy(globs ? globs : "");
    while ((word = strsep(&rest, " \t"))) {
        if (!*word)
            continue;
        source->ignore =
            array_reserve(source->ignore, &capacity, source->n_ignore + 1, sizeof(char *));
        source->ignore[source->n_ignore++] = word;
    }
}

static int events_open(struct route_source *source)
{
    int size = RECEIVE_BYTES, fd;

    source->nl = memory_check(nl_socket_alloc());
    if (nl_connect(source->nl, NETLINK_ROUTE) < 0 || nl_socket_set_nonblocking(source->nl) < 0 ||
        nl_socket_add_memberships(source->nl, RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR,
                                  RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,
                                  RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, RTNLGRP_NEXTHOP, 0) < 0)
        return -EIO;
    fd = nl_socket_get_fd(source->nl);
    /* Without CAP_NET_ADMIN as much as net.core.rmem_max allows; losing some is no harm. */
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    return sd_event_add_io(source->host->loop, &source->io, fd, EPOLLIN, events_ready, source);
}

static void route_source_stop(void *self)
{
    struct route_source *source = self;

    if (!source)
        return;
    answers_stop(&source->answers);
    source->io = sd_event_source_disable_unref(source->io);
    nl_socket_free(source->nl);
    state_done(&source->state);
    free(source->ignore);
    free(source->ignore_text);
    free(source->datagrams);
    free(source);
}

static int route_source_start(struct pd_source_host *host, const struct pd_start *start,
                              void **ret_self)
{
    struct route_source *source = memory_new(1, sizeof(*source));
    char text[96];
    int r, n;

    source->host = host;
    source->datagrams = memory_new(DATAGRAMS, DATAGRAM_BYTES);
    ignore_read(source, start->values[ROUTE_OPTION_IGNORE].text);
    r = events_open(source);
    if (r >= 0)
        r = answers_start(&source->answers, host, &source->state);
    if (r < 0) {
        snprintf(text, sizeof(text), "cannot open an rtnetlink socket: %s", strerror(-r));
        host->notice(host, PD_LEVEL_ERROR, "netlink-failed", text);
        route_source_stop(source);
        return r;
    }
    /* The kernel tells while it is read: this does not wait for anybody. */
    dump_begin(source);
    do
        n = events_read(source);
    while (source->stage != DUMP_NONE && (n > 0 || n == -ENOBUFS || n == -EINTR));
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
