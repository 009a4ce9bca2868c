/* SPDX-License-Identifier: Apache-2.0 */
/* A listening UNIX socket with a name in the file system. */
#include "unix-socket.h"

#include <errno.h>
#include <fcntl.h>
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

/* Does anybody have it open? 0: nobody. A mode may keep even its owner from asking. */
static int answer_check(const struct sockaddr_un *name, int type, const struct stat *there)
{
    bool denied = there->st_uid == geteuid() && !(there->st_mode & S_IWUSR);
    int fd = socket_new(type), r;

    if (fd < 0)
        return fd;
    denied = denied && chmod(name->sun_path, (there->st_mode | S_IWUSR) & 07777) == 0;
    r = connect(fd, (const struct sockaddr *)name, sizeof(*name)) < 0 ? -errno : 0;
    close(fd);
    if (r == -ECONNREFUSED || r == -ENOENT)
        return 0;
    if (denied)
        (void)chmod(name->sun_path, there->st_mode & 07777);
    /* EAGAIN: it listens, and more wait than it takes. EPROTOTYPE: it is of the other type. */
    return r == 0 || r == -EAGAIN || r == -EPROTOTYPE ? -EADDRINUSE : r;
}

/* 0: nothing is there, or a socket that nobody has open: `*ret_there`, else zeroed. */
static int path_check(const struct sockaddr_un *name, int type, struct stat *ret_there)
{
    *ret_there = (struct stat){0};
    if (lstat(name->sun_path, ret_there) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(ret_there->st_mode))
        return -EEXIST;
    return answer_check(name, type, ret_there);
}

static bool is_file(const char *path, dev_t device, ino_t inode)
{
    struct stat there;

    return lstat(path, &there) == 0 && there.st_dev == device && there.st_ino == inode;
}

static int name_swap(const char *a, const char *b)
{
    return renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) < 0 ? -errno : 0;
}

/* Puts ours where the stale one is. What comes out is looked at only then, so that it cannot be
 * one that another process has put there since: that one goes back. */
static int name_replace(const struct unix_socket *ours, const char *temporary,
                        const struct stat *stale)
{
    int r = name_swap(temporary, ours->path);

    if (r == -EINVAL) /* a file system without it, such as NFS */
        return rename(temporary, ours->path) < 0 ? -errno : 0;
    if (r < 0)
        return r;
    if (is_file(temporary, stale->st_dev, stale->st_ino)) {
        (void)unlink(temporary);
        return 0;
    }
    (void)name_swap(temporary, ours->path);
    return -EADDRINUSE;
}

static int name_take(const struct unix_socket *ours, const char *temporary,
                     const struct stat *stale)
{
    int r = stale->st_ino ? name_replace(ours, temporary, stale) : -ENOENT;

    if (r != -ENOENT) /* it was there, and is not now: as if it had never been */
        return r;
    if (renameat2(AT_FDCWD, temporary, AT_FDCWD, ours->path, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno == EEXIST)
        return -EADDRINUSE;
    return errno == EINVAL && rename(temporary, ours->path) == 0 ? 0 : -errno;
}

static int name_finish(struct unix_socket *ours, const char *temporary,
                       const struct unix_socket_options *options, const struct stat *stale)
{
    struct stat there;
    int r;

    if (options->group != (gid_t)-1 && chown(temporary, (uid_t)-1, options->group) < 0 &&
        options->group_or_fail)
        return -errno;
    if (chmod(temporary, options->mode) < 0 ||
        (options->type == SOCK_STREAM && listen(ours->fd, options->backlog) < 0) ||
        lstat(temporary, &there) < 0)
        return -errno;
    r = name_take(ours, temporary, stale);
    if (r < 0)
        return r;
    ours->device = there.st_dev;
    ours->inode = there.st_ino;
    ours->bound = true;
    return 0;
}

static int name_bind(struct unix_socket *ours, const struct unix_socket_options *options,
                     const struct stat *stale)
{
    struct stat left;
    struct sockaddr_un temporary = {.sun_family = AF_UNIX};
    int on = options->credentials;
    int r = snprintf(temporary.sun_path, sizeof(temporary.sun_path), "%s.%d", ours->path,
                     (int)getpid());

    if (r < 0 || (size_t)r >= sizeof(temporary.sun_path))
        return -ENAMETOOLONG;
    /* In a container every run has the same pid: one that was killed here may have left it. */
    r = path_check(&temporary, options->type, &left);
    if (r < 0)
        return r;
    if (left.st_ino && is_file(temporary.sun_path, left.st_dev, left.st_ino))
        (void)unlink(temporary.sun_path);
    /* Before it has a name: the new file's mode is taken from the socket's. */
    if (setsockopt(ours->fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0 ||
        fchmod(ours->fd, 0600) < 0 ||
        bind(ours->fd, (const struct sockaddr *)&temporary, sizeof(temporary)) < 0)
        return -errno;
    r = name_finish(ours, temporary.sun_path, options, stale);
    if (r < 0)
        unlink(temporary.sun_path);
    return r;
}

int unix_socket_open(struct unix_socket *ours, const char *path,
                     const struct unix_socket_options *options)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    struct stat stale;
    int r;

    *ours = (struct unix_socket){.fd = -1, .path = string_copy(path)};
    if (strlen(path) >= sizeof(name.sun_path))
        return -ENAMETOOLONG;
    memcpy(name.sun_path, path, strlen(path) + 1);
    r = path_check(&name, options->type, &stale);
    if (r < 0)
        return r;
    ours->fd = socket_new(options->type);
    return ours->fd < 0 ? ours->fd : name_bind(ours, options, &stale);
}

void unix_socket_close(struct unix_socket *ours)
{
    if (ours->bound && is_file(ours->path, ours->device, ours->inode))
        unlink(ours->path);
    if (ours->fd >= 0)
        close(ours->fd);
    free(ours->path);
    *ours = (struct unix_socket){.fd = -1};
}

int unix_socket_connect(const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    int fd, r;

    if (length >= sizeof(name.sun_path))
        return -ENAMETOOLONG;
    memcpy(name.sun_path, path, length);
    if (path[0] == '@')
        name.sun_path[0] = '\0';
    else
        length++; /* its end belongs to it */
    fd = socket_new(SOCK_STREAM);
    if (fd < 0)
        return fd;
    if (connect(fd, (const struct sockaddr *)&name,
                (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) == 0)
        return fd;
    r = -errno;
    close(fd);
    return r;
}
