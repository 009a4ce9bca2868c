/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of an event: daemon_dispatch → the recorder → engine_handle → link,
 * sources, sink, timer. Everything else here is starting and stopping.
 */
#include "daemon.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

#include "codec/recorder.h"
#include "engine/engine.h"
#include "host/source.h"
#include "inbox.h"
#include "node/link.h"
#include "status.h"
#include "util/format.h"

/* How late a deadline may be, so that the kernel can join wake-ups. */
#define TIMER_ACCURACY_US UINT64_C(1000)
/* Given to the log's readers at the end. */
#define DRAIN_US UINT64_C(2000000)
/* Events from the inbox between two looks at the descriptors. */
#define INBOX_BURST 1024u

struct daemon {
    struct daemon_options options;
    char run[33];
    struct config *config;
    struct plugins *plugins;
    sd_event *loop;
    sd_event_source *timer, *deferred;
    struct inbox *inbox;
    struct sink *sink;
    struct recorder *recorder;
    struct engine *engine;
    struct link *link;
    struct sources *sources;
    struct status *status;
    uint64_t now_us;   /* of the last event */
    uint64_t armed_us; /* when the timer is set to, 0: not */
    bool dispatching, stopped;
};

static uint64_t clock_us(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* ---- one event ---- */

static void daemon_arm(struct daemon *daemon, uint64_t wake_at_us)
{
    if (wake_at_us == daemon->armed_us)
        return;
    daemon->armed_us = wake_at_us;
    if (wake_at_us == UINT64_MAX) {
        sd_event_source_set_enabled(daemon->timer, SD_EVENT_OFF);
        return;
    }
    sd_event_source_set_time(daemon->timer, wake_at_us);
    sd_event_source_set_enabled(daemon->timer, SD_EVENT_ONESHOT);
}

/* Requests first: they do not wait for their records. */
static void daemon_act(struct daemon *daemon, const struct outbox *outbox)
{
    if (outbox->n_actions && daemon->link)
        link_send(daemon->link, outbox->actions, outbox->n_actions);
    for (size_t i = 0; i < outbox->n_actions; i++)
        if (outbox->actions[i].type == ACTION_QUERY && daemon->sources)
            sources_query(daemon->sources, outbox->actions[i].query.instance,
                          &outbox->actions[i].query.query);
    sink_write(daemon->sink, outbox->records, outbox->n_records);
    daemon_arm(daemon, outbox->wake_at_us);
}

static void daemon_turn(struct daemon *daemon, struct event *event)
{
    int r = 0;

    daemon->now_us = max_u64(daemon->now_us, clock_us(CLOCK_MONOTONIC));
    event->now_us = daemon->now_us;
    event->realtime_us = clock_us(CLOCK_REALTIME);
    if (daemon->recorder)
        r = recorder_event(daemon->recorder, event);
    if (r < 0)
        daemon_notice(daemon, PD_LEVEL_ERROR, "recording-stopped", strerror(-r), 1);
    daemon_act(daemon, engine_handle(daemon->engine, event));
    status_event(daemon->status, daemon->engine, event);
}

/* What came up meanwhile. Not without end: the descriptors want a look too. */
static void daemon_drain_inbox(struct daemon *daemon)
{
    struct event *event;

    for (unsigned i = 0; i < INBOX_BURST && (event = inbox_take(daemon->inbox)); i++)
        daemon_turn(daemon, event);
    if (!inbox_is_empty(daemon->inbox))
        sd_event_source_set_enabled(daemon->deferred, SD_EVENT_ONESHOT);
}

void daemon_dispatch(struct daemon *daemon, struct event *event)
{
    assert(!daemon->dispatching);
    if (daemon->stopped)
        return;
    daemon->dispatching = true;
    daemon_turn(daemon, event);
    daemon_drain_inbox(daemon);
    daemon->dispatching = false;
}

/* ---- what calls in ---- */

static void daemon_defer(struct daemon *daemon)
{
    if (!daemon->dispatching && daemon->deferred)
        sd_event_source_set_enabled(daemon->deferred, SD_EVENT_ONESHOT);
}

void daemon_notice(struct daemon *daemon, enum pd_level level, const char *what, const char *text,
                   uint64_t count)
{
    inbox_notice(daemon->inbox, level, what, text, count);
    daemon_defer(daemon);
}

static void on_link_event(void *user, struct event *event)
{
    daemon_dispatch(user, event);
}

static void on_source_signal(void *user, const char *instance, const struct pd_signal *signal)
{
    struct daemon *daemon = user;

    inbox_signal(daemon->inbox, instance, signal);
    daemon_defer(daemon);
}

static void on_source_notice(void *user, enum pd_level level, const char *what, const char *text)
{
    daemon_notice(user, level, what, text, 1);
}

static void on_log_dropped(void *user, uint64_t count, const char *why)
{
    CLEANUP_FREE char *text =
        string_format("%llu records were left out of the log: %s", (unsigned long long)count, why);

    daemon_notice(user, PD_LEVEL_WARNING, "log-dropped", text, count);
}

static int on_deferred(sd_event_source *source, void *user)
{
    struct daemon *daemon = user;

    if (daemon->stopped)
        return 0;
    daemon->dispatching = true;
    daemon_drain_inbox(daemon);
    daemon->dispatching = false;
    return 0;
}

static int on_timer(sd_event_source *source, uint64_t time_us, void *user)
{
    struct daemon *daemon = user;
    struct event event = {.type = EVENT_TIMER};

    daemon->armed_us = 0;
    daemon_dispatch(daemon, &event);
    return 0;
}

static int on_stop(sd_event_source *source, const struct signalfd_siginfo *info, void *user)
{
    struct daemon *daemon = user;
    struct event event = {.type = EVENT_COMMAND, .command = {.type = COMMAND_STOP}};

    if (!daemon->stopped) {
        sd_notify(false, "STOPPING=1");
        daemon->dispatching = true;
        daemon_drain_inbox(daemon);
        daemon_turn(daemon, &event); /* the last one */
        daemon->stopped = true;
    }
    return sd_event_exit(daemon->loop, 0);
}

/* All or nothing: a config that cannot be read leaves the running one. */
static void daemon_reload(struct daemon *daemon)
{
    const struct config_lookup lookup = plugins_lookup(daemon->plugins);
    struct config *config = NULL;
    char *error = NULL;

    if (config_load(daemon->options.config_path, &lookup, &config, &error) < 0) {
        daemon_notice(daemon, PD_LEVEL_ERROR, "reload-failed", error, 1);
        free(error);
        return;
    }
    daemon_notice(daemon, PD_LEVEL_WARNING, "reload-unsupported",
                  "the new configuration is good, but is taken by a restart only", 1);
    config_free(config);
}

static int on_reload(sd_event_source *source, const struct signalfd_siginfo *info, void *user)
{
    sd_notifyf(false, "RELOADING=1\nMONOTONIC_USEC=%llu",
               (unsigned long long)clock_us(CLOCK_MONOTONIC));
    daemon_reload(user);
    sd_notify(false, "READY=1");
    return 0;
}

/* ---- starting ---- */

/* systemd's name for this run, or one of our own. */
static int daemon_name_run(struct daemon *daemon)
{
    const char *id = getenv("INVOCATION_ID");
    uint8_t bytes[16];

    if (id && strlen(id) == 32 && strspn(id, "0123456789abcdefABCDEF") == 32) {
        memcpy(daemon->run, id, sizeof(daemon->run));
        return 0;
    }
    if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
        return -EIO;
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(daemon->run + 2 * i, 3, "%02x", bytes[i]);
    return 0;
}

static int daemon_start_loop(struct daemon *daemon)
{
    sd_event_source *sources[3] = {0};
    int r = sd_event_new(&daemon->loop);

    if (r >= 0)
        r = sd_event_add_signal(daemon->loop, &sources[0], SIGTERM, on_stop, daemon);
    if (r >= 0)
        r = sd_event_add_signal(daemon->loop, &sources[1], SIGINT, on_stop, daemon);
    if (r >= 0)
        r = sd_event_add_signal(daemon->loop, &sources[2], SIGHUP, on_reload, daemon);
    if (r >= 0)
        r = sd_event_add_time(daemon->loop, &daemon->timer, CLOCK_MONOTONIC, UINT64_MAX,
                              TIMER_ACCURACY_US, on_timer, daemon);
    if (r >= 0)
        r = sd_event_add_defer(daemon->loop, &daemon->deferred, on_deferred, daemon);
    for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
        if (sources[i]) {
            sd_event_source_set_floating(sources[i], true);
            sd_event_source_set_exit_on_failure(sources[i], true);
        }
        sd_event_source_unref(sources[i]);
    }
    if (r < 0)
        return r;
    sd_event_source_set_enabled(daemon->timer, SD_EVENT_OFF);
    sd_event_source_set_enabled(daemon->deferred, SD_EVENT_OFF);
    sd_event_source_set_exit_on_failure(daemon->timer, true);
    sd_event_source_set_exit_on_failure(daemon->deferred, true);
    sd_event_source_set_description(daemon->timer, "deadline");
    sd_event_source_set_description(daemon->deferred, "inbox");
    r = sd_event_set_watchdog(daemon->loop, true);
    return r < 0 ? r : 0;
}

