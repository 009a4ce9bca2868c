/* SPDX-License-Identifier: Apache-2.0 */
/* What the host has by rtnetlink, and the rules and routes of moved flows. */
#include "mover-private.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "netlink-socket.h"
#include "util/util.h"

static void take(void *user, const struct nlmsghdr *message)
{
    struct mover *mover = user;
    struct rtnl_event event;

    rtnl_decode(message, &event);
    uplinks_take(mover->uplinks, &event);
    rules_take(mover->rules, &event);
}

static int dump(struct mover *mover, uint16_t type, uint8_t family, size_t header_size)
{
    _Alignas(NLMSG_ALIGNTO) uint8_t buffer[128];
    struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
    uint8_t *header = mnl_nlmsg_put_extra_header(message, header_size);
    int r;

    message->nlmsg_type = type;
    message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    message->nlmsg_seq = ++mover->route_sequence;
    header[0] = family; /* in each of these headers it is first */
    r = netlink_ask(mover->route_fd, message, take, mover);
    /* A kernel without IPv6. */
    return family == AF_INET6 && (r == -EAFNOSUPPORT || r == -EOPNOTSUPP) ? 0 : r;
}

static int read_once(struct mover *mover)
{
    static const struct {
        uint16_t type;
        uint8_t family;
        size_t header;
    } parts[] = {
        {RTM_GETLINK, AF_UNSPEC, sizeof(struct ifinfomsg)},
        {RTM_GETADDR, AF_INET, sizeof(struct ifaddrmsg)},
        {RTM_GETADDR, AF_INET6, sizeof(struct ifaddrmsg)},
        {RTM_GETROUTE, AF_INET, sizeof(struct rtmsg)},
        {RTM_GETROUTE, AF_INET6, sizeof(struct rtmsg)},
        {RTM_GETRULE, AF_INET, sizeof(struct fib_rule_hdr)},
        {RTM_GETRULE, AF_INET6, sizeof(struct fib_rule_hdr)},
    };
    int r = 0;

    uplinks_begin(mover->uplinks);
    rules_begin(mover->rules);
    for (size_t i = 0; i < ARRAY_SIZE(parts) && r >= 0; i++)
        r = dump(mover, parts[i].type, parts[i].family, parts[i].header);
    return r;
}

int mover_routes_read(struct mover *mover)
{
    int r = -EINTR;

    /* Where it changed meanwhile: again, and after a few times as it is; news of it will come. */
    for (int tries = 0; tries < 5 && r == -EINTR; tries++)
        r = read_once(mover);
    if (r == -EINTR)
        r = 0;
    if (r >= 0)
        uplinks_end(mover->uplinks);
    return r;
}

static const char *step_text(const struct rules_step *step)
{
    switch (step->kind) {
    case STEP_ROUTE_ADD:
        return "adding the route";
    case STEP_RULE_ADD:
        return "adding the rule";
    case STEP_RULE_DELETE:
        return "deleting the rule";
    default:
        return "deleting the route";
    }
}

int mover_routes_apply(struct mover *mover, char *ret_error, size_t error_size)
{
    size_t n_steps;
    const struct rules_step *steps = rules_plan(mover->rules, mover->uplinks, &n_steps);
    int result = 0;

    for (size_t i = 0; i < n_steps; i++) {
        _Alignas(NLMSG_ALIGNTO) uint8_t buffer[RULES_REQUEST_MAX];
        struct nlmsghdr *message = rules_request(&steps[i], buffer);
        int r;

        message->nlmsg_seq = ++mover->route_sequence;
        r = netlink_ask(mover->route_fd, message, NULL, NULL);
        /* It went, or came, by itself. */
        if (r == -ESRCH || r == -ENOENT || r == -EEXIST || r == -ENODEV)
            continue;
        if (r < 0 && !result) {
            result = r;
            snprintf(ret_error, error_size, "IPv%d, %s of table %u: %s",
                     steps[i].family == 4 ? 4 : 6, step_text(&steps[i]), (unsigned)steps[i].table,
                     strerror(-r));
        }
    }
    return result;
}

static int setting_read(const char *interface)
{
    char path[64 + IFNAMSIZ];
    FILE *file;
    int value = 0;

    snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/rp_filter", interface);
    file = fopen(path, "re");
    if (!file)
        return 0;
    if (fscanf(file, "%d", &value) != 1)
        value = 0;
    fclose(file);
    return value;
}

bool mover_routes_strict(const char *interface, int *ret_value)
{
    int all = setting_read("all"), own = setting_read(interface);

    *ret_value = all > own ? all : own;
    return *ret_value == 1;
}
