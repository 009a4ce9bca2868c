/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An abstract address belongs to the network namespace, as what it stands for does, and goes with
 * its process. Every user may take it, so it counts only if it is root's or a system user's.
 */
#include "lock.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#define NAME "flow-node"
/* SYS_UID_MAX of login.defs(5). */
#define SYSTEM_UID_MAX 999u

union name {
    struct sockaddr any;
    struct sockaddr_un un;
};

static socklen_t name_of(union name *ret)
{
    *ret = (union name){.un.sun_family = AF_UNIX};
    memcpy(ret->un.sun_path + 1, NAME, sizeof(NAME) - 1);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + sizeof(NAME));
}

/* Whose is the address? False: of a user who is nobody of the system, `*ret_uid`, or of somebody
 * who does not listen there, as a flow-node does. */
static bool is_one(uid_t *ret_uid)
{
    union name name;
    socklen_t n_name = name_of(&name), n_peer = sizeof(struct ucred);
    struct ucred peer = {.uid = (uid_t)-1};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool one;

    if (fd < 0)
        return true;
    if (connect(fd, &name.any, n_name) < 0)
        one = errno != ECONNREFUSED; /* EAGAIN: many wait there */
    else
        one = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n_peer) < 0 ||
              peer.uid <= SYSTEM_UID_MAX || peer.uid == geteuid();
    (void)close(fd);
    *ret_uid = peer.uid;
    return one;
}

int lock_take(struct log *log, int *ret_fd, char *ret_error, size_t error_size)
{
    union name name;
    socklen_t n_name = name_of(&name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), r;
    uid_t uid;

    *ret_fd = fd;
    if (fd >= 0 && bind(fd, &name.any, n_name) == 0 && listen(fd, 1) == 0)
        return 0;
    r = -errno;
    if (fd >= 0)
        (void)close(fd);
    *ret_fd = -1;
    if (r != -EADDRINUSE) {
        snprintf(ret_error, error_size,
                 "the address @" NAME ", of which only one process has it, cannot be taken: %s",
                 strerror(-r));
        return r;
    }
    if (is_one(&uid)) {
        snprintf(ret_error, error_size, "another flow-node runs in this network namespace");
        return r;
    }
    if (uid == (uid_t)-1)
        log_line(log, LOG_WARNING,
                 "the address @" NAME " is held by a process that is no flow-node: a second "
                 "flow-node would not be noticed");
    else
        log_line(log, LOG_WARNING,
                 "the address @" NAME " is held by a process of uid %u, which is no flow-node: a "
                 "second flow-node would not be noticed",
                 (unsigned)uid);
    return 0;
}
