/* SPDX-License-Identifier: Apache-2.0 */
#include "settle.h"

#include "util/clock.h"
#include "util/util.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

/* Messages read before others have their turn. */
#define READ_SLICE 64u

void settle_end(struct settle *settle)
{
    settle->io = sd_event_source_disable_unref(settle->io);
    settle->timer = sd_event_source_disable_unref(settle->timer);
}

static int on_timer(sd_event_source *timer, uint64_t time_us, void *user)
{
    struct settle *settle = user;

    settle_end(settle);
    settle->settled(settle->user);
    return 0;
}

/* Each change begins the moment anew; what was lost on the way was a change, too. */
static int on_change(sd_event_source *io, int fd, uint32_t revents, void *user)
{
    struct settle *settle = user;
    uint64_t quiet_us = clock_us(CLOCK_MONOTONIC) + SETTLE_QUIET_US;
    char message[1]; /* the rest is dropped by the kernel */

    for (unsigned i = 0; i < READ_SLICE; i++)
        if (recv(fd, message, sizeof(message), MSG_DONTWAIT) < 0 && errno != ENOBUFS)
            break;
    (void)sd_event_source_set_time(settle->timer, min_u64(quiet_us, settle->until_us));
    return 0;
}

static int listen_begin(struct settle *settle)
{
    const struct sockaddr_nl name = {
        .nl_family = AF_NETLINK,
        .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_IFADDR |
                     RTMGRP_IPV6_ROUTE,
    };
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE), r;

    if (fd < 0)
        return -errno;
    r = bind(fd, (const struct sockaddr *)&name, sizeof(name)) < 0 ? -errno : 0;
    if (r >= 0)
        r = sd_event_add_io(settle->loop, &settle->io, fd, EPOLLIN, on_change, settle);
    if (r >= 0)
        r = sd_event_source_set_io_fd_own(settle->io, true);
    if (r < 0) {
        settle->io = sd_event_source_disable_unref(settle->io);
        close(fd);
    }
    return r;
}

int settle_begin(struct settle *settle)
{
    uint64_t now_us = clock_us(CLOCK_MONOTONIC);
    int listening, r;

    settle_end(settle);
    settle->until_us = now_us + SETTLE_MOST_US;
    listening = listen_begin(settle);
    r = sd_event_add_time(settle->loop, &settle->timer, CLOCK_MONOTONIC,
                          listening < 0 ? settle->until_us : now_us + SETTLE_QUIET_US, 1, on_timer,
                          settle);
    if (r < 0)
        settle_end(settle);
    return listening < 0 ? listening : r;
}
