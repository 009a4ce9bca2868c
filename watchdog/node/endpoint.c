/* SPDX-License-Identifier: Apache-2.0 */
/* The node's socket address, and who is allowed to serve it. Keeps no descriptor. */
#include "endpoint.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "../util/account.h"
#include "../util/util.h"
#include "access.h"

static int path_set(struct endpoint *endpoint, const char *path)
{
    size_t length = strlen(path);
    bool abstract = *path == '@';

    if (!length || length >= sizeof(endpoint->address.sun_path) || (abstract && length == 1))
        return -EINVAL;
    endpoint->address.sun_family = AF_UNIX;
    memcpy(endpoint->address.sun_path, path, length + 1);
    if (abstract)
        endpoint->address.sun_path[0] = '\0';
    /* The NUL belongs to a path, but would be part of an abstract name. */
    endpoint->length =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (abstract ? 0 : 1));
    return 0;
}

/* By number, or by name: looked up once, at the start, since it may block. */
static int user_set(struct endpoint *endpoint, const char *user)
{
    unsigned long number;
    char *end;

    endpoint->any_user = !user;
    if (!user)
        return 0;
    errno = 0;
    number = strtoul(user, &end, 10);
    if (*user >= '0' && *user <= '9' && !*end && !errno && number < UINT32_MAX) {
        endpoint->uid = (uid_t)number;
        return 0;
    }
    return account_user(user, &endpoint->uid);
}

int endpoint_set(struct endpoint *endpoint, const char *path, const char *user)
{
    int r;

    *endpoint = (struct endpoint){0};
    /* An abstract name has no owner: anybody could have taken it. */
    if (*path == '@' && !user)
        return -EINVAL;
    r = path_set(endpoint, path);
    return r < 0 ? r : user_set(endpoint, user);
}

static int check_user(const struct endpoint *endpoint, int fd, uint32_t *ret_uid, char *reason,
                      size_t size)
{
    struct ucred credentials = {.uid = UINT32_MAX};
    socklen_t length = sizeof(credentials);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0)
        credentials.uid = UINT32_MAX;
    *ret_uid = credentials.uid;
    if (endpoint->any_user || credentials.uid == endpoint->uid)
        return 0;
    snprintf(reason, size,
             "the node's socket is served by uid %d, node_user is uid %d. Set the key node_user to "
             "the user that the node runs as",
             (int)credentials.uid, (int)endpoint->uid);
    return -EPERM;
}

static void explain(const struct endpoint *endpoint, int error, char *reason, size_t size)
{
    char path[sizeof(endpoint->address.sun_path) + 1] = "";

    memcpy(path, endpoint->address.sun_path, sizeof(endpoint->address.sun_path));
    if (!*path)
        *path = '@';
    /* The unit says so itself: a control group is not always to be seen. */
    access_explain(path, error, getenv("PATHDOG_UNIT"), reason, size);
}

int endpoint_connect(const struct endpoint *endpoint, uint32_t *ret_uid, char *reason, size_t size)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int r;

    if (fd < 0) {
        r = -errno;
        snprintf(reason, size, "no socket: %s", strerrordesc_np(-r));
        return r;
    }
    if (connect(fd, (const struct sockaddr *)&endpoint->address, endpoint->length) < 0) {
        r = -errno;
        explain(endpoint, -r, reason, size);
    } else {
        r = check_user(endpoint, fd, ret_uid, reason, size);
    }
    if (r < 0) {
        close(fd);
        return r;
    }
    return fd;
}
