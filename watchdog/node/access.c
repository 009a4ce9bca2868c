/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why the node's socket cannot be connected to: which part of its path is in the way, whose it is,
 * and the lines that change it. Changes nothing.
 */
#include "access.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../util/account.h"
#include "../util/format.h"

/* The part of the path that is in the way. */
struct obstacle {
    char path[PATH_MAX];
    struct stat stat;
    bool is_directory;
    bool found;
};

static bool is_member(gid_t gid)
{
    gid_t groups[256];
    int n = getgroups((int)ARRAY_SIZE(groups), groups);

    for (int i = 0; i < n; i++)
        if (groups[i] == gid)
            return true;
    return gid == getegid();
}

/* The first directory on the way, or the socket itself, that `mode` (of access(2)) is refused or
 * that is not there. */
static struct obstacle find_obstacle(const char *path)
{
    struct obstacle obstacle = {.is_directory = true};

    for (const char *end = path; *end && !obstacle.found;) {
        size_t length;

        end = strchr(end + 1, '/');
        end = end ? end : path + strlen(path);
        length = min_u64((uint64_t)(end - path), sizeof(obstacle.path) - 1);
        memcpy(obstacle.path, path, length);
        obstacle.path[length] = '\0';
        obstacle.is_directory = *end;
        obstacle.found = faccessat(AT_FDCWD, obstacle.path, *end ? X_OK : W_OK, AT_EACCESS) < 0;
    }
    if (stat(obstacle.path, &obstacle.stat) < 0)
        obstacle.stat = (struct stat){.st_mode = 0};
    return obstacle;
}

static bool is_below(const char *path, const char *directory)
{
    size_t length = strlen(directory);

    return !strncmp(path, directory, length) && (path[length] == '/' || !path[length]);
}

/* The unit's own sandbox is in the way, not the modes that `ls -l` shows. */
static bool is_hidden_by_unit(const char *path, const char *unit)
{
    return unit &&
           (is_below(path, "/home") || is_below(path, "/root") || is_below(path, "/run/user"));
}

static char *permission_advice(const struct obstacle *obstacle, const char *group, const char *unit)
{
    mode_t wanted = obstacle->is_directory ? S_IXGRP : S_IWGRP;
    gid_t gid = obstacle->stat.st_gid;

    if (is_hidden_by_unit(obstacle->path, unit))
        return string_format(
            "%s hides home directories (ProtectHome=yes): let the node serve its socket below /run",
            unit);
    if (!(obstacle->stat.st_mode & wanted) || !gid || is_member(gid))
        return string_format("Let the node give the socket, and the directory that it is in, a "
                             "group of its own and the modes 0660 and 0710, and give pathdog "
                             "that group (SupplementaryGroups= in its unit)");
    if (!unit)
        return string_format("Start pathdog as a member of the group %s", group);
    return string_format("Give pathdog the group %s: \"systemctl edit %s\", the lines [Service] "
                         "and SupplementaryGroups=%s, then \"systemctl restart %s\"",
                         group, unit, group, unit);
}

static char *explain_permission(const char *path, const char *unit)
{
    struct obstacle obstacle = find_obstacle(path);
    CLEANUP_FREE char *me = account_user_text(geteuid());
    CLEANUP_FREE char *owner = account_user_text(obstacle.stat.st_uid);
    CLEANUP_FREE char *group = account_group_text(obstacle.stat.st_gid);
    CLEANUP_FREE char *advice = permission_advice(&obstacle, group, unit);

    if (!obstacle.found)
        return string_format(
            "the modes of %s and of its directories allow the access to user %s: look for "
            "AppArmor or SELinux in \"journalctl -k\"",
            path, me);
    return string_format("user %s may not %s %s (owner %s, group %s, mode %04o). %s", me,
                         obstacle.is_directory ? "enter the directory" : "write to the socket",
                         obstacle.path, owner, group, (unsigned)obstacle.stat.st_mode & 07777,
                         advice);
}

static char *explain_absence(const char *path, const char *unit)
{
    struct obstacle obstacle = find_obstacle(path);

    if (unit && (is_below(path, "/tmp") || is_below(path, "/var/tmp")))
        return string_format("%s has a /tmp of its own (PrivateTmp=yes) and does not see %s: let "
                             "the node serve its socket below /run",
                             unit, path);
    return string_format("there is no %s. Does the node run, and is this the socket that it "
                         "serves for pathdog?",
                         obstacle.path);
}

static char *explain_refusal(const char *path)
{
    struct stat stat_of_it;

    if (*path != '@' && !stat(path, &stat_of_it) && !S_ISSOCK(stat_of_it.st_mode))
        return string_format("%s is not a socket: name the socket that the node serves for pathdog",
                             path);
    return string_format(
        "no process listens at %s. A node that has ended may have left the socket: start the node",
        path);
}

void access_explain(const char *path, int error, const char *unit, char *reason, size_t size)
{
    CLEANUP_FREE char *text = NULL;

    switch (error) {
    case EACCES:
        text = explain_permission(path, unit);
        break;
    case ENOENT:
    case ENOTDIR:
        text = explain_absence(path, unit);
        break;
    case ECONNREFUSED:
        text = explain_refusal(path);
        break;
    case EAGAIN:
        text = string_format(
            "the node at %s accepts no more connections: its process may hang, or be stopped",
            path);
        break;
    case EPROTOTYPE:
        text =
            string_format("%s is a socket of another type than a stream: name the socket that the "
                          "node serves for pathdog",
                          path);
        break;
    default:
        text = string_copy(path);
    }
    snprintf(reason, size, "cannot connect to the node: %s: %s", strerrordesc_np(error), text);
}
