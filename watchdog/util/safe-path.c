/* SPDX-License-Identifier: Apache-2.0 */
/* A path is walked, one component at a time. */
#include "safe-path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "format.h"

#define LINKS_MAX 40u /* as the kernel has it */

/* A path that is being walked. */
struct walk {
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

static int failed(const struct walk *walk, int error, char **ret_error)
{
    return error_set(ret_error, -error, "%s: %s", walk->path, strerror(error));
}

/* What messages call it: by its own name, and where that is not the path that was
 * given, behind this. */
static char *name_of(const struct walk *walk, const char *name)
{
    bool is_here = !*name || !strcmp(name, ".");
    CLEANUP_FREE char *whole = string_format(
        "%s%s%s", walk->here, !is_here || !*walk->here ? "/" : "", is_here ? "" : name);

    return !strcmp(whole, walk->path) ? string_copy(whole)
                                      : string_format("%s: %s", walk->path, whole);
}

static int check(const struct walk *walk, const struct stat *st, const char *name, bool end,
                 char **ret_error)
{
    CLEANUP_FREE char *what = name_of(walk, name);

    if (S_ISLNK(st->st_mode)) {
        CLEANUP_FREE char *link = string_format("%s, a symbolic link,", what);

        return is_owner_good(st) ? 0 : wrong_owner(st->st_uid, link, ret_error);
    }
    if (walk->only_links || (!end && st->st_mode & S_ISVTX && is_owner_good(st)))
        return 0;
    return safe_check(st, what, ret_error);
}

static int examine(const struct walk *walk, const char *name, bool end, int fd, struct stat *ret,
                   char **ret_error)
{
    if (fstat(fd, ret) < 0)
        return failed(walk, errno, ret_error);
    return check(walk, ret, name, end, ret_error);
}

/* O_DIRECTORY first: it alone makes an automount come up. */
static int open_component(const struct walk *walk, const char *name)
{
    const int flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(walk->fd, name, flags | O_DIRECTORY);

    return fd < 0 && errno == ENOTDIR ? openat(walk->fd, name, flags) : fd;
}

static int to_root(struct walk *walk, char **ret_error)
{
    struct stat st;
    int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return failed(walk, errno, ret_error);
    if (walk->fd >= 0)
        close(walk->fd);
    walk->fd = fd;
    free(walk->here);
    walk->here = string_copy("");
    return examine(walk, "", !walk->rest[strspn(walk->rest, "/")], fd, &st, ret_error);
}

/* The link's text takes its place in the way. */
static int follow(struct walk *walk, int link_fd, char **ret_error)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(link_fd, "", target, sizeof(target) - 1);
    char *rest;

    if (n <= 0 || ++walk->links > LINKS_MAX)
        return failed(walk, n < 0 ? errno : n == 0 ? ENOENT : ELOOP, ret_error);
    target[n] = '\0';
    rest = string_format("%s/%s", target, walk->rest);
    free(walk->rest);
    walk->rest = rest;
    return *target == '/' ? to_root(walk, ret_error) : 0;
}

static void go_to(struct walk *walk, const char *name, int fd)
{
    char *here =
        !strcmp(name, "..") ? string_copy(walk->here) : string_format("%s/%s", walk->here, name);
    char *slash = !strcmp(name, "..") ? strrchr(here, '/') : NULL;

    if (slash)
        *slash = '\0';
    free(walk->here);
    walk->here = here;
    close(walk->fd);
    walk->fd = fd;
}

/* The last component, opened as the caller wants it; a link is not followed. */
static int open_end(const struct walk *walk, const char *name, int flags, char **ret_error)
{
    struct stat st;
    int fd = openat(walk->fd, name, flags | O_NOFOLLOW | O_CLOEXEC), r;

    if (fd < 0)
        return failed(walk, errno, ret_error);
    r = examine(walk, name, true, fd, &st, ret_error);
    if (r < 0)
        close(fd);
    return r < 0 ? r : fd;
}

/* Takes the next component off `rest`; at the end it is "." for what was reached. */
static char *next_component(struct walk *walk)
{
    const char *name = walk->rest;
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
    free(walk->rest);
    walk->rest = rest;
    return copy;
}

/* One component. Returns 0, with `*ret_fd` when it was the last, or what safe_open does. */
static int step(struct walk *walk, const char *name, int flags, int *ret_fd, char **ret_error)
{
    bool end = !walk->rest[strspn(walk->rest, "/")];
    struct stat st;
    int fd = open_component(walk, name), r;

    if (fd < 0)
        return failed(walk, errno, ret_error);
    r = examine(walk, name, false, fd, &st, ret_error);
    if (r >= 0 && !end && S_ISDIR(st.st_mode)) {
        go_to(walk, name, fd);
        return 0;
    }
    if (r >= 0 && S_ISLNK(st.st_mode))
        r = end && flags & O_NOFOLLOW ? failed(walk, ELOOP, ret_error)
                                      : follow(walk, fd, ret_error);
    else if (r >= 0)
        r = *ret_fd =
            end ? open_end(walk, name, flags, ret_error) : failed(walk, ENOTDIR, ret_error);
    close(fd);
    return r < 0 ? r : 0;
}

static int go(struct walk *walk, int flags, char **ret_error)
{
    int fd = -1, r = to_root(walk, ret_error);

    while (r >= 0 && fd < 0) {
        CLEANUP_FREE char *name = next_component(walk);

        r = step(walk, name, flags, &fd, ret_error);
    }
    return r < 0 ? r : fd;
}

/* `length` bytes of the path are the way. */
static int go_all(struct walk *walk, size_t length, int flags, char **ret_error)
{
    CLEANUP_FREE char *from = NULL;
    int fd;

    if (!*walk->path)
        return failed(walk, ENOENT, ret_error);
    if (*walk->path != '/') {
        from = getcwd(NULL, 0);
        if (!from)
            return failed(walk, errno, ret_error);
    }
    walk->rest = string_format("%s/%.*s", from ? from : "", (int)length, walk->path);
    fd = go(walk, flags, ret_error);
    if (walk->fd >= 0)
        close(walk->fd);
    free(walk->here);
    free(walk->rest);
    return fd;
}

int safe_open(const char *path, int flags, char **ret_error)
{
    struct walk walk = {.path = path, .fd = -1};

    return go_all(&walk, strlen(path), flags, ret_error);
}

int safe_open_parent(const char *path, const char **ret_name, char **ret_error)
{
    struct walk walk = {.path = path, .fd = -1, .only_links = true};
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

    if ((!*name && slash) || !strcmp(name, ".") || !strcmp(name, ".."))
        return failed(&walk, EISDIR, ret_error);
    *ret_name = name;
    return go_all(&walk, (size_t)(name - path), O_PATH | O_DIRECTORY, ret_error);
}
