/* SPDX-License-Identifier: Apache-2.0 */
/* Which file that program is. */
#include "beside.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

int beside_spawn(const char *program, const posix_spawn_file_actions_t *actions,
                 char *const *arguments, pid_t *ret_pid)
{
    char self[PATH_MAX], path[PATH_MAX + 64];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (n > 0) {
        self[n] = '\0';
        *strrchr(self, '/') = '\0';
        snprintf(path, sizeof(path), "%s/%s", self, program);
        if (access(path, X_OK) == 0)
            return posix_spawn(ret_pid, path, actions, NULL, arguments, environ);
    }
    return posix_spawnp(ret_pid, program, actions, NULL, arguments, environ);
}
