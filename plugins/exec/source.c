/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exec trigger's source: runs the command, again and again, and hands on what it writes. One
 * that dies, floods, hangs or writes what is no message is bounded here, and named.
 */
#include "source.h"

#include "../messages/addresses.h"
#include "output.h"
#include "run.h"

#include "util/clock.h"
#include "util/format.h"
#include "util/safe-path.h"
#include "util/util.h"
#include "util/words.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#define SECOND UINT64_C(1000000)
/* Of a run that is to end, where no option says it. */
#define RUN_US (30 * SECOND)

/* ---- its start and its end ---- */

static void start_later(struct exec_source *source, uint64_t at_us)
{
    source->start_at_us = at_us;
    run_timer(source);
}

static uint64_t pause_next(struct exec_source *source, uint64_t now_us)
{
    uint64_t lived_us = source->started_us ? now_us - source->started_us : 0;

    return backoff_next(&source->backoff_us, lived_us);
}

static void failed(struct exec_source *source, const char *why)
{
    uint64_t now_us = clock_us(CLOCK_MONOTONIC), pause_us = pause_next(source, now_us);

    run_state(source, "cannot be started");
    run_notice(source, PD_LEVEL_WARNING, "exec-failed",
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
        if (source->stopping) /* what it wrote was read before this word, and was too much */
            break;
        source->stuck_at_us =
            source->closed ? add_u64(clock_us(CLOCK_MONOTONIC), source->config.closed_us) : 0;
        snprintf(text, sizeof(text), "runs, pid %d", (int)source->pid);
        run_state(source, text);
        run_timer(source);
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

static void ended_notice(struct exec_source *source, const char *status, uint64_t lived_us,
                         uint64_t pause_us)
{
    char left[80] = "";

    if (source->n_left)
        snprintf(left, sizeof(left), ", and has left processes, of which %d were killed",
                 (int)source->n_left);
    run_notice(source, PD_LEVEL_WARNING, "exec-ended",
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

    output_ended(source, true);
    output_last_message(source, good);
    source->stuck_at_us = 0;
    if (source->failure.kind) {
        failed(source, run_failure_text(source, text, sizeof(text)));
        return;
    }
    if (good && source->interval_us && !source->stopping) {
        source->backoff_us = 0;
        run_state(source, "has ended well, and waits for its next run");
        start_later(source, max_u64(add_u64(source->started_us, source->interval_us), now_us + 1));
        return;
    }
    pause_us = pause_next(source, now_us);
    run_status_text(source, text, sizeof(text));
    run_state(source, text);
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
        .input = -1,
        .word = on_word,
        .output = output_read,
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
    run_timer(source);
}

/* ---- what is due ---- */

static void open_due(struct exec_source *source)
{
    source->open_at_us = 0;
    source->open_told = 1;
    run_notice(
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
        run_stop_for(source, "exec-stuck", "closed its standard output and goes on");
        return;
    }
    run_notice(source, PD_LEVEL_WARNING, "exec-stuck",
               string_format("%s (pid %d) does not %s", source->words[0], (int)source->pid,
                             source->stopping ? "end, though it was killed; it is waited for"
                                              : "start; it is waited for"));
}

static void quiet_due(struct exec_source *source)
{
    char text[80];

    snprintf(text, sizeof(text), "wrote nothing for %llu s (its timeout)",
             (unsigned long long)(source->quiet_us / SECOND));
    run_stop_for(source, "exec-stuck", text);
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
    run_timer(source);
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
    free(source->helper);
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
    source->helper = string_copy(config->helper);
    source->config.helper = source->helper;
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

/* The helper of a build that is not installed: where meson puts it, beside this program. */
static const char *helper_beside(char *path, size_t size)
{
    char program[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);
    char *slash;

    if (n <= 0)
        return NULL;
    program[n] = '\0';
    slash = strrchr(program, '/');
    if (!slash)
        return NULL;
    *slash = '\0';
    if (snprintf(path, size, "%s/../plugins/exec/pathdog-exec", program) >= (int)size)
        return NULL;
    return access(path, X_OK) == 0 ? path : NULL;
}

static const char *helper_find(char *path, size_t size)
{
    const char *helper = secure_getenv("PATHDOG_EXEC_HELPER");

    if (!helper && access(EXEC_HELPER, X_OK) < 0)
        helper = helper_beside(path, size);
    return helper ? helper : EXEC_HELPER;
}

static int source_start(struct pd_source_host *host, const struct pd_start *start, void **ret_self)
{
    char path[PATH_MAX];
    const struct exec_config config = {
        .helper = helper_find(path, sizeof(path)),
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
