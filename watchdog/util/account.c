/* SPDX-License-Identifier: Apache-2.0 */
/* Looks a second time before it says that an account is not there. */
#include "account.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include "exit-status.h"

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
    id_t id = 0;
    int r = find(name, NULL, &id);

    if (r == 0)
        *ret_uid = id;
    return r;
}

int account_group(const char *name, gid_t *ret_gid)
{
    id_t id = 0;
    int r = find(NULL, name, &id);

    if (r == 0)
        *ret_gid = id;
    return r;
}
