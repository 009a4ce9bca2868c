/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UDP sockets: the listening one, and one connected socket per path of an outgoing
 * connection. Errors of the network are counted, never fatal.
 */
#include "node.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Edge-triggered: an error that stays wakes nobody. Who stops reading before it is empty arms it
 * again. */
static int udp_watch(struct udp *u)
{
    struct epoll_event ev = {.events = EPOLLIN | EPOLLET, .data.ptr = u};

    return epoll_ctl(u->node->epoll_fd, EPOLL_CTL_ADD, u->fd, &ev) < 0 ? -errno : 0;
}

void udp_again(struct udp *u)
{
    struct epoll_event ev = {.events = EPOLLIN | EPOLLET, .data.ptr = u};

    epoll_ctl(u->node->epoll_fd, EPOLL_CTL_MOD, u->fd, &ev);
}

static int udp_get_local(struct udp *u)
{
    struct sockaddr_storage ss = {0};
    socklen_t len = sizeof(ss);

    if (getsockname(u->fd, (struct sockaddr *)&ss, &len) < 0)
        return -errno;
    return address_copy(&u->local, (struct sockaddr *)&ss, len);
}

int udp_listen(struct node *node, const struct address *address)
{
    struct udp *u = &node->listen;
    int on = 1, r;

    *u = (struct udp){.node = node};
    u->fd = socket(address->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (u->fd < 0)
        return -errno;
    node->listening = true; /* from here on it is closed with the node */
    if (address->sa.sa_family == AF_INET6)
        r = setsockopt(u->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) |
            setsockopt(u->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
    else
        r = setsockopt(u->fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
    if (r < 0 || bind(u->fd, &address->sa, address->len) < 0)
        return -errno;
    r = udp_get_local(u);
    return r < 0 ? r : udp_watch(u);
}

/* Of those that the interface has. Where it has none of the family, the kernel takes another
 * uplink's, and the answers come back over that one. */
static bool is_address_of(const struct address *local, const char *interface)
{
    struct ifaddrs *list, *at;
    char name[IF_NAMESIZE];
    struct address own;

    if (!if_indextoname(if_nametoindex(interface), name) || getifaddrs(&list) < 0)
        return false;
    for (at = list; at; at = at->ifa_next) {
        /* an address may have a label, "eth0:1" */
        size_t length = strcspn(at->ifa_name, ":");

        if (!at->ifa_addr || length != strlen(name) || memcmp(at->ifa_name, name, length) != 0 ||
            address_copy(&own, at->ifa_addr,
                         at->ifa_addr->sa_family == AF_INET6 ? sizeof(own.in6) : sizeof(own.in)) <
                0)
            continue;
        address_set_port(&own, address_port(local));
        if (address_equal(&own, local))
            break;
    }
    freeifaddrs(list);
    return at;
}

/* Returns 0 or -errno. The kernel takes "" as no interface, and of a name that is too long the
 * beginning. */
static int udp_bind(int fd, const char *interface, const struct address *local)
{
    if (interface && if_nametoindex(interface) == 0)
        return -ENODEV;
    if (interface && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface,
                                (socklen_t)strlen(interface) + 1) < 0)
        return -errno;
    return local && bind(fd, &local->sa, local->len) < 0 ? -errno : 0;
}

int udp_connect(struct node *node, const struct address *remote, const char *interface,
                const struct address *local, struct udp **ret)
{
    struct udp *u = calloc(1, sizeof(*u));
    int r = 0;

    if (!u)
        return -ENOMEM;
    *u = (struct udp){.node = node, .remote = *remote};
    u->fd = socket(remote->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (u->fd < 0)
        r = -errno;
    if (r == 0)
        r = udp_bind(u->fd, interface, local);
    if (r == 0 && connect(u->fd, &remote->sa, remote->len) < 0)
        r = -errno;
    if (r == 0)
        r = udp_get_local(u);
    if (r == 0 && interface) /* by its own name, where it was named by another */
        (void)if_indextoname(if_nametoindex(interface), u->interface);
    if (r == 0 && interface && !local && !is_address_of(&u->local, interface))
        r = -EADDRNOTAVAIL;
    if (r == 0)
        r = udp_watch(u);
    if (r < 0) {
        if (u->fd >= 0)
            close(u->fd);
        free(u);
        return r;
    }
    *ret = u;
    return 0;
}

int udp_dial(struct conn *c, const struct address *remote, const char *interface,
             const struct address *local, struct udp **ret)
{
    struct udp *u;
    int r = udp_connect(c->node, remote, interface, local, &u);

    if (r < 0)
        return r;
    u->conn = c;
    u->next = c->paths;
    c->paths = u;
    *ret = u;
    return 0;
}

struct udp *udp_find(const struct conn *c, const struct address *local,
                     const struct address *remote)
{
    for (struct udp *u = c->paths; u; u = u->next)
        if (!u->probe && address_equal(&u->local, local) && address_equal(&u->remote, remote))
            return u;
    for (struct stand *s = c->server ? c->node->stands : NULL; s; s = s->next)
        if (s->u && address_equal(&s->u->local, local) && address_equal(&s->u->remote, remote))
            return s->u;
    return NULL;
}

const char *udp_interface(const struct conn *c)
{
    const struct udp *u = udp_find(c, &c->local, &c->remote);

    return u && u->interface[0] ? u->interface : NULL;
}

/* The socket goes on receiving until then: the peer may still be sending to it. */
void udp_abandon(struct conn *c, struct udp *u, uint64_t close_at_ns)
{
    u->close_at_ns = close_at_ns;
    udp_expire(c);
}

void udp_expire(struct conn *c)
{
    for (struct udp **p = &c->paths; *p;) {
        struct udp *u = *p;

        if (u->close_at_ns == 0 || u->close_at_ns > c->node->now_ns) {
            p = &u->next;
            continue;
        }
        *p = u->next;
        udp_close(u);
    }
}

/* Not at once: an event for it may be waiting in this turn. */
void udp_close(struct udp *u)
{
    u->conn = NULL;
    u->stand = NULL;
    u->next = u->node->closing;
    u->node->closing = u;
}

void udp_reap(struct node *node)
{
    while (node->closing) {
        struct udp *u = node->closing;

        node->closing = u->next;
        close(u->fd);
        free(u->reg);
        free(u);
    }
}

static bool is_relay(const struct options *o, const struct address *address)
{
    for (size_t i = 0; i < o->n_relays; i++)
        if (address_equal(&o->relays[i].address, address))
            return true;
    return false;
}

static ssize_t listen_send(struct node *node, const ngtcp2_path *path, struct iovec *iov)
{
    union {
        struct cmsghdr header;
        uint8_t data[CMSG_SPACE(sizeof(struct in6_pktinfo))];
    } control = {0};
    struct msghdr msg = {.msg_name = path->remote.addr,
                         .msg_namelen = path->remote.addrlen,
                         .msg_iov = iov,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof(control)};
    struct cmsghdr *m = CMSG_FIRSTHDR(&msg);

    if (path->local.addr->sa_family == AF_INET) {
        struct in_pktinfo info = {
            .ipi_spec_dst = ((const struct sockaddr_in *)(const void *)path->local.addr)->sin_addr};

        *m = (struct cmsghdr){
            .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO, .cmsg_len = CMSG_LEN(sizeof(info))};
        memcpy(CMSG_DATA(m), &info, sizeof(info));
        msg.msg_controllen = CMSG_SPACE(sizeof(info));
    } else {
        const struct sockaddr_in6 *local = (const void *)path->local.addr;
        struct in6_pktinfo info = {.ipi6_addr = local->sin6_addr,
                                   .ipi6_ifindex = local->sin6_scope_id};

        *m = (struct cmsghdr){.cmsg_level = IPPROTO_IPV6,
                              .cmsg_type = IPV6_PKTINFO,
                              .cmsg_len = CMSG_LEN(sizeof(info))};
        memcpy(CMSG_DATA(m), &info, sizeof(info));
        msg.msg_controllen = CMSG_SPACE(sizeof(info));
    }
    return sendmsg(node->listen.fd, &msg, MSG_NOSIGNAL);
}

void udp_answer(struct udp *u, const ngtcp2_path *path, const uint8_t *data, size_t len)
{
    struct iovec iov = {(void *)(uintptr_t)data, len};

    if (u->stand)
        (void)!send(u->fd, data, len, MSG_NOSIGNAL);
    else
        (void)!listen_send(u->node, path, &iov);
}

/* The socket of a path: one that is connected, or the listening one. Returns as send(2). */
static ssize_t path_send(struct conn *c, const ngtcp2_path *path, const uint8_t *data, size_t len)
{
    struct iovec iov = {(void *)(uintptr_t)data, len};
    struct address local, remote;
    struct udp *u = NULL;
    ssize_t n;

    if (address_copy(&local, path->local.addr, path->local.addrlen) == 0 &&
        address_copy(&remote, path->remote.addr, path->remote.addrlen) == 0)
        u = udp_find(c, &local, &remote);
    /* A path that was given up: the library has not forgotten it yet. A relay takes nothing from
     * a socket that it does not know. */
    if (!u && (!c->server || !c->node->listening || is_relay(c->node->options, &remote))) {
        errno = ENOTCONN;
        return -1;
    }
    if (!u)
        return listen_send(c->node, path, &iov);
    n = send(u->fd, data, len, MSG_NOSIGNAL);
    /* an ICMP error of an earlier datagram is told once: this one was not sent yet */
    if (n < 0 && errno == ECONNREFUSED) {
        c->send_errors++;
        n = send(u->fd, data, len, MSG_NOSIGNAL);
    }
    if (n >= 0) {
        u->sent_bytes += (uint64_t)n;
        u->sent_ns = c->node->now_ns;
    }
    return n;
}

int udp_send(struct conn *c, const ngtcp2_path *path, const uint8_t *data, size_t len)
{
    ssize_t n = path_send(c, path, data, len);

    if (n < 0) {
        int r = -errno;

        /* where there is no socket any more nothing was sent */
        if (r != -ENOTCONN && r != -EAGAIN && r != -EWOULDBLOCK && r != -EINTR)
            c->send_errors++;
        return r;
    }
    c->bytes_sent += (uint64_t)n;
    return 0;
}
