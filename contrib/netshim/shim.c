/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread, one epoll loop; everything it waits for is a file descriptor. Frames that are
 * due at once are sent in the same turn they were read in.
 * Must not decide a frame's fate (lane.c does) nor parse commands (settings.c does).
 */
#include "shim.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "control.h"
#include "frame.h"
#include "lane.h"
#include "port.h"

#define NS_PER_S      1000000000
#define FRAMES_A_TURN 64 /* from one port, so that neither the other nor the timer starves */

enum source {
    SOURCE_PORT_A, /* must be the index of the port */
    SOURCE_PORT_B,
    SOURCE_TIMER,
    SOURCE_SIGNAL,
    SOURCE_LINK,
    SOURCE_CONTROL,
    SOURCES,
};

/* lanes[i] holds what arrived at ports[i] and leaves at ports[1 - i]. */
struct shim {
    int epoll_fd;
    int timer_fd;
    int signal_fd;
    int link_fd;
    uint64_t armed_ns; /* what timer_fd is set to; 0: not set */
    bool stopping;
    struct port *ports[2];
    struct lane *lanes[2];
    uint64_t unsent[2];
    uint64_t unreadable[2];
    struct frame_pool *pool;
    struct control *control;
};

static uint64_t now_read(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static int fail(const char *what, int error)
{
    fprintf(stderr, "netshim: %s: %s\n", what, strerror(-error));
    return error;
}

/* Sends what is due. */
static void lane_flush(struct shim *shim, int which, uint64_t now_ns)
{
    enum lane_fate fate;
    uint32_t index = 0;

    while (lane_take(shim->lanes[which], now_ns, &index, &fate)) {
        const struct frame *frame = frame_pool_at(shim->pool, index);

        if (fate == LANE_QUEUED && port_send(shim->ports[1 - which], frame) < 0)
            shim->unsent[which]++;
        frame_pool_give(shim->pool, index);
    }
}

static int timer_arm(struct shim *shim)
{
    struct itimerspec when = {0};
    uint64_t next_ns = 0;
    uint64_t due_ns = 0;

    for (int i = 0; i < 2; i++)
        if (lane_next(shim->lanes[i], &due_ns) && (next_ns == 0 || due_ns < next_ns))
            next_ns = due_ns;
    if (next_ns == shim->armed_ns)
        return 0;
    when.it_value.tv_sec = (time_t)(next_ns / NS_PER_S);
    when.it_value.tv_nsec = (long)(next_ns % NS_PER_S);
    if (timerfd_settime(shim->timer_fd, TFD_TIMER_ABSTIME, &when, NULL) < 0)
        return -errno;
    shim->armed_ns = next_ns;
    return 0;
}

static void port_dispatch(struct shim *shim, int which)
{
    struct port *port = shim->ports[which];
    struct lane *lane = shim->lanes[which];

    for (int i = 0; i < FRAMES_A_TURN; i++) {
        uint32_t index = frame_pool_take(shim->pool);
        struct frame *frame = frame_pool_at(shim->pool, index);
        int r = port_receive(port, frame);

        if (r <= 0) {
            frame_pool_give(shim->pool, index);
            if (r == 0)
                return;
            shim->unreadable[which]++;
            continue;
        }

        uint64_t now_ns = now_read();
        if (lane_admit(lane, now_ns, frame_wire_bytes(frame), index) != LANE_QUEUED)
            frame_pool_give(shim->pool, index);
        lane_flush(shim, which, now_ns);
    }
}

static void timer_dispatch(struct shim *shim)
{
    uint64_t expirations = 0;

    if (read(shim->timer_fd, &expirations, sizeof(expirations)) == sizeof(expirations))
        shim->armed_ns = 0;
}

/* The messages themselves are not read: any of them, also a lost one, is a reason to look. */
static void link_dispatch(struct shim *shim)
{
    char ignored[8192];
    ssize_t bytes = 0;

    do
        bytes = recv(shim->link_fd, ignored, sizeof(ignored), MSG_TRUNC);
    while (bytes >= 0 || errno == ENOBUFS);
    for (int i = 0; i < 2; i++) {
        bool changed = false;
        int r = port_refresh(shim->ports[i], &changed);

        if (r < 0)
            fail(port_name(shim->ports[i]), r);
        if (changed)
            fprintf(stderr, "netshim: %s is %s\n", port_name(shim->ports[i]),
                    port_state_name(port_get_state(shim->ports[i])));
    }
}

static void source_dispatch(struct shim *shim, enum source source)
{
    switch (source) {
    case SOURCE_PORT_A:
    case SOURCE_PORT_B:
        port_dispatch(shim, (int)source);
        break;
    case SOURCE_TIMER:
        timer_dispatch(shim);
        break;
    case SOURCE_SIGNAL:
        shim->stopping = true;
        break;
    case SOURCE_LINK:
        link_dispatch(shim);
        break;
    case SOURCE_CONTROL:
        control_dispatch(shim->control);
        break;
    case SOURCES:
        break;
    }
}

int shim_run(struct shim *shim)
{
    while (!shim->stopping) {
        struct epoll_event events[SOURCES];
        int count = epoll_wait(shim->epoll_fd, events, SOURCES, -1);

        if (count < 0 && errno != EINTR)
            return fail("epoll_wait", -errno);
        for (int i = 0; i < count; i++)
            source_dispatch(shim, (enum source)events[i].data.u64);

        uint64_t now_ns = now_read();
        lane_flush(shim, 0, now_ns);
        lane_flush(shim, 1, now_ns);

        int r = timer_arm(shim);
        if (r < 0)
            return fail("timerfd_settime", r);
    }
    return 0;
}

int shim_format_stats(struct shim *shim, char *buffer, size_t size)
{
    size_t length = 0;

    for (int i = 0; i < 2; i++) {
        const struct lane_counters *c = lane_counters(shim->lanes[i]);
        uint64_t sent = c->received - c->lost - c->blackholed - c->overflowed - shim->unsent[i] -
                        lane_queued(shim->lanes[i]);
        int n = snprintf(buffer + length, size - length,
                         "%c: %s->%s received=%" PRIu64 " received_bytes=%" PRIu64 " sent=%" PRIu64
                         " lost=%" PRIu64 " blackholed=%" PRIu64 " overflowed=%" PRIu64
                         " unsent=%" PRIu64 " unreadable=%" PRIu64 " kernel_drops=%" PRIu64
                         " queued=%" PRIu32 "\n",
                         "ab"[i], port_name(shim->ports[i]), port_name(shim->ports[1 - i]),
                         c -> received, c -> received_bytes, sent, c -> lost, c -> blackholed,
                         c -> overflowed, shim -> unsent[i], shim -> unreadable[i],
                         port_kernel_drops(shim->ports[i]), lane_queued(shim->lanes[i]));
        if (n < 0 || (size_t)n >= size - length)
            break;
        length += (size_t)n;
    }
    return (int)length;
}

static void shim_format_settings(const struct shim *shim, char *buffer, size_t size)
{
    char line[CONTROL_REPLY_MAX / 4];
    size_t length = 0;

    for (int i = 0; i < 2; i++) {
        settings_format(lane_settings(shim->lanes[i]), line, sizeof(line));
        int n = snprintf(buffer + length, size - length, "%c: %s\n", "ab"[i], line);
        if (n < 0 || (size_t)n >= size - length)
            return;
        length += (size_t)n;
    }
}

static bool command_handle(void *owner, const char *line, char *reply, size_t size)
{
    struct shim *shim = owner;
    struct settings settings[2] = {*lane_settings(shim->lanes[0]), *lane_settings(shim->lanes[1])};
    char error[SETTINGS_ERROR_MAX];
    enum command command = COMMAND_SHOW;

    if (settings_command(settings, line, &command, error) < 0) {
        snprintf(reply, size, "%s", error);
        return false;
    }
    switch (command) {
    case COMMAND_SET:
        lane_configure(shim->lanes[0], &settings[0]);
        lane_configure(shim->lanes[1], &settings[1]);
        break;
    case COMMAND_STATS:
        shim_format_stats(shim, reply, size);
        break;
    case COMMAND_SHOW:
        shim_format_settings(shim, reply, size);
        break;
    }
    return true;
}

static int source_add(struct shim *shim, int fd, enum source source)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = source};

    return epoll_ctl(shim->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

/* A SIGINT that a shell ignores for its background jobs is not ours to take. */
static int signals_open(struct shim *shim)
{
    struct sigaction action;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    if (sigaction(SIGINT, NULL, &action) == 0 && action.sa_handler != SIG_IGN)
        sigaddset(&set, SIGINT);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -errno;
    shim->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return shim->signal_fd < 0 ? -errno : source_add(shim, shim->signal_fd, SOURCE_SIGNAL);
}

static int link_open(struct shim *shim)
{
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};

    shim->link_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (shim->link_fd < 0)
        return -errno;
    if (bind(shim->link_fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        return -errno;
    return source_add(shim, shim->link_fd, SOURCE_LINK);
}

static int loop_open(struct shim *shim)
{
    shim->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (shim->epoll_fd < 0)
        return -errno;
    shim->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (shim->timer_fd < 0)
        return -errno;

    int r = source_add(shim, shim->timer_fd, SOURCE_TIMER);
    if (r == 0)
        r = signals_open(shim);
    if (r == 0)
        r = link_open(shim);
    return r;
}

static int lanes_open(struct shim *shim, const struct shim_options *options)
{
    for (uint32_t i = 0; i < 2; i++) {
        /* Far apart in the sequence of a lane's generator, so that the lanes differ. */
        uint64_t seed = options->seed ^ (i * UINT64_C(0xd1342543de82ef95));
        int r = lane_new(options->queue_frames, seed, &shim->lanes[i]);
        if (r < 0)
            return r;
        lane_configure(shim->lanes[i], &options->settings[i]);
    }
    /* Both lanes full, and one frame being read. */
    return frame_pool_new(2 * options->queue_frames + 1, &shim->pool);
}

static int port_start(struct shim *shim, int which, const char *name)
{
    bool changed = false;
    int r = port_new(name, shim->epoll_fd, (uint64_t)which, &shim->ports[which]);

    if (r == 0)
        r = port_refresh(shim->ports[which], &changed);
    if (r < 0) {
        fprintf(stderr, "netshim: interface %s: %s%s\n", name, strerror(-r),
                r == -EPERM ? " (CAP_NET_RAW is needed)" : "");
        return r;
    }

    enum port_state state = port_get_state(shim->ports[which]);
    if (state == PORT_MISSING) {
        fprintf(stderr, "netshim: interface %s: does not exist in this network namespace\n", name);
        return -ENODEV;
    }
    if (state != PORT_UP)
        fprintf(stderr, "netshim: %s is %s\n", name, port_state_name(state));
    return 0;
}

static int shim_open(struct shim *shim, const struct shim_options *options)
{
    int r = loop_open(shim);

    if (r < 0)
        return fail("cannot set up the loop", r);
    r = lanes_open(shim, options);
    if (r < 0)
        return fail("no memory for the queues", r);
    for (int i = 0; i < 2; i++) {
        r = port_start(shim, i, options->interfaces[i]);
        if (r < 0)
            return r;
    }
    if (!options->control_path)
        return 0;
    r = control_new(options->control_path, command_handle, shim, &shim->control);
    if (r == 0)
        r = source_add(shim, control_fd(shim->control), SOURCE_CONTROL);
    if (r < 0)
        fprintf(stderr, "netshim: control socket %s: %s\n", options->control_path, strerror(-r));
    return r;
}

int shim_new(const struct shim_options *options, struct shim **ret_shim)
{
    struct shim *shim = calloc(1, sizeof(*shim));
    if (!shim)
        return fail("no memory", -ENOMEM);

    shim->epoll_fd = shim->timer_fd = shim->signal_fd = shim->link_fd = -1;

    int r = shim_open(shim, options);
    if (r < 0) {
        shim_free(shim);
        return r;
    }
    *ret_shim = shim;
    return 0;
}

struct shim *shim_free(struct shim *shim)
{
    if (!shim)
        return NULL;

    int fds[] = {shim->link_fd, shim->signal_fd, shim->timer_fd, shim->epoll_fd};

    control_free(shim->control);
    for (int i = 0; i < 2; i++) {
        port_free(shim->ports[i]);
        lane_free(shim->lanes[i]);
    }
    frame_pool_free(shim->pool);
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    free(shim);
    return NULL;
}
