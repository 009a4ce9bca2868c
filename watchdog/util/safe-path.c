/* SPDX-License-Identifier: Apache-2.0 */
/* The way of a path, one component at a time. */
#include "safe-path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "format.h"

#define LINKS_MAX 40u /* as the kernel has it */

/* A way that is being gone. */
struct way {
    const char *path; /* as it was given */
    int fd;           /* the directory that was reached */
    char *here;       /* its name without symbolic links; "" is the root directory */
    char *rest;       /* what is still to go */
    unsigned links;
    bool only_links; /* directories may be anybody's */
};

static int wrong_owner(uid_t owner, const char *what, char **ret_error)
{
    if (geteuid() == 0)
        return error_set(ret_error, -EPERM, "%s is owned by uid %u; it must be root", what,
                         (unsigned)owner);
    return error_set(ret_error, -EPERM, "%s is owned by uid %u; it must be root or %u", what,
                     (unsigned)owner, (unsigned)geteuid());
}

static bool is_owner_good(const struct stat *st)
{
    return st->st_uid == 0 || st->st_uid == geteuid();
}

int safe_check(const struct stat *st, const char *what, char **ret_error)
{
    if (!is_owner_good(st))
        return wrong_owner(st->st_uid, what, ret_error);
    /* With an ACL the group's bits are its mask: no entry of it has more. */
    if (st->st_mode & (S_IWGRP | S_IWOTH))
        return error_set(ret_error, -EPERM,
                         "%s may be written by others than its owner (mode %04o)", what,
                         (unsigned)st->st_mode & 07777);
    return 0;
}

static int failed(const struct way *way, int error, char **ret_error)
{
    return error_set(ret_error, -error, "%s: %s", way->path, strerror(error));
}

/* What messages call it: by its own name, and where that is not the path that was
 * given, behind this. */
static char *name_of(const struct way *way, const char *name)
{
    bool is_here = !*name || !strcmp(name, ".");
    CLEANUP_FREE char *whole =
        string_format("%s%s%s", way->here, !is_here || !*way->here ? "/" : "", is_here ? "" : name);

    return !strcmp(whole, way->path) ? string_copy(whole)
                                     : string_format("%s: %s", way->path, whole);
}

static int check(const struct way *way, const struct stat *st, const char *name, bool end,
                 char **ret_error)
{
    CLEANUP_FREE char *what = name_of(way, name);

    if (S_ISLNK(st->st_mode)) {
        CLEANUP_FREE char *link = string_format("%s, a symbolic link,", what);

        return is_owner_good(st) ? 0 : wrong_owner(st->st_uid, link, ret_error);
    }
    if (way->only_links || (!end && st->st_mode & S_ISVTX && is_owner_good(st)))
        return 0;
    return safe_check(st, what, ret_error);
}

static int look(const struct way *way, const char *name, bool end, int fd, struct stat *ret,
                char **ret_error)
{
    if (fstat(fd, ret) < 0)
        return failed(way, errno, ret_error);
    return check(way, ret, name, end, ret_error);
}

/* O_DIRECTORY first: it alone makes an automount come up. */
static int open_component(const struct way *way, const char *name)
{
    const int flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(way->fd, name, flags | O_DIRECTORY);

    return fd < 0 && errno == ENOTDIR ? openat(way->fd, name, flags) : fd;
}

static int to_root(struct way *way, char **ret_error)
{
    struct stat st;
    int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return failed(way, errno, ret_error);
    if (way->fd >= 0)
        close(way->fd);
    way->fd = fd;
    free(way->here);
    way->here = string_copy("");
    return look(way, "", !way->rest[strspn(way->rest, "/")], fd, &st, ret_error);
}

/* The link's text takes its place in the way. */
static int follow(struct way *way, int link_fd, char **ret_error)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(link_fd, "", target, sizeof(target) - 1);
    char *rest;

    if (n <= 0 || ++way->links > LINKS_MAX)
        return failed(way, n < 0 ? errno : n == 0 ? ENOENT : ELOOP, ret_error);
    target[n] = '\0';
    rest = string_format("%s/%s", target, way->rest);
    free(way->rest);
    way->rest = rest;
    return *target == '/' ? to_root(way, ret_error) : 0;
}

