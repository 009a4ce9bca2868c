/* SPDX-License-Identifier: Apache-2.0 */
/* A netlink socket: opened, asked, read. */
#ifndef FLOW_NODE_NETLINK_SOCKET_H
#define FLOW_NODE_NETLINK_SOCKET_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The kernel answers at once, unless it is very busy. */
#define NETLINK_PATIENCE_MS 10000

/* Room for `buffer_bytes` both ways, if that is allowed. Returns the descriptor or -errno. */
int netlink_open(int protocol, uint32_t groups, int buffer_bytes);
int netlink_join(int fd, int group);

int netlink_send(int fd, const void *data, size_t size);
/* A datagram of the kernel. Returns its size, or -errno: -ETIMEDOUT where none came within the
 * time, -ENOBUFS where some were lost. */
ssize_t netlink_receive(int fd, void *buffer, size_t size, int patience_ms);

/* Is there a whole message in what is left? libmnl's own question takes a length of 2^31 and more
 * for a negative one. */
static inline bool netlink_is_whole(const struct nlmsghdr *message, int left)
{
    return left >= (int)sizeof(*message) && message->nlmsg_len >= sizeof(*message) &&
           message->nlmsg_len <= (uint32_t)left;
}

/* Is it a result? `*ret_error`: 0 or -errno. */
bool netlink_error(const struct nlmsghdr *message, int *ret_error);

/* Sends a request with a sequence number and reads its answer, to its end if it is a dump: each
 * message that is no result to `each`, which may be NULL. Returns 0 or -errno; -EINTR where what
 * was dumped changed meanwhile. */
int netlink_ask(int fd, const struct nlmsghdr *request,
                void (*each)(void *user, const struct nlmsghdr *message), void *user);

#endif
