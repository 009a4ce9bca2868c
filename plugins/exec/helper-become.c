/* SPDX-License-Identifier: Apache-2.0 */
/* From the helper's child to the command. See helper.h. */
#include "helper.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOBODY "nobody"

/* getpwnam may wait for a name service: that is why it is asked here, and not in pathdog. */
int account_find(const char *user, struct account *ret_account)
{
    const char *name = *user ? user : NOBODY;
    const struct passwd *entry;

    *ret_account = (struct account){.uid = geteuid(), .gid = getegid()};
    if (geteuid() != 0 && !*user)
        return 0;
    errno = 0;
    entry = getpwnam(name);
    if (!entry)
        return errno && errno != ENOENT && errno != ESRCH ? -errno : -ENOENT;
    if (entry->pw_uid == 0)
        return -EPERM;
    if (geteuid() != 0)
        return entry->pw_uid == geteuid() ? 0 : -EPERM;
    *ret_account = (struct account){.change = true, .uid = entry->pw_uid, .gid = entry->pw_gid};
    return 0;
}

static int privileges_drop(const struct account *account)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}, {0}};

    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (account->change) {
        for (int i = 0; prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++)
            (void)prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
        if (setgroups(0, NULL) < 0 || setresgid(account->gid, account->gid, account->gid) < 0 ||
            setresuid(account->uid, account->uid, account->uid) < 0)
            return -errno;
    }
    /* Where a filter of system calls forbids this: without ambient ones, execve leaves none. */
    (void)syscall(SYS_capset, &header, none);
    return 0;
}

static void signals_reset(void)
{
    sigset_t none;

    for (int i = 1; i < NSIG; i++)
        (void)signal(i, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* "Permission denied" hides this. */
static int exec_error(const char *path, int error)
{
    struct stat there;

    return error == EACCES && stat(path, &there) == 0 && S_ISDIR(there.st_mode) ? EISDIR : error;
}

struct helper_word command_become(const struct account *account, pid_t parent, char **argv)
{
    const struct rlimit no_core = {0, 0};
    int r;

    (void)setpgid(0, 0);
    r = privileges_drop(account);
    if (r < 0)
        return (struct helper_word){HELPER_NO_CHANGE, -r};
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* after the change, which resets it */
    if (getppid() != parent)
        _exit(127); /* the helper has died meanwhile */
    (void)setrlimit(RLIMIT_CORE, &no_core);
    signals_reset();
    if (chdir("/") < 0)
        return (struct helper_word){HELPER_NO_EXEC, errno};
    execv(argv[0], argv);
    return (struct helper_word){HELPER_NO_EXEC, exec_error(argv[0], errno)};
}
