/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop. A section that is not there is no error: then nothing is followed, until a reload finds
 * one.
 */
#include "alert.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "../util/clock.h"
#include "../util/format.h"
#include "../util/glob.h"
#include "feed.h"
#include "keep.h"
#include "launch.h"
#include "log.h"
#include "queue.h"
#include "state.h"

#define ACCURACY_US UINT64_C(10000)
/* Who is killed has read no further than this before what it kept. */
#define KEEP_US UINT64_C(1000000)
/* At the end: longer than from SIGTERM to SIGKILL of a program. */
#define END_US UINT64_C(3000000)

struct alert {
    const struct alert_options *options;
    struct config *config;
    sd_event *loop;
    sd_event_source *timer, *gone; /* gone: since when pathdog is not reached */
    sd_event_source *keep;         /* what is to be kept has changed */
    struct feed *feed;             /* NULL: there is no section */
    struct queue *queue;
    struct launcher *launcher;
    struct state state;
    struct position position;
    bool down_said, ending, keeps, keep_fails;
    int keep_lock; /* -1: none */
    uint64_t n_run, n_failed;
};

static uint64_t now_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

int alert_config(const struct alert_options *options, struct config **ret_config, char **ret_error)
{
    const struct config_lookup lookup = {.runtime = options->runtime, .guarded = geteuid() == 0};
    int r = config_load_alert(options->config_path, &lookup, ret_config, ret_error);

    if (r < 0)
        return r;
    r = config_check_alert(*ret_config, ret_error);
    if (r < 0)
        *ret_config = config_free(*ret_config);
    return r;
}

/* ---- what is kept ---- */

static void keep_now(struct alert *alert)
{
    int r = keep_save(alert->options->keep, &alert->position, &alert->state);

    if (r < 0 && !alert->keep_fails)
        alert_say(PD_LEVEL_WARNING, "cannot keep in %s how far it has read: %s",
                  alert->options->keep, strerrordesc_np(-r));
    alert->keep_fails = r < 0;
}

static int on_keep_timer(sd_event_source *timer, uint64_t time_us, void *user)
{
    keep_now(user);
    return 0;
}

/* What is there is read, and kept on, by one alone. Where a lock cannot be had for another reason,
 * such as a directory that is not there yet, it is kept without. */
static void keep_begin(struct alert *alert)
{
    const char *directory = alert->options->keep;

    if (!directory)
        return;
    alert->keep_lock = keep_lock(directory);
    alert->keeps = alert->keep_lock != -EWOULDBLOCK;
    if (alert->keeps)
        keep_load(directory, &alert->position, &alert->state);
    else
        alert_say(PD_LEVEL_WARNING,
                  "another pathdog-alert keeps in %s how far it has read: this one does not, and "
                  "what happens while it is restarted is not told",
                  directory);
}

/* Not each time, but soon. */
static void keep_soon(struct alert *alert)
{
    int enabled = SD_EVENT_OFF;

    if (!alert->keeps ||
        (sd_event_source_get_enabled(alert->keep, &enabled) >= 0 && enabled != SD_EVENT_OFF))
        return;
    (void)sd_event_source_set_time(alert->keep, now_us() + KEEP_US);
    (void)sd_event_source_set_enabled(alert->keep, SD_EVENT_ONESHOT);
}

/* ---- events ---- */

static void tell_status(const struct alert *alert)
{
    (void)sd_notifyf(0,
                     "STATUS=%s; program run %" PRIu64 " times, failed %" PRIu64 "; %" PRIu64
                     " events waiting",
                     !alert->feed       ? "there is no section [alert]"
                     : alert->down_said ? "pathdog cannot be reached"
                                        : "follows pathdog",
                     alert->n_run, alert->n_failed, queue_waiting(alert->queue));
}