static void go_to(struct way *way, const char *name, int fd)
{
    char *here =
        !strcmp(name, "..") ? string_copy(way->here) : string_format("%s/%s", way->here, name);
    char *slash = !strcmp(name, "..") ? strrchr(here, '/') : NULL;

    if (slash)
        *slash = '\0';
    free(way->here);
    way->here = here;
    close(way->fd);
    way->fd = fd;
}

/* The last component, opened as the caller wants it; a link is not followed. */
static int open_end(const struct way *way, const char *name, int flags, char **ret_error)
{
    struct stat st;
    int fd = openat(way->fd, name, flags | O_NOFOLLOW | O_CLOEXEC), r;

    if (fd < 0)
        return failed(way, errno, ret_error);
    r = look(way, name, true, fd, &st, ret_error);
    if (r < 0)
        close(fd);
    return r < 0 ? r : fd;
}

/* Takes the next component off `rest`; at the end it is "." for what was reached. */
static char *next_component(struct way *way)
{
    const char *name = way->rest;
    char *rest, *copy;
    size_t length;

    for (;; name += length) {
        name += strspn(name, "/");
        length = strcspn(name, "/");
        if (length != 1 || *name != '.')
            break;
    }
    copy = length ? memory_check(strndup(name, length)) : string_copy(".");
    rest = string_copy(name + length);
    free(way->rest);
    way->rest = rest;
    return copy;
}

/* One component. Returns 0, with `*ret_fd` when it was the last, or what safe_open does. */
static int step(struct way *way, const char *name, int flags, int *ret_fd, char **ret_error)
{
    bool end = !way->rest[strspn(way->rest, "/")];
    struct stat st;
    int fd = open_component(way, name), r;

    if (fd < 0)
        return failed(way, errno, ret_error);
    r = look(way, name, false, fd, &st, ret_error);
    if (r >= 0 && !end && S_ISDIR(st.st_mode)) {
        go_to(way, name, fd);
        return 0;
    }
    if (r >= 0 && S_ISLNK(st.st_mode))
        r = end && flags & O_NOFOLLOW ? failed(way, ELOOP, ret_error) : follow(way, fd, ret_error);
    else if (r >= 0)
        r = *ret_fd = end ? open_end(way, name, flags, ret_error) : failed(way, ENOTDIR, ret_error);
    close(fd);
    return r < 0 ? r : 0;
}

static int go(struct way *way, int flags, char **ret_error)
{
    int fd = -1, r = to_root(way, ret_error);

    while (r >= 0 && fd < 0) {
        CLEANUP_FREE char *name = next_component(way);

        r = step(way, name, flags, &fd, ret_error);
    }
    return r < 0 ? r : fd;
}

/* `length` bytes of the path are the way. */
static int go_all(struct way *way, size_t length, int flags, char **ret_error)
{
    CLEANUP_FREE char *from = NULL;
    int fd;

    if (!*way->path)
        return failed(way, ENOENT, ret_error);
    if (*way->path != '/') {
        from = getcwd(NULL, 0);
        if (!from)
            return failed(way, errno, ret_error);
    }
    way->rest = string_format("%s/%.*s", from ? from : "", (int)length, way->path);
    fd = go(way, flags, ret_error);
    if (way->fd >= 0)
        close(way->fd);
    free(way->here);
    free(way->rest);
    return fd;
}

int safe_open(const char *path, int flags, char **ret_error)
{
    struct way way = {.path = path, .fd = -1};

    return go_all(&way, strlen(path), flags, ret_error);
}

int safe_open_parent(const char *path, const char **ret_name, char **ret_error)
{
    struct way way = {.path = path, .fd = -1, .only_links = true};
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

    if ((!*name && slash) || !strcmp(name, ".") || !strcmp(name, ".."))
        return failed(&way, EISDIR, ret_error);
    *ret_name = name;
    return go_all(&way, (size_t)(name - path), O_PATH | O_DIRECTORY, ret_error);
}
