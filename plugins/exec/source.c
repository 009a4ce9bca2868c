/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exec trigger's source: runs the command, again and again, and hands on what it writes. One
 * that dies, floods, hangs or writes what is no message is bounded here, and named.
 */
#include "source.h"

#include "../messages/addresses.h"

#include "util/clock.h"
#include "util/format.h"
#include "util/printable.h"
#include "util/safe-path.h"
#include "util/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define SECOND UINT64_C(1000000)
/* Of a run that is to end, where no option says it. */
#define RUN_US (30 * SECOND)

static void notice(struct exec_source *source, enum pd_level level, const char *what, char *text)
{
    source->host->notice(source->host, level, what, text);
    free(text);
}

/* For `explain`. */
static void state_emit(struct exec_source *source, const char *text)
{
    const struct pd_field field = {"text", text, 0};
    const struct pd_signal signal = {.kind = "command", .fields = &field, .n_fields = 1};

    source->host->emit(source->host, &signal);
}

/* ---- when something is due ---- */

static void due_at(uint64_t *at_us, uint64_t time_us)
{
    if (!*at_us || time_us < *at_us)
        *at_us = time_us;
}

/* The one timer stands at the first of what may come. */
static void timer_set(struct exec_source *source)
{
    uint64_t at_us = source->start_at_us;

    if (source->runner.running) {
        at_us = source->stuck_at_us;
        if (source->open_at_us)
            due_at(&at_us, source->open_at_us);
        if (source->quiet_us && !source->stopping)
            due_at(&at_us, add_u64(source->heard_us, source->quiet_us));
    }
    (void)sd_event_source_set_time(source->timer, at_us);
    (void)sd_event_source_set_enabled(source->timer, at_us ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

/* It did something that it must not: away with it. It is started again after a pause. */
static void stop_for(struct exec_source *source, const char *what, const char *why)
{
    if (source->stopping)
        return;
    source->stopping = true;
    source->open_at_us = 0;
    source->stuck_at_us = add_u64(clock_us(CLOCK_MONOTONIC), source->config.stop_us);
    notice(source, PD_LEVEL_WARNING, what,
           string_format("%s (pid %d) %s: it is stopped, and started again later", source->words[0],
                         (int)source->pid, why));
    state_emit(source, "is being stopped");
    runner_stop(&source->runner);
}

/* ---- what it writes ---- */

static void on_message(void *user, const struct message *message)
{
    struct exec_source *source = user;
    const struct pd_field pid = {"pid", NULL, (uint64_t)source->pid};

    if (source->stopping)
        return;
    if (!limits_take_message(&source->limits, clock_us(CLOCK_MONOTONIC))) {
        stop_for(source, "exec-flood", "wrote more than 200 messages within 10 s");
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
        stop_for(source, "exec-flood", "wrote more than 200 messages within 10 s");
        return;
    }
    notice(source, PD_LEVEL_WARNING, "bad-notice",
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
    notice(source, PD_LEVEL_NOTICE, "exec-stderr",
           left_out
               ? string_format("%s: %s%s (%llu lines before it are left out)", source->words[0],
                               shown, cut ? "..." : "", (unsigned long long)left_out)
               : string_format("%s: %s%s", source->words[0], shown, cut ? "..." : ""));
}

static void stream_ended(struct exec_source *source, bool is_error)
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
static void last_message(struct exec_source *source, bool good)
{
    const struct message_stream_handlers handlers = {on_message, on_bad, source};

    if (good)
        message_stream_end(&source->messages, &handlers);
    else if (message_stream_is_open(&source->messages))
        on_bad(source, "the command ended within it");
}

static void on_output(void *user, bool is_error, const char *bytes, size_t n)
{
    struct exec_source *source = user;
    const struct message_stream_handlers handlers = {on_message, on_bad, source};
    uint64_t now_us = clock_us(CLOCK_MONOTONIC);

    if (source->stopping)
        return;
    if (!n) {
        stream_ended(source, is_error);
    } else if (!limits_take_bytes(&source->limits, now_us, n)) {
        stop_for(source, "exec-flood", "wrote more than 1 MiB within 10 s");
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
    timer_set(source);
}

/* ---- its start and its end ---- */

static void start_later(struct exec_source *source, uint64_t at_us)
{
    source->start_at_us = at_us;
    timer_set(source);
}

static uint64_t pause_next(struct exec_source *source, uint64_t now_us)
{
    uint64_t lived_us = source->started_us ? now_us - source->started_us : 0;

    return backoff_next(&source->backoff_us, lived_us);
}

static void failed(struct exec_source *source, const char *why)
{
    uint64_t now_us = clock_us(CLOCK_MONOTONIC), pause_us = pause_next(source, now_us);

    state_emit(source, "cannot be started");
    notice(source, PD_LEVEL_WARNING, "exec-failed",
           string_format("cannot start %s: %s; tried again in %llu s", source->words[0], why,
                         (unsigned long long)(pause_us / SECOND)));
    start_later(source, now_us + pause_us);
}

static void on_word(void *user, const struct helper_word *word)
{
    struct exec_source *source = user;
    char text[64];

    switch (word->kind) {
    case HELPER_PID:
        source->pid = word->value;
        break;
    case HELPER_STARTED:
        source->started = true;
        if (!source->stopping)
            source->stuck_at_us =
                source->closed ? add_u64(clock_us(CLOCK_MONOTONIC), source->config.closed_us) : 0;
        snprintf(text, sizeof(text), "runs, pid %d", (int)source->pid);
        state_emit(source, text);
        timer_set(source);
        break;
    case HELPER_ENDED:
        source->ended = true;
        source->status = word->value;
        break;
    case HELPER_LEFT:
        source->n_left = word->value;
        break;
    default:
        source->failure = *word;
        break;
    }
}

static const char *failure_text(const struct exec_source *source, char *text, size_t size)
{
    const char *user = source->user && *source->user ? source->user : "nobody";
    const char *error = strerror(source->failure.value);

    switch (source->failure.kind) {
    case HELPER_NO_USER:
        if (source->failure.value == ENOENT)
            snprintf(text, size, "there is no user %s", user);
        else if (source->failure.value == EPERM)
            snprintf(text, size,
                     "it may not run as %s: never as root, and as another user only where pathdog "
                     "runs as root",
                     user);
        else
            snprintf(text, size, "user %s: %s", user, error);
        break;
    case HELPER_NO_CHANGE:
        snprintf(text, size, "cannot become user %s: %s", user, error);
        break;
    case HELPER_NO_FORK:
        snprintf(text, size, "%s (fork)", error);
        break;
    default:
        snprintf(text, size, "%s", error);
        break;
    }
    return text;
}

static void status_text(const struct exec_source *source, char *text, size_t size)
{
    if (!source->ended)
        snprintf(text, size, "has ended with its helper, which was killed");
    else if (WIFEXITED(source->status))
        snprintf(text, size, "has ended with status %d", WEXITSTATUS(source->status));
    else
        snprintf(text, size, "was killed by signal %d (%s)", WTERMSIG(source->status),
                 strsignal(WTERMSIG(source->status)));
}

static void ended_notice(struct exec_source *source, const char *status, uint64_t lived_us,
                         uint64_t pause_us)
{
    char left[80] = "";

    if (source->n_left)
        snprintf(left, sizeof(left), ", and has left processes, of which %d were killed",
                 (int)source->n_left);
    notice(source, PD_LEVEL_WARNING, "exec-ended",
           string_format("%s (pid %d) %s after %llu.%llu s%s; started again in %llu s",
                         source->words[0], (int)source->pid, status,
                         (unsigned long long)(lived_us / SECOND),
                         (unsigned long long)(lived_us / 100000 % 10), left,
                         (unsigned long long)(pause_us / SECOND)));
}

/* It is gone, whatever it was that ended it. */
static void on_gone(void *user)
{
    struct exec_source *source = user;
    uint64_t now_us = clock_us(CLOCK_MONOTONIC), pause_us;
    bool good = source->ended && WIFEXITED(source->status) && WEXITSTATUS(source->status) == 0;
    char text[256];

    stream_ended(source, true);
    last_message(source, good);
    source->stuck_at_us = 0;
    if (source->failure.kind) {
        failed(source, failure_text(source, text, sizeof(text)));
        return;
    }
    if (good && source->interval_us && !source->stopping) {
        source->backoff_us = 0;
        state_emit(source, "has ended well, and waits for its next run");
        start_later(source, max_u64(add_u64(source->started_us, source->interval_us), now_us + 1));
        return;
    }
    pause_us = pause_next(source, now_us);
    status_text(source, text, sizeof(text));
    state_emit(source, text);
    if (!source->stopping)
        ended_notice(source, text, now_us - source->started_us, pause_us);
    start_later(source, now_us + pause_us);
}

/* Nobody but root and pathdog's own user may have written it. */
static int command_check(const struct exec_source *source, char **ret_error)
{
    int fd = safe_open(source->words[0], O_PATH | O_CLOEXEC, ret_error);

    if (fd < 0)
        return fd;
    close(fd);
    return 0;
}

static void environment_write(struct exec_source *source)
{
    source->n_starts++;
    snprintf(source->start_text, sizeof(source->start_text), "PATHDOG_START=%llu",
             (unsigned long long)source->n_starts);
}

static void start(struct exec_source *source)
{
    const struct runner_config config = {
        .loop = source->host->loop,
        .helper = source->config.helper,
        .user = source->user ? source->user : "",
        .words = source->words,
        .environment = source->environment,
        .word = on_word,
        .output = on_output,
        .gone = on_gone,
        .callbacks_user = source,
    };
    CLEANUP_FREE char *error = NULL;
    uint64_t now_us = clock_us(CLOCK_MONOTONIC);
    int r = command_check(source, &error);

    source->start_at_us = source->open_at_us = source->open_told = 0;
    source->started_us = source->heard_us = now_us;
    source->stopping = source->started = source->ended = source->closed = false;
    source->failure = (struct helper_word){0};
    source->n_left = 0;
    source->pid = 0;
    message_stream_init(&source->messages);
    environment_write(source);
    if (r >= 0) {
        r = runner_start(&source->runner, &config);
        if (r < 0)
            error = string_format("its helper %s: %s", source->config.helper, strerror(-r));
    }
    if (r < 0) {
        failed(source, error);
        return;
    }
    source->stuck_at_us = add_u64(now_us, source->config.start_us);
    timer_set(source);
}

/* ---- what is due ---- */

static void open_due(struct exec_source *source)
{
    source->open_at_us = 0;
    source->open_told = 1;
    notice(
        source, PD_LEVEL_WARNING, "exec-stuck",
        string_format("%s (pid %d) began a message %llu s ago and has not ended it: an empty line "
                      "ends a message, and what is written must be flushed",
                      source->words[0], (int)source->pid,
                      (unsigned long long)(source->config.open_us / SECOND)));
}

static void stuck_due(struct exec_source *source)
{
    source->stuck_at_us = 0;
    if (!source->stopping && source->started) {
        stop_for(source, "exec-stuck", "closed its standard output and goes on");
        return;
    }
    notice(source, PD_LEVEL_WARNING, "exec-stuck",
           string_format("%s (pid %d) does not %s", source->words[0], (int)source->pid,
                         source->stopping ? "end, though it was killed; it is waited for"
                                          : "start; it is waited for"));
}

static void quiet_due(struct exec_source *source)
{
    char text[80];

    snprintf(text, sizeof(text), "wrote nothing for %llu s (its timeout)",
             (unsigned long long)(source->quiet_us / SECOND));
    stop_for(source, "exec-stuck", text);
}

static int on_timer(sd_event_source *timer, uint64_t time_us, void *user)
{
    struct exec_source *source = user;
    uint64_t now_us = clock_us(CLOCK_MONOTONIC);

    (void)timer;
    (void)time_us;
    if (!source->runner.running) {
        start(source);
        return 0;
    }
    if (source->open_at_us && source->open_at_us <= now_us)
        open_due(source);
    if (source->stuck_at_us && source->stuck_at_us <= now_us)
        stuck_due(source);
    if (source->quiet_us && !source->stopping &&
        add_u64(source->heard_us, source->quiet_us) <= now_us)
        quiet_due(source);
    timer_set(source);
    return 0;
}

/* ---- life ---- */

static void environment_make(struct exec_source *source, const char *instance)
{
    size_t n = 0;

    source->instance_text = string_format("PATHDOG_TRIGGER=%s", instance);
    source->environment[n++] =
        (char *)"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    source->environment[n++] = (char *)"LANG=C.UTF-8";
    source->environment[n++] = (char *)"HOME=/";
    source->environment[n++] = source->instance_text;
    source->environment[n++] = source->start_text;
    source->environment[n] = NULL;
}

void exec_source_free(struct exec_source *source)
{
    if (!source)
        return;
    runner_close(&source->runner);
    source->timer = sd_event_source_disable_unref(source->timer);
    addresses_forget(source->listener);
    free(source->words);
    free(source->instance_text);
    free(source);
}

int exec_source_new(struct pd_source_host *host, const struct pd_start *start,
                    const struct exec_config *config, struct exec_source **ret_source)
{
    const struct pd_value *values = start->values;
    const char *error = NULL;
    char **words = words_split(
        values[EXEC_OPTION_COMMAND].text ? values[EXEC_OPTION_COMMAND].text : "", &error);
    struct exec_source *source;
    int r;

    if (!words) /* the policy said so */
        return -EINVAL;
    source = memory_new(1, sizeof(*source));
    source->host = host;
    source->words = words;
    source->config = *config;
    source->user = values[EXEC_OPTION_USER].text;
    source->interval_us = values[EXEC_OPTION_INTERVAL].number;
    source->quiet_us = values[EXEC_OPTION_TIMEOUT].number;
    if (!source->quiet_us && source->interval_us)
        source->quiet_us = RUN_US;
    environment_make(source, start->instance);
    r = sd_event_add_time(host->loop, &source->timer, CLOCK_MONOTONIC,
                          clock_us(CLOCK_MONOTONIC) + 1, 1, on_timer, source);
    if (r < 0) {
        exec_source_free(source);
        return r;
    }
    addresses_listen(host, &source->listener);
    *ret_source = source;
    return 0;
}

static int source_start(struct pd_source_host *host, const struct pd_start *start, void **ret_self)
{
    /* of a build that is not installed */
    const char *helper = secure_getenv("PATHDOG_EXEC_HELPER");
    const struct exec_config config = {
        .helper = helper ? helper : EXEC_HELPER,
        .open_us = 10 * SECOND,
        .start_us = 10 * SECOND,
        .stop_us = 5 * SECOND,
        .closed_us = 5 * SECOND,
    };

    return exec_source_new(host, start, &config, (struct exec_source **)ret_self);
}

static void source_stop(void *self)
{
    exec_source_free(self);
}

PD_SOURCE(exec) = {
    .abi = PD_SOURCE_ABI,
    .size = sizeof(struct pd_source),
    .start = source_start,
    .stop = source_stop,
};
