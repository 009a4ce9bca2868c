/* SPDX-License-Identifier: Apache-2.0 */
/* One timer for each descriptor; it runs while the descriptor is off. */
#include "retry.h"

#include <errno.h>

#include "clock.h"
#include "format.h"

#define PAUSE_MIN_US UINT64_C(10000)
#define PAUSE_MAX_US UINT64_C(1000000)
#define ACCURACY_US  UINT64_C(1000)

static int on_timer(sd_event_source *source, uint64_t time_us, void *user)
{
    struct retry *retry = user;

    (void)source;
    (void)time_us;
    (void)sd_event_source_set_enabled(retry->io, SD_EVENT_ON);
    if (retry->config.resume)
        retry->config.resume(retry->config.user);
    return 0;
}

int retry_init(struct retry *retry, sd_event_source *io, const struct retry_config *config)
{
    int64_t priority = SD_EVENT_PRIORITY_NORMAL;
    int r;

    *retry = (struct retry){.config = *config, .io = io};
    r = sd_event_add_time(sd_event_source_get_event(io), &retry->timer, CLOCK_MONOTONIC, UINT64_MAX,
                          ACCURACY_US, on_timer, retry);
    if (r >= 0)
        r = sd_event_source_set_enabled(retry->timer, SD_EVENT_OFF);
    if (r >= 0)
        r = sd_event_source_get_priority(io, &priority);
    if (r >= 0)
        r = sd_event_source_set_priority(retry->timer, priority);
    return r < 0 ? r : 0;
}

void retry_clear(struct retry *retry)
{
    retry->timer = sd_event_source_disable_unref(retry->timer);
    retry->io = NULL;
    retry_worked(retry);
}

bool retry_failed(struct retry *retry, const char *call, int error)
{
    CLEANUP_FREE char *text = NULL;
    const char *name = strerrorname_np(error);

    if (error == EAGAIN || error == EINTR || !retry->io ||
        sd_event_source_get_enabled(retry->timer, NULL) > 0)
        return false;
    retry->us = retry->us ? min_u64(2 * retry->us, PAUSE_MAX_US) : PAUSE_MIN_US;
    (void)sd_event_source_set_enabled(retry->io, SD_EVENT_OFF);
    (void)sd_event_source_set_time(retry->timer, clock_us(CLOCK_MONOTONIC) + retry->us);
    (void)sd_event_source_set_enabled(retry->timer, SD_EVENT_ONESHOT);
    if (retry->error == error)
        return true;
    retry->error = error;
    text = string_format("%s: %s: %s (%s); it is tried again, after at most a second each time",
                         retry->config.who, call, strerrordesc_np(error), name ? name : "?");
    retry->config.notify(retry->config.user, text);
    return true;
}
