/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns everything, wires it, and takes it down in reverse. The one place where
 * an event gets its time, goes through the engine, and comes out as requests,
 * queries, records and the next wake-up.
 */
#ifndef DAEMON_H
#define DAEMON_H

#include "config/config.h"
#include "engine/event.h"
#include "host/plugin.h"
#include "out/sink.h"

struct daemon;

struct daemon_options {
    const char *config_path; /* read again at a reload */
    const char *runtime;     /* directory that defaults are in; NULL: /run/pathdog */
    const char *record_path; /* NULL: no recording */
    enum sink_target target;
    enum pd_level level;
    bool observe;
};

/* Takes `config` over; `plugins` must outlive the daemon. SIGTERM, SIGINT and
 * SIGHUP must be blocked. Returns 0, or -errno and a sentence; the errno
 * says whose fault it is (util/exit-status.h). */
int daemon_new(const struct daemon_options *options, struct config *config, struct plugins *plugins,
               struct daemon **ret_daemon, char **ret_error);

/* Runs until SIGTERM or SIGINT: 0; or -errno. */
int daemon_run(struct daemon *daemon);

/* Runs one event through, stamped with the present time, and all that follows
 * from it. Only from the loop, never from within itself. */
void daemon_dispatch(struct daemon *daemon, struct event *event);

/* May be called from anywhere: the event comes later. */
void daemon_notice(struct daemon *daemon, enum pd_level level, const char *what, const char *text,
                   uint64_t count);

/* Writes what is left, and waits no longer than until 2 s after the SIGTERM; what is lost is said
 * on standard error. False: a thread hangs in a write, and the process is to be ended by _exit(2).
 */
bool daemon_stop(struct daemon *daemon);

/* After daemon_stop. NULL is fine. Returns NULL. */
struct daemon *daemon_free(struct daemon *daemon);

#endif
