/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the source share: see run.h. */
#include "run.h"

#include "util/clock.h"
#include "util/format.h"
#include "util/util.h"

#include <errno.h>
#include <stdio.h>

#define SECOND UINT64_C(1000000)

void run_notice(struct exec_source *source, enum pd_level level, const char *what, char *text)
{
    source->host->notice(source->host, level, what, text);
    free(text);
}

/* For `explain`. */
void run_state(struct exec_source *source, const char *text)
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
void run_timer(struct exec_source *source)
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
void run_stop_for(struct exec_source *source, const char *what, const char *why)
{
    if (source->stopping)
        return;
    source->stopping = true;
    source->open_at_us = 0;
    source->stuck_at_us = add_u64(clock_us(CLOCK_MONOTONIC), source->config.stop_us);
    run_notice(source, PD_LEVEL_WARNING, what,
               string_format("%s (pid %d) %s: it is stopped, and started again later",
                             source->words[0], (int)source->pid, why));
    run_state(source, "is being stopped");
    runner_stop(&source->runner);
}

/* ---- in words ---- */

const char *run_failure_text(const struct exec_source *source, char *text, size_t size)
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

void run_status_text(const struct exec_source *source, char *text, size_t size)
{
    if (!source->ended)
        snprintf(text, size, "has ended with its helper, which was killed");
    else if (WIFEXITED(source->status))
        snprintf(text, size, "has ended with status %d", WEXITSTATUS(source->status));
    else
        snprintf(text, size, "was killed by signal %d (%s)", WTERMSIG(source->status),
                 strsignal(WTERMSIG(source->status)));
}
