/* SPDX-License-Identifier: Apache-2.0 */
#include "conntrack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "entry.h"
#include "kernel-socket.h"
#include "netlink-socket.h"
#include "util/util.h"

#define BUFFER_BYTES  (64u << 10)
#define RECEIVE_BYTES (4 << 20)
#define AT_ONCE       64u /* requests that are sent together */
#define REQUEST_BYTES 256u
#define PIECES_MOST   16u /* of a dump, in one turn: 16 times 32 KiB */
/* The kernel takes these out itself; it wants a family for each such dump. */
#define PORT_DUMPS_MOST 2u

/* What CTA_FILTER_ORIG_FLAGS of Linux 5.8 compares; in the ABI, but in no header. */
#define FILTER_PROTO_NUM   (1u << 3)
#define FILTER_PROTO_DPORT (1u << 5)
#define FAMILIES           2u
/* Entries that the server's packet made (it was under way when tracking began, or somebody flushed
 * the table) have the port in their other direction: they are asked for in the first dumps, and in
 * each so manieth. */
#define TURNED_FIRST 4u
#define TURNED_EACH  8u

struct conntrack {
    const struct flow_settings *settings;
    struct mnl_socket *asks, *dumps;
    uint32_t sequence, dump_sequence;
    bool dumping, whole;
    bool unfiltered; /* the kernel knows no filter */
    unsigned n_dumps;
    unsigned part; /* of the dump that is under way: a family, and a port */
    _Alignas(struct nlmsghdr) char buffer[BUFFER_BYTES];
};

static uint64_t real_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static struct mnl_socket *socket_new(int flags)
{
    struct mnl_socket *socket = kernel_socket_new(NETLINK_NETFILTER, flags);
    int size = RECEIVE_BYTES, fd;

    if (!socket)
        return NULL;
    fd = mnl_socket_get_fd(socket);
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    return socket;
}

struct conntrack *conntrack_free(struct conntrack *conntrack)
{
    if (!conntrack)
        return NULL;
    kernel_socket_free(conntrack->asks);
    kernel_socket_free(conntrack->dumps);
    free(conntrack);
    return NULL;
}

int conntrack_new(const struct flow_settings *settings, struct conntrack **ret, char *ret_error,
                  size_t error_size)
{
    struct conntrack *conntrack = memory_new(1, sizeof(*conntrack));
    uint32_t count, most;
    int r = 0;

    *ret = NULL;
    conntrack->settings = settings;
    conntrack->asks = socket_new(0);
    conntrack->dumps = conntrack->asks ? socket_new(SOCK_NONBLOCK) : NULL;
    if (!conntrack->dumps)
        r = -errno;
    if (r >= 0)
        r = conntrack_count(conntrack, &count, &most);
    if (r < 0) {
        const char *hint =
            r == -EPERM ? " (CAP_NET_ADMIN is needed)"
            : r == -EINVAL || r == -ENOENT || r == -EOPNOTSUPP || r == -EPROTONOSUPPORT
                ? " (the kernel module nf_conntrack_netlink is needed)"
                : "";

        snprintf(ret_error, error_size, "conntrack cannot be asked: %s%s", strerror(-r), hint);
        conntrack_free(conntrack);
        return r;
    }
    *ret = conntrack;
    return 0;
}

int conntrack_fd(const struct conntrack *conntrack)
{
    return mnl_socket_get_fd(conntrack->dumps);
}

/* ---- requests ---- */

static struct nlmsghdr *request(struct conntrack *conntrack, void *buffer, uint16_t type,
                                uint16_t flags, uint8_t family)
{
    struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
    struct nfgenmsg *header;

    message->nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type);
    message->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    message->nlmsg_seq = ++conntrack->sequence;
    header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
    header->nfgen_family = family;
    header->version = NFNETLINK_V0;
    return message;
}

static uint8_t family_of(uint8_t family)
{
    return family == 4 ? AF_INET : AF_INET6;
}

