/* SPDX-License-Identifier: Apache-2.0 */
/* The listening socket of the control server. */
#include "listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

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

static int stream_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    return fd < 0 ? -errno : fd;
}

/* What is there already may be replaced only if it is a socket that nobody listens on. */
static int path_check(const struct sockaddr_un *name)
{
    struct stat there;
    int fd, r;

    if (lstat(name->sun_path, &there) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(there.st_mode))
        return -EEXIST;
    fd = stream_socket();
    if (fd < 0)
        return fd;
    r = connect(fd, (const struct sockaddr *)name, sizeof(*name)) < 0 ? -errno : 0;
    close(fd);
    return r == -ECONNREFUSED ? 0 : -EADDRINUSE;
}

/* Under another name first, then renamed: so that nobody ever sees it with
 * another mode, or not listening. */
static int listener_bind(struct listener *listener, const struct sockaddr_un *name)
{
    struct sockaddr_un temporary = {.sun_family = AF_UNIX};
    struct stat there;
    int r = snprintf(temporary.sun_path, sizeof(temporary.sun_path), "%s.%d", name->sun_path,
                     (int)getpid());

    if (r < 0 || (size_t)r >= sizeof(temporary.sun_path))
        return -ENAMETOOLONG;
    if (fchmod(listener->fd, 0600) < 0)
        return -errno;
    if (bind(listener->fd, (const struct sockaddr *)&temporary, sizeof(temporary)) < 0)
        return -errno;
    if (chmod(temporary.sun_path, SOCKET_MODE) < 0 || listen(listener->fd, BACKLOG) < 0 ||
        lstat(temporary.sun_path, &there) < 0 || rename(temporary.sun_path, name->sun_path) < 0) {
        r = -errno;
        unlink(temporary.sun_path);
        return r;
    }
    listener->device = there.st_dev;
    listener->inode = there.st_ino;
    listener->bound = true;
    return 0;
}

int listener_open(struct listener *listener, const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int r;

    *listener = (struct listener){.fd = passed_fd(), .path = string_copy(path)};
    if (listener->fd >= 0)
        return fcntl(listener->fd, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
    if (strlen(path) >= sizeof(name.sun_path))
        return -ENAMETOOLONG;
    memcpy(name.sun_path, path, strlen(path) + 1);
    r = path_check(&name);
    if (r < 0)
        return r;
    listener->fd = stream_socket();
    return listener->fd < 0 ? listener->fd : listener_bind(listener, &name);
}

void listener_close(struct listener *listener)
{
    struct stat there;

    if (listener->bound && lstat(listener->path, &there) == 0 && there.st_dev == listener->device &&
        there.st_ino == listener->inode)
        unlink(listener->path);
    if (listener->fd >= 0)
        close(listener->fd);
    free(listener->path);
    *listener = (struct listener){.fd = -1};
}

const char *listener_error(int error)
{
    switch (error) {
    case -EEXIST:
        return "there is something that is not a socket";
    case -EADDRINUSE:
        return "somebody else listens there";
    case -ENAMETOOLONG:
        return "the path is too long for a socket";
    case -ENOENT:
        return "its directory is not there";
    default:
        return strerror(-error);
    }
}
