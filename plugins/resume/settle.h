/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waits until the kernel's interfaces, addresses and routes have not changed for a moment, or for
 * long enough. What changed does not matter, so nothing is asked and nothing is kept.
 */
#ifndef RESUME_SETTLE_H
#define RESUME_SETTLE_H

#include <stdint.h>
#include <systemd/sd-event.h>

#define SETTLE_QUIET_US 500000u
#define SETTLE_MOST_US  2000000u

struct settle {
    void (*settled)(void *user);
    void *user;
    sd_event *loop;
    sd_event_source *io, *timer;
    uint64_t until_us; /* at the latest */
};

/* Begins, or begins anew; `settled` is called once. Returns 0 or -errno: then it is called after
 * the longest time, if at all. */
int settle_begin(struct settle *settle);

void settle_end(struct settle *settle);

#endif
