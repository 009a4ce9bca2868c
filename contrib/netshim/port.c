/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AF_PACKET with PACKET_VNET_HDR: the kernel says with each frame which checksum and which
 * segmentation are still owed, and is told the same when the frame goes out again, so that
 * neither is ever done here. Must not decide anything about a frame.
 */
#include "port.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* A burst of small frames costs about 800 bytes of it each; capped without CAP_NET_ADMIN. */
#define SOCKET_BUFFER_BYTES (16 * 1024 * 1024)

struct port {
    char name[IF_NAMESIZE];
    int epoll_fd;
    uint64_t tag;
    int query_fd; /* for ioctls, outlives the interface */
    int fd;       /* -1 while there is no interface */
    unsigned int index;
    enum port_state state;
    uint64_t kernel_drops;
};

const char *port_state_name(enum port_state state)
{
    switch (state) {
    case PORT_UP:
        return "up";
    case PORT_NO_CARRIER:
        return "up without carrier";
    case PORT_DOWN:
        return "down";
    case PORT_MISSING:
        break;
    }
    return "missing";
}

int port_new(const char *name, int epoll_fd, uint64_t tag, struct port **ret_port)
{
    struct port *port = calloc(1, sizeof(*port));
    if (!port)
        return -ENOMEM;

    snprintf(port->name, sizeof(port->name), "%s", name);
    port->epoll_fd = epoll_fd;
    port->tag = tag;
    port->fd = -1;
    port->state = PORT_MISSING;
    port->query_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (port->query_fd < 0) {
        int error = errno;
        port_free(port);
        return -error;
    }
    *ret_port = port;
    return 0;
}

static void port_close(struct port *port)
{
    if (port->fd < 0)
        return;
    (void)port_kernel_drops(port);
    close(port->fd);
    port->fd = -1;
    port->index = 0;
}

struct port *port_free(struct port *port)
{
    if (!port)
        return NULL;
    port_close(port);
    if (port->query_fd >= 0)
        close(port->query_fd);
    free(port);
    return NULL;
}

const char *port_name(const struct port *port)
{
    return port->name;
}

enum port_state port_get_state(const struct port *port)
{
    return port->state;
}

static int option_set(int fd, int option, int value)
{
    return setsockopt(fd, SOL_PACKET, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

/* The larger buffer needs CAP_NET_ADMIN; without it the usual cap has to do. */
static void buffer_grow(int fd, int forced, int capped)
{
    int bytes = SOCKET_BUFFER_BYTES;

    if (setsockopt(fd, SOL_SOCKET, forced, &bytes, sizeof(bytes)) < 0)
        (void)setsockopt(fd, SOL_SOCKET, capped, &bytes, sizeof(bytes));
}

static int socket_prepare(int fd, unsigned int index)
{
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)index};
    struct packet_mreq promiscuous = {.mr_ifindex = (int)index, .mr_type = PACKET_MR_PROMISC};
    int r = option_set(fd, PACKET_VNET_HDR, 1);

    if (r == 0)
        r = option_set(fd, PACKET_AUXDATA, 1);
    if (r == 0) /* our own frames must not come back to us */
        r = option_set(fd, PACKET_IGNORE_OUTGOING, 1);
    if (r < 0)
        return r;
    buffer_grow(fd, SO_RCVBUFFORCE, SO_RCVBUF);
    buffer_grow(fd, SO_SNDBUFFORCE, SO_SNDBUF);
    if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof(promiscuous)) < 0)
        return -errno;
    /* Last: no frame is queued before the options hold. */
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        return -errno;
    return 0;
}

