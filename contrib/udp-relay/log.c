/* SPDX-License-Identifier: Apache-2.0 */
/* See log.h. Nobody who does not read standard error can hold us up: what it does not take is lost.
 */
#include "log.h"

#include "util/duration.h"
#include "util/printable.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#define LINE_SIZE 1024u
#define ID_SIZE   (RELAY_ID_MAX * PRINTABLE_GROWTH + 1)

static bool line_write(const char *text)
{
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
    char line[LINE_SIZE + 16];
    int length = snprintf(line, sizeof(line), "udp-relay: %s\n", text);

    return poll(&out, 1, 0) == 1 && out.revents & POLLOUT &&
           write(STDERR_FILENO, line, (size_t)length) >= 0;
}

static void text_write(struct log *log, const char *text)
{
    char before[96];

    snprintf(before, sizeof(before), "standard error was not read: %llu lines are lost",
             (unsigned long long)log->lost);
    if (log->lost && line_write(before))
        log->lost = 0;
    if (log->lost || !line_write(text))
        log->lost++;
}

void log_line(struct log *log, int priority, const char *format, ...)
{
    char text[LINE_SIZE];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (log->kind == LOG_TEXT)
        text_write(log, text);
    else
        sd_journal_send("MESSAGE=%s", text, "PRIORITY=%i", priority, NULL);
}

/* ---- events ---- */

struct told {
    char id[ID_SIZE];
    char member[2][ENDPOINT_TEXT_SIZE];
    char age[DURATION_SIZE];
    char text[LINE_SIZE];
};

static void moved(const struct relay_event *event, struct told *told)
{
    snprintf(told->text, sizeof(told->text), "session %s: %s is at %s now (%s)", told->id,
             told->member[0], told->member[1], relay_reason_name(event->reason));
}

static void ended(const struct relay_event *event, struct told *told)
{
    if (event->n_members == 1)
        snprintf(told->text, sizeof(told->text),
                 "session %s ended without a peer for %s after %s (%s)", told->id, told->member[0],
                 told->age, relay_reason_name(event->reason));
    else
        snprintf(told->text, sizeof(told->text),
                 "session %s ended after %s (%s): %s sent %llu bytes, %s %llu bytes", told->id,
                 told->age, relay_reason_name(event->reason), told->member[0],
                 (unsigned long long)event->bytes[0], told->member[1],
                 (unsigned long long)event->bytes[1]);
}

static void tell(const struct relay_event *event, struct told *told)
{
    switch (event->kind) {
    case RELAY_REGISTERED:
        snprintf(told->text, sizeof(told->text), "session %s: %s waits for a peer", told->id,
                 told->member[0]);
        break;
    case RELAY_OPENED:
        snprintf(told->text, sizeof(told->text), "session %s opened: %s and %s", told->id,
                 told->member[0], told->member[1]);
        break;
    case RELAY_MOVED:
        moved(event, told);
        break;
    case RELAY_LIMITED:
        snprintf(told->text, sizeof(told->text),
                 "session %s: %s has sent all that it may (%llu bytes)", told->id, told->member[0],
                 (unsigned long long)event->bytes[0]);
        break;
    case RELAY_REFUSED:
        snprintf(told->text, sizeof(told->text), "session %s: %s was refused (%s)", told->id,
                 told->member[0], relay_reason_name(event->reason));
        break;
    default:
        ended(event, told);
    }
}

static int priority_of(const struct relay_event *event)
{
    return event->kind == RELAY_REFUSED || event->kind == RELAY_LIMITED ? LOG_NOTICE : LOG_INFO;
}

void log_event(struct log *log, const struct relay_event *event)
{
    struct told told = {0};

    text_printable(told.id, sizeof(told.id), event->id, event->id_size);
    for (unsigned i = 0; i < event->n_members && i < 2; i++)
        endpoint_text(told.member[i], &event->member[i]);
    duration_text(told.age, event->age_us);
    tell(event, &told);
    if (log->kind == LOG_TEXT) {
        text_write(log, told.text);
        return;
    }
    sd_journal_send("MESSAGE=%s", told.text, "PRIORITY=%i", priority_of(event),
                    "UDP_RELAY_EVENT=%s", relay_event_name(event->kind), "UDP_RELAY_REASON=%s",
                    relay_reason_name(event->reason), "UDP_RELAY_SESSION=%s", told.id,
                    "UDP_RELAY_MEMBER=%s", told.member[0], "UDP_RELAY_MEMBER=%s", told.member[1],
                    "UDP_RELAY_SENT_BYTES=%llu", (unsigned long long)event->bytes[0],
                    "UDP_RELAY_RECEIVED_BYTES=%llu", (unsigned long long)event->bytes[1], NULL);
}
