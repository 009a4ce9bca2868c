/* SPDX-License-Identifier: Apache-2.0 */
/* A file made beside its name, and put there. */
#include "new-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include "format.h"
#include "safe-path.h"

#define KIND_BYTES 32

static int failed(int error, char **ret_error)
{
    return error_set(ret_error, -error, "%s", strerror(error));
}

/* ---- what has the name ---- */

/* Who writes it: its lock is one that needs the right to write, so readers cannot pretend. */
static int check_lock(int fd, char **ret_error)
{
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};

    if (fcntl(fd, F_GETLK, &lock) < 0 || lock.l_type == F_UNLCK)
        return 0; /* a file system without locks has no holders, either */
    if (lock.l_pid > 0)
        return error_set(ret_error, -EBUSY, "is being written by another process (pid %d)",
                         (int)lock.l_pid);
    return error_set(ret_error, -EBUSY, "is being written by another process");
}

static int check_standard_streams(const struct stat *st, char **ret_error)
{
    static const char *const names[] = {"standard input", "standard output", "standard error"};

    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        struct stat stream;

        if (fstat(fd, &stream) == 0 && stream.st_dev == st->st_dev && stream.st_ino == st->st_ino)
            return error_set(ret_error, -EEXIST, "is %s, too", names[fd]);
    }
    return 0;
}

static int check_kind(const struct new_file *file, char **ret_error)
{
    char bytes[KIND_BYTES];
    ssize_t n = pread(file->old, bytes, sizeof(bytes), 0);

    if (n < 0)
        return failed(errno, ret_error);
    if (n > 0 && !file->rule->is_kind(bytes, (size_t)n))
        return error_set(ret_error, -EEXIST,
                         "is there and is not %s: only such a file is overwritten; take another "
                         "name, or remove it",
                         file->rule->kind);
    return 0;
}

static int check_type(const struct stat *st, char **ret_error)
{
    if (S_ISLNK(st->st_mode))
        return error_set(ret_error, -ELOOP, "is a symbolic link");
    if (S_ISDIR(st->st_mode))
        return failed(EISDIR, ret_error);
    return S_ISREG(st->st_mode) ? 0 : error_set(ret_error, -EINVAL, "is not a regular file");
}

static int look_at_old(struct new_file *file, char **ret_error)
{
    struct stat st;
    int r;

    if (fstatat(file->directory, file->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : failed(errno, ret_error);
    /* Opening a device may have an effect on it: first it must look like a file. */
    r = check_type(&st, ret_error);
    if (r < 0)
        return r;
    file->old = openat(file->directory, file->name,
                       O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (file->old < 0 || fstat(file->old, &st) < 0)
        return failed(errno, ret_error);
    r = check_type(&st, ret_error);
    if (r >= 0)
        r = check_standard_streams(&st, ret_error);
    if (r >= 0)
        r = check_kind(file, ret_error);
    return r < 0 ? r : check_lock(file->old, ret_error);
}

/* ---- the new one ---- */

static int make_temporary(struct new_file *file, char **ret_error)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    uint64_t number;

    if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != sizeof(number))
        number = (uint64_t)(uintptr_t)file ^ (uint64_t)getpid();
    file->temporary = string_format(".%.200s.%016llx", file->name, (unsigned long long)number);
    file->fd = openat(file->directory, file->temporary,
                      O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, file->rule->mode);
    if (file->fd < 0) {
        int error = errno;

        free(file->temporary);
        file->temporary = NULL;
        return failed(error, ret_error);
    }
    (void)fcntl(file->fd, F_SETLK, &lock); /* where there are no locks, there is none */
    return 0;
}

int new_file_make(struct new_file *file, const char *path, const struct new_file_rule *rule,
                  char **ret_error)
{
    CLEANUP_FREE char *error = NULL;
    int r;

    *file = (struct new_file){.path = path, .rule = rule, .fd = -1, .directory = -1, .old = -1};
    file->directory = safe_open_parent(path, &file->name, &error);
    if (file->directory < 0) {
        size_t length = strlen(path);
        bool named = !strncmp(error, path, length) && !strncmp(error + length, ": ", 2);

        return error_set(ret_error, file->directory, "%s", error + (named ? length + 2 : 0));
    }
    r = look_at_old(file, ret_error);
    return r < 0 ? r : make_temporary(file, ret_error);
}

static int exchanged(char **ret_error)
{
    return error_set(ret_error, -EBUSY, "was replaced by another process at the same time");
}

/* Is it this file that has the name? */
static int check_name(const struct new_file *file, const char *name, int fd, char **ret_error)
{
    struct stat there, ours;

    if (fstat(fd, &ours) < 0)
        return failed(errno, ret_error);
    if (fstatat(file->directory, name, &there, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? exchanged(ret_error) : failed(errno, ret_error);
    return there.st_dev == ours.st_dev && there.st_ino == ours.st_ino ? 0 : exchanged(ret_error);
}

/* By exchange, what was replaced can be looked at before it is gone. */
static int replace_old(struct new_file *file, char **ret_error)
{
    int r;

    if (renameat2(file->directory, file->temporary, file->directory, file->name, RENAME_EXCHANGE) <
        0)
        return -errno;
    r = check_name(file, file->temporary, file->old, ret_error);
    if (r >= 0)
        r = check_lock(file->old, ret_error);
    if (r < 0)
        (void)renameat2(file->directory, file->temporary, file->directory, file->name,
                        RENAME_EXCHANGE);
    return r;
}

static int place(struct new_file *file, char **ret_error)
{
    int r;

    if (file->old >= 0)
        r = replace_old(file, ret_error);
    else
        r = renameat2(file->directory, file->temporary, file->directory, file->name,
                      RENAME_NOREPLACE) < 0
                ? -errno
                : 0;
    if (*ret_error || r == 0)
        return r;
    if (r == -EEXIST || r == -ENOENT)
        return exchanged(ret_error);
    /* Not every file system has these two. */
    if (r == -EINVAL || r == -ENOSYS || r == -EOPNOTSUPP)
        r = renameat(file->directory, file->temporary, file->directory, file->name) < 0 ? -errno
                                                                                        : 0;
    return r < 0 ? failed(-r, ret_error) : 0;
}

int new_file_place(struct new_file *file, char **ret_error)
{
    int r = place(file, ret_error);

    if (r < 0)
        return r;
    /* In a directory where others may write, they can exchange a name. */
    return check_name(file, file->name, file->fd, ret_error);
}

static bool parent_stat(const char *path, const char **ret_name, struct stat *ret)
{
    const char *slash = strrchr(path, '/');
    CLEANUP_FREE char *parent =
        slash ? string_format("%.*s/", (int)(slash - path), path) : string_copy(".");

    *ret_name = slash ? slash + 1 : path;
    return stat(parent, ret) == 0;
}

bool new_file_is_name(const char *a, const char *b)
{
    const char *name_a, *name_b;
    struct stat parent_a, parent_b;

    return parent_stat(a, &name_a, &parent_a) && parent_stat(b, &name_b, &parent_b) &&
           !strcmp(name_a, name_b) && parent_a.st_dev == parent_b.st_dev &&
           parent_a.st_ino == parent_b.st_ino;
}

void new_file_close(struct new_file *file)
{
    int *const fds[] = {&file->fd, &file->old, &file->directory};

    if (file->temporary)
        (void)unlinkat(file->directory, file->temporary, 0); /* the old file, once it is placed */
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        if (*fds[i] >= 0)
            close(*fds[i]);
        *fds[i] = -1;
    }
    free(file->temporary);
    file->temporary = NULL;
}