static void put_tuple(struct nlmsghdr *message, const struct flow_tuple *tuple)
{
    bool four = tuple->family == 4;
    struct nlattr *whole = mnl_attr_nest_start(message, CTA_TUPLE_ORIG), *part;

    part = mnl_attr_nest_start(message, CTA_TUPLE_IP);
    mnl_attr_put(message, four ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, four ? 4 : 16, tuple->saddr);
    mnl_attr_put(message, four ? CTA_IP_V4_DST : CTA_IP_V6_DST, four ? 4 : 16, tuple->daddr);
    mnl_attr_nest_end(message, part);
    part = mnl_attr_nest_start(message, CTA_TUPLE_PROTO);
    mnl_attr_put_u8(message, CTA_PROTO_NUM, tuple->protocol);
    mnl_attr_put_u16(message, CTA_PROTO_SRC_PORT, htons(tuple->sport));
    mnl_attr_put_u16(message, CTA_PROTO_DST_PORT, htons(tuple->dport));
    mnl_attr_nest_end(message, part);
    mnl_attr_nest_end(message, whole);
}

/* ---- a dump ---- */

/* One for each port where they are few, since the kernel compares one. */
static unsigned ports_apart(const struct conntrack *conntrack)
{
    const struct flow_settings *settings = conntrack->settings;

    if (!settings->n_ports || settings->n_ports > PORT_DUMPS_MOST)
        return 1;
    for (size_t i = 0; i < settings->n_ports; i++)
        if (settings->ports[i].first != settings->ports[i].last)
            return 1;
    return (unsigned)settings->n_ports;
}

static bool compares_port(const struct conntrack *conntrack)
{
    const struct flow_settings *settings = conntrack->settings;

    return settings->n_ports && settings->n_ports <= PORT_DUMPS_MOST &&
           (settings->n_ports == ports_apart(conntrack)) &&
           settings->ports[0].first == settings->ports[0].last;
}

/* Of the dump that is under way: does it look for those, too? */
static unsigned directions(const struct conntrack *conntrack)
{
    bool turned = conntrack->n_dumps <= TURNED_FIRST || conntrack->n_dumps % TURNED_EACH == 0;

    return compares_port(conntrack) && turned ? 2 : 1;
}

static void put_filter(struct conntrack *conntrack, struct nlmsghdr *message)
{
    bool port = compares_port(conntrack);
    unsigned place = conntrack->part / FAMILIES % ports_apart(conntrack);
    bool turned = conntrack->part / FAMILIES / ports_apart(conntrack);
    uint32_t flags = FILTER_PROTO_NUM | (port ? FILTER_PROTO_DPORT : 0u);
    struct nlattr *whole = mnl_attr_nest_start(message, turned ? CTA_TUPLE_REPLY : CTA_TUPLE_ORIG),
                  *part = mnl_attr_nest_start(message, CTA_TUPLE_PROTO);

    mnl_attr_put_u8(message, CTA_PROTO_NUM, IPPROTO_UDP);
    if (port)
        mnl_attr_put_u16(message, CTA_PROTO_DST_PORT,
                         htons(conntrack->settings->ports[place].first));
    mnl_attr_nest_end(message, part);
    mnl_attr_nest_end(message, whole);
    whole = mnl_attr_nest_start(message, CTA_FILTER);
    mnl_attr_put_u32(message, CTA_FILTER_ORIG_FLAGS, turned ? 0 : flags);
    mnl_attr_put_u32(message, CTA_FILTER_REPLY_FLAGS, turned ? flags : 0);
    mnl_attr_nest_end(message, whole);
}

static int part_begin(struct conntrack *conntrack)
{
    _Alignas(struct nlmsghdr) char buffer[REQUEST_BYTES];
    uint8_t family = conntrack->unfiltered        ? AF_UNSPEC
                     : conntrack->part % FAMILIES ? AF_INET6
                                                  : AF_INET;
    struct nlmsghdr *message = request(conntrack, buffer, IPCTNL_MSG_CT_GET, NLM_F_DUMP, family);

    conntrack->dump_sequence = message->nlmsg_seq;
    if (!conntrack->unfiltered)
        put_filter(conntrack, message);
    return mnl_socket_sendto(conntrack->dumps, message, message->nlmsg_len) < 0 ? -errno : 0;
}

