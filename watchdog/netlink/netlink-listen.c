/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Being told by rtnetlink. See netlink-listen.h. The report of everything is asked for on the
 * socket of the events, so that it comes in order with them.
 */
#include "netlink-listen.h"

#include "util/retry.h"
#include "util/util.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
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

struct netlink_listener {
    struct pd_source_host *host;
    struct netlink_handlers handlers;
    struct nl_sock *nl;
    sd_event_source *io;
    struct retry calling;
    struct netlink_state state;

    enum dump_stage stage, last_stage;
    uint32_t sequence;
    unsigned repeats;
    bool again;   /* the dump that runs is not to be trusted */
    bool unasked; /* a dump could not be asked for */

    uint8_t *datagrams;
};

/* ---- being told everything ---- */

static void dump_ask(struct netlink_listener *listener, enum dump_stage stage)
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
                   .nlmsg_seq = ++listener->sequence},
    };

    listener->stage = stage;
    if (sendto(nl_socket_get_fd(listener->nl), &request, sizeof(request), MSG_DONTWAIT,
               (struct sockaddr *)&kernel, sizeof(kernel)) > 0)
        return;
    listener->stage = DUMP_NONE;
    /* Without it nothing is known, so that it is tried again however it fails. */
    listener->unasked = true;
    (void)retry_failed(&listener->calling, "sendto", errno == EAGAIN ? ENOBUFS : errno);
}

static void dump_begin(struct netlink_listener *listener)
{
    listener->again = listener->unasked = false;
    if (listener->handlers.begin)
        listener->handlers.begin(listener->handlers.user);
    state_sweep_begin(&listener->state);
    dump_ask(listener, DUMP_LINKS);
}

void netlink_listener_again(struct netlink_listener *listener)
{
    if (listener->stage != DUMP_NONE)
        listener->again = true;
    else
        dump_begin(listener);
}

static void dump_ended(struct netlink_listener *listener)
{
    if (listener->stage != listener->last_stage) {
        dump_ask(listener, listener->stage + 1);
        return;
    }
    listener->stage = DUMP_NONE;
    if (listener->again && listener->repeats++ < DUMP_REPEATS) {
        dump_begin(listener);
        return;
    }
    listener->repeats = 0;
    state_sweep_end(&listener->state);
    if (listener->handlers.complete)
        listener->handlers.complete(listener->handlers.user);
}

/* ---- events ---- */

static void event_take(struct netlink_listener *listener, const struct netlink_event *event)
{
    bool reported = listener->stage != DUMP_NONE && event->sequence == listener->sequence &&
                    event->port == nl_socket_get_local_port(listener->nl);
    enum state_change change = state_take(&listener->state, event);

    if (listener->handlers.event)
        listener->handlers.event(listener->handlers.user, event, change, reported);
    if (!reported)
        return;
    listener->again |= event->interrupted;
    if (event->kind == NETLINK_END || event->kind == NETLINK_FAILED)
        dump_ended(listener);
}

static void events_lost(struct netlink_listener *listener)
{
    if (listener->handlers.lost)
        listener->handlers.lost(listener->handlers.user);
    netlink_listener_again(listener);
}

