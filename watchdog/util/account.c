/* SPDX-License-Identifier: Apache-2.0 */
/* Looks a second time before it says that an account is not there. */
#include "account.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "exit-status.h"
#include "format.h"

#define LINE_BYTES        16384
#define ACCOUNT_NAME_SIZE 256

/* The user of this name or, without one, this number in /etc/passwd itself; "": not there. The
 * file is read line by line, without a name service. */
static void file_user(const char *name, uid_t uid, char *ret_name, size_t size, uid_t *ret_uid)
{
    struct passwd entry, *found = NULL;
    FILE *file = fopen("/etc/passwd", "re");
    char memory[LINE_BYTES];

    *ret_name = '\0';
    while (file && fgetpwent_r(file, &entry, memory, sizeof(memory), &found) == 0)
        if (name ? !strcmp(entry.pw_name, name) : entry.pw_uid == uid) {
            snprintf(ret_name, size, "%s", entry.pw_name);
            *ret_uid = entry.pw_uid;
            break;
        }
    if (file)
        fclose(file);
}

static void file_group(const char *name, gid_t gid, char *ret_name, size_t size, gid_t *ret_gid)
{
    struct group entry, *found = NULL;
    FILE *file = fopen("/etc/group", "re");
    char memory[LINE_BYTES];

    *ret_name = '\0';
    while (file && fgetgrent_r(file, &entry, memory, sizeof(memory), &found) == 0)
        if (name ? !strcmp(entry.gr_name, name) : entry.gr_gid == gid) {
            snprintf(ret_name, size, "%s", entry.gr_name);
            *ret_gid = entry.gr_gid;
            break;
        }
    if (file)
        fclose(file);
}

char *account_user_text(uid_t uid)
{
    char name[ACCOUNT_NAME_SIZE];

    file_user(NULL, uid, name, sizeof(name), &uid);
    return *name ? string_copy(name) : string_format("%u", (unsigned)uid);
}

char *account_group_text(gid_t gid)
{
    char name[ACCOUNT_NAME_SIZE];

    file_group(NULL, gid, name, sizeof(name), &gid);
    return *name ? string_copy(name) : string_format("%u", (unsigned)gid);
}

/* 0: found; -ENOENT: not; else what kept the look-up from an answer. */
static int look(const char *user, const char *group, id_t *ret_id)
{
    const struct passwd *found_user = NULL;
    const struct group *found_group = NULL;

    errno = 0;
    if (user)
        found_user = getpwnam(user);
    else
        found_group = getgrnam(group);
    if (found_user || found_group) {
        *ret_id = found_user ? found_user->pw_uid : found_group->gr_gid;
        return 0;
    }
    /* Several words for "not found": getpwnam(3) has the list. */
    return !errno || errno == ESRCH || errno == EBADF || error_is_operators(-errno) ? -ENOENT
                                                                                    : -errno;
}

/* Can the file be read that nearly all accounts are in? 0, or what the machine says. */
static int file_try(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), r;
    char byte;

    if (fd < 0)
        return error_is_operators(-errno) ? 0 : -errno;
    r = read(fd, &byte, 1) < 0 && !error_is_operators(-errno) ? -errno : 0;
    close(fd);
    return r;
}

static int find(const char *user, const char *group, id_t *ret_id)
{
    int r = look(user, group, ret_id), again;

    if (r != -ENOENT)
        return r;
    again = file_try(user ? "/etc/passwd" : "/etc/group");
    return again < 0 ? again : look(user, group, ret_id);
}

int account_user(const char *name, uid_t *ret_uid)
{
    char found[ACCOUNT_NAME_SIZE];
    id_t id = 0;
    int r = 0;

    file_user(name, 0, found, sizeof(found), &id);
    if (!*found)
        r = find(name, NULL, &id);
    if (r == 0)
        *ret_uid = id;
    return r;
}

int account_group(const char *name, gid_t *ret_gid)
{
    char found[ACCOUNT_NAME_SIZE];
    id_t id = 0;
    int r = 0;

    file_group(name, 0, found, sizeof(found), &id);
    if (!*found)
        r = find(NULL, name, &id);
    if (r == 0)
        *ret_gid = id;
    return r;
}
