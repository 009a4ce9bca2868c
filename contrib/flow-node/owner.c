/* SPDX-License-Identifier: Apache-2.0 */
#include "owner.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "cgroups.h"
#include "kernel-socket.h"
#include "netlink-socket.h"
#include "util/account.h"
#include "util/util.h"

#define ANSWER_BYTES 8192u
#define USERS_KEPT   64u

struct user {
    uint32_t uid;
    char name[OWNER_NAME_SIZE];
};

struct owners {
    struct mnl_socket *routes, *sockets;
    struct cgroups *cgroups;
    struct user users[USERS_KEPT]; /* a ring */
    size_t n_users;
    uint32_t sequence;
};

struct owners *owners_free(struct owners *owners)
{
    if (!owners)
        return NULL;
    kernel_socket_free(owners->routes);
    kernel_socket_free(owners->sockets);
    cgroups_free(owners->cgroups);
    free(owners);
    return NULL;
}

int owners_new(struct owners **ret, char *ret_error, size_t error_size)
{
    struct owners *owners = memory_new(1, sizeof(*owners));
    int r;

    *ret = NULL;
    owners->routes = kernel_socket_new(NETLINK_ROUTE, 0);
    owners->sockets = owners->routes ? kernel_socket_new(NETLINK_SOCK_DIAG, 0) : NULL;
    if (!owners->sockets) {
        r = -errno;
        snprintf(ret_error, error_size, "the kernel cannot be asked for %s: %s",
                 owners->routes ? "sockets" : "routes", strerror(-r));
        owners_free(owners);
        return r;
    }
    owners->cgroups = cgroups_new();
    *ret = owners;
    return 0;
}

static uint8_t family_of(uint8_t family)
{
    return family == 4 ? AF_INET : AF_INET6;
}

/* Sends, and waits for the one answer. Returns it in `buffer`, or NULL with *ret_error: 0 cannot
 * be. */
static const struct nlmsghdr *ask(struct owners *owners, struct mnl_socket *socket,
                                  struct nlmsghdr *request, char buffer[static ANSWER_BYTES],
                                  int *ret_error)
{
    uint32_t sequence = request->nlmsg_seq = ++owners->sequence;

    *ret_error = -EBADMSG;
    if (mnl_socket_sendto(socket, request, request->nlmsg_len) < 0) {
        *ret_error = -errno;
        return NULL;
    }
    for (;;) {
        const struct nlmsghdr *answer = (const struct nlmsghdr *)(const void *)buffer;
        ssize_t n = mnl_socket_recvfrom(socket, buffer, ANSWER_BYTES);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            *ret_error = errno == EAGAIN ? -ETIMEDOUT : -errno;
            return NULL;
        }
        if (!netlink_is_whole(answer, (int)n) || answer->nlmsg_seq != sequence)
            continue;
        if (answer->nlmsg_type == NLMSG_ERROR) {
            const struct nlmsgerr *error = mnl_nlmsg_get_payload(answer);

            if (answer->nlmsg_len >= MNL_NLMSG_HDRLEN + sizeof(*error) && error->error)
                *ret_error = error->error;
            return NULL;
        }
        return answer;
    }
}

/* ---- routes ---- */

struct route {
    uint8_t type;
    uint8_t length; /* of its prefix, where that was asked for */
    uint32_t interface;
    bool forbidden;
};

struct route_question {
    uint8_t family;
    const uint8_t *to, *from; /* `from` may be NULL */
    unsigned came_in;         /* 0: from this host */
    bool match;               /* the entry of the table, as its owner wrote it */
};

static int route_attribute(const struct nlattr *attribute, void *user)
{
    struct route *route = user;

    if (mnl_attr_get_type(attribute) == RTA_OIF && mnl_attr_get_payload_len(attribute) == 4)
        route->interface = mnl_attr_get_u32(attribute);
    return MNL_CB_OK;
}

