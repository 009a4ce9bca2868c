/* SPDX-License-Identifier: Apache-2.0 */
/* The listening socket of the control server: passed by systemd, or made at a path. */
#include "listen.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "../util/passed-socket.h"
#include "../util/util.h"

#define NAME_PASSED "control"
#define BACKLOG     64
#define SOCKET_MODE 0660

int listener_open(struct unix_socket *listener, const char *path)
{
    static const struct unix_socket_options options = {
        .type = SOCK_STREAM, .backlog = BACKLOG, .mode = SOCKET_MODE, .group = (gid_t)-1};
    int fd = passed_socket(NAME_PASSED, NULL);

    if (fd < 0)
        return unix_socket_open(listener, path, &options);
    *listener = (struct unix_socket){.fd = fd};
    return fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

const char *listener_error(int error)
{
    switch (error) {
    case -EEXIST:
        return "a file that is not a socket exists there: remove it, or change the key control";
    case -EADDRINUSE:
        return "another process listens there";
    case -ENAMETOOLONG:
        return "the path is too long for a socket";
    case -ENOENT:
        return "its directory does not exist";
    default:
        return strerror(-error);
    }
}
