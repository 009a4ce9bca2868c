/* SPDX-License-Identifier: Apache-2.0 */
/* The lock of a directory, and who has it. */
#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../util/format.h"
#include "file.h"

/* "1: FLOCK  ADVISORY  WRITE 1234 fe:01:5678 0 EOF". Returns the pid, 0: not of this inode. */
static pid_t line_pid(const char *line, ino_t inode)
{
    unsigned long long found;
    unsigned major, minor;
    int pid;

    /* The device is not compared: some file systems say another one there. */
    if (sscanf(line, "%*u: FLOCK %*s WRITE %d %x:%x:%llu ", &pid, &major, &minor, &found) != 4)
        return 0;
    return found == inode && pid > 0 ? pid : 0;
}

static pid_t holder_of(int fd)
{
    struct stat there;
    char *line = NULL;
    size_t size = 0;
    pid_t pid = 0;
    FILE *locks;

    if (fstat(fd, &there) < 0)
        return 0;
    locks = fopen("/proc/locks", "re");
    if (!locks)
        return 0;
    while (!pid && getline(&line, &size, locks) > 0)
        pid = line_pid(line, there.st_ino);
    free(line);
    fclose(locks);
    return pid;
}

/* A permission that is lacking is the file's or that of the way to it: -EPERM; or, since it is made
 * only where it is not there, the directory's: -EACCES, and nobody else can have written there. */
static int file_open(int at)
{
    const int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    int fd = openat(at, LOCK_FILE, flags), error;

    if (fd < 0 && errno == EROFS) /* a lock needs no right to write, but on NFS */
        fd = openat(at, LOCK_FILE, (flags & ~O_RDWR) | O_RDONLY);
    if (fd >= 0)
        return fd;
    if (errno != ENOENT)
        return errno == EACCES ? -EPERM : -errno;
    fd = openat(at, LOCK_FILE, flags | O_CREAT, 0600);
    error = errno;
    return fd >= 0 ? fd : error == EPERM ? -EACCES : -error;
}

static int foreign(uid_t owner, const char *path, char **ret_error)
{
    return error_set(ret_error, -EPERM,
                     "%s is owned by uid %u, and this pathdog runs as uid %u: run it as that user, "
                     "or with a state directory of its own; if no pathdog uses this directory, "
                     "remove the file",
                     path, (unsigned)owner, (unsigned)geteuid());
}

static int open_failed(int at, int error, const char *path, char **ret_error)
{
    struct stat there;

    if (error == -EPERM && fstatat(at, LOCK_FILE, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
        there.st_uid != geteuid())
        return foreign(there.st_uid, path, ret_error);
    return error_set(ret_error, error, "%s: %s", path,
                     error == -ELOOP   ? "is a symbolic link: remove it"
                     : error == -EPERM ? strerror(EACCES)
                                       : strerror(-error));
}

static int file_check(int fd, const char *path, char **ret_error)
{
    struct stat there;

    if (fstat(fd, &there) < 0)
        return error_set(ret_error, -errno, "%s: %s", path, strerror(errno));
    if (!S_ISREG(there.st_mode))
        return error_set(ret_error, -EINVAL, "%s is not a regular file: remove it", path);
    if (there.st_uid != geteuid())
        return foreign(there.st_uid, path, ret_error);
    if ((there.st_mode & 07777) != 0600 && fchmod(fd, 0600) < 0)
        return error_set(ret_error, -errno, "%s: %s", path, strerror(errno));
    return 0;
}

static int file_lock(int fd, const char *directory, char **ret_error)
{
    CLEANUP_FREE char *who = NULL;
    pid_t pid;

    if (flock(fd, LOCK_EX | LOCK_NB) == 0 || errno == ENOSYS || errno == EOPNOTSUPP ||
        errno == ENOLCK)
        return 0;
    if (errno != EWOULDBLOCK)
        return error_set(ret_error, -errno, "%s/%s: %s", directory, LOCK_FILE, strerror(errno));
    pid = holder_of(fd);
    who = pid ? string_format(" (pid %d)", (int)pid) : string_copy("");
    return error_set(ret_error, -EBUSY,
                     "\"%s\" is in use by another pathdog%s; each pathdog needs a state directory "
                     "of its own",
                     directory, who);
}

/* Somebody may have removed the file, or the directory: what is locked then, nobody else sees. */
static bool is_gone(const struct lock *lock, const char *path)
{
    struct stat ours, there;

    if (lstat(path, &there) < 0)
        return errno == ENOENT || errno == ENOTDIR;
    return fstat(lock->fd, &ours) == 0 &&
           (ours.st_dev != there.st_dev || ours.st_ino != there.st_ino);
}

void lock_drop(struct lock *lock)
{
    if (lock->fd >= 0)
        close(lock->fd);
    lock->fd = -1;
}

int lock_take(struct lock *lock, const char *directory, char **ret_error)
{
    CLEANUP_FREE char *path = string_format("%s/%s", directory, LOCK_FILE);
    CLEANUP_FREE char *error = NULL;
    const char *step;
    int at, fd, r;

    if (lock->fd >= 0 && !is_gone(lock, path))
        return 0;
    lock_drop(lock);
    at = directory_open(directory, &step, &error);
    if (at < 0)
        return error_set(ret_error, at, "%s", error);
    fd = file_open(at);
    r = fd < 0 ? open_failed(at, fd, path, ret_error) : file_check(fd, path, ret_error);
    close(at);
    if (fd < 0)
        return r;
    if (r >= 0)
        r = file_lock(fd, directory, ret_error);
    if (r < 0) {
        close(fd);
        return r;
    }
    lock->fd = fd;
    return 0;
}

bool lock_is_needless(int error)
{
    return error == -EACCES || error == -ENOENT || error == -ENOTDIR || error == -EROFS ||
           error == -ENOSPC || error == -EDQUOT;
}
