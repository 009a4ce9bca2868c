/* SPDX-License-Identifier: Apache-2.0 */
/* What the relay tells its operator: lines on standard error, or entries of the journal with
 * fields. */
#ifndef UDP_RELAY_LOG_H
#define UDP_RELAY_LOG_H

#include "options.h"

struct log {
    enum log_kind kind;
    uint64_t lost; /* lines that standard error did not take, since it was last told */
};

/* `priority` as in <syslog.h>. */
__attribute__((format(printf, 3, 4))) void log_line(struct log *log, int priority,
                                                    const char *format, ...);
void log_event(struct log *log, const struct relay_event *event);

#endif
