/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of pathdog-exec (helper.c): becoming the command, and finding the helper's children. */
#ifndef EXEC_HELPER_H
#define EXEC_HELPER_H

#include "wire.h"

#include <stdbool.h>
#include <sys/types.h>

struct account {
    bool change; /* false: the command runs as who we are */
    uid_t uid;
    gid_t gid;
};

/* Who the command is to be: as root `user`, or nobody where that is empty; for anybody else only
 * themselves. Returns 0; -ENOENT: no such user; -EPERM: root, or it cannot be changed to. */
int account_find(const char *user, struct account *ret_account);

/* In the child: drops what can be dropped, and becomes the command. Returns why it could not. */
struct helper_word command_become(const struct account *account, pid_t parent, char **argv);

/* Kills the processes whose parent we are, which are not collected yet, so that a number cannot be
 * another's. Those that they leave are ours next. */
void children_kill(void);

#endif
