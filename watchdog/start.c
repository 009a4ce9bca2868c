/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes all that the daemon owns, in order, and takes it down in reverse.
 */
#include <errno.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "daemon_private.h"
#include "engine/inspect.h"
#include "util/exit-status.h"
#include "util/format.h"
#include "version.h"

/* How late a deadline may be, so that the kernel can join wake-ups. */
#define TIMER_ACCURACY_US UINT64_C(1000)
#define TRIM_ACCURACY_US  UINT64_C(1000000)

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
        return errno ? -errno : -EIO;
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(daemon->run + 2 * i, 3, "%02x", bytes[i]);
    return 0;
}

/* From the first record on. */
static int daemon_start_counts(struct daemon *daemon)
{
    uint64_t key[2];

    if (getrandom(key, sizeof(key), 0) != sizeof(key))
        return errno ? -errno : -EIO;
    daemon->metrics = metrics_new(key);
    return 0;
}

static int daemon_start_loop(struct daemon *daemon)
{
    sd_event_source *sources[3] = {0};
    int r = sd_event_new(&daemon->loop);

    if (r >= 0)
        r = sd_event_add_signal(daemon->loop, &sources[0], SIGTERM, daemon_on_stop, daemon);
    if (r >= 0)
        r = sd_event_add_signal(daemon->loop, &sources[1], SIGINT, daemon_on_stop, daemon);
    if (r >= 0)
        r = sd_event_add_signal(daemon->loop, &sources[2], SIGHUP, daemon_on_reload, daemon);
    if (r >= 0)
        r = sd_event_add_time(daemon->loop, &daemon->timer, CLOCK_MONOTONIC, UINT64_MAX,
                              TIMER_ACCURACY_US, daemon_on_timer, daemon);
    for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
        if (sources[i]) {
            sd_event_source_set_floating(sources[i], true);
            sd_event_source_set_exit_on_failure(sources[i], true);
        }
        sd_event_source_unref(sources[i]);
    }
    if (r >= 0)
        r = sd_event_add_time(daemon->loop, &daemon->trim, CLOCK_MONOTONIC, UINT64_MAX,
                              TRIM_ACCURACY_US, daemon_on_trim, daemon);
    if (r >= 0)
        r = aside_new(daemon->loop, &daemon->aside);
    if (r < 0)
        return r;
    sd_event_source_set_enabled(daemon->timer, SD_EVENT_OFF);
    sd_event_source_set_exit_on_failure(daemon->timer, true);
    sd_event_source_set_description(daemon->timer, "deadline");
    sd_event_source_set_enabled(daemon->trim, SD_EVENT_OFF);
    sd_event_source_set_priority(daemon->trim, SD_EVENT_PRIORITY_IDLE);
    sd_event_source_set_description(daemon->trim, "trim");
    return 0;
}

static int daemon_start_supervisor(struct daemon *daemon)
{
    struct supervisor_config config = {
        .loop = daemon->loop,
        .address = getenv("NOTIFY_SOCKET"),
        .notice = daemon_on_notice,
        .user = daemon,
    };
    int r;

    if (sd_watchdog_enabled(0, &config.watchdog_us) <= 0)
        config.watchdog_us = 0;
    r = supervisor_new(&config, &daemon->supervisor);
    if (r >= 0)
        daemon->status = status_new(daemon->config->node, daemon->supervisor);
    return r;
}

static int daemon_start_sink(struct daemon *daemon)
{
    const struct sink_config config = {
        .target = daemon->options.target,
        .level = daemon->options.level,
        .run = daemon->run,
        .fd = STDOUT_FILENO,
        .dropped = daemon_on_log_dropped,
        .user = daemon,
    };

    return sink_new(daemon->loop, &config, &daemon->sink);
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
    const struct link_handlers handlers = {
        .event = daemon_on_event, .notice = daemon_on_notice, .userdata = daemon};

    if (stat("/proc/self/ns/net", &netns) == 0)
        config.netns = netns.st_ino;
    if (getrandom(&config.seed, sizeof(config.seed), 0) != sizeof(config.seed))
        config.seed = daemon->now_us;
    return link_new(daemon->loop, &config, &handlers, &daemon->link);
}

