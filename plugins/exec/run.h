/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the source of the trigger exec share: notices, the timer, and the end of a run
 * that did what it must not. */
#ifndef EXEC_RUN_H
#define EXEC_RUN_H

#include "source.h"

/* Frees the text. */
void run_notice(struct exec_source *source, enum pd_level level, const char *what, char *text);

/* How the command does, for `explain`. */
void run_state(struct exec_source *source, const char *text);

/* Sets the one timer to the first of what may come. */
void run_timer(struct exec_source *source);

/* Away with it, and a notice: it did something that it must not. It is started again after a pause.
 */
void run_stop_for(struct exec_source *source, const char *what, const char *why);

/* Why it was not started, and how it has ended. */
const char *run_failure_text(const struct exec_source *source, char *text, size_t size);
void run_status_text(const struct exec_source *source, char *text, size_t size);

#endif
