/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that is read at once and replaced at once: whoever is killed in the
 * middle of it, and whatever the disk says, it is the old one or the new one.
 */
#ifndef STATE_FILE_H
#define STATE_FILE_H

#include <stddef.h>

#define STATE_FILE       "state.json"
#define STATE_FILE_ASIDE "state.json.bad"
#define STATE_FILE_BYTES ((size_t)512 << 20) /* at most so many are read */

/* The names that the state's files have in their directory, also for a while; ends with NULL. */
extern const char *const file_names[];

/* Opens the directory, which is made if only it is missing. It must be one that no other user could
 * exchange or write in (util/safe-path.h). Returns a descriptor to name files by, or -errno with
 * `*ret_step`, what failed, and a sentence: -EPERM, where another user could. */
int directory_open(const char *directory, const char **ret_step, char **ret_error);

/* Reads DIRECTORY/NAME; `*ret_bytes` is the caller's. 0, or -errno: -ENOENT, -EFBIG,
 * -EBADMSG if it is no regular file. */
int file_load(const char *directory, const char *name, char **ret_bytes, size_t *ret_length);

/* Replaces it: a temporary file, synced, then renamed. The directory is made if only
 * it is missing. Returns 0 or -errno; `*ret_step` says what failed. */
int file_save(const char *directory, const char *name, const char *bytes, size_t length,
              const char **ret_step);

/* Gives it the name `aside`, of which there is only the last one. 0 or -errno. */
int file_set_aside(const char *directory, const char *name, const char *aside);

#endif
