/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's inside: for daemon.c (the way of an event) and start.c, start-recorder.c
 * (what there is, made and taken down) only. */
#ifndef DAEMON_PRIVATE_H
#define DAEMON_PRIVATE_H

#include <systemd/sd-event.h>

#include "aside.h"
#include "codec/recorder.h"
#include "control/control.h"
#include "daemon.h"
#include "engine/engine.h"
#include "guard.h"
#include "host-net.h"
#include "host/source.h"
#include "inbox.h"
#include "metrics/metrics.h"
#include "node/link.h"
#include "state/keeper.h"
#include "status.h"
#include "supervisor.h"
#include "util/clock.h"

/* Settings that only a restart can change. */
#define DAEMON_FIXED 5

struct daemon_fixed {
    struct {
        const char *key, *value; /* NULL: not set */
    } rows[DAEMON_FIXED];
};

struct daemon {
    struct daemon_options options;
    char run[33];
    struct config *config;
    struct daemon_fixed fixed; /* as it was started with; texts of its own */
    struct plugins *plugins;
    sd_event *loop;
    struct aside *aside; /* the control socket's, beside it */
    sd_event_source *timer;
    sd_event_source *trim;  /* on after a storm: gives its memory back */
    uint64_t trim_until_us; /* the storm and what it leads to is over by then */
    struct inbox *inbox;
    struct sink *sink;
    struct recorder *recorder;
    struct engine *engine;
    struct link *link;
    struct sources *sources;
    struct host_net *net; /* NULL: the kernel does not tell */
    struct supervisor *supervisor;
    struct status *status;
    struct control *control; /* NULL: there is none */
    struct metrics *metrics;
    struct keeper *keeper;
    struct lock state_lock; /* of the state directory */
    uint64_t now_us;        /* of the last event */
    uint64_t armed_us;      /* when the timer is set to, 0: not */
    bool dispatching, stopped;
    bool turning;        /* a turn is between two of its steps: the engine takes no event */
    uint64_t n_log_lost; /* since it was stopped */
    uint64_t stop_by_us; /* 0: no stop yet */
    struct guard *guard;
};

/* Does what the engine's outbox asks for. */
void daemon_act(struct daemon *daemon, const struct outbox *outbox);

/* Begins the file of --record. 0, or -errno and a sentence. */
int daemon_start_recorder(struct daemon *daemon, uint64_t realtime_us, char **ret_error);

/* A stop: from here on its time counts. */
void daemon_stop_begin(struct daemon *daemon);

/* Notes the settings that it is started with, for daemon_reload. */
void daemon_fix(struct daemon *daemon);
void daemon_unfix(struct daemon *daemon);

/* All or nothing: a config that cannot be taken leaves the running one, and is
 * said by a notice. Returns 0, or -errno and a sentence. `*ret_left`: what of it is not
 * in force before a restart, NULL: all is. Both are the caller's to free. */
int daemon_reload(struct daemon *daemon, char **ret_left, char **ret_error);

/* ---- callbacks; `user` is the daemon ---- */

void daemon_on_event(void *user, struct event *event);
void daemon_on_signal(void *user, const char *instance, const struct pd_signal *signal);
void daemon_on_interfaces(void *user, const struct event_interfaces *interfaces);
void daemon_on_notice(void *user, enum pd_level level, const char *what, const char *text);
void daemon_on_log_dropped(void *user, uint64_t count, const char *why);
int daemon_on_timer(sd_event_source *source, uint64_t time_us, void *user);
int daemon_on_trim(sd_event_source *source, uint64_t time_us, void *user);
int daemon_on_stop(sd_event_source *source, const struct signalfd_siginfo *info, void *user);
int daemon_on_reload(sd_event_source *source, const struct signalfd_siginfo *info, void *user);

#endif
