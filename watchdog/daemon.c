/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of an event: daemon_dispatch → the recorder → engine_ask → link,
 * sources; engine_settle → sink, timer; and what calls in. How it all came to be is in start.c.
 */
#include <assert.h>
#include <errno.h>
#include <malloc.h>

#include "config/difference.h"
#include "daemon_private.h"
#include "util/format.h"

/* Events from the inbox between two looks at the descriptors. */
#define INBOX_BURST 1024u
/* Requests entered before the node is given more of them, if it did not take all. */
#define SETTLE_SLICE 512u
/* So many records or requests of one turn are a storm. */
#define STORM_LEAST 4096u
/* By then what it led to is over: effects, watches, records that wait. */
#define STORM_US UINT64_C(90000000)
#define TRIM_US  UINT64_C(10000000)
/* Records handed to the log between two looks at the control socket. */
#define WRITE_SLICE 4096u

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

/* What is in the outbox behind the first so many actions. Returns how many there are. */
static size_t daemon_send(struct daemon *daemon, const struct outbox *outbox, size_t sent)
{
    if (outbox->n_actions > sent && daemon->link)
        link_send(daemon->link, outbox->actions + sent, outbox->n_actions - sent);
    for (size_t i = sent; i < outbox->n_actions && daemon->sources; i++) {
        const struct action *action = &outbox->actions[i];

        if (action->type == ACTION_QUERY)
            sources_query(daemon->sources, action->query.instance, &action->query.query);
        else if (action->type == ACTION_CLOSE) /* it speaks to nobody */
            sources_close(daemon->sources, action->close.instance);
    }
    return outbox->n_actions;
}

/* Between two parts of long work: the control socket is answered meanwhile. */
static void daemon_look_up(struct daemon *daemon)
{
    daemon->turning = true;
    aside_turn(daemon->aside);
    daemon->turning = false;
}

static void daemon_write(struct daemon *daemon, const struct outbox *outbox, uint64_t late_us)
{
    daemon_arm(daemon, outbox->wake_at_us);
    for (size_t done = 0, n; done < outbox->n_records; done += n) {
        n = min_u64(outbox->n_records - done, WRITE_SLICE);
        sink_write(daemon->sink, outbox->records + done, n);
        control_records(daemon->control, outbox->records + done, n);
        metrics_records(daemon->metrics, outbox->records + done, n, late_us);
        if (done + n < outbox->n_records)
            daemon_look_up(daemon);
    }
}

void daemon_act(struct daemon *daemon, const struct outbox *outbox)
{
    (void)daemon_send(daemon, outbox, 0);
    daemon_write(daemon, outbox, 0);
}

/* A storm is a turn of very much. What it needs is free again in the minute that follows, in
 * pieces all over the heap, which malloc keeps. */
static void daemon_note_storm(struct daemon *daemon, const struct outbox *outbox)
{
    int enabled = SD_EVENT_OFF;

    if (max_u64(outbox->n_records, outbox->n_actions) < STORM_LEAST)
        return;
    daemon->trim_until_us = add_u64(daemon->now_us, STORM_US);
    (void)sd_event_source_get_enabled(daemon->trim, &enabled);
    if (enabled != SD_EVENT_OFF)
        return;
    sd_event_source_set_time(daemon->trim, add_u64(daemon->now_us, TRIM_US));
    sd_event_source_set_enabled(daemon->trim, SD_EVENT_ONESHOT);
}

static void daemon_turn(struct daemon *daemon, struct event *event)
{
    const struct outbox *outbox;
    uint64_t late_us;
    size_t sent;
    int r = 0;

    daemon->now_us = max_u64(daemon->now_us, clock_us(CLOCK_MONOTONIC));
    event->now_us = daemon->now_us;
    event->realtime_us = clock_us(CLOCK_REALTIME);
    if (daemon->recorder)
        r = recorder_event(daemon->recorder, event);
    if (r < 0)
        daemon_notice(daemon, PD_LEVEL_ERROR, "recording-stopped", strerror(-r), 1);
    /* Requests are on their way before anything is kept or written of them. */
    outbox = engine_ask(daemon->engine, event);
    sent = daemon_send(daemon, outbox, 0);
    while (engine_ask_more(daemon->engine)) {
        sent = daemon_send(daemon, outbox, sent);
        daemon_look_up(daemon);
    }
    late_us = sent ? sub_u64(clock_us(CLOCK_MONOTONIC), daemon->now_us) : 0;
    while (!engine_settle(daemon->engine, SETTLE_SLICE)) {
        link_push(daemon->link);
        daemon_look_up(daemon);
    }
    daemon_write(daemon, outbox, late_us);
    control_go_on(daemon->control);
    daemon_note_storm(daemon, outbox);
    keeper_event(daemon->keeper, event, outbox);
    status_event(daemon->status, daemon->engine, event);
}

