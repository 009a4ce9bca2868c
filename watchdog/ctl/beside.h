/* SPDX-License-Identifier: Apache-2.0 */
/* Running another program of pathdog. */
#ifndef CTL_BESIDE_H
#define CTL_BESIDE_H

#include <spawn.h>

/* The one installed beside this program, else the one in $PATH. `actions` may be
 * NULL. Returns 0 or an error's number. */
int beside_spawn(const char *program, const posix_spawn_file_actions_t *actions,
                 char *const *arguments, pid_t *ret_pid);

#endif
