/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a connection to the node is made of: shared by protocol.c (state, lines,
 * requests, time) and received.c (what messages mean). Nobody else includes it.
 */
#ifndef NODE_PROTOCOL_PRIVATE_H
#define NODE_PROTOCOL_PRIVATE_H

#include "decode.h"
#include "jsonrpc.h"
#include "notices.h"
#include "path-probes.h"
#include "pending.h"
#include "protocol.h"
#include "relays.h"
#include "requests.h"
#include "summaries-scan.h"
#include "summaries.h"

/* Summaries refused because one is open; more in one turn are a defect of the caller. */
#define REFUSED_MAX 16

enum protocol_state {
    PROTOCOL_CLOSED,
    PROTOCOL_HELLO,     /* asked */
    PROTOCOL_SUBSCRIBE, /* asked */
    PROTOCOL_READY,
};

struct protocol {
    char *client;
    uint64_t netns;
    uint64_t sample_interval_us;
    protocol_event_fn *event;
    void *userdata;

    enum protocol_state state;
    uint32_t uid;
    uint32_t features;
    uint64_t deadline_us; /* of hello, or of the snapshot's next peer or end */
    uint64_t n_listed;    /* peers of the snapshot so far */
    uint64_t now_us;      /* of the call under way */

    uint64_t summary_id; /* of the one that is open, 0: none */
    uint64_t summary_poll;
    uint64_t summary_deadline_us;
    uint64_t refused[REFUSED_MAX]; /* polls whose failure is still to be told */
    size_t n_refused;

    struct pending pending;
    struct path_probes probes;
    struct lines lines;
    struct buffer out;
    size_t refusals_bytes; /* appended to `out` since it was last empty */
    struct move_writer writer;
    struct summaries batch;
    struct summaries_scan scan;
    struct notices notices;
    struct scratch scratch;
    struct relays_room relays;
    char reason[NOTICE_TEXT_MAX];
};

/* One line of the node, as parsed, and as it was for excerpts in notices. */
struct reported {
    struct message message;
    const char *line;
    size_t length;
};

/* An answer, or a malformed one with an id. Returns 0 or what to close for. */
int received_answer(struct protocol *protocol, const struct reported *reported);
void received_notification(struct protocol *protocol, const struct reported *reported);
void report_samples(struct protocol *protocol); /* of protocol->batch */
void report_probed(struct protocol *protocol, const struct event_probed *probed);
void report_summary_done(struct protocol *protocol, uint64_t poll, bool failed, bool unanswered);

/* Writes protocol_reason() and returns `error`. */
__attribute__((format(printf, 3, 4))) int protocol_fail(struct protocol *protocol, int error,
                                                        const char *format, ...);

#endif