/* What came up meanwhile. Not without end: the descriptors want a look too. */
static void daemon_drain_inbox(struct daemon *daemon)
{
    struct event *event;

    for (unsigned i = 0; i < INBOX_BURST && (event = inbox_take(daemon->inbox)); i++)
        daemon_turn(daemon, event);
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

void daemon_notice(struct daemon *daemon, enum pd_level level, const char *what, const char *text,
                   uint64_t count)
{
    inbox_notice(daemon->inbox, level, what, text, count);
}

void daemon_on_event(void *user, struct event *event)
{
    daemon_dispatch(user, event);
}

void daemon_on_signal(void *user, const char *instance, const struct pd_signal *signal)
{
    struct daemon *daemon = user;

    inbox_signal(daemon->inbox, instance, signal);
}

void daemon_on_interfaces(void *user, const struct event_interfaces *interfaces)
{
    struct daemon *daemon = user;
    struct event event = {.type = EVENT_INTERFACES, .interfaces = *interfaces};

    if (!daemon->stopped)
        daemon_dispatch(daemon, &event);
}

void daemon_on_notice(void *user, enum pd_level level, const char *what, const char *text)
{
    daemon_notice(user, level, what, text, 1);
}

void daemon_on_log_dropped(void *user, uint64_t count, const char *why)
{
    struct daemon *daemon = user;
    CLEANUP_FREE char *text =
        string_format("%llu records were left out of the log: %s", (unsigned long long)count, why);

    if (daemon->stopped) /* there will be no turn to say it in */
        daemon->n_log_lost += count;
    else
        daemon_notice(daemon, PD_LEVEL_WARNING, "log-dropped", text, count);
}

int daemon_on_trim(sd_event_source *source, uint64_t time_us, void *user)
{
    struct daemon *daemon = user;
    uint64_t now_us = clock_us(CLOCK_MONOTONIC);

    malloc_trim(0);
    if (now_us >= daemon->trim_until_us)
        return 0;
    sd_event_source_set_time(source, add_u64(now_us, TRIM_US));
    return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int daemon_on_timer(sd_event_source *source, uint64_t time_us, void *user)
{
    struct daemon *daemon = user;
    struct event event = {.type = EVENT_TIMER};

    daemon->armed_us = 0;
    daemon_dispatch(daemon, &event);
    return 0;
}

int daemon_on_stop(sd_event_source *source, const struct signalfd_siginfo *info, void *user)
{
    struct daemon *daemon = user;
    struct event event = {.type = EVENT_COMMAND, .command = {.type = COMMAND_STOP}};

    if (!daemon->stopped) {
        daemon_stop_begin(daemon);
        supervisor_stopping(daemon->supervisor);
        daemon->dispatching = true;
        daemon_drain_inbox(daemon);
        daemon->stopped = true;
        daemon_turn(daemon, &event); /* the last one */
        keeper_stop(daemon->keeper); /* the next run goes on from here */
    }
    return sd_event_exit(daemon->loop, 0);
}

static struct daemon_fixed fixed_of(const struct config *config)
{
    return (struct daemon_fixed){{
        {"node", config->node},
        {"node_user", config->node_user},
        {"control", config->control},
        {"metrics", config->metrics},
        {"state_directory", config->state_directory},
    }};
}

void daemon_fix(struct daemon *daemon)
{
    daemon->fixed = fixed_of(daemon->config);
    for (size_t i = 0; i < DAEMON_FIXED; i++)
        daemon->fixed.rows[i].value = string_copy(daemon->fixed.rows[i].value);
}

void daemon_unfix(struct daemon *daemon)
{
    for (size_t i = 0; i < DAEMON_FIXED; i++)
        free((char *)daemon->fixed.rows[i].value);
}

/* What of this configuration only a restart can bring into force; NULL: nothing. */
static char *daemon_note_restart(struct daemon *daemon, const struct config *now)
{
    const struct daemon_fixed wanted = fixed_of(now);
    char *all = NULL;

    for (size_t i = 0; i < DAEMON_FIXED; i++) {
        const char *key = wanted.rows[i].key, *here = daemon->fixed.rows[i].value;
        const char *there = wanted.rows[i].value;
        CLEANUP_FREE char *text = NULL, *before = NULL;

        if (string_equal(here, there))
            continue;
        before = all;
        text =
            string_format("the key %s has changed, which takes effect after a restart only", key);
        daemon_notice(daemon, PD_LEVEL_WARNING, "restart-needed", text, 1);
        all = string_format("%s%s%s is still %s, and not %s", before ? before : "",
                            before ? "; " : "", key, here ? here : "(not set)",
                            there ? there : "(not set)");
    }
    return all;
}

/* The engine will take it with the event; the rest goes first, so that it can ask its new
 * sources at once. */
static void daemon_take_config(struct daemon *daemon, struct config *config, char **ret_left)
{
    CLEANUP_FREE char *text = config_text(config, CONFIG_PLAIN);
    struct event event = {
        .type = EVENT_COMMAND,
        .command = {.type = COMMAND_CONFIG, .config = text},
    };
    struct config *old = daemon->config;
    CLEANUP_FREE char *before = config_text(old, CONFIG_PLAIN);
    CLEANUP_FREE char *difference = config_difference(before, text);

    daemon_notice(daemon, PD_LEVEL_NOTICE, "reloaded", difference, 1);
    *ret_left = daemon_note_restart(daemon, config);
    daemon->config = config;
    sources_update(daemon->sources, config, daemon->plugins);
    if (daemon->net)
        host_net_configure(daemon->net, config);
    link_set_sample_interval(daemon->link, config->engine.sample_interval_us);
    daemon_dispatch(daemon, &event);
    config_free(old);
}

int daemon_reload(struct daemon *daemon, char **ret_left, char **ret_error)
{
    const struct config_lookup lookup = plugins_lookup(daemon->plugins, daemon->options.runtime);
    struct config *config = NULL;
    int r = config_load(daemon->options.config_path, &lookup, &config, ret_error);

    if (r >= 0)
        r = config_check_accounts(config, ret_error);
    if (r < 0) {
        daemon_notice(daemon, PD_LEVEL_ERROR, "reload-failed", *ret_error, 1);
        config_free(config);
        return r;
    }
    if (daemon->options.observe)
        config_set_observe(config);
    r = engine_configure(daemon->engine, &config->engine);
    if (r < 0) {
        (void)error_set(ret_error, r, "the engine refuses the new configuration");
        daemon_notice(daemon, PD_LEVEL_ERROR, "reload-failed", *ret_error, 1);
        config_free(config);
        return r;
    }
    daemon_take_config(daemon, config, ret_left);
    return 0;
}

int daemon_on_reload(sd_event_source *source, const struct signalfd_siginfo *info, void *user)
{
    struct daemon *daemon = user;
    CLEANUP_FREE char *error = NULL, *left = NULL;

    if (daemon->stopped)
        return 0;
    supervisor_reloading(daemon->supervisor, clock_us(CLOCK_MONOTONIC));
    (void)daemon_reload(daemon, &left, &error);
    supervisor_ready(daemon->supervisor, NULL);
    return 0;
}

int daemon_run(struct daemon *daemon)
{
    int r, code;

    status_ready(daemon->status);
    do {
        /* What a source said is an event at once, without another turn of the loop. */
        if (!daemon->stopped) {
            daemon->dispatching = true;
            daemon_drain_inbox(daemon);
            daemon->dispatching = false;
        }
        aside_turn(daemon->aside);
        aside_arm(daemon->aside);
        r = sd_event_run(daemon->loop, inbox_is_empty(daemon->inbox) ? UINT64_MAX : 0);
    } while (r >= 0 && sd_event_get_state(daemon->loop) != SD_EVENT_FINISHED);
    if (r >= 0)
        r = sd_event_get_exit_code(daemon->loop, &code);
    return r < 0 ? r : code;
}
