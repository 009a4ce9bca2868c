/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What systemd is told, over the socket of $NOTIFY_SOCKET, and its watchdog. sd_notify(3) waits
 * until there is room in that socket, and with it would the loop: here nothing waits. What does
 * not fit is kept, the newest of each kind, and tried again.
 */
#ifndef SUPERVISOR_H
#define SUPERVISOR_H

#include <pathdog/trigger.h>
#include <systemd/sd-event.h>

struct supervisor;

struct supervisor_config {
    sd_event *loop;
    const char *address;  /* a path, or "@name"; NULL: nobody is to be told */
    uint64_t watchdog_us; /* told that the loop turns twice in this time; 0: not asked for */
    uint64_t retry_us;    /* 0: the usual one */
    /* Must only note it. */
    void (*notice)(void *user, enum pd_level level, const char *what, const char *text);
    void *user;
};

/* Returns 0 or -errno. An address that nobody can be told at is a notice, no error. */
int supervisor_new(const struct supervisor_config *config, struct supervisor **ret_supervisor);

/* Is there anybody to be told? */
bool supervisor_listens(const struct supervisor *supervisor);

/* READY=1, with a line of status; NULL: as it was. */
void supervisor_ready(struct supervisor *supervisor, const char *status);
void supervisor_status(struct supervisor *supervisor, const char *status);
void supervisor_reloading(struct supervisor *supervisor, uint64_t monotonic_us);
void supervisor_stopping(struct supervisor *supervisor);

/* NULL is fine. Returns NULL. */
struct supervisor *supervisor_free(struct supervisor *supervisor);

#endif
