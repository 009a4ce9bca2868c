/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One pathdog for each state directory: two would overwrite what the other has learnt. The lock is
 * that of a file in it (flock(2)) that nobody but its owner may open: anybody who may open a file
 * may lock it, so the directory itself, which all may read, is no lock. The file stays; the kernel
 * lets go of it however a run ends.
 */
#ifndef STATE_LOCK_H
#define STATE_LOCK_H

#include <stdbool.h>

#define LOCK_FILE "state.lock"

struct lock {
    int fd; /* -1: not taken */
};

/* Takes it, if it is not taken yet or its file is gone, until lock_drop; the directory is made if
 * only it is missing. On a file system that knows no locks it counts as taken. Returns 0, or -errno
 * and a sentence without the directory's place in the configuration: -EBUSY another process has it;
 * -EPERM or -EINVAL the file is not one of ours, or others could exchange the directory; -EACCES
 * the directory may not be written to. */
int lock_take(struct lock *lock, const char *directory, char **ret_error);

/* Of that error: nothing can be written there now, which needs no lock. */
bool lock_is_needless(int error);

void lock_drop(struct lock *lock);

#endif