bool conntrack_is_dumping(const struct conntrack *conntrack)
{
    return conntrack->dumping;
}

int conntrack_dump(struct conntrack *conntrack)
{
    int r;

    if (conntrack->dumping)
        return 0;
    conntrack->part = 0;
    conntrack->n_dumps++;
    conntrack->whole = true;
    r = part_begin(conntrack);
    conntrack->dumping = r >= 0;
    return r;
}

struct reading {
    struct conntrack *conntrack;
    void (*entry)(const struct flow_entry *entry, void *user);
    void *user;
    uint64_t real_ns;
};

/* Returns 1: this part is done; 0: more is to come; -errno. */
static int dump_message(struct reading *reading, const struct nlmsghdr *message)
{
    struct conntrack *conntrack = reading->conntrack;
    struct flow_entry entry;

    if (message->nlmsg_seq != conntrack->dump_sequence)
        return 0; /* of one that was given up */
    if (message->nlmsg_flags & NLM_F_DUMP_INTR)
        conntrack->whole = false;
    if (message->nlmsg_type == NLMSG_DONE)
        return 1;
    if (message->nlmsg_type == NLMSG_ERROR) {
        const struct nlmsgerr *error = mnl_nlmsg_get_payload(message);

        return message->nlmsg_len < MNL_NLMSG_HDRLEN + sizeof(*error) ? -EBADMSG : error->error;
    }
    if (entry_decode(message, conntrack->settings, reading->real_ns, &entry) >= 0)
        reading->entry(&entry, reading->user);
    return 0;
}

/* The next one, or the whole is done. */
static int part_done(struct conntrack *conntrack)
{
    unsigned parts =
        conntrack->unfiltered ? 1 : FAMILIES * ports_apart(conntrack) * directions(conntrack);
    int r;

    if (++conntrack->part >= parts)
        return 1;
    r = part_begin(conntrack);
    return r < 0 ? r : 0;
}

static int piece_take(struct reading *reading, size_t size)
{
    struct conntrack *conntrack = reading->conntrack;
    const struct nlmsghdr *message = (const struct nlmsghdr *)(const void *)conntrack->buffer;
    int left = (int)size, r = 0;

    for (; netlink_is_whole(message, left); message = mnl_nlmsg_next(message, &left)) {
        r = dump_message(reading, message);
        if (r)
            break;
    }
    if ((r == -EOPNOTSUPP || r == -EINVAL) && !conntrack->unfiltered) {
        conntrack->unfiltered = true;
        conntrack->part = 0;
        return part_begin(conntrack);
    }
    return r == 1 ? part_done(conntrack) : r;
}

int conntrack_process(struct conntrack *conntrack,
                      void (*entry)(const struct flow_entry *entry, void *user), void *user,
                      bool *ret_whole)
{
    struct reading reading = {conntrack, entry, user, real_ns()};
    int r = 0;

    for (unsigned i = 0; !r && i < PIECES_MOST; i++) {
        ssize_t n =
            mnl_socket_recvfrom(conntrack->dumps, conntrack->buffer, sizeof(conntrack->buffer));

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return 0;
        /* Not even the answers to what was asked for fit: that one is begun again. */
        r = n < 0 ? -errno : conntrack->dumping ? piece_take(&reading, (size_t)n) : 0;
    }
    if (r)
        conntrack->dumping = false;
    *ret_whole = conntrack->whole;
    return r;
}

/* ---- some of them ---- */

struct asked {
    struct reading *reading;
    const struct flow_tuple *tuples;
    uint32_t first; /* sequence number of the first one's request */
    size_t n, n_done;
    bool done[AT_ONCE];
    size_t base;
    void (*entry)(size_t i, const struct flow_entry *entry, void *user);
    void *user;
};

