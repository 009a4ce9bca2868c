/* SPDX-License-Identifier: Apache-2.0 */
/* Nobody who does not read standard error can hold us up: what it does not take is lost. */
#include "log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "util/printable.h"
#include "util/util.h"

#define LINE_SIZE 1024u

static void text_write(struct log *log, const char *text)
{
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
    CLEANUP_FREE char *shown = text_shown(text);
    char line[LINE_SIZE + 16];
    int length = snprintf(line, sizeof(line), "flow-node: %.*s\n", (int)LINE_SIZE, shown);

    if (poll(&out, 1, 0) < 1 || !(out.revents & POLLOUT) ||
        write(STDERR_FILENO, line, (size_t)length) < 0)
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