/* What the run before this one had learnt goes first, and into the recording. */
static int daemon_start_keeper(struct daemon *daemon, char **ret_error)
{
    const struct keeper_config config = {
        .loop = daemon->loop,
        .directory = daemon->config->state_directory,
        .lock = &daemon->state_lock,
        .notice = daemon_on_notice,
        .user = daemon,
    };
    struct event event;
    int r = keeper_new(&config, &daemon->keeper);

    if (r < 0)
        return error_set(ret_error, -EIO, "cannot make what keeps the state: %s", strerror(-r));
    r = keeper_load(daemon->keeper, &event, ret_error);
    if (r > 0)
        daemon_dispatch(daemon, &event);
    return r;
}

/* Before anything is made that another pathdog may have, too. Where nothing can be written, it is
 * tried again before each save. */
static int daemon_lock_state(struct daemon *daemon, char **ret_error)
{
    CLEANUP_FREE char *place = config_place(daemon->config, "state_directory");
    CLEANUP_FREE char *error = NULL;
    int r = lock_take(&daemon->state_lock, daemon->config->state_directory, &error);

    if (r >= 0 || lock_is_needless(r))
        return 0;
    return error_set(ret_error, r, "%s: %s", place, error);
}

static const struct config *control_config(void *user)
{
    return ((const struct daemon *)user)->config;
}

static void control_dispatch(void *user, struct event *event)
{
    daemon_dispatch(user, event);
}

static bool control_busy(void *user)
{
    return ((const struct daemon *)user)->turning;
}

static int control_reload(void *user, char **ret_left, char **ret_error)
{
    return daemon_reload(user, ret_left, ret_error);
}

static const char *control_metrics(void *user)
{
    return metrics_path(((const struct daemon *)user)->metrics);
}

/* Without it there is nobody to ask, but everything else goes on. Where the machine has not
 * enough for it, it may have that at the next start. */
static int daemon_start_control(struct daemon *daemon, char **ret_error)
{
    CLEANUP_FREE char *error = NULL;
    const struct control_host host = {
        .loop = aside_loop(daemon->aside),
        .engine = daemon->engine,
        .run = daemon->run,
        .version = PATHDOG_VERSION,
        .config = control_config,
        .busy = control_busy,
        .dispatch = control_dispatch,
        .notice = daemon_on_notice,
        .reload = control_reload,
        .metrics = control_metrics,
        .user = daemon,
    };
    int r = control_new(&host, daemon->config->control, &daemon->control, &error);

    if (error_is_shortage(r))
        return error_set(ret_error, r, "%s", error);
    if (r < 0)
        daemon_notice(daemon, PD_LEVEL_ERROR, "control-socket", error, 1);
    return 0;
}

/* Without it nobody can scrape, but everything else goes on. */
static int daemon_start_metrics(struct daemon *daemon, uint64_t start_us, char **ret_error)
{
    CLEANUP_FREE char *error = NULL;
    const struct metrics_host host = {
        .loop = aside_loop(daemon->aside),
        .engine = daemon->engine,
        .version = PATHDOG_VERSION,
        .start_us = start_us,
        .notice = daemon_on_notice,
        .user = daemon,
    };
    int r = metrics_listen(daemon->metrics, &host, daemon->config->metrics, &error);

    if (error_is_shortage(r))
        return error_set(ret_error, r, "%s", error);
    if (r < 0)
        daemon_notice(daemon, PD_LEVEL_WARNING, "metrics-socket", error, 1);
    return 0;
}

/* The policies have started, or failed to. */
static int daemon_start_sources(struct daemon *daemon, char **ret_error)
{
    const struct sources_handlers handlers = {
        .signal = daemon_on_signal, .notice = daemon_on_notice, .user = daemon};
    const struct config *config = daemon->config;
    CLEANUP_FREE bool *closed = memory_new(config->engine.n_instances, sizeof(*closed));
    struct inspect_instance instance;

    for (size_t i = 0; inspect_instance(daemon->engine, i, &instance); i++)
        closed[i] = !instance.open;
    daemon->sources = sources_start(daemon->loop, config, daemon->plugins, closed, &handlers);
    return sources_shortage(daemon->sources, ret_error);
}

/* Without it there are no uplinks, and everything else goes on. */
static void daemon_start_net(struct daemon *daemon)
{
    const struct host_net_handlers handlers = {
        .changed = daemon_on_interfaces, .notice = daemon_on_notice, .user = daemon};
    int r = host_net_new(daemon->loop, daemon->config, &handlers, &daemon->net);
    CLEANUP_FREE char *text = NULL;

    if (r >= 0)
        return;
    text = string_format("the kernel cannot be asked for this host's interfaces (%s): "
                         "no uplinks are known",
                         strerror(-r));
    daemon_notice(daemon, PD_LEVEL_WARNING, "uplinks-unknown", text, 1);
}

