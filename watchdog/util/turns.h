/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A descriptor that is always ready must not have all of the loop. It comes before those of idle
 * priority, the clients of the control socket for example; when these had no turn for TURNS_US, it
 * takes turns with them until they had one.
 */
#ifndef UTIL_TURNS_H
#define UTIL_TURNS_H

#include <systemd/sd-event.h>

#include "clock.h"
#include "ready.h"
#include "util.h"

#define TURNS_US UINT64_C(5000)

struct turns {
    sd_event_source *rest; /* idle: it runs when those of that priority had their turn */
    sd_event_source *io;   /* whose turns these are; NULL: none now */
    uint64_t since_us;     /* when the first turn without a rest began, 0: none has */
};

static inline int turns_on_rest(sd_event_source *source, int fd, uint32_t events, void *user)
{
    struct turns *turns = user;

    turns->since_us = 0;
    if (turns->io)
        (void)sd_event_source_set_priority(turns->io, SD_EVENT_PRIORITY_NORMAL);
    return 0;
}

/* Returns 0 or -errno. */
static inline int turns_start(struct turns *turns, sd_event *loop)
{
    int r = ready_add(loop, &turns->rest, turns_on_rest, turns);

    return r < 0 ? r : sd_event_source_set_priority(turns->rest, SD_EVENT_PRIORITY_IDLE);
}

/* At the end of each turn of the descriptor. */
static inline void turns_had(struct turns *turns, sd_event_source *io)
{
    uint64_t now_us = clock_us(CLOCK_MONOTONIC);

    turns->io = io;
    if (!turns->since_us) {
        turns->since_us = now_us;
        (void)sd_event_source_set_enabled(turns->rest, SD_EVENT_ONESHOT);
    } else if (io && now_us - turns->since_us > TURNS_US) {
        (void)sd_event_source_set_priority(io, SD_EVENT_PRIORITY_IDLE);
    }
}

static inline void turns_stop(struct turns *turns)
{
    turns->rest = sd_event_source_disable_unref(turns->rest);
    turns->io = NULL;
}

#endif