static int port_open(struct port *port, unsigned int index)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = port->tag};
    /* Protocol 0 at first: unbound, it would read the frames of every interface. */
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;

    int r = socket_prepare(fd, index);
    if (r == 0 && epoll_ctl(port->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        r = -errno;
    if (r < 0) {
        close(fd);
        return r;
    }
    port->fd = fd;
    port->index = index;
    return 0;
}

/* A deleted interface leaves the socket bound to none, also when a new one has its index. */
static bool port_is_bound(const struct port *port, unsigned int index)
{
    struct sockaddr_ll address = {0};
    socklen_t length = sizeof(address);

    if (port->fd < 0 || port->index != index)
        return false;
    if (getsockname(port->fd, (struct sockaddr *)&address, &length) < 0)
        return false;
    return address.sll_ifindex == (int)index;
}

static int port_look(struct port *port, enum port_state *ret_state)
{
    struct ifreq request = {0};
    unsigned int index = if_nametoindex(port->name);

    *ret_state = PORT_MISSING;
    if (index == 0) {
        port_close(port);
        return 0;
    }
    if (!port_is_bound(port, index)) {
        port_close(port);
        int r = port_open(port, index);
        if (r < 0)
            return r == -ENODEV ? 0 : r;
    }
    memcpy(request.ifr_name, port->name, sizeof(request.ifr_name));
    if (ioctl(port->query_fd, SIOCGIFFLAGS, &request) < 0)
        return errno == ENODEV ? 0 : -errno;
    if (!(request.ifr_flags & IFF_UP))
        *ret_state = PORT_DOWN;
    else
        *ret_state = (request.ifr_flags & IFF_RUNNING) ? PORT_UP : PORT_NO_CARRIER;
    return 0;
}

int port_refresh(struct port *port, bool *ret_changed)
{
    enum port_state state = PORT_MISSING;
    int r = port_look(port, &state);

    *ret_changed = state != port->state;
    port->state = state;
    return r;
}

static void frame_restore_tag(struct frame *frame, struct msghdr *message)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        struct tpacket_auxdata aux;

        if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
            continue;
        memcpy(&aux, CMSG_DATA(c), sizeof(aux));
        if (aux.tp_status & TP_STATUS_VLAN_VALID && frame->length >= ETH_HLEN)
            frame_tag(frame,
                      (aux.tp_status & TP_STATUS_VLAN_TPID_VALID) ? aux.tp_vlan_tpid : ETH_P_8021Q,
                      aux.tp_vlan_tci);
        return;
    }
}

int port_receive(struct port *port, struct frame *frame)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
    struct iovec parts[2] = {
        {.iov_base = &frame->offload, .iov_len = sizeof(frame->offload)},
        {.iov_base = frame->bytes + FRAME_TAG_BYTES, .iov_len = FRAME_BYTES_MAX - FRAME_TAG_BYTES},
    };
    struct msghdr message = {.msg_iov = parts,
                             .msg_iovlen = 2,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};

    if (port->fd < 0)
        return 0;

    ssize_t bytes = recvmsg(port->fd, &message, 0);
    if (bytes < 0) {
        /* ENETDOWN and ENXIO are said once when the interface goes; no frame is meant. */
        if (errno == EAGAIN || errno == EINTR || errno == ENETDOWN || errno == ENXIO)
            return 0;
        return -errno;
    }
    if (message.msg_flags & MSG_TRUNC)
        return -EMSGSIZE;
    if ((size_t)bytes < sizeof(frame->offload))
        return -EINVAL;
    frame->start = FRAME_TAG_BYTES;
    frame->length = (uint32_t)((size_t)bytes - sizeof(frame->offload));
    /* Whether a checksum was found right on the way in is nothing to tell on the way out. */
    frame->offload.flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM;
    frame_restore_tag(frame, &message);
    return 1;
}

int port_send(struct port *port, const struct frame *frame)
{
    struct iovec parts[2] = {
        {.iov_base = (void *)&frame->offload, .iov_len = sizeof(frame->offload)},
        {.iov_base = (void *)(frame->bytes + frame->start), .iov_len = frame->length},
    };
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};

    if (port->fd < 0)
        return -ENODEV;
    return sendmsg(port->fd, &message, 0) < 0 ? -errno : 0;
}

uint64_t port_kernel_drops(struct port *port)
{
    struct tpacket_stats stats = {0};
    socklen_t length = sizeof(stats);

    /* Reading the kernel's counter sets it to zero. */
    if (port->fd >= 0 && getsockopt(port->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &length) == 0)
        port->kernel_drops += stats.tp_drops;
    return port->kernel_drops;
}
