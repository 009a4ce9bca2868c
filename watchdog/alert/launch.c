/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A run has a place, of which there are 16. Its standard input is a sealed file in memory, which
 * holds the whole object: who does not read it, or not all of it, holds up nobody.
 */
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../util/clock.h"
#include "../util/format.h"
#include "../util/printable.h"
#include "../util/words.h"
#include "event.h"
#include "exec/runner.h"
#include "exec/stream.h"

#define ACCURACY_US UINT64_C(10000)
#define PATH        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define VARIABLES   12u

struct stream {
    struct line_stream lines;
    size_t bytes;
    unsigned n_said;
    uint64_t n_left_out;
};

struct run {
    struct launcher *launcher;
    struct runner runner;
    bool busy;
    json_t *object;
    char **words;
    char *environment[VARIABLES];
    sd_event_source *timer;
    uint64_t started_us;
    struct helper_word failure; /* kind 0: none */
    bool ended;
    int status;
    int32_t n_left;
    const char *why; /* it was stopped; NULL: it was not */
    struct stream streams[2];
};

struct launcher {
    struct launcher_config config;
    char *control, *program; /* as it stands in the configuration */
    uint64_t timeout_us;
    uint32_t at_once;
    unsigned n_running;
    struct run *runs[LAUNCH_MOST]; /* NULL: never needed so far */
};

/* ---- what it is given ---- */

/* Returns a descriptor, or -errno. */
static int input_open(const json_t *object)
{
    CLEANUP_FREE char *text = memory_check(json_dumps(object, JSON_COMPACT));
    size_t length = strlen(text), at = 0;
    int fd = memfd_create("pathdog-alert", MFD_CLOEXEC | MFD_ALLOW_SEALING), r = 0;

    if (fd < 0)
        return -errno;
    text[length++] = '\n'; /* in the place of its end */
    while (at < length && r == 0) {
        ssize_t n = write(fd, text + at, length - at);

        if (n > 0)
            at += (size_t)n;
        else if (errno != EINTR)
            r = -errno;
    }
    if (r == 0 &&
        (lseek(fd, 0, SEEK_SET) < 0 ||
         fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0))
        r = -errno;
    if (r < 0)
        close(fd);
    return r < 0 ? r : fd;
}

/* Foreign text is not for a shell's terminal either. */
static void variable(struct run *run, size_t *n, const char *name, const char *text)
{
    CLEANUP_FREE char *shown = NULL;

    if (!text || !*text)
        return;
    shown = text_shown(text);
    run->environment[(*n)++] = string_format("%s=%s", name, shown);
}

static void environment_make(struct run *run)
{
    const json_t *object = run->object;
    size_t n = 0;

    run->environment[n++] = string_copy(PATH);
    run->environment[n++] = string_copy("LANG=C.UTF-8");
    run->environment[n++] = string_copy("HOME=/");
    variable(run, &n, "PATHDOG_EVENT", member_text(object, "event"));
    variable(run, &n, "PATHDOG_RECORD", member_text(object, "record"));
    variable(run, &n, "PATHDOG_SENTENCE", member_text(object, "sentence"));
    variable(run, &n, "PATHDOG_PEER", member_text(object, "peer"));
    variable(run, &n, "PATHDOG_UPLINK", member_text(object, "uplink"));
    variable(run, &n, "PATHDOG_RUN", member_text(object, "run"));
    variable(run, &n, "PATHDOG_CONTROL", run->launcher->control);
    run->environment[n] = NULL;
}

/* ---- its end ---- */

static void run_clear(struct run *run)
{
    run->timer = sd_event_source_disable_unref(run->timer);
    json_decref(run->object);
    free(run->words);
    for (size_t i = 0; i < VARIABLES && run->environment[i]; i++)
        free(run->environment[i]);
    run->object = NULL;
    run->words = NULL;
    memset(run->environment, 0, sizeof(run->environment));
    run->busy = false;
}

static char *failure_text(const struct run *run)
{
    const char *error = strerrordesc_np(run->failure.value);

    error = error ? error : "unknown error";
    switch (run->failure.kind) {
    case HELPER_NO_USER:
    case HELPER_NO_CHANGE:
        return string_format("could not be started: as root it runs as nobody, and that user "
                             "cannot be changed to: %s",
                             error);
    case HELPER_NO_FORK:
        return string_format("could not be started: %s (fork)", error);
    default:
        return string_format("could not be started: %s", error);
    }
}

