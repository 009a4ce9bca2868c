/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a recording, event by event. Prints nothing: what is wrong is returned as text. */
#ifndef CODEC_RECORDING_H
#define CODEC_RECORDING_H

#include "codec.h"

/* What an event came from has at most 1 MiB (node/jsonrpc.h), which JSON's escapes
 * make longer. A configuration, and what a run before had learnt, may have up to
 * RECORDER_PENDING_MAX_BYTES. */
#define RECORDING_LINE_MAX_BYTES ((size_t)8 * 1024 * 1024)

struct recording;

/* Opens a file ("-": standard input) and reads its header. Returns 0 or -errno,
 * with `error` of `size` bytes filled; -EBADMSG: not a recording. */
int recording_open(const char *path, struct recording **ret_recording, char *error, size_t size);
struct recording *recording_free(struct recording *recording);

/* Lives as long as the recording. */
const struct recording_header *recording_header(const struct recording *recording);

/* Returns 1 with the next event, which lives until the next call; 0 at the end;
 * -EBADMSG for a line that cannot be read, or -errno, with `error` saying which
 * line and what. A line that is longer than what a recorder writes is refused
 * before it is read whole. */
int recording_next(struct recording *recording, struct event *ret, char *error, size_t size);

/* After the end: was the last line cut off, and so left out? (A killed run.) */
bool recording_is_truncated(const struct recording *recording);

/* The line last read, from 1; the header is 1. */
size_t recording_line(const struct recording *recording);

#endif
