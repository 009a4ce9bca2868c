/* SPDX-License-Identifier: Apache-2.0 */
#include "netlink-socket.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int netlink_open(int protocol, uint32_t groups, int buffer_bytes)
{
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = groups};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol), r, on = 1;

    if (fd < 0)
        return -errno;
    /* Without CAP_NET_ADMIN the smaller buffer is what there is. */
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer_bytes, sizeof(buffer_bytes)))
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof(buffer_bytes));
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer_bytes, sizeof(buffer_bytes)))
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof(buffer_bytes));
    /* An error without the request that it is about: a batch has thousands of elements. */
    setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
    /* Filters of a dump are really applied, where the kernel knows them. */
    setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address))) {
        r = -errno;
        close(fd);
        return r;
    }
    return fd;
}

int netlink_join(int fd, int group)
{
    return setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) ? -errno : 0;
}

int netlink_send(int fd, const void *data, size_t size)
{
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

    for (;;) {
        if (sendto(fd, data, size, 0, (struct sockaddr *)&kernel, sizeof(kernel)) >= 0)
            return 0;
        if (errno != EINTR)
            return -errno;
    }
}

ssize_t netlink_receive(int fd, void *buffer, size_t size, int patience_ms)
{
    for (;;) {
        struct sockaddr_nl from = {0};
        socklen_t length = sizeof(from);
        ssize_t n = recvfrom(fd, buffer, size, MSG_TRUNC, (struct sockaddr *)&from, &length);
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        int r;

        if (n >= 0 && from.nl_pid)
            continue; /* not from the kernel */
        if (n >= 0)
            return (size_t)n > size ? -EMSGSIZE : n;
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return -errno;
        r = patience_ms ? poll(&ready, 1, patience_ms) : 0;
        if (r < 0 && errno != EINTR)
            return -errno;
        if (!r)
            return -ETIMEDOUT;
    }
}

bool netlink_error(const struct nlmsghdr *message, int *ret_error)
{
    if (message->nlmsg_type != NLMSG_ERROR && message->nlmsg_type != NLMSG_DONE)
        return false;
    *ret_error = 0;
    if (mnl_nlmsg_get_payload_len(message) >= sizeof(int))
        memcpy(ret_error, mnl_nlmsg_get_payload(message), sizeof(int));
    return true;
}

int netlink_ask(int fd, const struct nlmsghdr *request,
                void (*each)(void *user, const struct nlmsghdr *message), void *user)
{
    _Alignas(NLMSG_ALIGNTO) uint8_t buffer[32768];
    bool interrupted = false;
    int r = netlink_send(fd, request, request->nlmsg_len), error;

    while (r >= 0) {
        ssize_t size = netlink_receive(fd, buffer, sizeof(buffer), NETLINK_PATIENCE_MS);
        int left = (int)size;

        if (size < 0)
            return (int)size;
        for (struct nlmsghdr *message = (void *)buffer; netlink_is_whole(message, left);
             message = mnl_nlmsg_next(message, &left)) {
            if (message->nlmsg_seq != request->nlmsg_seq)
                continue;
            interrupted = interrupted || message->nlmsg_flags & NLM_F_DUMP_INTR;
            if (netlink_error(message, &error))
                return error ? error : interrupted ? -EINTR : 0;
            if (each)
                each(user, message);
        }
    }
    return r;
}
