/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's news, and what follows: uplinks that come and go, and a table that somebody changed.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "mover-private.h"
#include "netlink-socket.h"
#include "util/clock.h"
#include "util/util.h"

/* So many news at a time; the rest is there the next time. */
#define NEWS_ATONCE 4096

/* ---- news ---- */

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
static void lost_flows_return(struct mover *mover, const struct mover_listener *listener)
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
        mover_notice(listener, "putting back the flows of a lost uplink takes a little longer: %s",
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

static void chain_add(struct mover *mover, const struct mover_listener *listener, const char *name)
{
    char error[256];

    if (!rules_number(mover->rules, name)) {
        mover_notice(listener, "uplink %s: no mark is left for it in mark mask 0x%x", name,
                     (unsigned)mover->settings.mark_mask);
        return;
    }
    if (mover_table_chain(mover, name, true, error, sizeof(error)) < 0)
        mover->table_due = true;
}

static void uplinks_tell(struct mover *mover, const struct mover_listener *listener)
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

static int routes_follow(struct mover *mover, const struct mover_listener *listener)
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
        mover_tell_strict(mover, listener, &list[i]);
    }
    if (mover_routes_apply(mover, error, sizeof(error)) >= 0)
        *error = '\0';
    mover_tell_text(listener, mover->route_error_told, sizeof(mover->route_error_told), error);
    mover_tell_text(
        listener, mover->hidden_told, sizeof(mover->hidden_told),
        uplinks_hidden(mover->uplinks)
            ? "a default route leads to a nexthop object, and the kernel does not say where "
              "that is: net.ipv4.nexthop_compat_mode is 0; set it to 1, and start again"
            : "");
    mover_tell_clashes(mover, listener);
    uplinks_tell(mover, listener);
    return 0;
}

/* ---- what is due ---- */

static void table_follow(struct mover *mover, const struct mover_listener *listener,
                         uint64_t now_us)
{
    char error[256];

    mover->table_due = false;
    if (mover_table_set_up(mover, error, sizeof(error)) < 0 ||
        mover_commit_all(mover, error, sizeof(error)) < 0) {
        mover_tell_table(mover, listener, now_us, "cannot be set up again: %s", error);
        mover->table_due = true;
        mover->table_at_us = now_us + 5 * MOVER_PAUSE_US;
        return;
    }
    if (*mover->by)
        mover_tell_table(mover, listener, now_us,
                         "was changed by %s; it is set up again with %zu moved flows", mover->by,
                         mover->moved.n_moved);
    *mover->by = '\0';
    mover->table_at_us = now_us + MOVER_PAUSE_US;
}

int mover_process(struct mover *mover, const struct mover_handlers *handlers, void *user)
{
    const struct mover_listener listener = {handlers, user};
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
