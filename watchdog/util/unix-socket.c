/* SPDX-License-Identifier: Apache-2.0 */
/* A listening UNIX socket with a name in the file system. */
#include "unix-socket.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "util.h"

static int socket_new(int type)
{
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    return fd < 0 ? -errno : fd;
}

static int path_check(const struct sockaddr_un *name, int type)
{
    struct stat there;
    int fd, r;

    if (lstat(name->sun_path, &there) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(there.st_mode))
        return -EEXIST;
    fd = socket_new(type);
    if (fd < 0)
        return fd;
    r = connect(fd, (const struct sockaddr *)name, sizeof(*name)) < 0 ? -errno : 0;
    close(fd);
    return r == -ECONNREFUSED ? 0 : -EADDRINUSE;
}

static int name_finish(struct unix_socket *ours, const char *temporary,
                       const struct unix_socket_options *options)
{
    struct stat there;

    if (options->group != (gid_t)-1 && chown(temporary, (uid_t)-1, options->group) < 0 &&
        options->group_or_fail)
        return -errno;
    if (chmod(temporary, options->mode) < 0 ||
        (options->type == SOCK_STREAM && listen(ours->fd, options->backlog) < 0) ||
        lstat(temporary, &there) < 0 || rename(temporary, ours->path) < 0)
        return -errno;
    ours->device = there.st_dev;
    ours->inode = there.st_ino;
    ours->bound = true;
    return 0;
}

static int name_bind(struct unix_socket *ours, const struct unix_socket_options *options)
{
    struct sockaddr_un temporary = {.sun_family = AF_UNIX};
    int on = options->credentials;
    int r = snprintf(temporary.sun_path, sizeof(temporary.sun_path), "%s.%d", ours->path,
                     (int)getpid());

    if (r < 0 || (size_t)r >= sizeof(temporary.sun_path))
        return -ENAMETOOLONG;
    /* In a container every run has the same pid: one that was killed here may have left it. */
    r = path_check(&temporary, options->type);
    if (r < 0)
        return r;
    (void)unlink(temporary.sun_path);
    /* Before it has a name: the new file's mode is taken from the socket's. */
    if (setsockopt(ours->fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0 ||
        fchmod(ours->fd, 0600) < 0 ||
        bind(ours->fd, (const struct sockaddr *)&temporary, sizeof(temporary)) < 0)
        return -errno;
    r = name_finish(ours, temporary.sun_path, options);
    if (r < 0)
        unlink(temporary.sun_path);
    return r;
}

int unix_socket_open(struct unix_socket *ours, const char *path,
                     const struct unix_socket_options *options)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int r;

    *ours = (struct unix_socket){.fd = -1, .path = string_copy(path)};
    if (strlen(path) >= sizeof(name.sun_path))
        return -ENAMETOOLONG;
    memcpy(name.sun_path, path, strlen(path) + 1);
    r = path_check(&name, options->type);
    if (r < 0)
        return r;
    ours->fd = socket_new(options->type);
    return ours->fd < 0 ? ours->fd : name_bind(ours, options);
}

void unix_socket_close(struct unix_socket *ours)
{
    struct stat there;

    if (ours->bound && lstat(ours->path, &there) == 0 && there.st_dev == ours->device &&
        there.st_ino == ours->inode)
        unlink(ours->path);
    if (ours->fd >= 0)
        close(ours->fd);
    free(ours->path);
    *ours = (struct unix_socket){.fd = -1};
}
