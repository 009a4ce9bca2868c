/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logind's signal PrepareForSleep, before a sleep and after it. It is a hint when to read the
 * clocks, and no more: any user of the bus may send such a signal. Where there is no bus or no
 * logind there is no hint, and the clocks are read all the same.
 */
#ifndef RESUME_LOGIND_H
#define RESUME_LOGIND_H

#include <systemd/sd-event.h>

struct logind;

struct logind_config {
    sd_event *loop;
    const char *address; /* of the bus; NULL: the system bus; others than a UNIX socket: no bus */
    void (*signalled)(void *user);
    void *user;
};

/* All calls of `signalled` come from within the loop. Returns 0 or -errno. */
int logind_new(const struct logind_config *config, struct logind **ret_logind);

/* NULL is fine. Returns NULL. */
struct logind *logind_free(struct logind *logind);

#endif
