/* SPDX-License-Identifier: Apache-2.0 */
/* How it begins, and how it ends. */
#include "mover.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "mover-private.h"
#include "netlink-socket.h"
#include "util/util.h"

static int watch(struct mover *mover, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    return epoll_ctl(mover->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int sockets_open(struct mover *mover)
{
    const uint32_t groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
                            RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE | RTMGRP_IPV4_RULE |
                            1u << (RTNLGRP_IPV6_RULE - 1);
    int r = mover->route_fd = netlink_open(NETLINK_ROUTE, 0, 1 << 20);

    if (r >= 0)
        r = mover->news_fd = netlink_open(NETLINK_ROUTE, groups, 4 << 20);
    if (r < 0)
        return r;
    mover->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (mover->timer_fd >= 0)
        mover->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (mover->epoll_fd < 0)
        return -errno;
    r = watch(mover, mover->news_fd);
    if (r >= 0)
        r = watch(mover, mover->timer_fd);
    if (r >= 0)
        r = watch(mover, nfnl_news_fd(mover->nfnl));
    return r;
}

static struct mover *mover_close(struct mover *mover)
{
    int fds[] = {mover->route_fd, mover->news_fd, mover->timer_fd, mover->epoll_fd};

    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    nfnl_free(mover->nfnl);
    uplinks_free(mover->uplinks);
    rules_free(mover->rules);
    if (mover->moved.flows.buckets)
        moved_done(&mover->moved);
    element_batch_done(&mover->batch);
    free(mover->dirty);
    free(mover->entries);
    free(mover->known);
    free(mover);
    return NULL;
}

/* Each uplink has its number: as in an earlier run, if it had one. */
static void numbers_take(struct mover *mover)
{
    size_t n_uplinks;
    const struct uplink *list = uplinks_list(mover->uplinks, &n_uplinks);

    for (size_t i = 0; i < n_uplinks; i++)
        rules_number(mover->rules, list[i].name);
}

/* Those that have a number from an earlier run, and are no uplinks. */
static void numbers_drop(struct mover *mover)
{
    for (unsigned n = 1; n <= RULES_NUMBERS_MAX; n++) {
        const char *name = rules_interface(mover->rules, n);

        if (name && !uplinks_find(mover->uplinks, name, 4) &&
            !uplinks_find(mover->uplinks, name, 6))
            rules_release(mover->rules, name);
    }
}

static int host_read(struct mover *mover, char *ret_error, size_t error_size)
{
    uint64_t key[2];
    int r = sockets_open(mover);

    if (r >= 0 && getrandom(key, sizeof(key), 0) != sizeof(key))
        r = -EIO;
    if (r >= 0) {
        moved_init(&mover->moved, key);
        r = mover_routes_read(mover);
    }
    if (r < 0)
        snprintf(ret_error, error_size, "rtnetlink: %s", strerror(-r));
    return r;
}

static int set_up(struct mover *mover, char *ret_error, size_t error_size)
{
    int r;

    rules_adopt(mover->rules, mover->uplinks);
    numbers_drop(mover);
    numbers_take(mover);
    r = mover_table_adopt(mover);
    if (r == -EEXIST) {
        snprintf(ret_error, error_size,
                 "nftables has a table inet %s of somebody else, which would be replaced; set "
                 "another name for ours",
                 mover->settings.table);
        return r;
    }
    if (r < 0) {
        snprintf(ret_error, error_size, "reading table inet %s of an earlier run: %s",
                 mover->settings.table, strerror(-r));
        return r;
    }
    mover->sets_up = true;
    r = mover_routes_apply(mover, ret_error, error_size);
    if (r >= 0)
        r = mover_table_set_up(mover, ret_error, error_size);
    if (r >= 0)
        r = mover_commit_all(mover, ret_error, error_size);
    mover->routes_due = true; /* the handlers are told of all uplinks */
    return r;
}

/* As if there had been no mover. What fails here is gone with the table, and later than it should.
 */
static void take_away(struct mover *mover)
{
    char error[256];

    for (struct moved_flow *flow = moved_next(&mover->moved, NULL); flow;
         flow = moved_next(&mover->moved, flow))
        if (flow->present)
            mover_set(mover, &flow->flow.tuple, NULL);
    mover_commit(mover, error, sizeof(error));
    mover_table_remove(mover, error, sizeof(error));
    for (unsigned n = 1; n <= RULES_NUMBERS_MAX; n++)
        if (rules_interface(mover->rules, n))
            rules_release(mover->rules, rules_interface(mover->rules, n));
    if (mover_routes_read(mover) >= 0)
        mover_routes_apply(mover, error, sizeof(error));
}

static int mover_read(const struct mover_settings *settings, struct mover **ret, char *ret_error,
                      size_t error_size)
{
    const struct rules_settings rules = {.mark_mask = settings->mark_mask,
                                         .table = settings->route_table,
                                         .priority = settings->rule_priority,
                                         .protocol = settings->protocol};
    struct mover *mover = memory_new(1, sizeof(*mover));
    int r;

    mover->settings = *settings;
    mover->skeleton = (struct skeleton){settings->table, settings->mark_mask};
    mover->route_fd = mover->news_fd = mover->timer_fd = mover->epoll_fd = -1;
    mover->uplinks = uplinks_new(settings->uplinks, settings->n_uplinks, settings->protocol);
    r = rules_new(&rules, &mover->rules, ret_error, error_size);
    if (r >= 0)
        r = nfnl_new(&mover->nfnl, ret_error, error_size);
    if (r >= 0)
        r = host_read(mover, ret_error, error_size);
    if (r < 0) {
        mover_close(mover);
        return r;
    }
    *ret = mover;
    return 0;
}

int mover_look(const struct mover_settings *settings, struct mover **ret, char *ret_error,
               size_t error_size)
{
    return mover_read(settings, ret, ret_error, error_size);
}

int mover_new(const struct mover_settings *settings, struct mover **ret, char *ret_error,
              size_t error_size)
{
    struct mover *mover;
    int r = mover_read(settings, &mover, ret_error, error_size);

    if (r < 0)
        return r;
    r = set_up(mover, ret_error, error_size);
    if (r < 0) {
        mover_free(mover);
        return r;
    }
    mover_timer_arm(mover);
    *ret = mover;
    return 0;
}

struct mover *mover_free(struct mover *mover)
{
    if (!mover)
        return NULL;
    if (mover->sets_up)
        take_away(mover);
    return mover_close(mover);
}

int mover_fd(const struct mover *mover)
{
    return mover->epoll_fd;
}
