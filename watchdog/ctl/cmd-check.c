/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pathdogctl check: has a file read by the program that would use it. Needs no
 * daemon; a running one is not touched.
 */
#include <errno.h>
#include <limits.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl.h"

#define PROGRAM "pathdog"

extern char **environ;

/* The one installed beside us, else the one in $PATH. */
static int start(char *const *arguments, pid_t *ret_pid)
{
    char path[PATH_MAX + sizeof(PROGRAM)];
    ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);

    if (n > 0) {
        path[n] = '\0';
        strcpy(strrchr(path, '/') + 1, PROGRAM);
        if (access(path, X_OK) == 0)
            return posix_spawn(ret_pid, path, NULL, NULL, arguments, environ);
    }
    return posix_spawnp(ret_pid, PROGRAM, NULL, NULL, arguments, environ);
}

enum ctl_status command_check(struct ctl *ctl)
{
    char *arguments[] = {(char *)PROGRAM, (char *)"--config", ctl->words[0], (char *)"--check",
                         NULL};
    int r, status;
    pid_t pid;

    fflush(stdout);
    r = start(arguments, &pid);
    if (r != 0) {
        complain("cannot run " PROGRAM ": %s", strerror(r));
        return CTL_FAILED;
    }
    do {
        r = (int)waitpid(pid, &status, 0);
    } while (r < 0 && errno == EINTR);
    return r >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? CTL_GOOD : CTL_FAILED;
}
