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

/* Takes the bytes over; the lock is borrowed, and nothing is written before it is taken.
 * `done_fd`, an eventfd, is written to at the end. Bytes of this digest are in the file already
 * and are not written again; 0: none are. 0, or -errno and nothing is taken over. */
int save_start(const char *directory, struct lock *lock, struct buffer *bytes,
               uint64_t saved_digest, int done_fd, struct save **ret_save);

/* Waits for its end until that time of CLOCK_MONOTONIC. Returns 0, and it is freed; or -ETIMEDOUT:
 * it goes on, and is only ended with the process. */
int save_finish(struct save *save, uint64_t until_us, struct save_result *ret_result);

/* The same at once, in the caller's time. */
struct save_result save_now(const char *directory, struct lock *lock, const struct buffer *bytes);

#endif