/* Runs what may run now, and sets the timer for what may later. */
static void work(struct alert *alert)
{
    uint64_t due_us;
    json_t *object;

    while (!alert->ending && launcher_has_room(alert->launcher) &&
           (object = queue_take(alert->queue, now_us()))) {
        alert->n_run++;
        launcher_run(alert->launcher, object);
        json_decref(object);
    }
    due_us = launcher_has_room(alert->launcher) ? queue_due_us(alert->queue, now_us()) : UINT64_MAX;
    tell_status(alert);
    (void)sd_event_source_set_time(alert->timer, due_us);
    (void)sd_event_source_set_enabled(alert->timer,
                                      due_us == UINT64_MAX ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

static bool is_wanted(const struct alert *alert, enum alert_event event, const json_t *record)
{
    const struct config_alert *config = &alert->config->alert;
    const char *peer = member_text(record, "peer");

    if (!(config->events & UINT64_C(1) << event))
        return false;
    return !*peer || !config->match || globs_match(config->match, peer);
}

static void add(struct alert *alert, enum alert_event event, const json_t *record)
{
    json_t *object;

    if (alert->ending || !is_wanted(alert, event, record))
        return;
    object = event_object(record, event);
    queue_add(alert->queue, event, object, now_us());
    json_decref(object);
    work(alert);
}

static void on_state(void *user, enum alert_event event, json_t *record)
{
    add(user, event, record);
    json_decref(record);
}

static void on_record(void *user, const json_t *record)
{
    struct alert *alert = user;
    int event = event_of(record);

    keep_soon(alert);
    if (!strcmp(member_text(record, "record"), "node") && !state_node(&alert->state, record))
        return;
    if (event >= 0)
        add(alert, (enum alert_event)event, record);
}

static void on_status(void *user, const json_t *status)
{
    struct alert *alert = user;

    state_status(&alert->state, status, clock_us(CLOCK_REALTIME), on_state, alert);
    keep_soon(alert);
}

static void on_up(void *user, const char *run, size_t n_missed, bool some_lost)
{
    struct alert *alert = user;

    alert_say(PD_LEVEL_NOTICE, "follows pathdog at %s, run %s%s%s", alert->config->control, run,
              n_missed ? "; records of the time in between were looked up" : "",
              some_lost ? "; its memory did not have all of them" : "");
    alert->down_said = false;
    state_back(&alert->state, run, clock_us(CLOCK_REALTIME), on_state, alert);
    keep_soon(alert);
    tell_status(alert);
}

/* Set again each time that pathdog goes, and where it came back meanwhile it finds nothing. */
static void gone_timer(struct alert *alert, uint64_t due_us)
{
    (void)sd_event_source_set_time(alert->gone, due_us);
    (void)sd_event_source_set_enabled(alert->gone, SD_EVENT_ONESHOT);
}

static int on_gone_timer(sd_event_source *timer, uint64_t time_us, void *user)
{
    struct alert *alert = user;
    uint64_t due_us =
        state_gone_due(&alert->state, now_us(), clock_us(CLOCK_REALTIME), on_state, alert);

    if (due_us != UINT64_MAX)
        gone_timer(alert, due_us);
    return 0;
}

static void on_down(void *user, const char *reason)
{
    struct alert *alert = user;
    CLEANUP_FREE char *text = string_format("%s: %s", alert->config->control, reason);

    if (!alert->down_said)
        alert_say(PD_LEVEL_WARNING, "cannot follow pathdog: %s; it keeps trying", text);
    alert->down_said = true;
    if (!alert->state.gone_us)
        gone_timer(alert, now_us() + STATE_GONE_US);
    state_gone(&alert->state, text, now_us());
    keep_soon(alert);
    tell_status(alert);
}

/* ---- the program ---- */

static void on_ended(void *user, const json_t *object, const struct launch_result *result)
{
    struct alert *alert = user;

    alert->n_failed += !result->good;
    alert_say(result->good ? PD_LEVEL_INFO : PD_LEVEL_WARNING, "%s: %s; told: %s",
              member_text(object, "event"), result->text, member_text(object, "sentence"));
    if (alert->ending && !launcher_running(alert->launcher))
        (void)sd_event_exit(alert->loop, 0);
    else if (alert->timer) /* not from within work(): on a turn of its own */
        (void)(sd_event_source_set_time(alert->timer, 0),
               sd_event_source_set_enabled(alert->timer, SD_EVENT_ONESHOT));
}

static void on_line(void *user, const char *program, const char *line)
{
    alert_say(PD_LEVEL_INFO, "%s: %s", program, line);
}

static int on_timer(sd_event_source *timer, uint64_t time_us, void *user)
{
    work(user);
    return 0;
}

/* ---- the configuration ---- */

static struct queue_config queue_config_of(const struct config_alert *alert)
{
    return (struct queue_config){.burst = (uint32_t)alert->values[ALERT_BURST].number,
                                 .every_us = alert->values[ALERT_EVERY].number};
}

static int feed_start(struct alert *alert)
{
    const struct feed_config config = {
        .loop = alert->loop,
        .path = alert->config->control,
        .check_us = alert->config->alert.values[ALERT_CHECK_INTERVAL].number,
        .position = &alert->position,
        .record = on_record,
        .status = on_status,
        .up = on_up,
        .down = on_down,
        .user = alert,
    };

    return feed_new(&config, &alert->feed);
}

/* What the present configuration says. Returns 0 or -errno. */
static int apply(struct alert *alert)
{
    const struct config_alert *section = &alert->config->alert;
    const struct queue_config queue = queue_config_of(section);

    if (!section->given) {
        alert_say(PD_LEVEL_NOTICE, "%s has no section [alert]: no program is run",
                  alert->options->config_path);
        if (queue_waiting(alert->queue))
            alert_say(PD_LEVEL_WARNING, "%" PRIu64 " events that wait are told to nobody",
                      queue_waiting(alert->queue));
        queue_clear(alert->queue);
        alert->feed = feed_free(alert->feed);
        position_clear(&alert->position);
        state_init(&alert->state);
        return 0;
    }
    queue_configure(alert->queue, &queue, now_us());
    launcher_configure(alert->launcher, section, alert->config->control);
    if (alert->feed)
        return feed_configure(alert->feed, alert->config->control,
                              section->values[ALERT_CHECK_INTERVAL].number);
    return feed_start(alert);
}

static int on_reload(sd_event_source *source, const struct signalfd_siginfo *info, void *user)
{
    struct alert *alert = user;
    CLEANUP_FREE char *error = NULL;
    struct config *config = NULL;
    int r = alert_config(alert->options, &config, &error);

    if (r < 0) {
        alert_say(PD_LEVEL_ERROR, "cannot reload, and goes on as before: %s", error);
        return 0;
    }
    config_free(alert->config);
    alert->config = config;
    r = apply(alert);
    if (r < 0)
        return r;
    alert_say(PD_LEVEL_NOTICE, "reloaded %s", alert->options->config_path);
    work(alert);
    return 0;
}

/* ---- life ---- */

static int on_end_timer(sd_event_source *timer, uint64_t time_us, void *user)
{
    return sd_event_exit(((const struct alert *)user)->loop, 0);
}

/* What runs is given a second; what waits is dropped, and that is said. */
static int on_stop(sd_event_source *source, const struct signalfd_siginfo *info, void *user)
{
    struct alert *alert = user;
    uint64_t n = queue_waiting(alert->queue);

    if (alert->ending)
        return 0;
    alert->ending = true;
    (void)sd_notify(0, "STOPPING=1");
    if (n)
        alert_say(PD_LEVEL_WARNING,
                  "ends; %" PRIu64 " waiting events are dropped: the program is not run for them",
                  n);
    alert->feed = feed_free(alert->feed);
    if (!launcher_running(alert->launcher))
        return sd_event_exit(alert->loop, 0);
    launcher_stop(alert->launcher);
    return sd_event_add_time(alert->loop, NULL, CLOCK_MONOTONIC, now_us() + END_US, ACCURACY_US,
                             on_end_timer, alert);
}

static int signals_add(struct alert *alert)
{
    static const struct {
        int number;
        sd_event_signal_handler_t handler;
    } signals[] = {{SIGTERM, on_stop}, {SIGINT, on_stop}, {SIGHUP, on_reload}};
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL); /* as the runner wants it, whatever we were started with */
    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
        sigaddset(&set, signals[i].number);
    sigprocmask(SIG_BLOCK, &set, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
        int r =
            sd_event_add_signal(alert->loop, NULL, signals[i].number, signals[i].handler, alert);

        if (r < 0)
            return r;
    }
    return 0;
}

static int start(struct alert *alert)
{
    const struct launcher_config launcher = {
        .control = alert->config->control,
        .helper = alert->options->helper,
        .ended = on_ended,
        .line = on_line,
        .user = alert,
    };
    const struct queue_config queue = queue_config_of(&alert->config->alert);
    struct launcher_config with_loop = launcher;
    int r = sd_event_new(&alert->loop);

    if (r >= 0)
        r = signals_add(alert);
    if (r >= 0)
        r = sd_event_add_time(alert->loop, &alert->timer, CLOCK_MONOTONIC, UINT64_MAX, ACCURACY_US,
                              on_timer, alert);
    if (r >= 0)
        r = sd_event_add_time(alert->loop, &alert->gone, CLOCK_MONOTONIC, UINT64_MAX, ACCURACY_US,
                              on_gone_timer, alert);
    if (r >= 0)
        r = sd_event_add_time(alert->loop, &alert->keep, CLOCK_MONOTONIC, UINT64_MAX, ACCURACY_US,
                              on_keep_timer, alert);
    if (r < 0)
        return r;
    (void)sd_event_source_set_enabled(alert->keep, SD_EVENT_OFF);
    (void)sd_event_source_set_enabled(alert->timer, SD_EVENT_OFF);
    (void)sd_event_source_set_enabled(alert->gone, SD_EVENT_OFF);
    with_loop.loop = alert->loop;
    alert->launcher = launcher_new(&with_loop);
    alert->queue = queue_new(&queue, now_us());
    keep_begin(alert);
    return apply(alert);
}

static void end(struct alert *alert)
{
    if (alert->keeps)
        keep_now(alert);
    if (alert->keep_lock >= 0)
        close(alert->keep_lock);
    feed_free(alert->feed);
    launcher_free(alert->launcher);
    queue_free(alert->queue);
    sd_event_source_disable_unref(alert->timer);
    sd_event_source_disable_unref(alert->gone);
    sd_event_source_disable_unref(alert->keep);
    sd_event_unref(alert->loop);
    position_clear(&alert->position);
    config_free(alert->config);
}

int alert_run(const struct alert_options *options, struct config *config, char **ret_error)
{
    struct alert alert = {.options = options, .config = config, .keep_lock = -1};
    int r;

    state_init(&alert.state);
    r = start(&alert);
    if (r >= 0) {
        (void)sd_notify(0, "READY=1");
        r = sd_event_loop(alert.loop);
    }
    if (alert.loop && alert.launcher)
        end(&alert);
    return r < 0 ? error_set(ret_error, r, "%s", strerrordesc_np(-r)) : 0;
}