static int daemon_start_sink(struct daemon *daemon)
{
    const struct sink_config config = {
        .target = daemon->options.target,
        .level = daemon->options.level,
        .run = daemon->run,
        .fd = STDOUT_FILENO,
        .dropped = on_log_dropped,
        .user = daemon,
    };

    return sink_new(daemon->loop, &config, &daemon->sink);
}

static int daemon_start_recorder(struct daemon *daemon, uint64_t realtime_us)
{
    CLEANUP_FREE char *text = config_text(daemon->config, CONFIG_PLAIN);
    const struct recording_header header = {
        .run = daemon->run,
        .started_us = daemon->now_us,
        .realtime_us = realtime_us,
        .config = text,
    };

    return recorder_new(daemon->options.record_path, &header, &daemon->recorder);
}

static int daemon_start_link(struct daemon *daemon)
{
    struct stat netns = {0};
    struct link_config config = {
        .path = daemon->config->node,
        .node_user = daemon->config->node_user,
        .sample_interval_us = daemon->config->engine.sample_interval_us,
        .client = "pathdog/" PATHDOG_VERSION,
    };
    const struct link_handlers handlers = {.event = on_link_event, .userdata = daemon};

    if (stat("/proc/self/ns/net", &netns) == 0)
        config.netns = netns.st_ino;
    if (getrandom(&config.seed, sizeof(config.seed), 0) != sizeof(config.seed))
        config.seed = daemon->now_us;
    return link_new(daemon->loop, &config, &handlers, &daemon->link);
}

