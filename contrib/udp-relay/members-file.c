/* SPDX-License-Identifier: Apache-2.0 */
/* See members-file.h. */
#include "members-file.h"

#include "util/util.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void members_file_init(struct members_file *file, const char *path)
{
    *file = (struct members_file){.path = path};
}

static bool same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Returns whether that is new. */
static enum members_look fault(struct members_file *file, const char *why)
{
    if (!strcmp(file->fault, why))
        return MEMBERS_SAME;
    snprintf(file->fault, sizeof(file->fault), "%s", why);
    return MEMBERS_FAULT;
}

/* All of it, of the size that was told. Returns false where it is not that (any more). */
static bool read_all(int fd, char *text, size_t size)
{
    size_t done = 0;

    while (done < size) {
        ssize_t n = read(fd, text + done, size - done);

        if (n <= 0 && errno != EINTR)
            return false;
        if (n == 0)
            return false;
        done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

static enum members_look judge(struct members_file *file, int fd, struct members **ret)
{
    size_t size = (size_t)file->seen.st_size;
    CLEANUP_FREE char *text = memory_new(size + 1, 1);
    struct members *members;
    struct stat after;

    if (!read_all(fd, text, size) || fstat(fd, &after) < 0 || !same(&after, &file->seen))
        return MEMBERS_SAME; /* it is being written: at the next look */
    file->judged = file->seen;
    members = members_parse(text, size);
    if (!members_cut(members) && members_entries(members)) {
        file->fault[0] = '\0';
        *ret = members;
        return MEMBERS_NEW;
    }
    file->fault[0] = '\0'; /* what is wrong with the new one is said, whatever was with the old */
    *ret = members;
    return fault(file, members_cut(members)
                           ? "its last line has no end and makes no sense: it is half written"
                           : "it has no entry");
}

/* What is there can be no list. The one before may come back, the same file: that is news then. */
static enum members_look no_list(struct members_file *file, const char *why)
{
    file->judged = (struct stat){0};
    return fault(file, why);
}

static enum members_look look(struct members_file *file, int fd, struct members **ret)
{
    struct stat now;
    bool settled;

    if (fstat(fd, &now) < 0)
        return no_list(file, strerror(errno));
    if (!S_ISREG(now.st_mode))
        return no_list(file, "it is no regular file");
    if (now.st_size > (off_t)MEMBERS_TEXT_MAX)
        return no_list(file, "it is larger than 4 MiB");
    settled = !file->looked || same(&now, &file->seen);
    file->seen = now;
    if (!settled || same(&now, &file->judged))
        return MEMBERS_SAME;
    return judge(file, fd, ret);
}

enum members_look members_file_look(struct members_file *file, struct members **ret)
{
    int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    enum members_look result;

    *ret = NULL;
    if (fd < 0) {
        file->judged = (struct stat){0}; /* the same file may come back */
        result = fault(file, strerror(errno));
    } else {
        result = look(file, fd, ret);
        close(fd);
    }
    file->looked = true;
    return result;
}
