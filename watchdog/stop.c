/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end, within 2 s whatever the readers of the log and the disks do: what is left is written by
 * the threads that write anyway, all at the same time, and what was not written then is counted.
 */
#include <errno.h>

#include "daemon_private.h"
#include "util/disk.h"
#include "util/format.h"

/* Given at the end to the readers of the log, the recording and the state file, all together. */
#define DRAIN_US UINT64_C(1500000)
/* When the process ends in any case, and for how long its last words are tried. */
#define STOP_US UINT64_C(1950000)
#define SAY_US  UINT64_C(300000)

void daemon_stop_begin(struct daemon *daemon)
{
    uint64_t now_us = clock_us(CLOCK_MONOTONIC);
    CLEANUP_FREE char *text =
        string_format("%spathdog: the stop hangs, and is ended\n", sink_error_prefix());

    if (daemon->stop_by_us)
        return;
    daemon->stop_by_us = now_us + DRAIN_US;
    daemon->guard = guard_start(now_us + STOP_US, EXIT_FAILURE, text);
}

__attribute__((format(printf, 2, 3))) static void add_line(struct buffer *lines, const char *format,
                                                           ...)
{
    CLEANUP_FREE char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    text = string_vformat(format, arguments);
    va_end(arguments);
    buffer_text(lines, sink_error_prefix());
    buffer_text(lines, "pathdog: ");
    buffer_text(lines, text);
    buffer_append(lines, "\n", 1);
}

/* All three are written at the same time, by their threads. Returns whether one hangs. */
static bool daemon_drain(struct daemon *daemon, struct buffer *lines)
{
    bool stuck = false;
    int r;

    if (daemon->recorder)
        recorder_end(daemon->recorder);
    if (daemon->sink)
        daemon->n_log_lost += sink_drain(daemon->sink, daemon->stop_by_us, &stuck);
    if (daemon->n_log_lost)
        add_line(lines, "%llu records could not be written to the log",
                 (unsigned long long)daemon->n_log_lost);
    r = daemon->keeper ? keeper_wait(daemon->keeper, daemon->stop_by_us) : 0;
    if (r < 0)
        add_line(lines, "the learnt state could not be saved: %s", strerror(-r));
    stuck |= r == -ETIMEDOUT;
    r = daemon->recorder ? recorder_stop(daemon->recorder, daemon->stop_by_us) : 0;
    if (r < 0)
        add_line(lines, "the recording is not complete: %s", strerror(-r));
    return stuck | (r == -ETIMEDOUT);
}

bool daemon_stop(struct daemon *daemon)
{
    struct buffer lines = {0};
    bool stuck;

    daemon_stop_begin(daemon);
    daemon->stopped = true;
    daemon->control = control_free(daemon->control);
    metrics_close(daemon->metrics);
    daemon->sources = sources_free(daemon->sources);
    daemon->link = link_free(daemon->link);
    stuck = daemon_drain(daemon, &lines);
    if (lines.length) {
        buffer_append(&lines, "", 1);
        (void)stderr_say(buffer_bytes(&lines), SAY_US);
    }
    buffer_clear(&lines);
    daemon->guard = guard_end(daemon->guard);
    return !stuck;
}
