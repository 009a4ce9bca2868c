/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One save of the state file, in a thread of its own: the loop does not wait for
 * a disk. The thread has the bytes and nothing else.
 */
#ifndef STATE_SAVE_H
#define STATE_SAVE_H

#include <stdbool.h>
#include <stdint.h>

#include "../util/buffer.h"
#include "lock.h"

struct save;

struct save_result {
    int error;        /* 0, or -errno */
    const char *step; /* what failed */
    uint64_t digest;  /* of the bytes; never 0 */
};

/* Takes the bytes over, the directory's name and its lock are borrowed: nothing is written before
 * the lock is taken; `done_fd`, an eventfd, is
 * written to at the end. Bytes of this digest are in the file already and are not
 * written again; 0: none are. 0, or -errno and nothing is taken over. */
int save_start(const char *directory, struct lock *lock, struct buffer *bytes,
               uint64_t saved_digest, int done_fd, struct save **ret_save);

/* Waits for its end; frees it. */
struct save_result save_finish(struct save *save);

/* The same at once, in the caller's time. */
struct save_result save_now(const char *directory, struct lock *lock, const struct buffer *bytes);

#endif