/* Reads what is there, up to a batch. Returns how many datagrams, or -errno. */
static int events_read(struct netlink_listener *listener)
{
    struct mmsghdr messages[DATAGRAMS] = {0};
    struct iovec pieces[DATAGRAMS];
    struct netlink_event event;
    int n;

    for (size_t i = 0; i < DATAGRAMS; i++) {
        pieces[i] = (struct iovec){listener->datagrams + i * DATAGRAM_BYTES, DATAGRAM_BYTES};
        messages[i].msg_hdr.msg_iov = &pieces[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    n = recvmmsg(nl_socket_get_fd(listener->nl), messages, DATAGRAMS, MSG_DONTWAIT, NULL);
    if (n < 0)
        return -errno;
    for (int i = 0; i < n; i++) {
        const struct nlmsghdr *message;
        size_t offset = 0;

        while ((message = netlink_next(pieces[i].iov_base, messages[i].msg_len, &offset))) {
            netlink_decode(message, &event);
            event_take(listener, &event);
        }
        if (messages[i].msg_hdr.msg_flags & MSG_TRUNC)
            events_lost(listener);
    }
    return n;
}

void netlink_listener_read(struct netlink_listener *listener)
{
    size_t done = 0;
    bool lost = false;
    int n;

    do {
        n = events_read(listener);
        if (n > 0)
            done += (size_t)n;
        if (n > 0 && !listener->unasked)
            retry_worked(&listener->calling);
        if (n == -ENOBUFS && !lost)
            events_lost(listener);
        else if (n < 0)
            (void)retry_failed(&listener->calling, "recvmmsg", -n);
        /* A batch that was not full was all there was. Lost events are said once. */
    } while ((n == (int)DATAGRAMS || (n == -ENOBUFS && !lost && (lost = true)) || n == -EINTR) &&
             done++ < READ_SLICE);
    if (listener->handlers.idle)
        listener->handlers.idle(listener->handlers.user);
}

static void notify_failing(void *user, const char *text)
{
    struct netlink_listener *listener = user;

    listener->host->notice(listener->host, PD_LEVEL_ERROR, "netlink-failed", text);
}

static void calling_again(void *user)
{
    struct netlink_listener *listener = user;

    if (listener->unasked)
        dump_begin(listener);
}

static int events_ready(sd_event_source *io, int fd, uint32_t revents, void *user)
{
    (void)io;
    (void)fd;
    (void)revents;
    netlink_listener_read(user);
    return 0;
}

/* ---- neighbours ---- */

int netlink_listener_watch(struct netlink_listener *listener,
                           const struct netlink_neighbour *neighbours, size_t count)
{
    struct sock_filter filter[NEIGHBOUR_FILTER_SIZE];
    struct sock_fprog program = {
        .len = (unsigned short)neighbour_filter(neighbours, count, filter),
        .filter = filter,
    };

    if (setsockopt(nl_socket_get_fd(listener->nl), SOL_SOCKET, SO_ATTACH_FILTER, &program,
                   sizeof(program)) < 0)
        return -errno;
    return 0;
}

/* ---- life ---- */

static int events_open(struct netlink_listener *listener, enum netlink_wanted wanted)
{
    const struct retry_config calling = {
        .who = "rtnetlink", .notify = notify_failing, .resume = calling_again, .user = listener};
    int size = RECEIVE_BYTES, fd, r;

    listener->nl = memory_check(nl_socket_alloc());
    if (nl_connect(listener->nl, NETLINK_ROUTE) < 0 || nl_socket_set_nonblocking(listener->nl) < 0)
        return -EIO;
    if (nl_socket_add_memberships(listener->nl, RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR,
                                  RTNLGRP_IPV6_IFADDR, 0) < 0)
        return -EIO;
    if (wanted >= NETLINK_WANT_ALL &&
        nl_socket_add_memberships(listener->nl, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,
                                  RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, RTNLGRP_NEXTHOP, 0) < 0)
        return -EIO;
    /* The filter goes first: nothing that it drops is ever in the buffer. */
    if (wanted == NETLINK_WANT_NEIGHBOURS &&
        (netlink_listener_watch(listener, NULL, 0) < 0 ||
         nl_socket_add_memberships(listener->nl, RTNLGRP_NEIGH, 0) < 0))
        return -EIO;
    fd = nl_socket_get_fd(listener->nl);
    /* Without CAP_NET_ADMIN as much as net.core.rmem_max allows; losing some is no harm. */
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    r = sd_event_add_io(listener->host->loop, &listener->io, fd, EPOLLIN, events_ready, listener);
    return r < 0 ? r : retry_init(&listener->calling, listener->io, &calling);
}

int netlink_listener_new(struct pd_source_host *host, enum netlink_wanted wanted,
                         const struct netlink_handlers *handlers,
                         struct netlink_listener **ret_listener)
{
    struct netlink_listener *listener = memory_new(1, sizeof(*listener));
    int r, n;

    listener->host = host;
    listener->handlers = *handlers;
    listener->last_stage = wanted >= NETLINK_WANT_ALL ? DUMP_RULES : DUMP_ADDRESSES;
    listener->datagrams = memory_new(DATAGRAMS, DATAGRAM_BYTES);
    r = events_open(listener, wanted);
    if (r < 0) {
        netlink_listener_free(listener);
        return r;
    }
    /* The handlers may look at it. */
    *ret_listener = listener;
    /* The kernel tells while it is read: this does not wait for anybody. */
    dump_begin(listener);
    do
        n = events_read(listener);
    while (listener->stage != DUMP_NONE && (n > 0 || n == -ENOBUFS || n == -EINTR));
    return 0;
}

void netlink_listener_later(struct netlink_listener *listener)
{
    (void)sd_event_source_set_priority(listener->io, SD_EVENT_PRIORITY_NORMAL + 10);
}

struct netlink_listener *netlink_listener_free(struct netlink_listener *listener)
{
    if (!listener)
        return NULL;
    retry_clear(&listener->calling);
    listener->io = sd_event_source_disable_unref(listener->io);
    nl_socket_free(listener->nl);
    state_done(&listener->state);
    free(listener->datagrams);
    free(listener);
    return NULL;
}

struct netlink_state *netlink_listener_state(struct netlink_listener *listener)
{
    return &listener->state;
}
