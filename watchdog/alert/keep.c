/* SPDX-License-Identifier: Apache-2.0 */
/* One file. Who keeps it has a lock on its directory: what two write would be neither's. */
#include "keep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "../util/format.h"

#define NAME      "position.json"
#define BYTES_MAX ((size_t)1 << 20)

static int directory_open(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

int keep_lock(const char *directory)
{
    int fd = directory_open(directory), r;

    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    r = -errno;
    close(fd);
    return r;
}

void keep_load(const char *directory, struct position *position, struct state *state)
{
    int there = directory_open(directory), fd;
    json_t *saved = NULL;
    char *text;
    ssize_t n;

    if (there < 0)
        return;
    fd = openat(there, NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0) {
        text = memory_new(BYTES_MAX, 1);
        n = read(fd, text, BYTES_MAX);
        if (n > 0 && position_parse(position, text, (size_t)n, &saved)) {
            state_load(state, saved);
            json_decref(saved);
        }
        free(text);
        close(fd);
    }
    close(there);
}

int keep_save(const char *directory, const struct position *position, const struct state *state)
{
    json_t *saved = state_save(state);
    CLEANUP_FREE char *text = position_text(position, saved);
    int there = text ? directory_open(directory) : -1, fd, r = 0;

    json_decref(saved);
    if (!text)
        return 0;
    if (there < 0)
        return there;
    fd = openat(there, NAME ".new", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        r = -errno;
    else if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        r = errno ? -errno : -EIO;
    if (fd >= 0)
        close(fd);
    if (r == 0 && renameat(there, NAME ".new", there, NAME) < 0)
        r = -errno;
    close(there);
    return r;
}