/* Returns 0; -ENETUNREACH: there is none; another -errno. */
static int route_ask(struct owners *owners, const struct route_question *question,
                     struct route *ret)
{
    _Alignas(struct nlmsghdr) char buffer[256], answer_bytes[ANSWER_BYTES];
    struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
    const struct nlmsghdr *answer;
    size_t size = question->family == 4 ? 4 : 16;
    struct rtmsg *header;
    int r;

    request->nlmsg_type = RTM_GETROUTE;
    request->nlmsg_flags = NLM_F_REQUEST;
    header = mnl_nlmsg_put_extra_header(request, sizeof(*header));
    header->rtm_family = family_of(question->family);
    header->rtm_dst_len = (uint8_t)(size * 8);
    header->rtm_src_len = question->from ? (uint8_t)(size * 8) : 0;
    header->rtm_flags = question->match ? RTM_F_FIB_MATCH : 0;
    mnl_attr_put(request, RTA_DST, size, question->to);
    if (question->from)
        mnl_attr_put(request, RTA_SRC, size, question->from);
    if (question->came_in)
        mnl_attr_put_u32(request, RTA_IIF, question->came_in);
    *ret = (struct route){0};
    answer = ask(owners, owners->routes, request, answer_bytes, &r);
    if (!answer) {
        ret->forbidden = r == -EHOSTUNREACH || r == -EACCES || r == -EINVAL;
        return ret->forbidden || r == -EXDEV ? -ENETUNREACH : r;
    }
    if (answer->nlmsg_len < MNL_NLMSG_HDRLEN + sizeof(*header))
        return -EBADMSG;
    header = mnl_nlmsg_get_payload(answer);
    ret->type = header->rtm_type;
    ret->length = header->rtm_dst_len;
    mnl_attr_parse(answer, sizeof(*header), route_attribute, ret);
    return ret->type == RTN_UNICAST || ret->type == RTN_LOCAL ? 0 : -ENETUNREACH;
}

int owner_route(struct owners *owners, const struct flow_tuple *tuple, const char *lan,
                struct owner_route *ret)
{
    struct route_question question = {.family = tuple->family,
                                      .to = tuple->daddr,
                                      .from = tuple->saddr,
                                      .came_in = lan ? if_nametoindex(lan) : 0};
    struct route route;
    int r = route_ask(owners, &question, &route);

    *ret = (struct owner_route){0};
    /* Strict filters of a LAN's interface may refuse to say. */
    if (r == -ENETUNREACH) {
        question.from = NULL;
        question.came_in = 0;
        r = route_ask(owners, &question, &route);
    }
    ret->is_forbidden = r == -ENETUNREACH && route.forbidden;
    if (r < 0)
        return r == -ENETUNREACH ? 0 : r;
    if (route.interface && !if_indextoname(route.interface, ret->interface))
        ret->interface[0] = '\0';
    /* Of several next hops it says all, and not which one is taken: so it is asked twice. */
    question.match = true;
    r = route_ask(owners, &question, &route);
    ret->is_specific = r >= 0 && route.length;
    return r == -ENETUNREACH ? 0 : r;
}

/* ---- sockets ---- */

struct socket_found {
    uint64_t cgroup;
};

static int socket_attribute(const struct nlattr *attribute, void *user)
{
    struct socket_found *found = user;

    if (mnl_attr_get_type(attribute) == INET_DIAG_CGROUP_ID &&
        mnl_attr_get_payload_len(attribute) == sizeof(found->cgroup))
        memcpy(&found->cgroup, mnl_attr_get_payload(attribute), sizeof(found->cgroup));
    return MNL_CB_OK;
}

static const char *user_name(struct owners *owners, uint32_t uid)
{
    struct user *user;
    char *text;

    for (size_t i = 0; i < USERS_KEPT && i < owners->n_users; i++)
        if (owners->users[i].uid == uid)
            return owners->users[i].name;
    user = &owners->users[owners->n_users++ % USERS_KEPT];
    text = account_user_text(uid);
    user->uid = uid;
    snprintf(user->name, sizeof(user->name), "%s", text);
    free(text);
    return user->name;
}

