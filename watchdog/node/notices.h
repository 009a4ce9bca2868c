/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was wrong with what the node sent: counted by kind while one batch of
 * bytes is read, then told as one notice each. Pure.
 */
#ifndef NODE_NOTICES_H
#define NODE_NOTICES_H

#include <stddef.h>
#include <stdint.h>

#include "../engine/event.h"

enum notice_kind {
    NOTICE_BAD_LINE, /* fatal: over length, not JSON, no object */
    NOTICE_BAD_MESSAGE,
    NOTICE_BAD_HELLO,
    NOTICE_BAD_PEER_UP,
    NOTICE_BAD_PEER_DOWN,
    NOTICE_BAD_PEER_PATH,
    NOTICE_BAD_SUMMARIES,
    NOTICE_BAD_ROW,
    NOTICE_BAD_ADDRESS,
    NOTICE_BAD_RELAYS,
    NOTICE_BAD_ANSWER,
    NOTICE_UNKNOWN_ANSWER,
    NOTICE_EARLY_MESSAGE, /* before hello was answered */
    NOTICE_NODE_REQUEST,
    NOTICE_NETNS_MISMATCH,
    NOTICE_PROBE_REFUSED,
    NOTICE_PROBE_PATH_UNANSWERED,
    NOTICE_SUMMARY_REFUSED,
    NOTICE_SUMMARY_UNANSWERED,
    NOTICE_KIND_COUNT
};

#define NOTICE_TEXT_MAX    256
#define NOTICE_EXCERPT_MAX 84 /* 80 bytes and the NUL, or less and an ellipsis */

struct notices {
    uint64_t counts[NOTICE_KIND_COUNT];
    char texts[NOTICE_KIND_COUNT][NOTICE_TEXT_MAX]; /* of the first of each */
};

/* Counts one; the text is kept if it is the first of its kind. With `line`, an
 * excerpt of it is added. */
__attribute__((format(printf, 5, 6), nonnull(5))) void notices_add(struct notices *notices,
                                                                   enum notice_kind kind,
                                                                   const char *line, size_t length,
                                                                   const char *format, ...);

/* Counts `count` more of a kind that was added already. */
void notices_more(struct notices *notices, enum notice_kind kind, uint64_t count);

/* Tells what was counted, and forgets it. */
void notices_report(struct notices *notices, void (*event)(void *userdata, struct event *event),
                    void *userdata);

#endif
