/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a recording: every event of a run, as it arrives. The file is written
 * by a thread, so that a slow disk does not hold the loop; at most a second of
 * it is lost when the process is killed. Decides nothing, logs nothing.
 */
#ifndef CODEC_RECORDER_H
#define CODEC_RECORDER_H

#include "codec.h"

/* What the disk has not taken; more than this ends the recording: one with a
 * hole in it could not be replayed. */
#define RECORDER_PENDING_MAX_BYTES ((size_t)64 * 1024 * 1024)

struct recorder;

/* Makes `path` anew (mode 0640, locked as long as it is written), in place of an
 * earlier recording if there is one, and writes the header. Returns 0, or -errno
 * with a sentence without the path: -EINVAL, -ELOOP, -EISDIR, -EEXIST what has the
 * name is no recording, -EBUSY another process writes it, -EAGAIN no thread could
 * be started, or what a system call says. */
int recorder_new(const char *path, const struct recording_header *header,
                 struct recorder **ret_recorder, char **ret_error);

/* Appends one event. Returns 0; or, once, the -errno for which the recording has
 * stopped (-ENOSPC: disk full, -ENOBUFS: disk too slow); 0 again after that. */
int recorder_event(struct recorder *recorder, const struct event *event);

/* No more events: the thread writes what is left. */
void recorder_end(struct recorder *recorder);

/* The same, and waits for it until that time of CLOCK_MONOTONIC. Returns 0, or the -errno that
 * recorder_event has not said yet; -ETIMEDOUT: the thread goes on, and is only ended with the
 * process. */
int recorder_stop(struct recorder *recorder, uint64_t until_us);

/* After recorder_stop, or a failed start. NULL is fine. Returns NULL. */
struct recorder *recorder_free(struct recorder *recorder);

#endif
