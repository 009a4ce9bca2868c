/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The resume trigger's source: when the machine has slept, and for how long. The clocks alone say
 * so (meter.h). They are looked at on each tick, when the kernel says that the wall clock was set
 * (it does at each resume), and when logind says that the machine is awake. The tick is on
 * CLOCK_BOOTTIME: one that fell into the sleep comes right at its end.
 *
 * After a sleep the kernel's routes are listened to until they have settled (settle.h).
 */
#include "source.h"

#include "logind.h"
#include "settle.h"

#include "util/util.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define TICK_US 5000000u

struct resume_source {
    struct pd_source_host *host;
    struct resume_source_config config;
    struct sleep_meter meter;
    struct settle settle;
    struct logind *logind;
    sd_event_source *tick;      /* on CLOCK_BOOTTIME */
    sd_event_source *clock_set; /* NULL: the kernel does not tell */
};

static void emit(struct resume_source *source, const char *kind, const struct pd_field *field)
{
    const struct pd_signal signal = {.kind = kind, .fields = field, .n_fields = field ? 1 : 0};

    source->host->emit(source->host, &signal);
}

static void look(struct resume_source *source)
{
    struct pd_field slept = {
        .name = "slept_us",
        .number = sleep_meter_take(&source->meter, &source->config.kernel),
    };

    if (!slept.number)
        return;
    emit(source, "slept", &slept);
    (void)settle_begin(&source->settle); /* where it cannot, the policy waits its longest time */
}

static void on_settled(void *user)
{
    emit(user, "settled", NULL);
}

static void on_logind(void *user)
{
    look(user);
}

static int on_tick(sd_event_source *tick, uint64_t time_us, void *user)
{
    struct resume_source *source = user;

    look(source);
    if (sd_event_source_set_time_relative(tick, source->config.tick_us) >= 0)
        (void)sd_event_source_set_enabled(tick, SD_EVENT_ONESHOT);
    return 0;
}

/* Reading it fails with ECANCELED, and the kernel goes on to tell. */
static int on_clock_set(sd_event_source *io, int fd, uint32_t revents, void *user)
{
    struct resume_source *source = user;
    uint64_t count;

    if (read(fd, &count, sizeof(count)) < 0 && errno != ECANCELED && errno != EAGAIN &&
        errno != EINTR)
        source->clock_set = sd_event_source_disable_unref(source->clock_set);
    look(source);
    return 0;
}

/* ---- life ---- */

void resume_source_free(struct resume_source *source)
{
    if (!source)
        return;
    source->logind = logind_free(source->logind);
    settle_end(&source->settle);
    sd_event_source_disable_unref(source->clock_set);
    sd_event_source_disable_unref(source->tick);
    free(source);
}

static int clock_set_start(struct resume_source *source)
{
    int fd = source->config.kernel.clock_set(source->config.kernel.user), r;

    if (fd < 0)
        return fd;
    r = sd_event_add_io(source->host->loop, &source->clock_set, fd, EPOLLIN, on_clock_set, source);
    if (r < 0) {
        close(fd);
        return r;
    }
    return sd_event_source_set_io_fd_own(source->clock_set, true);
}

int resume_source_new(struct pd_source_host *host, const struct resume_source_config *config,
                      struct resume_source **ret_source)
{
    struct resume_source *source = memory_new(1, sizeof(*source));
    struct logind_config logind = {
        .loop = host->loop, .address = config->bus, .signalled = on_logind, .user = source};
    uint64_t accuracy_us = config->tick_us / 5;
    char text[128];
    int r;

    *source = (struct resume_source){.host = host, .config = *config};
    source->settle = (struct settle){.settled = on_settled, .user = source, .loop = host->loop};
    (void)sleep_meter_take(&source->meter, &config->kernel);
    r = sd_event_add_time_relative(host->loop, &source->tick, CLOCK_BOOTTIME, config->tick_us,
                                   accuracy_us, on_tick, source);
    if (r >= 0)
        r = clock_set_start(source);
    if (r >= 0)
        r = logind_new(&logind, &source->logind);
    if (r < 0) {
        snprintf(text, sizeof(text), "cannot watch the clocks: %s", strerror(-r));
        host->notice(host, PD_LEVEL_ERROR, "resume-clocks", text);
        resume_source_free(source);
        return r;
    }
    *ret_source = source;
    return 0;
}

static int source_start(struct pd_source_host *host, const struct pd_start *start, void **ret_self)
{
    const struct resume_source_config config = {
        .kernel = resume_kernel_real,
        .bus = getenv("DBUS_SYSTEM_BUS_ADDRESS"),
        .tick_us = TICK_US,
    };

    return resume_source_new(host, &config, (struct resume_source **)ret_self);
}

static void source_stop(void *self)
{
    resume_source_free(self);
}

PD_SOURCE(resume) = {
    .abi = PD_SOURCE_ABI,
    .size = sizeof(struct pd_source),
    .start = source_start,
    .stop = source_stop,
};