static char *status_text(const struct run *run)
{
    if (run->failure.kind)
        return failure_text(run);
    if (!run->ended)
        return string_copy("has ended with its helper, which was killed");
    if (WIFEXITED(run->status))
        return string_format("has ended with status %d", WEXITSTATUS(run->status));
    return string_format("was killed by signal %d (%s)", WTERMSIG(run->status),
                         strsignal(WTERMSIG(run->status)));
}

static char *left_text(const struct run *run)
{
    return run->n_left
               ? string_format(" and left processes, of which %d were killed", (int)run->n_left)
               : string_copy("");
}

static void finish(struct run *run, const char *program, const char *text, bool good)
{
    struct launcher *launcher = run->launcher;
    uint64_t took_us = sub_u64(clock_us(CLOCK_MONOTONIC), run->started_us);
    CLEANUP_FREE char *whole = string_format("%s %s after %" PRIu64 ".%" PRIu64 " s", program, text,
                                             took_us / 1000000, took_us / 100000 % 10);
    const struct launch_result result = {.good = good, .took_us = took_us, .text = whole};
    json_t *object = json_incref(run->object);

    run_clear(run);
    launcher->n_running--;
    launcher->config.ended(launcher->config.user, object, &result);
    json_decref(object);
}

/* ---- what it writes ---- */

struct line_user {
    struct run *run;
    struct stream *stream;
};

static void on_line(void *user, const char *text, size_t length, bool cut)
{
    const struct line_user *line = user;
    struct launcher *launcher = line->run->launcher;
    char shown[STREAM_LINE_MAX * PRINTABLE_GROWTH + 4];
    size_t n;

    if (line->stream->n_said == LAUNCH_LINES) {
        line->stream->n_left_out++;
        return;
    }
    line->stream->n_said++;
    n = text_printable(shown, sizeof(shown) - 3, text, length);
    if (cut)
        memcpy(shown + n, "...", sizeof("..."));
    launcher->config.line(launcher->config.user, line->run->words[0], shown);
}

/* SIGTERM, then SIGKILL: to all that it has started. */
static void stop_for(struct run *run, const char *why)
{
    if (run->why)
        return;
    run->why = why;
    runner_stop(&run->runner);
}

static void on_output(void *user, bool is_error, const char *bytes, size_t n)
{
    struct run *run = user;
    struct stream *stream = &run->streams[is_error];
    struct line_user line = {run, stream};

    if (run->why)
        return;
    stream->bytes += n;
    if (n)
        line_stream_feed(&stream->lines, bytes, n, on_line, &line);
    if (stream->bytes > LAUNCH_BYTES)
        stop_for(run, "wrote more than 1 MiB, and was ended: it");
}

static void streams_end(struct run *run)
{
    for (size_t i = 0; i < ARRAY_SIZE(run->streams); i++) {
        struct stream *stream = &run->streams[i];
        struct line_user line = {run, stream};
        char text[64];

        line_stream_end(&stream->lines, on_line, &line);
        if (!stream->n_left_out)
            continue;
        snprintf(text, sizeof(text), "(%" PRIu64 " more lines are left out)", stream->n_left_out);
        run->launcher->config.line(run->launcher->config.user, run->words[0], text);
    }
}

/* ---- the helper's word ---- */

static void on_word(void *user, const struct helper_word *word)
{
    struct run *run = user;

    switch (word->kind) {
    case HELPER_PID:
    case HELPER_STARTED:
        break;
    case HELPER_ENDED:
        run->ended = true;
        run->status = word->value;
        break;
    case HELPER_LEFT:
        run->n_left = word->value;
        break;
    default:
        run->failure = *word;
        break;
    }
}

static void on_gone(void *user)
{
    struct run *run = user;
    CLEANUP_FREE char *status = status_text(run), *left = left_text(run), *text = NULL;
    bool good = !run->why && !run->failure.kind && run->ended && WIFEXITED(run->status) &&
                WEXITSTATUS(run->status) == 0;

    streams_end(run);
    text = string_format("%s%s%s%s", run->why ? run->why : "", run->why ? " " : "", status, left);
    finish(run, run->words[0], text, good);
}