static int link_failed(const struct config *config, int error, char **ret_error)
{
    bool no_user = error == -ENOENT && config->node_user;
    CLEANUP_FREE char *place = config_place(config, no_user ? "node_user" : "node");

    return error_set(ret_error, no_user ? -EINVAL : error, "%s: \"%s\": %s", place,
                     no_user ? config->node_user : config->node,
                     no_user ? "there is no such user" : strerror(-error));
}

/* No key and no argument is about these: the machine is to blame. */
static int daemon_start_base(struct daemon *daemon, char **ret_error)
{
    static const struct {
        int (*start)(struct daemon *daemon);
        const char *what;
    } steps[] = {
        {daemon_name_run, "find random numbers for the name of this run"},
        {daemon_start_counts, "find random numbers for a table of names"},
        {daemon_start_loop, "make the event loop"},
        {daemon_start_supervisor, "make what tells systemd"},
        {daemon_start_sink, "open the log"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        int r = steps[i].start(daemon);

        if (r < 0)
            return error_set(ret_error, -EIO, "cannot %s: %s", steps[i].what, strerror(-r));
    }
    return 0;
}

static int daemon_start(struct daemon *daemon, char **ret_error)
{
    const struct config *config = daemon->config;
    uint64_t realtime_us;
    int r = daemon_start_base(daemon, ret_error);

    if (r >= 0)
        r = daemon_lock_state(daemon, ret_error);
    if (r < 0)
        return r;
    daemon->now_us = clock_us(CLOCK_MONOTONIC);
    realtime_us = clock_us(CLOCK_REALTIME);
    if (daemon->options.record_path) {
        r = daemon_start_recorder(daemon, realtime_us, ret_error);
        if (r < 0)
            return r;
    }
    r = daemon_start_link(daemon);
    if (r < 0)
        return link_failed(config, r, ret_error);
    r = engine_new(&config->engine, daemon->now_us, realtime_us, &daemon->engine);
    if (r < 0)
        return error_set(ret_error, r, "the engine refuses this configuration: %s", strerror(-r));
    r = daemon_start_sources(daemon, ret_error);
    if (r < 0)
        return r;
    daemon_start_net(daemon);
    daemon_act(daemon, engine_outbox(daemon->engine));
    r = daemon_start_keeper(daemon, ret_error);
    if (r >= 0)
        r = daemon_start_control(daemon, ret_error);
    if (r >= 0)
        r = daemon_start_metrics(daemon, realtime_us, ret_error);
    if (r < 0)
        return r;
    keeper_start(daemon->keeper, daemon->engine);
    return link_start(daemon->link);
}

int daemon_new(const struct daemon_options *options, struct config *config, struct plugins *plugins,
               struct daemon **ret_daemon, char **ret_error)
{
    struct daemon *daemon = memory_new(1, sizeof(*daemon));
    int r;

    daemon->options = *options;
    daemon->config = config;
    daemon->plugins = plugins;
    daemon->state_lock.fd = -1;
    daemon->inbox = inbox_new();
    daemon_fix(daemon);
    r = daemon_start(daemon, ret_error);
    if (r < 0) {
        (void)daemon_stop(daemon);
        daemon_free(daemon);
        return r;
    }
    *ret_daemon = daemon;
    return 0;
}

/* ---- stopping ---- */

struct daemon *daemon_free(struct daemon *daemon)
{
    if (!daemon)
        return NULL;
    control_free(daemon->control);
    metrics_free(daemon->metrics);
    sources_free(daemon->sources);
    host_net_free(daemon->net);
    link_free(daemon->link);
    keeper_free(daemon->keeper);
    lock_drop(&daemon->state_lock);
    recorder_free(daemon->recorder);
    sink_free(daemon->sink);
    engine_free(daemon->engine);
    status_free(daemon->status);
    supervisor_free(daemon->supervisor);
    aside_free(daemon->aside);
    sd_event_source_disable_unref(daemon->trim);
    sd_event_source_disable_unref(daemon->timer);
    sd_event_unref(daemon->loop);
    inbox_free(daemon->inbox);
    config_free(daemon->config);
    daemon_unfix(daemon);
    free(daemon);
    return NULL;
}
