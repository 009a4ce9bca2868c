/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the control socket answers, as text: JSON, and OpenMetrics 1.0. Values in, bytes out; pure.
 */
#ifndef UDP_RELAY_REPORT_H
#define UDP_RELAY_REPORT_H

#include "control.h"
#include "util/buffer.h"

struct report {
    const char *version;
    const struct options *options;
    const struct control_members *members;
    struct endpoint address;
    bool activated; /* the socket came from systemd */
    unsigned workers;
    uint64_t now_us;        /* of the relay's clock */
    uint64_t started_us;    /* of the same */
    uint64_t started_epoch; /* the same moment, seconds since 1970 */
    uint32_t circuits, pending;
    size_t memory_bytes, session_bytes;
    uint64_t counts[RELAY_COUNTS];
    struct server_counts sockets;
};

/* One object, and a line end. */
void report_status(struct buffer *out, const struct report *report);

/* The sessions of an array: each without a comma before it. */
void report_session(struct buffer *out, const struct relay_session_view *session, uint64_t now_us);

/* Ends in "# EOF" and a line end. */
void report_metrics(struct buffer *out, const struct report *report);

#endif
