/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include "util/util.h"

#include <inttypes.h>
#include <stdio.h>

/* "999 B", "4.2 MB"; "18.4 EB" at most. */
#define SIZE_TEXT 32
/* "9.5 s", "29 min", "512 h". */
#define TIME_TEXT 32

/* Rounded down: what is left is not less than it reads. */
static const char *size_text(char text[static SIZE_TEXT], uint64_t bytes)
{
    static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    uint64_t unit = 1000;
    size_t i = 0;

    if (bytes < 1000) {
        snprintf(text, SIZE_TEXT, "%" PRIu64 " B", bytes);
        return text;
    }
    while (i + 1 < ARRAY_SIZE(units) && bytes / unit >= 1000) {
        unit *= 1000;
        i++;
    }
    snprintf(text, SIZE_TEXT, "%" PRIu64 ".%" PRIu64 " %s", bytes / unit,
             bytes % unit / (unit / 10), units[i]);
    return text;
}

static const char *time_text(char text[static TIME_TEXT], uint64_t ms)
{
    if (ms < 60000)
        snprintf(text, TIME_TEXT, "%" PRIu64 ".%" PRIu64 " s", ms / 1000, ms % 1000 / 100);
    else if (ms < 3600000)
        snprintf(text, TIME_TEXT, "%" PRIu64 " min %" PRIu64 " s", ms / 60000, ms / 1000 % 60);
    else
        snprintf(text, TIME_TEXT, "%" PRIu64 " h %" PRIu64 " min", ms / 3600000, ms / 60000 % 60);
    return text;
}

/* "relay A"; where the node has not told it, "the relay". */
#define RELAY_FORMAT      "%s%s"
#define RELAY_WORDS(name) (name) ? "relay " : "the relay", (name) ? (name) : ""

void lease_reason(char text[static LEASE_REASON_SIZE], const struct lease_term *term,
                  const struct lease_left *left, uint64_t rate, const char *now, const char *target)
{
    bool sent = term->end == LEASE_END_SENT;
    char eta[TIME_TEXT], bytes[SIZE_TEXT], speed[SIZE_TEXT];
    int n;

    time_text(eta, term->eta_ms);
    if (term->end == LEASE_END_TIME)
        n = snprintf(text, LEASE_REASON_SIZE, "%s left on " RELAY_FORMAT, eta, RELAY_WORDS(now));
    else
        n = snprintf(text, LEASE_REASON_SIZE, "%s left to %s on " RELAY_FORMAT ", %s at %s/s",
                     size_text(bytes, sent ? left->sent : left->received),
                     sent ? "send" : "receive", RELAY_WORDS(now), eta, size_text(speed, rate));
    if (!target || n < 0 || (size_t)n >= LEASE_REASON_SIZE)
        return;
    if (string_equal(target, now))
        snprintf(text + n, LEASE_REASON_SIZE - (size_t)n, "; a new circuit there");
    else
        snprintf(text + n, LEASE_REASON_SIZE - (size_t)n, "; relay %s instead", target);
}

int lease_report(char *text, size_t size, const struct lease_left *left, uint64_t eta_ms,
                 const char *now, uint64_t now_us)
{
    bool sent = left->sent != PD_UNKNOWN, received = left->received != PD_UNKNOWN;
    bool time = left->cut_us != PD_UNKNOWN;
    char sent_text[SIZE_TEXT], received_text[SIZE_TEXT], cut[TIME_TEXT], eta[TIME_TEXT];

    if (!sent && !received && !time)
        return now ? snprintf(text, size, "no limit is known of relay %s", now)
                   : snprintf(text, size, "the node tells of no relay, and of no limit");
    return snprintf(text, size, "%s%s%s%s%s%s%s left on " RELAY_FORMAT "%s%s",
                    sent ? size_text(sent_text, left->sent) : "", sent ? " to send" : "",
                    sent && received ? ", " : "",
                    received ? size_text(received_text, left->received) : "",
                    received ? " to receive" : "", time && (sent || received) ? " and " : "",
                    time ? time_text(cut, sub_u64(left->cut_us, now_us) / 1000) : "",
                    RELAY_WORDS(now), !sent && !received ? "" : ", at this rate ",
                    !sent && !received     ? ""
                    : eta_ms == PD_UNKNOWN ? "for ever"
                                           : time_text(eta, eta_ms));
}