static int answer_take(struct asked *asked, const struct nlmsghdr *message)
{
    const struct conntrack *conntrack = asked->reading->conntrack;
    uint32_t i = message->nlmsg_seq - asked->first;
    struct flow_entry entry;
    bool there;

    if (i >= asked->n || asked->done[i])
        return 0; /* of a request that was given up */
    if (message->nlmsg_type == NLMSG_ERROR) {
        const struct nlmsgerr *error = mnl_nlmsg_get_payload(message);

        if (message->nlmsg_len < MNL_NLMSG_HDRLEN + sizeof(*error))
            return -EBADMSG;
        if (error->error != -ENOENT)
            return error->error ? error->error : -EBADMSG;
        there = false;
    } else {
        there = entry_decode(message, conntrack->settings, asked->reading->real_ns, &entry) >= 0 &&
                tuple_is_equal(&entry.tuple, &asked->tuples[i]);
    }
    asked->done[i] = true;
    asked->n_done++;
    asked->entry(asked->base + i, there ? &entry : NULL, asked->user);
    return 0;
}

static int answers_wait(struct asked *asked)
{
    struct conntrack *conntrack = asked->reading->conntrack;

    while (asked->n_done < asked->n) {
        const struct nlmsghdr *message = (const struct nlmsghdr *)(const void *)conntrack->buffer;
        ssize_t n =
            mnl_socket_recvfrom(conntrack->asks, conntrack->buffer, sizeof(conntrack->buffer));
        int left = (int)n, r = 0;

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
        for (; !r && netlink_is_whole(message, left); message = mnl_nlmsg_next(message, &left))
            r = answer_take(asked, message);
        if (r)
            return r;
    }
    return 0;
}

int conntrack_get(struct conntrack *conntrack, const struct flow_tuple *tuples, size_t n,
                  void (*entry)(size_t i, const struct flow_entry *entry, void *user), void *user)
{
    struct reading reading = {conntrack, NULL, NULL, real_ns()};
    int r = 0;

    for (size_t base = 0; r >= 0 && base < n; base += AT_ONCE) {
        _Alignas(struct nlmsghdr) char buffer[AT_ONCE * REQUEST_BYTES];
        size_t used = 0;
        struct asked asked = {
            .reading = &reading,
            .tuples = tuples + base,
            .first = conntrack->sequence + 1,
            .n = n - base < AT_ONCE ? n - base : AT_ONCE,
            .base = base,
            .entry = entry,
            .user = user,
        };

        for (size_t i = 0; i < asked.n; i++) {
            struct nlmsghdr *message = request(conntrack, buffer + used, IPCTNL_MSG_CT_GET, 0,
                                               family_of(tuples[base + i].family));

            put_tuple(message, &tuples[base + i]);
            used += MNL_ALIGN(message->nlmsg_len);
        }
        r = mnl_socket_sendto(conntrack->asks, buffer, used) < 0 ? -errno : answers_wait(&asked);
    }
    return r;
}

int conntrack_count(struct conntrack *conntrack, uint32_t *ret_count, uint32_t *ret_most)
{
    _Alignas(struct nlmsghdr) char buffer[REQUEST_BYTES];
    struct nlmsghdr *message = request(conntrack, buffer, IPCTNL_MSG_CT_GET_STATS, 0, AF_UNSPEC);
    uint32_t sequence = message->nlmsg_seq;

    if (mnl_socket_sendto(conntrack->asks, message, message->nlmsg_len) < 0)
        return -errno;
    for (;;) {
        ssize_t n =
            mnl_socket_recvfrom(conntrack->asks, conntrack->buffer, sizeof(conntrack->buffer));

        if (n < 0)
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
        message = (struct nlmsghdr *)(void *)conntrack->buffer;
        if (!netlink_is_whole(message, (int)n) || message->nlmsg_seq != sequence)
            continue;
        if (message->nlmsg_type == NLMSG_ERROR) {
            const struct nlmsgerr *error = mnl_nlmsg_get_payload(message);

            return message->nlmsg_len < MNL_NLMSG_HDRLEN + sizeof(*error) || !error->error
                       ? -EBADMSG
                       : error->error;
        }
        return entry_decode_stats(message, ret_count, ret_most);
    }
}