static int on_timeout(sd_event_source *timer, uint64_t time_us, void *user)
{
    stop_for(user, "took longer than its timeout, and was ended: it");
    return 0;
}

/* ---- its start ---- */

static int timer_add(struct run *run)
{
    return sd_event_add_time(run->launcher->config.loop, &run->timer, CLOCK_MONOTONIC,
                             run->started_us + run->launcher->timeout_us, ACCURACY_US, on_timeout,
                             run);
}

static int start(struct run *run)
{
    const struct launcher *launcher = run->launcher;
    struct runner_config config = {
        .loop = launcher->config.loop,
        .helper = launcher->config.helper,
        .user = "",
        .words = run->words,
        .environment = run->environment,
        .word = on_word,
        .output = on_output,
        .gone = on_gone,
        .callbacks_user = run,
    };
    int r = config.input = input_open(run->object);

    if (r < 0)
        return r;
    r = runner_start(&run->runner, &config);
    close(config.input);
    if (r < 0)
        return r;
    r = timer_add(run);
    if (r < 0) /* then it ends at once */
        stop_for(run, "could not be given a time");
    return 0;
}

/* Looked at before each run: it may be another file by now, or none. */
static void run_begin(struct run *run, json_t *object)
{
    struct launcher *launcher = run->launcher;
    CLEANUP_FREE char *error = NULL, *text = NULL;
    const char *why;
    int r;

    *run = (struct run){.launcher = launcher, .busy = true, .object = json_incref(object)};
    launcher->n_running++;
    run->started_us = clock_us(CLOCK_MONOTONIC);
    run->words = words_split(launcher->program, &why);
    environment_make(run);
    r = program_check(run->words[0], &error);
    if (r >= 0) {
        r = start(run);
        error = r < 0 ? string_copy(strerrordesc_np(-r)) : NULL;
    }
    if (r >= 0)
        return;
    text = string_format("could not be started: %s,", error);
    finish(run, run->words[0], text, false);
}

void launcher_run(struct launcher *launcher, json_t *object)
{
    for (size_t i = 0; i < LAUNCH_MOST; i++) {
        if (!launcher->runs[i]) {
            launcher->runs[i] = memory_new(1, sizeof(*launcher->runs[i]));
            launcher->runs[i]->launcher = launcher;
        }
        if (launcher->runs[i]->busy)
            continue;
        run_begin(launcher->runs[i], object);
        return;
    }
}

/* ---- life ---- */

struct launcher *launcher_new(const struct launcher_config *config)
{
    struct launcher *launcher = memory_new(1, sizeof(*launcher));

    launcher->config = *config;
    launcher->control = string_copy(config->control);
    return launcher;
}

void launcher_configure(struct launcher *launcher, const struct config_alert *alert,
                        const char *control)
{
    free(launcher->program);
    free(launcher->control);
    launcher->program = string_copy(alert->values[ALERT_PROGRAM].text);
    launcher->control = string_copy(control);
    launcher->timeout_us = alert->values[ALERT_TIMEOUT].number;
    launcher->at_once = (uint32_t)alert->values[ALERT_AT_ONCE].number;
}

unsigned launcher_running(const struct launcher *launcher)
{
    return launcher->n_running;
}

bool launcher_has_room(const struct launcher *launcher)
{
    return launcher->program && launcher->n_running < launcher->at_once;
}

void launcher_stop(struct launcher *launcher)
{
    for (size_t i = 0; i < LAUNCH_MOST; i++)
        if (launcher->runs[i] && launcher->runs[i]->busy)
            stop_for(launcher->runs[i], "was ended, since pathdog-alert ends: it");
}

struct launcher *launcher_free(struct launcher *launcher)
{
    if (!launcher)
        return NULL;
    for (size_t i = 0; i < LAUNCH_MOST; i++) {
        struct run *run = launcher->runs[i];

        if (!run)
            continue;
        if (run->busy) {
            runner_close(&run->runner);
            run_clear(run);
        }
        free(run);
    }
    free(launcher->program);
    free(launcher->control);
    free(launcher);
    return NULL;
}
