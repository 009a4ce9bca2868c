/* SPDX-License-Identifier: Apache-2.0 */
/* What the node tells its operator: lines on standard error, or entries of the journal. */
#ifndef FLOW_NODE_LOG_H
#define FLOW_NODE_LOG_H

#include "options.h"

struct log {
    enum log_kind kind;
    uint64_t lost; /* lines that standard error did not take */
};

/* `priority` as in <syslog.h>. */
__attribute__((format(printf, 3, 4))) void log_line(struct log *log, int priority,
                                                    const char *format, ...);

#endif
