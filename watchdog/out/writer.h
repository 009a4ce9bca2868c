/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writing thread, and the queue in front of it: journald, a pipe, a terminal and a disk may
 * all hold up whoever writes to them, and the loop must not be. The queue is short and nothing is
 * dropped here: what has no room waits in the loop's backlog (sink.c), which is told when there is
 * room again. Knows nothing of records.
 */
#ifndef OUT_WRITER_H
#define OUT_WRITER_H

#include <systemd/sd-event.h>

#include "../util/buffer.h"

struct writer;

struct writer_config {
    int fd; /* passed on to `send` */
    size_t max_entries, max_bytes;
    /* In the thread: may wait. Returns how many bytes were taken, or -errno: the entry is lost. */
    ssize_t (*send)(int fd, const char *bytes, size_t n_bytes);
    /* In the loop: there is room again, or all is written, or entries are lost for a new reason. */
    void (*room)(void *user);
    void *user;
};

int writer_new(sd_event *loop, const struct writer_config *config, struct writer **ret_writer);

/* May one more entry be queued? Else, and only then, config.room is called when half is free. */
bool writer_has_room(struct writer *writer);

/* Queues an entry, which `n_records` are lost with: those in it, and those that it says are lost.
 */
void writer_push(struct writer *writer, const struct buffer *entry, uint64_t n_records);

/* How many records were lost since this was last asked; `*ret_error`: the latest reason, 0: none.
 */
uint64_t writer_lost(struct writer *writer, int *ret_error);

/* When something was last taken, or the first entry queued. By CLOCK_MONOTONIC. */
uint64_t writer_taken_us(const struct writer *writer);

/* Waits for room until then. False: there is none. */
bool writer_wait(struct writer *writer, uint64_t until_us);

/* Waits until then for the queue to be written, and ends the thread. Returns how many records are
 * lost; `*ret_stuck`: the thread goes on, and is only ended with the process. */
uint64_t writer_stop(struct writer *writer, uint64_t until_us, bool *ret_stuck);

/* After writer_stop. NULL is fine. Returns NULL. */
struct writer *writer_free(struct writer *writer);

#endif
