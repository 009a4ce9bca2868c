/* SPDX-License-Identifier: Apache-2.0 */
/* Reading at once, replacing at once. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../util/format.h"
#include "../util/safe-path.h"
#include "lock.h"

#define STATE_FILE_NEW ".state.json.new"

const char *const file_names[] = {STATE_FILE, STATE_FILE_NEW, STATE_FILE_ASIDE, LOCK_FILE, NULL};

/* What is in it is believed, and files are made there: nobody else may have put it there. */
static int directory_find(const char *directory, char **ret_error)
{
    return safe_open(directory, O_PATH | O_DIRECTORY, ret_error);
}

static int directory_make(const char *directory, char **ret_error)
{
    const char *name;
    int at = safe_open_parent(directory, &name, ret_error), r;

    if (at < 0)
        return at;
    r = mkdirat(at, name, 0750) < 0 && errno != EEXIST ? -errno : 0;
    close(at);
    return r < 0 ? error_set(ret_error, r, "%s: %s", directory, strerror(-r)) : 0;
}

int directory_open(const char *directory, const char **ret_step, char **ret_error)
{
    CLEANUP_FREE char *error = NULL;
    int at = directory_find(directory, &error), r;

    *ret_step = "open the directory";
    if (at == -ENOENT) {
        *ret_step = "make the directory";
        r = directory_make(directory, ret_error);
        return r < 0 ? r : directory_find(directory, ret_error);
    }
    return at < 0 ? error_set(ret_error, at, "%s", error) : at;
}

static int read_all(int fd, char *bytes, size_t length, size_t *ret_length)
{
    size_t done = 0;

    while (done < length) {
        ssize_t n = read(fd, bytes + done, length - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    *ret_length = done;
    return 0;
}

static int load(int fd, char **ret_bytes, size_t *ret_length)
{
    struct stat status;
    char *bytes;
    int r;

    if (fstat(fd, &status) < 0)
        return -errno;
    if (!S_ISREG(status.st_mode))
        return -EBADMSG;
    if ((uint64_t)status.st_size > STATE_FILE_BYTES)
        return -EFBIG;
    bytes = memory_new((size_t)status.st_size + 1, 1);
    r = read_all(fd, bytes, (size_t)status.st_size, ret_length);
    if (r < 0)
        free(bytes);
    else
        *ret_bytes = bytes;
    return r;
}

int file_load(const char *directory, const char *name, char **ret_bytes, size_t *ret_length)
{
    CLEANUP_FREE char *error = NULL;
    int at = directory_find(directory, &error), fd, r;

    if (at < 0)
        return at;
    /* O_NONBLOCK: a FIFO must not hold us up. */
    fd = openat(at, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    r = fd < 0 ? -errno : load(fd, ret_bytes, ret_length);
    if (fd >= 0)
        close(fd);
    close(at);
    return r == -ELOOP || r == -ENXIO ? -EBADMSG : r; /* a link, a socket */
}

static int write_all(int fd, const char *bytes, size_t length)
{
    while (length) {
        ssize_t n = write(fd, bytes, length);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        bytes += n;
        length -= (size_t)n;
    }
    return 0;
}

/* Ours alone: one that a killed run has left is taken away first. */
static int temporary_open(int at, const char *name)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(at, name, flags, 0600);

    if (fd < 0 && errno == EEXIST && unlinkat(at, name, 0) == 0)
        fd = openat(at, name, flags, 0600);
    return fd < 0 ? -errno : fd;
}

static int save(int at, const char *name, const char *bytes, size_t length, const char **ret_step)
{
    char temporary[64];
    int fd, r;

    snprintf(temporary, sizeof(temporary), ".%s.new", name);
    *ret_step = "open";
    fd = temporary_open(at, temporary);
    if (fd < 0)
        return fd;
    *ret_step = "write";
    r = write_all(fd, bytes, length);
    /* Before the name is turned over to it, else a power cut could leave it empty. */
    if (r == 0 && fsync(fd) < 0)
        r = -errno;
    if (close(fd) < 0 && r == 0)
        r = -errno;
    if (r == 0) {
        *ret_step = "rename";
        r = renameat(at, temporary, at, name) < 0 ? -errno : 0;
    }
    if (r < 0)
        (void)unlinkat(at, temporary, 0);
    return r;
}

int file_save(const char *directory, const char *name, const char *bytes, size_t length,
              const char **ret_step)
{
    CLEANUP_FREE char *error = NULL;
    int at = directory_open(directory, ret_step, &error), r;

    if (at < 0)
        return at;
    r = save(at, name, bytes, length, ret_step);
    close(at);
    return r;
}

int file_set_aside(const char *directory, const char *name, const char *aside)
{
    CLEANUP_FREE char *error = NULL;
    int at = directory_find(directory, &error), r;

    if (at < 0)
        return at;
    r = renameat(at, name, at, aside) < 0 ? -errno : 0;
    close(at);
    return r;
}
