/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Floors: programs that do the least that must be done, written plainly. They
 * decide nothing, check nothing and keep nothing.
 */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#define WRITE_BYTES (64u * 1024)

struct floor {
    int fd;
    uint32_t lookups;
    int lookup_fd;
    struct bytes lines;
};

/* ---- answering a change of the route ---- */

static void lines_prepare(struct floor *floor, uint32_t count)
{
    for (uint32_t i = 1; i <= count; i++)
        bytes_format(&floor->lines,
                     "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"migrate_peer\",\"params\":{"
                     "\"conn\":%u,\"timeout_ms\":5000,\"reason\":\"default route flip: "
                     "up0 via 10.0.1.1 → up1 via 10.0.2.1\"}}\n",
                     i + 100000, i);
}

/* Where does a packet to this peer go now? */
static void lookup(int fd, uint32_t number)
{
    struct {
        struct nlmsghdr header;
        struct rtmsg route;
        struct rtattr attribute;
        uint32_t destination;
    } request = {
        .header = {.nlmsg_len = sizeof(request),
                   .nlmsg_type = RTM_GETROUTE,
                   .nlmsg_flags = NLM_F_REQUEST,
                   .nlmsg_seq = number},
        .route = {.rtm_family = AF_INET, .rtm_dst_len = 32},
        .attribute = {.rta_len = RTA_LENGTH(4), .rta_type = RTA_DST},
        .destination = htonl((10u << 24 | 64u << 16) + number),
    };
    char answer[1024];

    if (send(fd, &request, sizeof(request), 0) < 0 || recv(fd, answer, sizeof(answer), 0) < 0)
        _exit(1);
}

static void answer(struct floor *floor)
{
    size_t length;

    for (uint32_t i = 0; i < floor->lookups; i++)
        lookup(floor->lookup_fd, i);
    for (size_t at = 0; at < floor->lines.length; at += length) {
        length = floor->lines.length - at < WRITE_BYTES ? floor->lines.length - at : WRITE_BYTES;
        write_all(floor->fd, floor->lines.bytes + at, length);
    }
}

static int netlink_open(uint32_t groups)
{
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = groups};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)))
        die("netlink: %s", strerror(errno));
    return fd;
}

static void raw_run(struct floor *floor, int ready)
{
    char message[8192];
    int fd = netlink_open(RTMGRP_IPV4_ROUTE);
    const struct nlmsghdr *header = (const void *)message;

    write_all(ready, "r", 1);
    while (recv(fd, message, sizeof(message), 0) > 0)
        if (header->nlmsg_type == RTM_NEWROUTE)
            answer(floor);
}

static int on_message(struct nl_msg *message, void *userdata)
{
    if (nlmsg_hdr(message)->nlmsg_type == RTM_NEWROUTE)
        answer(userdata);
    return NL_OK;
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    nl_recvmsgs_default(userdata);
    return 0;
}

static void sdevent_run(struct floor *floor, int ready)
{
    struct nl_sock *netlink = nl_socket_alloc();
    sd_event *loop = NULL;

    nl_socket_disable_seq_check(netlink);
    nl_socket_modify_cb(netlink, NL_CB_VALID, NL_CB_CUSTOM, on_message, floor);
    if (nl_connect(netlink, NETLINK_ROUTE) < 0 || nl_socket_set_nonblocking(netlink) < 0 ||
        nl_socket_add_memberships(netlink, RTNLGRP_IPV4_ROUTE, 0) < 0 || sd_event_new(&loop) < 0 ||
        sd_event_add_io(loop, NULL, nl_socket_get_fd(netlink), EPOLLIN, on_readable, netlink) < 0)
        die("libnl on sd-event could not be set up");
    write_all(ready, "r", 1);
    sd_event_loop(loop);
}

pid_t floor_route_start(enum floor_kind kind, uint32_t lines, uint32_t lookups, int *ret_fd)
{
    struct floor floor = {.lookups = lookups};
    int pair[2];
    char ready;
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        die("socketpair: %s", strerror(errno));
    pid = child_fork();
    if (!pid) {
        close(pair[0]);
        floor.fd = pair[1];
        floor.lookup_fd = netlink_open(0);
        lines_prepare(&floor, lines);
        if (kind == FLOOR_RAW)
            raw_run(&floor, pair[1]);
        else
            sdevent_run(&floor, pair[1]);
        _exit(0);
    }
    close(pair[1]);
    if (read(pair[0], &ready, 1) != 1)
        die("a floor did not start");
    *ret_fd = pair[0];
    return pid;
}

/* ---- reading summaries ---- */

/* Every run of digits becomes a number; their sum keeps the compiler honest. */
static uint64_t digits_scan(const char *bytes, size_t length)
{
    uint64_t sum = 0, number = 0;

    for (size_t i = 0; i < length; i++) {
        unsigned digit = (unsigned char)bytes[i] - '0';

        if (digit <= 9) {
            number = number * 10 + digit;
        } else {
            sum += number;
            number = 0;
        }
    }
    return sum;
}

static uint64_t reader_run(enum floor_work work, int fd)
{
    char bytes[WRITE_BYTES];
    uint64_t sum = 0;
    ssize_t n;

    while ((n = read(fd, bytes, sizeof(bytes))) > 0)
        if (work == FLOOR_DIGITS)
            sum += digits_scan(bytes, (size_t)n);
    return sum;
}

pid_t floor_reader_start(enum floor_work work, int *ret_fd)
{
    int pair[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        die("socketpair: %s", strerror(errno));
    pid = child_fork();
    if (!pid) {
        close(pair[0]);
        _exit(reader_run(work, pair[1]) == 1);
    }
    close(pair[1]);
    *ret_fd = pair[0];
    return pid;
}