static int daemon_start(struct daemon *daemon, char **ret_error)
{
    const struct sources_handlers handlers = {
        .signal = on_source_signal, .notice = on_source_notice, .user = daemon};
    const struct config *config = daemon->config;
    uint64_t realtime_us;
    int r = daemon_name_run(daemon);

    if (r >= 0)
        r = daemon_start_loop(daemon);
    if (r >= 0)
        r = daemon_start_sink(daemon);
    if (r < 0)
        return error_set(ret_error, r == -EINVAL ? -EIO : r, "cannot start: %s", strerror(-r));
    daemon->now_us = clock_us(CLOCK_MONOTONIC);
    realtime_us = clock_us(CLOCK_REALTIME);
    if (daemon->options.record_path) {
        r = daemon_start_recorder(daemon, realtime_us);
        if (r < 0)
            return error_set(ret_error, -EINVAL, "--record %s: %s", daemon->options.record_path,
                             r == -EINVAL ? "is not a regular file" : strerror(-r));
    }
    r = daemon_start_link(daemon);
    if (r < 0) {
        bool no_user = r == -ENOENT && config->node_user;
        CLEANUP_FREE char *place = config_place(config, no_user ? "node_user" : "node");

        return error_set(ret_error, -EINVAL, "%s: \"%s\": %s", place,
                         no_user ? config->node_user : config->node,
                         no_user ? "there is no such user" : strerror(-r));
    }
    r = engine_new(&config->engine, daemon->now_us, realtime_us, &daemon->engine);
    if (r < 0)
        return error_set(ret_error, r, "the engine does not take this configuration: %s",
                         strerror(-r));
    daemon->sources = sources_start(daemon->loop, config, daemon->plugins, &handlers);
    daemon_act(daemon, engine_outbox(daemon->engine));
    r = link_start(daemon->link);
    if (r < 0)
        return error_set(ret_error, r == -EINVAL ? -EIO : r, "cannot start: %s", strerror(-r));
    return 0;
}

int daemon_new(const struct daemon_options *options, struct config *config, struct plugins *plugins,
               struct daemon **ret_daemon, char **ret_error)
{
    struct daemon *daemon = memory_new(1, sizeof(*daemon));
    int r;

    daemon->options = *options;
    daemon->config = config;
    daemon->plugins = plugins;
    daemon->inbox = inbox_new();
    daemon->status = status_new(config->node);
    r = daemon_start(daemon, ret_error);
    if (r < 0) {
        daemon_free(daemon);
        return r;
    }
    *ret_daemon = daemon;
    return 0;
}

int daemon_run(struct daemon *daemon)
{
    status_ready(daemon->status);
    return sd_event_loop(daemon->loop);
}

/* ---- stopping ---- */

struct daemon *daemon_free(struct daemon *daemon)
{
    int r = 0;

    if (!daemon)
        return NULL;
    daemon->stopped = true;
    sources_free(daemon->sources);
    link_free(daemon->link);
    if (daemon->sink)
        sink_settle(daemon->sink);
    engine_free(daemon->engine);
    if (daemon->recorder)
        r = recorder_stop(daemon->recorder);
    if (r < 0)
        dprintf(STDERR_FILENO, "pathdog: the recording is not complete: %s\n", strerror(-r));
    recorder_free(daemon->recorder);
    if (daemon->sink)
        sink_drain(daemon->sink, DRAIN_US);
    sink_free(daemon->sink);
    status_free(daemon->status);
    sd_event_source_disable_unref(daemon->timer);
    sd_event_source_disable_unref(daemon->deferred);
    sd_event_unref(daemon->loop);
    inbox_free(daemon->inbox);
    config_free(daemon->config);
    free(daemon);
    return NULL;
}
