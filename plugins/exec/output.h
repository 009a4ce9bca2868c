/* SPDX-License-Identifier: Apache-2.0 */
/* What the command writes: messages are handed on, lines of standard error are logged, and too much
 * of either ends it. */
#ifndef EXEC_OUTPUT_H
#define EXEC_OUTPUT_H

#include "source.h"

/* As runner_config.output; `user` is the source. */
void output_read(void *user, bool is_error, const char *bytes, size_t n);

/* The stream has ended. */
void output_ended(struct exec_source *source, bool is_error);

/* The command has ended. Only where it ended well its last message may lack the empty line: one
 * that died may have died within a line. */
void output_last_message(struct exec_source *source, bool good);

#endif
