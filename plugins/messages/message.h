/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message: what somebody else tells pathdog about a path, in lines of
 * KEY=VALUE in the style of sd_notify(3). Pure; fuzzed.
 */
#ifndef MESSAGES_MESSAGE_H
#define MESSAGES_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

/* The longest, in bytes. */
#define MESSAGE_MAX 4096u

struct message {
    const char *event;  /* "rebind", "up", "moved" or "down" */
    const char *tunnel; /* "" where absent, as the others */
    const char *peers;  /* globs, separated by spaces */
    const char *reason;
};

/* Reads `length` bytes at `text`, which is written to (there is room for one
 * byte more) and which the result points into. Keys that are not known are
 * skipped. Returns 0, or -EBADMSG with what is wrong in `*ret_error`. */
int message_parse(char *text, size_t length, struct message *ret_message, const char **ret_error);

#endif
