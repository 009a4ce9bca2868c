/* SPDX-License-Identifier: Apache-2.0 */
#include "mover.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "mover-private.h"
#include "netlink-socket.h"
#include "util/clock.h"
#include "util/hash.h"
#include "util/util.h"

/* So many news at a time; the rest is there the next time. */
#define NEWS_ATONCE 4096

/* ---- begin and end ---- */

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

/* While the table was not there, moved flows went by the host's routes, and may have made entries
 * there that keep them from being masqueraded: all are looked at. */
static int flows_check(struct mover *mover, char *ret_error, size_t error_size)
{
    for (struct moved_flow *flow = moved_next(&mover->moved, NULL); flow;
         flow = moved_next(&mover->moved, flow))
        if (flow->present)
            mover_set(mover, &flow->flow.tuple, rules_interface(mover->rules, flow->present));
    return mover_commit(mover, ret_error, error_size);
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
        r = flows_check(mover, ret_error, error_size);
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

/* ---- news ---- */

struct listener {
    const struct mover_handlers *handlers;
    void *user;
};

__attribute__((format(printf, 2, 3))) static void notice(const struct listener *listener,
                                                         const char *format, ...)
{
    char text[512];
    va_list arguments;

    if (!listener->handlers->notice)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    listener->handlers->notice(listener->user, text);
}

/* Returns 0, or -errno where there is no point in going on. */
static int route_news_read(struct mover *mover)
{
    _Alignas(NLMSG_ALIGNTO) uint8_t buffer[32768];

    for (int i = 0; i < NEWS_ATONCE; i++) {
        ssize_t size = netlink_receive(mover->news_fd, buffer, sizeof(buffer), 0);
        int left = (int)size;
        struct rtnl_event event;

        if (size == -ETIMEDOUT)
            return 0;
        if (size == -ENOBUFS || size == -EMSGSIZE) {
            mover->routes_due = true;
            continue;
        }
        if (size < 0)
            return (int)size;
        for (struct nlmsghdr *message = (void *)buffer; netlink_is_whole(message, left);
             message = mnl_nlmsg_next(message, &left)) {
            rtnl_decode(message, &event);
            if (uplinks_concerned(mover->uplinks, &event) || rules_concerned(mover->rules, &event))
                mover->routes_due = true;
        }
    }
    return 0;
}

static int table_news_read(struct mover *mover)
{
    char program[16], own[16] = "";
    enum ruleset_news news;
    uint32_t pid;

    prctl(PR_GET_NAME, own);
    for (int i = 0; i < NEWS_ATONCE; i++) {
        int r = nfnl_news_next(mover->nfnl, mover->settings.table, &news, program, &pid);

        if (!r)
            return 0;
        if (r == -ENOBUFS || r == -EMSGSIZE) {
            snprintf(mover->by, sizeof(mover->by), "somebody, perhaps: news were lost");
            mover->table_due = true;
            continue;
        }
        if (r < 0)
            return r;
        if (news == RULESET_REMOVED || news == RULESET_ADDED)
            mover->touched = true;
        if (news != RULESET_GENERATION)
            continue;
        /* Our own process is not told by its number, which is another one in a container. */
        if (mover->touched && strcmp(program, own)) {
            snprintf(mover->by, sizeof(mover->by), "%s, process %u",
                     *program ? program : "somebody", (unsigned)pid);
            mover->table_due = true;
        }
        mover->touched = false;
    }
    return 0;
}

/* ---- uplinks that come and go ---- */

static const struct uplink *known_find(const struct mover *mover, const struct uplink *uplink)
{
    for (size_t i = 0; i < mover->n_known; i++)
        if (mover->known[i].family == uplink->family && !strcmp(mover->known[i].name, uplink->name))
            return &mover->known[i];
    return NULL;
}

/* Back to the routes with the flows of uplinks that are gone; then they are told. */
static void lost_flows_return(struct mover *mover, const struct listener *listener)
{
    struct lost {
        struct flow_tuple flow;
        char interface[IFNAMSIZ];
    } *lost = NULL;
    size_t n_lost = 0, capacity = 0;
    char error[256];

    for (struct moved_flow *flow = moved_next(&mover->moved, NULL); flow;
         flow = moved_next(&mover->moved, flow)) {
        const char *name = rules_interface(mover->rules, flow->present);

        if (!name || uplinks_find(mover->uplinks, name, flow->flow.tuple.family))
            continue;
        lost = array_reserve(lost, &capacity, n_lost + 1, sizeof(*lost));
        lost[n_lost].flow = flow->flow.tuple;
        snprintf(lost[n_lost++].interface, IFNAMSIZ, "%s", name);
        mover_set(mover, &flow->flow.tuple, NULL);
    }
    if (n_lost && mover_commit(mover, error, sizeof(error)) < 0)
        notice(listener, "putting back the flows of a lost uplink takes a little longer: %s",
               error);
    for (size_t i = 0; i < n_lost && listener->handlers->lost; i++)
        listener->handlers->lost(listener->user, &lost[i].flow, lost[i].interface);
    free(lost);
}

static void chains_remove(struct mover *mover)
{
    char error[256];

    for (unsigned n = 1; n <= RULES_NUMBERS_MAX; n++) {
        const char *name = rules_interface(mover->rules, n);

        if (!name || uplinks_find(mover->uplinks, name, 4) || uplinks_find(mover->uplinks, name, 6))
            continue;
        if (mover_table_chain(mover, name, false, error, sizeof(error)) < 0)
            mover->table_due = true; /* the table is set up without it */
        mover->strict_told[n] = false;
        rules_release(mover->rules, name);
    }
}

static void chain_add(struct mover *mover, const struct listener *listener, const char *name)
{
    char error[256];

    if (!rules_number(mover->rules, name)) {
        notice(listener, "uplink %s: no mark is left for it in mark mask 0x%x", name,
               (unsigned)mover->settings.mark_mask);
        return;
    }
    if (mover_table_chain(mover, name, true, error, sizeof(error)) < 0)
        mover->table_due = true;
}

static void strict_tell(struct mover *mover, const struct listener *listener,
                        const struct uplink *uplink)
{
    unsigned number = rules_number(mover->rules, uplink->name);
    int value;
    bool strict = uplink->family == 4 && mover_routes_strict(uplink->name, &value);

    if (uplink->family != 4 || mover->strict_told[number] == strict)
        return;
    mover->strict_told[number] = strict;
    if (strict)
        notice(listener,
               "uplink %s: rp_filter is 1 (strict), the kernel drops the answers to moved flows; "
               "set net.ipv4.conf.%s.rp_filter=2",
               uplink->name, uplink->name);
}

static void text_tell(const struct listener *listener, char *told, size_t size, const char *text)
{
    if (!strcmp(told, text))
        return;
    snprintf(told, size, "%s", text);
    if (*text)
        notice(listener, "%s", text);
}

/* Each that was not there the last time. */
static void clashes_tell(struct mover *mover, const struct listener *listener)
{
    uint64_t hashes[ARRAY_SIZE(mover->clashes)] = {0};
    size_t at = 0, n_hashes = 0;
    char text[256];

    while (n_hashes < ARRAY_SIZE(hashes) && rules_clash(mover->rules, &at, text, sizeof(text))) {
        uint64_t hash = hash_text(HASH_START, text);
        bool told = false;

        for (size_t i = 0; i < mover->n_clashes; i++)
            told = told || mover->clashes[i] == hash;
        for (size_t i = 0; i < n_hashes; i++)
            told = told || hashes[i] == hash;
        if (!told)
            notice(listener, "%s", text);
        hashes[n_hashes++] = hash;
    }
    memcpy(mover->clashes, hashes, n_hashes * sizeof(*hashes));
    mover->n_clashes = n_hashes;
}

static void uplinks_tell(struct mover *mover, const struct listener *listener)
{
    struct uplink *before = mover->known;
    size_t n_before = mover->n_known, n_uplinks;
    const struct uplink *list = uplinks_list(mover->uplinks, &n_uplinks);

    for (size_t i = 0; i < n_before && listener->handlers->uplink; i++)
        if (!uplinks_find(mover->uplinks, before[i].name, before[i].family))
            listener->handlers->uplink(listener->user, &before[i], false);
    for (size_t i = 0; i < n_uplinks && listener->handlers->uplink; i++) {
        const struct uplink *old = known_find(mover, &list[i]);

        if (!old || !uplink_is_equal(old, &list[i]))
            listener->handlers->uplink(listener->user, &list[i], true);
    }
    mover->known = array_reserve(before, &mover->known_capacity, n_uplinks, sizeof(*before));
    if (n_uplinks)
        memcpy(mover->known, list, n_uplinks * sizeof(*list));
    mover->n_known = n_uplinks;
}

static int routes_follow(struct mover *mover, const struct listener *listener)
{
    char error[sizeof(mover->route_error_told)] = "";
    size_t n_uplinks;
    const struct uplink *list;
    int r = mover_routes_read(mover);

    if (r < 0)
        return r;
    lost_flows_return(mover, listener);
    chains_remove(mover);
    list = uplinks_list(mover->uplinks, &n_uplinks);
    for (size_t i = 0; i < n_uplinks; i++) {
        /* Both families of an uplink are beside each other, and have one chain. */
        if (!known_find(mover, &list[i]) &&
            (!i || strcmp(list[i - 1].name, list[i].name) || known_find(mover, &list[i - 1])))
            chain_add(mover, listener, list[i].name);
        strict_tell(mover, listener, &list[i]);
    }
    if (mover_routes_apply(mover, error, sizeof(error)) >= 0)
        *error = '\0';
    text_tell(listener, mover->route_error_told, sizeof(mover->route_error_told), error);
    text_tell(listener, mover->hidden_told, sizeof(mover->hidden_told),
              uplinks_hidden(mover->uplinks)
                  ? "a default route leads to a nexthop object, and the kernel does not say where "
                    "that is: net.ipv4.nexthop_compat_mode is 0; set it to 1, and start again"
                  : "");
    clashes_tell(mover, listener);
    uplinks_tell(mover, listener);
    return 0;
}

/* ---- what is due ---- */

/* What somebody does all the time would fill the journal: the next line has how often it was. */
__attribute__((format(printf, 4, 5))) static void table_tell(struct mover *mover,
                                                             const struct listener *listener,
                                                             uint64_t now_us, const char *format,
                                                             ...)
{
    char text[384], times[64] = "";
    va_list arguments;

    if (!mover->n_table_said || now_us - mover->table_said_us >= MOVER_SAID_US) {
        mover->table_said_us = now_us;
        mover->n_table_said = 0;
    }
    if (mover->n_table_said == MOVER_SAID_MOST) {
        mover->n_table_unsaid++;
        return;
    }
    mover->n_table_said++;
    if (mover->n_table_unsaid)
        snprintf(times, sizeof(times), "; %u more times since that was said last",
                 mover->n_table_unsaid);
    mover->n_table_unsaid = 0;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    notice(listener, "table inet %s %s%s", mover->settings.table, text, times);
}

static void table_follow(struct mover *mover, const struct listener *listener, uint64_t now_us)
{
    char error[256];

    mover->table_due = false;
    if (mover_table_set_up(mover, error, sizeof(error)) < 0 ||
        flows_check(mover, error, sizeof(error)) < 0) {
        table_tell(mover, listener, now_us, "cannot be set up again: %s", error);
        mover->table_due = true;
        mover->table_at_us = now_us + 5 * MOVER_PAUSE_US;
        return;
    }
    if (*mover->by)
        table_tell(mover, listener, now_us,
                   "was changed by %s; it is set up again with %zu moved flows", mover->by,
                   mover->moved.n_moved);
    *mover->by = '\0';
    mover->table_at_us = now_us + MOVER_PAUSE_US;
}

int mover_process(struct mover *mover, const struct mover_handlers *handlers, void *user)
{
    const struct listener listener = {handlers, user};
    uint64_t now_us;
    int r = route_news_read(mover);

    if (r >= 0)
        r = table_news_read(mover);
    if (r < 0)
        return r;
    now_us = clock_us(CLOCK_MONOTONIC);
    if (mover->table_due && now_us >= mover->table_at_us)
        table_follow(mover, &listener, now_us);
    if (mover->routes_due && now_us >= mover->routes_at_us) {
        mover->routes_due = false;
        mover->routes_at_us = now_us + MOVER_PAUSE_US;
        r = routes_follow(mover, &listener);
    }
    mover_late_expire(mover, now_us);
    mover_timer_arm(mover);
    return r;
}
