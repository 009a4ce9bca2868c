/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket: a UNIX stream socket on which each line is a command. The answer is
 * lines of data, if any, then one line `ok` or `error: TEXT`. Must not know the commands.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define CONTROL_LINE_MAX  256
#define CONTROL_REPLY_MAX 2048

struct control;

/* Fills reply (at most `size` with its 0 byte, ends with a newline if it is not empty). */
typedef bool control_handler(void *owner, const char *line, char *reply, size_t size);

/*
 * Takes over a socket file that nobody listens on; -EADDRINUSE if somebody does.
 * The handler returns false to have `reply` sent as the text of an error.
 */
int control_new(const char *path, control_handler *handler, void *owner,
                struct control **ret_control);
struct control *control_free(struct control *control);

/* Readable when control_dispatch() has something to do; it never blocks. */
int control_fd(const struct control *control);
void control_dispatch(struct control *control);

/* The client: sends one command, prints the answer. Returns the exit status. */
int control_call(const char *path, char *const words[], int count);
