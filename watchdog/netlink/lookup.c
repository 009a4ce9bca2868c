/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking the kernel which next hop a packet would take. See lookup.h.
 */
#include "lookup.h"

#include "util/util.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>

/* A request with every attribute, and a route with metrics in the answer. */
#define REQUEST_BYTES 160u
#define ANSWER_BYTES  2048u
/* The kernel counts over a kilobyte for each answer. */
#define RECEIVE_BYTES 212992

struct lookup_socket {
    struct nl_sock *nl;
    uint32_t sequence;
    /* The kernel wants them aligned, and so do we. */
    _Alignas(8) uint8_t requests[LOOKUP_BATCH * REQUEST_BYTES];
    _Alignas(8) uint8_t answers[LOOKUP_BATCH][ANSWER_BYTES];
};

int lookup_socket_new(struct lookup_socket **ret_socket)
{
    struct lookup_socket *socket = memory_new(1, sizeof(*socket));

    socket->nl = memory_check(nl_socket_alloc());
    if (nl_connect(socket->nl, NETLINK_ROUTE) < 0 || nl_socket_set_nonblocking(socket->nl) < 0 ||
        nl_socket_set_buffer_size(socket->nl, RECEIVE_BYTES, 0) < 0) {
        lookup_socket_free(socket);
        return -EIO;
    }
    *ret_socket = socket;
    return 0;
}

struct lookup_socket *lookup_socket_free(struct lookup_socket *socket)
{
    if (socket)
        nl_socket_free(socket->nl);
    free(socket);
    return NULL;
}

static void attribute_put(struct nlmsghdr *message, unsigned short type, const void *data,
                          size_t size)
{
    struct rtattr *attribute =
        (struct rtattr *)((uint8_t *)message + NLMSG_ALIGN(message->nlmsg_len));

    attribute->rta_type = type;
    attribute->rta_len = (unsigned short)RTA_LENGTH(size);
    memcpy(RTA_DATA(attribute), data, size);
    message->nlmsg_len = (uint32_t)(NLMSG_ALIGN(message->nlmsg_len) + RTA_ALIGN(RTA_LENGTH(size)));
}

static size_t request_write(uint8_t *buffer, const struct lookup *lookup, uint32_t sequence)
{
    struct nlmsghdr *message = (struct nlmsghdr *)buffer;
    struct rtmsg *info = NLMSG_DATA(message);
    size_t length = lookup->family == 4 ? 4 : 16;
    uint8_t protocol = IPPROTO_UDP;
    uint16_t sport = htons(lookup->sport), dport = htons(lookup->dport);

    memset(buffer, 0, REQUEST_BYTES);
    message->nlmsg_len = NLMSG_LENGTH(sizeof(*info));
    message->nlmsg_type = RTM_GETROUTE;
    message->nlmsg_flags = NLM_F_REQUEST;
    message->nlmsg_seq = sequence;
    info->rtm_family = lookup->family == 4 ? AF_INET : AF_INET6;
    info->rtm_dst_len = (unsigned char)(length * 8);
    info->rtm_flags = lookup->match ? RTM_F_FIB_MATCH : 0;
    attribute_put(message, RTA_DST, lookup->destination, length);
    if (lookup->source_family == lookup->family) {
        info->rtm_src_len = (unsigned char)(length * 8);
        attribute_put(message, RTA_SRC, lookup->source, length);
    }
    if (lookup->oif)
        attribute_put(message, RTA_OIF, &lookup->oif, sizeof(lookup->oif));
    if (lookup->has_uid)
        attribute_put(message, RTA_UID, &lookup->uid, sizeof(lookup->uid));
    if (lookup->has_mark)
        attribute_put(message, RTA_MARK, &lookup->mark, sizeof(lookup->mark));
    attribute_put(message, RTA_IP_PROTO, &protocol, sizeof(protocol));
    if (lookup->sport)
        attribute_put(message, RTA_SPORT, &sport, sizeof(sport));
    if (lookup->dport)
        attribute_put(message, RTA_DPORT, &dport, sizeof(dport));
    return message->nlmsg_len;
}

/* Returns how many of this batch's answers were in the datagram. */
static size_t answer_read(const struct lookup_socket *socket, const struct lookup *lookups,
                          const void *data, size_t size, size_t count,
                          struct netlink_nexthop *ret_nexthops)
{
    const struct nlmsghdr *message;
    struct netlink_nexthop nexthop;
    size_t offset = 0, found = 0;

    while ((message = netlink_next(data, size, &offset))) {
        uint32_t place = message->nlmsg_seq - socket->sequence;

        if (place >= count)
            continue; /* late, of a batch that was given up */
        found++;
        if (netlink_decode_nexthop(message, lookups[place].leg, &nexthop) == 0)
            ret_nexthops[place] = nexthop;
    }
    return found;
}

void lookup_ask(struct lookup_socket *socket, const struct lookup *lookups, size_t count,
                struct netlink_nexthop *ret_nexthops)
{
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    struct mmsghdr messages[LOOKUP_BATCH];
    struct iovec pieces[LOOKUP_BATCH];
    int fd = nl_socket_get_fd(socket->nl), n;
    size_t length = 0, found = 0;

    for (size_t i = 0; i < count; i++) {
        ret_nexthops[i] = (struct netlink_nexthop){.error = -EIO};
        length +=
            request_write(socket->requests + length, &lookups[i], socket->sequence + (uint32_t)i);
    }
    n = (int)sendto(fd, socket->requests, length, MSG_DONTWAIT, (struct sockaddr *)&kernel,
                    sizeof(kernel));
    while (n > 0 && found < count) {
        memset(messages, 0, (count - found) * sizeof(*messages));
        for (size_t i = 0; i < count - found; i++) {
            pieces[i] = (struct iovec){socket->answers[i], ANSWER_BYTES};
            messages[i].msg_hdr.msg_iov = &pieces[i];
            messages[i].msg_hdr.msg_iovlen = 1;
        }
        n = recvmmsg(fd, messages, (unsigned)(count - found), MSG_DONTWAIT, NULL);
        for (int i = 0; i < n; i++)
            found += answer_read(socket, lookups, socket->answers[i], messages[i].msg_len, count,
                                 ret_nexthops);
    }
    socket->sequence += (uint32_t)count;
}
