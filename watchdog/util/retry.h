/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A descriptor whose call goes on failing, though the loop says that it is ready: without this,
 * that is a loop of thousands of calls a second. It is switched off for a while, longer each time,
 * and what fails is said once.
 */
#ifndef UTIL_RETRY_H
#define UTIL_RETRY_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct retry_config {
    const char *who; /* whose descriptor it is: "the control socket" */
    /* A call failed, for a reason that is new. Must only note it. */
    void (*notify)(void *user, const char *text);
    void (*resume)(void *user); /* it is tried again from now on; may be NULL */
    void *user;
};

struct retry {
    struct retry_config config;
    sd_event_source *io; /* NULL: there is none now */
    sd_event_source *timer;
    uint64_t us; /* the last pause; 0: it works */
    int error;   /* as last said */
};

/* Returns 0 or -errno. In either case it is to be cleared. `io` is borrowed. */
int retry_init(struct retry *retry, sd_event_source *io, const struct retry_config *config);
void retry_clear(struct retry *retry);

/* The call has failed with this errno. Returns false where that is nothing (EAGAIN, EINTR), or it
 * was paused already; else its source is switched off for a while. */
bool retry_failed(struct retry *retry, const char *call, int error);

/* It works. Cheap. */
static inline void retry_worked(struct retry *retry)
{
    retry->us = 0;
    retry->error = 0;
}

#endif
