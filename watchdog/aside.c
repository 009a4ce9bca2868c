/* SPDX-License-Identifier: Apache-2.0 */
/* Drives an sd_event from within another one, or from no callback at all. See aside.h. */
#include "aside.h"

#include "util/clock.h"
#include "util/util.h"

/* How long it is left alone by work that goes on, and how long it may take then. */
#define GAP_US   UINT64_C(4000)
#define SLICE_US UINT64_C(1000)

struct aside {
    sd_event *loop;
    sd_event_source *io;
    uint64_t served_us;
    bool running;
};

/* To the state in which sd_event_prepare may be called; dispatches at most one source. Returns
 * whether there was one. */
static bool aside_step(struct aside *aside)
{
    int r = 0;

    if (sd_event_get_state(aside->loop) == SD_EVENT_INITIAL)
        r = sd_event_prepare(aside->loop);
    if (sd_event_get_state(aside->loop) == SD_EVENT_ARMED)
        r = sd_event_wait(aside->loop, 0);
    return r > 0 && sd_event_dispatch(aside->loop) > 0;
}

static void aside_serve(struct aside *aside, uint64_t slice_us)
{
    uint64_t until_us = add_u64(clock_us(CLOCK_MONOTONIC), slice_us);

    if (aside->running) /* who is served looks up to let others be served */
        return;
    aside->running = true;
    while (aside_step(aside)) {
        aside->served_us = clock_us(CLOCK_MONOTONIC);
        if (aside->served_us >= until_us)
            break;
    }
    aside->running = false;
    aside->served_us = clock_us(CLOCK_MONOTONIC);
}

void aside_turn(struct aside *aside)
{
    if (sub_u64(clock_us(CLOCK_MONOTONIC), aside->served_us) >= GAP_US)
        aside_serve(aside, SLICE_US);
}

void aside_arm(struct aside *aside)
{
    if (sd_event_get_state(aside->loop) == SD_EVENT_ARMED && sd_event_wait(aside->loop, 0) > 0)
        (void)sd_event_dispatch(aside->loop);
    /* What is to be done at once is found pending, and makes `loop` turn. */
    while (sd_event_get_state(aside->loop) == SD_EVENT_INITIAL && sd_event_prepare(aside->loop) > 0)
        (void)sd_event_dispatch(aside->loop);
}

/* One at a time, by turns with what else waits until there is nothing to do. */
static int on_ready(sd_event_source *source, int fd, uint32_t revents, void *user)
{
    aside_serve(user, 0);
    return 0;
}

int aside_new(sd_event *loop, struct aside **ret_aside)
{
    struct aside *aside = memory_new(1, sizeof(*aside));
    int r = sd_event_new(&aside->loop);

    if (r >= 0)
        r = sd_event_add_io(loop, &aside->io, sd_event_get_fd(aside->loop), EPOLLIN, on_ready,
                            aside);
    if (r >= 0)
        r = sd_event_source_set_priority(aside->io, SD_EVENT_PRIORITY_IDLE);
    if (r >= 0)
        r = sd_event_source_set_description(aside->io, "aside");
    if (r < 0) {
        aside_free(aside);
        return r;
    }
    *ret_aside = aside;
    return 0;
}

struct aside *aside_free(struct aside *aside)
{
    if (!aside)
        return NULL;
    sd_event_source_disable_unref(aside->io);
    sd_event_unref(aside->loop);
    free(aside);
    return NULL;
}

sd_event *aside_loop(struct aside *aside)
{
    return aside->loop;
}
