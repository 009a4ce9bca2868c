/* SPDX-License-Identifier: Apache-2.0 */
/* The listening socket of the control server: passed by systemd, or made at a path. */
#include "listen.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include "../util/util.h"

#define NAME_PASSED "control"
#define BACKLOG     64
#define SOCKET_MODE 0660

/* FileDescriptorName=control in a socket unit; -1: none was passed. */
static int passed_fd(void)
{
    char **names = NULL;
    int n = sd_listen_fds_with_names(0, &names);
    int fd = -1;

    for (int i = 0; i < n; i++) {
        if (fd < 0 && !strcmp(names[i], NAME_PASSED) &&
            sd_is_socket(SD_LISTEN_FDS_START + i, AF_UNIX, SOCK_STREAM, 1) > 0)
            fd = SD_LISTEN_FDS_START + i;
        free(names[i]);
    }
    free(names);
    return fd;
}

int listener_open(struct unix_socket *listener, const char *path)
{
    static const struct unix_socket_options options = {
        .type = SOCK_STREAM, .backlog = BACKLOG, .mode = SOCKET_MODE, .group = (gid_t)-1};
    int fd = passed_fd();

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
