/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pathdogctl check: has a file read by the program that would use it. Needs no
 * daemon; a running one is not touched.
 */
#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#include "beside.h"
#include "ctl.h"

#define PROGRAM "pathdog"

enum ctl_status command_check(struct ctl *ctl)
{
    char *arguments[] = {(char *)PROGRAM, (char *)"--config", ctl->words[0], (char *)"--check",
                         NULL};
    int r, status;
    pid_t pid;

    fflush(stdout);
    r = beside_spawn(PROGRAM, NULL, arguments, &pid);
    if (r != 0) {
        complain("cannot run " PROGRAM ": %s", strerror(r));
        return CTL_FAILED;
    }
    do {
        r = (int)waitpid(pid, &status, 0);
    } while (r < 0 && errno == EINTR);
    return r >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? CTL_GOOD : CTL_FAILED;
}
