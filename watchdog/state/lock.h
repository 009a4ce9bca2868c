/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One pathdog for each state directory: two would overwrite what the other has
 * learnt. The directory itself is locked (flock(2)), so nothing is left there, and
 * the kernel lets go of it however a run ends.
 */
#ifndef STATE_LOCK_H
#define STATE_LOCK_H

#include <sys/types.h>

/* Locks the directory, which is made if only it is missing, until `*ret_fd` is closed.
 * 0; `*ret_fd` is -1 where there is nothing to lock (no such directory, or its file
 * system knows no locks). -EBUSY: somebody has it, `*ret_pid` if that is known, else 0. */
int lock_take(const char *directory, int *ret_fd, pid_t *ret_pid);

#endif
