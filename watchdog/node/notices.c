/* SPDX-License-Identifier: Apache-2.0 */
/* Notices about what the node sent, one of each kind for a batch. Logs nothing itself. */
#include "notices.h"

#include <stdarg.h>
#include <stdio.h>

#include "../util/printable.h"
#include "../util/util.h"

static const char *const kinds[NOTICE_KIND_COUNT] = {
    [NOTICE_BAD_LINE] = "bad-line",
    [NOTICE_BAD_MESSAGE] = "bad-message",
    [NOTICE_BAD_HELLO] = "bad-hello",
    [NOTICE_BAD_PEER_UP] = "bad-peer-up",
    [NOTICE_BAD_PEER_DOWN] = "bad-peer-down",
    [NOTICE_BAD_PEER_PATH] = "bad-peer-path",
    [NOTICE_BAD_SUMMARIES] = "bad-summaries",
    [NOTICE_BAD_ROW] = "bad-row",
    [NOTICE_BAD_ADDRESS] = "bad-address",
    [NOTICE_BAD_RELAYS] = "bad-relays",
    [NOTICE_BAD_ANSWER] = "bad-answer",
    [NOTICE_UNKNOWN_ANSWER] = "unknown-answer",
    [NOTICE_EARLY_MESSAGE] = "early-message",
    [NOTICE_NODE_REQUEST] = "node-request",
    [NOTICE_NETNS_MISMATCH] = "netns-mismatch",
    [NOTICE_PROBE_REFUSED] = "probe-refused",
    [NOTICE_PROBE_PATH_UNANSWERED] = "probe-path-unanswered",
    [NOTICE_SUMMARY_REFUSED] = "summary-refused",
    [NOTICE_SUMMARY_UNANSWERED] = "summary-unanswered",
};

static enum pd_level level_of(enum notice_kind kind)
{
    return kind == NOTICE_NETNS_MISMATCH ? PD_LEVEL_ERROR : PD_LEVEL_WARNING;
}

void notices_add(struct notices *notices, enum notice_kind kind, const char *line, size_t length,
                 const char *format, ...)
{
    char *text = notices->texts[kind];
    va_list arguments;
    size_t used;

    if (notices->counts[kind]++)
        return;
    va_start(arguments, format);
    vsnprintf(text, NOTICE_TEXT_MAX, format, arguments);
    va_end(arguments);
    used = strlen(text);
    if (line && NOTICE_TEXT_MAX - used > 10) {
        memcpy(text + used, ": ", 2);
        used += 2;
        text_printable(text + used, min_u64(NOTICE_TEXT_MAX - used, NOTICE_EXCERPT_MAX), line,
                       length);
    }
}

void notices_more(struct notices *notices, enum notice_kind kind, uint64_t count)
{
    notices->counts[kind] += count;
}

void notices_report(struct notices *notices, void (*event)(void *userdata, struct event *event),
                    void *userdata)
{
    for (size_t i = 0; i < NOTICE_KIND_COUNT; i++) {
        struct event notice = {
            .type = EVENT_NOTICE,
            .notice =
                {
                    .level = level_of(i),
                    .what = kinds[i],
                    .text = notices->texts[i],
                    .count = notices->counts[i],
                },
        };

        if (!notices->counts[i])
            continue;
        notices->counts[i] = 0;
        event(userdata, &notice);
    }
}
