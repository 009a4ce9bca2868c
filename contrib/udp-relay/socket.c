/* SPDX-License-Identifier: Apache-2.0 */
/* See socket.h. */
#include "socket.h"

#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sock_diag.h>
#include <netinet/udp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define QUEUE_LEAST (208u << 10) /* what Linux gives without being asked */
#define QUEUE_MOST  (8u << 20)
#define RECEIVE_MS  500 /* so often a worker looks whether it is to end */
#define SEND_MS     20  /* so long it waits for a queue to have room */

__attribute__((format(printf, 3, 4))) static int fail(char **ret_error, int error,
                                                      const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    if (vasprintf(ret_error, format, arguments) < 0)
        *ret_error = NULL;
    va_end(arguments);
    return error;
}

static bool option_set(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

/* Each circuit may have one buffer waiting, as far as the machine lets us. */
static void queue_set(int fd, const struct options *options)
{
    uint64_t wanted = (uint64_t)options->buffer_bytes * options->relay.max_circuits;
    int size;

    wanted = wanted < QUEUE_LEAST ? QUEUE_LEAST : wanted > QUEUE_MOST ? QUEUE_MOST : wanted;
    size = (int)wanted;
    if (!option_set(fd, SOL_SOCKET, SO_RCVBUFFORCE, size))
        option_set(fd, SOL_SOCKET, SO_RCVBUF, size);
    if (!option_set(fd, SOL_SOCKET, SO_SNDBUFFORCE, size))
        option_set(fd, SOL_SOCKET, SO_SNDBUF, size);
}

static int times_set(int fd)
{
    const struct timeval receive = {.tv_usec = RECEIVE_MS * 1000},
                         send = {.tv_usec = SEND_MS * 1000};
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &receive, sizeof(receive)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &send, sizeof(send)) < 0)
        return -errno;
    return 0;
}

/* What each socket needs, bound or handed over. Returns 0 or -errno. */
static int prepare(struct udp_socket *socket, const struct options *options)
{
    bool v6 = socket->family == AF_INET6;

    if (!option_set(socket->fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_RECVPKTINFO : IP_PKTINFO,
                    1))
        return -errno;
    queue_set(socket->fd, options);
    socket->gro = options->offload && option_set(socket->fd, IPPROTO_UDP, UDP_GRO, 1);
    /* 0 changes nothing, and is refused by a kernel that does not know it. */
    socket->gso = options->offload && option_set(socket->fd, IPPROTO_UDP, UDP_SEGMENT, 0);
    return times_set(socket->fd);
}

/* ---- opened ---- */

static int open_one(const struct options *options, const struct endpoint *at, bool first,
                    struct udp_socket *ret, char **ret_error)
{
    char text[ENDPOINT_TEXT_SIZE];
    union wire_address address;
    socklen_t size;
    bool v4 = endpoint_is_ipv4(at);
    int r;

    ret->family = v4 ? AF_INET : AF_INET6;
    ret->fd = socket(ret->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (ret->fd < 0)
        return fail(ret_error, -errno, "cannot open a socket for %s: %m", endpoint_text(text, at));
    if (!v4)
        option_set(ret->fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    /* The first is bound alone, so that a relay that runs already is found out; then others may
     * join it. */
    if (!first)
        option_set(ret->fd, SOL_SOCKET, SO_REUSEPORT, 1);
    size = wire_address(ret->family, at, &address);
    if (bind(ret->fd, &address.any, size) < 0)
        r = fail(ret_error, -errno, "cannot bind to %s: %m", endpoint_text(text, at));
    else if (!option_set(ret->fd, SOL_SOCKET, SO_REUSEPORT, 1) || (r = prepare(ret, options)) < 0)
        r = fail(ret_error, -errno, "cannot set up the socket of %s: %m", endpoint_text(text, at));
    if (r < 0) {
        close(ret->fd);
        ret->fd = -1;
    }
    return r;
}

static int open_all(const struct options *options, struct udp_socket *sockets, unsigned n,
                    char **ret_error)
{
    struct endpoint at = options->bind;
    static const uint8_t any[16];
    int r = open_one(options, &at, true, &sockets[0], ret_error);

    if (r == -EAFNOSUPPORT && !memcmp(at.ip, any, 16)) { /* a machine without IPv6 */
        free(*ret_error);
        *ret_error = NULL;
        at.ip[10] = at.ip[11] = 0xff;
        r = open_one(options, &at, true, &sockets[0], ret_error);
    }
    if (r < 0)
        return r;
    socket_address(&sockets[0], &at);
    for (unsigned i = 1; i < n; i++) {
        r = open_one(options, &at, false, &sockets[i], ret_error);
        if (r < 0) {
            sockets_close(sockets, i);
            return r;
        }
    }
    return (int)n;
}

/* ---- handed over ---- */

static int take_one(const struct options *options, int fd, struct udp_socket *ret, char **ret_error)
{
    socklen_t size = sizeof(ret->family);
    int r;

    ret->fd = fd;
    if (sd_is_socket_inet(fd, AF_UNSPEC, SOCK_DGRAM, -1, 0) <= 0)
        return fail(ret_error, -EINVAL, "descriptor %d, handed over by systemd, is no UDP socket",
                    fd);
    r = getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &ret->family, &size) < 0 ? -errno
                                                                       : prepare(ret, options);
    if (r < 0)
        return fail(ret_error, r, "cannot set up descriptor %d, handed over by systemd: %s", fd,
                    strerror(-r));
    return 0;
}

static int take_all(const struct options *options, struct udp_socket *sockets, unsigned n_handed,
                    unsigned n, char **ret_error)
{
    if (n_handed > n)
        return fail(ret_error, -EINVAL, "systemd handed over %u sockets; %u is the most", n_handed,
                    n);
    for (unsigned i = 0; i < n_handed; i++) {
        int r = take_one(options, SD_LISTEN_FDS_START + (int)i, &sockets[i], ret_error);

        if (r < 0) {
            sockets_close(sockets, i + 1);
            return r;
        }
    }
    return (int)n_handed;
}

int sockets_open(const struct options *options, struct udp_socket *sockets, unsigned n,
                 bool *ret_activated, char **ret_error)
{
    int n_handed = sd_listen_fds(1);

    *ret_activated = n_handed > 0;
    *ret_error = NULL;
    if (n_handed < 0)
        return fail(ret_error, n_handed, "cannot take the sockets from systemd: %s",
                    strerror(-n_handed));
    if (n_handed)
        return take_all(options, sockets, (unsigned)n_handed, WORKERS_MOST, ret_error);
    return open_all(options, sockets, n, ret_error);
}

void sockets_close(struct udp_socket *sockets, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (sockets[i].fd >= 0)
            close(sockets[i].fd);
        sockets[i].fd = -1;
    }
}

uint32_t socket_dropped(const struct udp_socket *socket)
{
    uint32_t memory[SK_MEMINFO_VARS] = {0};
    socklen_t size = sizeof(memory);

    /* Asked for when it is wanted: a control message with each datagram costs. */
    return getsockopt(socket->fd, SOL_SOCKET, SO_MEMINFO, memory, &size) == 0
               ? memory[SK_MEMINFO_DROPS]
               : 0;
}

void socket_address(const struct udp_socket *socket, struct endpoint *ret)
{
    union wire_address address = {0};
    socklen_t size = sizeof(address);

    if (getsockname(socket->fd, &address.any, &size) < 0)
        address.any.sa_family = AF_UNSPEC;
    wire_endpoint(&address, ret);
}
