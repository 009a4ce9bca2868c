/* SPDX-License-Identifier: Apache-2.0 */
/* What the command writes, within its bounds. See output.h. */
#include "output.h"

#include "../messages/addresses.h"
#include "run.h"

#include "util/clock.h"
#include "util/format.h"
#include "util/printable.h"
#include "util/util.h"

static void on_message(void *user, const struct message *message)
{
    struct exec_source *source = user;
    const struct pd_field pid = {"pid", NULL, (uint64_t)source->pid};

    if (source->stopping)
        return;
    if (!limits_take_message(&source->limits, clock_us(CLOCK_MONOTONIC))) {
        run_stop_for(source, "exec-flood", "wrote more than 200 messages within 10 s");
        return;
    }
    message_emit(source->host, source->listener, message, &pid, 1);
}

static void on_bad(void *user, const char *error)
{
    struct exec_source *source = user;

    if (source->stopping)
        return;
    if (!limits_take_message(&source->limits, clock_us(CLOCK_MONOTONIC))) {
        run_stop_for(source, "exec-flood", "wrote more than 200 messages within 10 s");
        return;
    }
    run_notice(source, PD_LEVEL_WARNING, "bad-notice",
               string_format("a message from %s (pid %d) was ignored: %s", source->words[0],
                             (int)source->pid, error));
}

static void on_line(void *user, const char *line, size_t length, bool cut)
{
    struct exec_source *source = user;
    char shown[STREAM_LINE_MAX * PRINTABLE_GROWTH + 1];
    uint64_t left_out = source->limits.lines_left_out;

    if (!limits_take_line(&source->limits, clock_us(CLOCK_MONOTONIC)))
        return;
    text_printable(shown, sizeof(shown), line, length);
    source->limits.lines_left_out = 0;
    run_notice(source, PD_LEVEL_NOTICE, "exec-stderr",
               left_out
                   ? string_format("%s: %s%s (%llu lines before it are left out)", source->words[0],
                                   shown, cut ? "..." : "", (unsigned long long)left_out)
                   : string_format("%s: %s%s", source->words[0], shown, cut ? "..." : ""));
}

void output_ended(struct exec_source *source, bool is_error)
{
    if (is_error) {
        line_stream_end(&source->lines, on_line, source);
        return;
    }
    source->closed = true;
    source->open_at_us = 0;
    if (source->started)
        source->stuck_at_us = add_u64(clock_us(CLOCK_MONOTONIC), source->config.closed_us);
}

/* Only of a command that ended well: one that died may have died within a line. */
void output_last_message(struct exec_source *source, bool good)
{
    const struct message_stream_handlers handlers = {on_message, on_bad, source};

    if (good)
        message_stream_end(&source->messages, &handlers);
    else if (message_stream_is_open(&source->messages))
        on_bad(source, "the command ended within it");
}

void output_read(void *user, bool is_error, const char *bytes, size_t n)
{
    struct exec_source *source = user;
    const struct message_stream_handlers handlers = {on_message, on_bad, source};
    uint64_t now_us = clock_us(CLOCK_MONOTONIC);

    if (source->stopping)
        return;
    if (!n) {
        output_ended(source, is_error);
    } else if (!limits_take_bytes(&source->limits, now_us, n)) {
        run_stop_for(source, "exec-flood", "wrote more than 1 MiB within 10 s");
    } else if (is_error) {
        line_stream_feed(&source->lines, bytes, n, on_line, source);
    } else {
        bool was_open = source->open_at_us || source->open_told;

        source->heard_us = now_us;
        message_stream_feed(&source->messages, bytes, n, &handlers);
        if (!message_stream_is_open(&source->messages))
            source->open_at_us = source->open_told = 0;
        else if (!was_open && !source->stopping)
            source->open_at_us = add_u64(now_us, source->config.open_us);
    }
    run_timer(source);
}
