/* SPDX-License-Identifier: Apache-2.0 */
/* Standard error: with the level in front where it is the journal. */
#include "log.h"

#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../util/format.h"
#include "../util/printable.h"

/* A journal that stands still must not hold up what has its time: then the line is left out. What
 * is ready takes so many bytes without waiting. */
#define SAY_MS    100
#define SAY_BYTES ((size_t)PIPE_BUF)

/* By $JOURNAL_STREAM: the device and the inode of what systemd has connected. */
static bool is_journal(void)
{
    const char *text = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat st;

    return text && sscanf(text, "%llu:%llu", &device, &inode) == 2 &&
           fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

static void line_write(char *line)
{
    struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
    size_t length = strlen(line);

    if (length > SAY_BYTES)
        memcpy(line + SAY_BYTES - strlen("...\n"), "...\n", sizeof("...\n"));
    if (poll(&ready, 1, SAY_MS) == 1 && ready.revents & POLLOUT)
        (void)!write(STDERR_FILENO, line, min_u64(length, SAY_BYTES));
}

void alert_say(enum pd_level level, const char *format, ...)
{
    CLEANUP_FREE char *text = NULL, *shown = NULL, *line = NULL;
    va_list arguments;

    va_start(arguments, format);
    text = string_vformat(format, arguments);
    va_end(arguments);
    shown = text_shown(text);
    line = is_journal() ? string_format("<%d>%s\n", (int)level, shown)
                        : string_format("pathdog-alert: %s\n", shown);
    line_write(line);
}