/* Of a datagram that comes in: for UDP the kernel's lookup has the other end in idiag_src. */
static int socket_ask(struct owners *owners, const struct flow_tuple *tuple, uint8_t family,
                      struct owner *ret)
{
    _Alignas(struct nlmsghdr) char buffer[256], answer_bytes[ANSWER_BYTES];
    struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
    const struct nlmsghdr *answer;
    const struct inet_diag_msg *found;
    struct inet_diag_req_v2 *wanted;
    struct socket_found more = {0};
    size_t size = tuple->family == 4 ? 4 : 16;
    char path[CGROUP_PATH_SIZE];
    int r;

    request->nlmsg_type = SOCK_DIAG_BY_FAMILY;
    request->nlmsg_flags = NLM_F_REQUEST;
    wanted = mnl_nlmsg_put_extra_header(request, sizeof(*wanted));
    wanted->sdiag_family = family;
    wanted->sdiag_protocol = tuple->protocol;
    wanted->idiag_states = UINT32_MAX;
    wanted->id.idiag_sport = htons(tuple->dport);
    wanted->id.idiag_dport = htons(tuple->sport);
    wanted->id.idiag_cookie[0] = wanted->id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
    memcpy(wanted->id.idiag_src, tuple->daddr, size);
    memcpy(wanted->id.idiag_dst, tuple->saddr, size);
    answer = ask(owners, owners->sockets, request, answer_bytes, &r);
    if (!answer)
        return r;
    if (answer->nlmsg_len < MNL_NLMSG_HDRLEN + MNL_ALIGN(sizeof(*found)))
        return -EBADMSG;
    found = mnl_nlmsg_get_payload(answer);
    mnl_attr_parse(answer, sizeof(*found), socket_attribute, &more);
    ret->has_socket = true;
    ret->uid = found->idiag_uid;
    snprintf(ret->user, sizeof(ret->user), "%s", user_name(owners, found->idiag_uid));
    if (more.cgroup && cgroups_path(owners->cgroups, more.cgroup, path))
        owner_unit(path, ret->unit);
    return 0;
}

void owner_unit(const char *cgroup, char ret_unit[static OWNER_NAME_SIZE])
{
    const char *end = cgroup + strlen(cgroup);

    ret_unit[0] = '\0';
    while (end > cgroup) { /* the innermost that is a unit */
        const char *begin = end;
        size_t length;

        while (begin > cgroup && begin[-1] != '/')
            begin--;
        length = (size_t)(end - begin);
        if ((length > 8 && !memcmp(end - 8, ".service", 8)) ||
            (length > 6 && !memcmp(end - 6, ".scope", 6))) {
            if (strncmp(begin, "session-", 8) != 0 && strncmp(begin, "user@", 5) != 0 &&
                length < OWNER_NAME_SIZE) {
                memcpy(ret_unit, begin, length);
                ret_unit[length] = '\0';
            }
            return;
        }
        end = begin > cgroup ? begin - 1 : cgroup;
    }
}

/* ---- both ---- */

int owner_find(struct owners *owners, const struct flow_tuple *tuple, struct owner *ret)
{
    const struct route_question to = {.family = tuple->family, .to = tuple->daddr},
                                back = {.family = tuple->family, .to = tuple->saddr};
    struct route route;
    int r;

    *ret = (struct owner){.kind = OWNER_UNKNOWN};
    r = route_ask(owners, &to, &route);
    if (r < 0 && r != -ENETUNREACH)
        return r;
    if (r >= 0 && route.type == RTN_LOCAL) {
        ret->kind = OWNER_INCOMING;
        return 0;
    }
    r = route_ask(owners, &back, &route);
    if (r < 0)
        return r == -ENETUNREACH ? 0 : r;
    if (route.type != RTN_LOCAL) {
        ret->kind = OWNER_FORWARDED;
        if (!if_indextoname(route.interface, ret->lan))
            ret->kind = OWNER_UNKNOWN;
        return 0;
    }
    ret->kind = OWNER_LOCAL;
    r = socket_ask(owners, tuple, family_of(tuple->family), ret);
    return r == -ENOENT ? 0 : r;
}
