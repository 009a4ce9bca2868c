/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever fails, the connection is dropped and made again after a pause. No call here waits. */
#include "logind.h"

#include "util/clock.h"
#include "util/system-bus.h"
#include "util/util.h"

#define LOGIN "org.freedesktop.login1"

#define PREPARE_FOR_SLEEP                                                                          \
    "type='signal',sender='" LOGIN "',path='/org/freedesktop/login1',interface='" LOGIN            \
    ".Manager',member='PrepareForSleep'"

/* Until the bus has let us in. */
#define TIMEOUT_US   UINT64_C(10000000)
#define PAUSE_MIN_US UINT64_C(1000000)
#define PAUSE_MAX_US UINT64_C(60000000)
/* Behind all that pathdog is for: others on the bus may send without end. */
#define PRIORITY (SD_EVENT_PRIORITY_NORMAL + 20)

struct logind {
    struct logind_config config;
    char *address;
    sd_bus *bus;
    sd_event_source *timer; /* until it is connected again */
    uint64_t pause_us;
};

static void wait_for(struct logind *logind, uint64_t pause_us)
{
    if (sd_event_source_set_time(logind->timer, clock_us(CLOCK_MONOTONIC) + pause_us) >= 0)
        (void)sd_event_source_set_enabled(logind->timer, SD_EVENT_ONESHOT);
}

static void begin_again(struct logind *logind)
{
    wait_for(logind, logind->pause_us);
    logind->pause_us = min_u64(2 * logind->pause_us, PAUSE_MAX_US);
}

/* Before a sleep and after it; which of them the clocks know better. */
static int on_signal(sd_bus_message *message, void *user, sd_bus_error *ret_error)
{
    struct logind *logind = user;

    logind->config.signalled(logind->config.user);
    return 0;
}

static int on_installed(sd_bus_message *message, void *user, sd_bus_error *ret_error)
{
    struct logind *logind = user;

    if (sd_bus_message_is_method_error(message, NULL) > 0)
        begin_again(logind);
    else
        logind->pause_us = PAUSE_MIN_US;
    return 0;
}

static int on_disconnected(sd_bus_message *message, void *user, sd_bus_error *ret_error)
{
    begin_again(user);
    return 0;
}

static int bus_start(struct logind *logind)
{
    int r =
        system_bus_open(logind->address, logind->config.loop, PRIORITY, TIMEOUT_US, &logind->bus);

    if (r >= 0)
        r = sd_bus_add_match_async(logind->bus, NULL, BUS_DISCONNECTED, on_disconnected, NULL,
                                   logind);
    return r < 0 ? r
                 : sd_bus_add_match_async(logind->bus, NULL, PREPARE_FOR_SLEEP, on_signal,
                                          on_installed, logind);
}

static int on_timer(sd_event_source *timer, uint64_t time_us, void *user)
{
    struct logind *logind = user;

    logind->bus = sd_bus_close_unref(logind->bus);
    if (bus_start(logind) < 0)
        begin_again(logind);
    return 0;
}

int logind_new(const struct logind_config *config, struct logind **ret_logind)
{
    struct logind *logind = memory_new(1, sizeof(*logind));
    int r =
        sd_event_add_time(config->loop, &logind->timer, CLOCK_MONOTONIC, 0, 0, on_timer, logind);

    logind->config = *config;
    logind->address = string_copy(config->address ? config->address : SYSTEM_BUS);
    logind->pause_us = PAUSE_MIN_US;
    if (r >= 0)
        r = sd_event_source_set_enabled(logind->timer, SD_EVENT_OFF);
    if (r < 0) {
        logind_free(logind);
        return r;
    }
    (void)sd_event_source_set_description(logind->timer, "logind");
    if (system_bus_allowed(logind->address))
        wait_for(logind, 0);
    *ret_logind = logind;
    return 0;
}

struct logind *logind_free(struct logind *logind)
{
    if (!logind)
        return NULL;
    sd_bus_close_unref(logind->bus);
    sd_event_source_disable_unref(logind->timer);
    free(logind->address);
    free(logind);
    return NULL;
}
