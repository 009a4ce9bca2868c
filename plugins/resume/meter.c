/* SPDX-License-Identifier: Apache-2.0 */
#include "meter.h"

#include "util/clock.h"
#include "util/util.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* Below is no sleep. */
#define SLEEP_LEAST_US INT64_C(1000000)
/* Between the readings of the clocks; more is tried again. */
#define APART_US 1000u
#define TRIES    5u
/* The year 2255, as far as time_t reaches. */
#define NEVER_S ((time_t)(sizeof(time_t) > 4 ? INT64_C(9000000000) : INT32_MAX))

static uint64_t real_now_us(void *user, clockid_t clock)
{
    (void)user;
    return clock_us(clock);
}

/* Never due: what matters is that it is cancelled. */
static int real_clock_set(void *user)
{
    const struct itimerspec never = {.it_value.tv_sec = NEVER_S};
    int fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);

    (void)user;
    if (fd >= 0 &&
        timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) < 0) {
        int r = -errno;

        close(fd);
        return r;
    }
    return fd < 0 ? -errno : fd;
}

const struct resume_kernel resume_kernel_real = {
    .now_us = real_now_us,
    .clock_set = real_clock_set,
};

/* CLOCK_BOOTTIME is read between two readings of CLOCK_MONOTONIC: a process that was stopped in
 * between (SIGSTOP, a busy machine) has not slept. False: it was, each time. The difference is
 * negative where a time namespace says so (time_namespaces(7)). */
static bool suspended_us(const struct resume_kernel *kernel, int64_t *ret_us)
{
    for (unsigned i = 0; i < TRIES; i++) {
        uint64_t before_us = kernel->now_us(kernel->user, CLOCK_MONOTONIC);
        uint64_t boot_us = kernel->now_us(kernel->user, CLOCK_BOOTTIME);
        uint64_t after_us = kernel->now_us(kernel->user, CLOCK_MONOTONIC);

        if (after_us - before_us > APART_US)
            continue;
        *ret_us = (int64_t)(boot_us - after_us);
        return true;
    }
    return false;
}

uint64_t sleep_meter_take(struct sleep_meter *meter, const struct resume_kernel *kernel)
{
    int64_t now_us, slept_us;

    if (!suspended_us(kernel, &now_us))
        return 0;
    slept_us = meter->started ? now_us - meter->suspended_us : 0;
    if (meter->started && slept_us >= 0 && slept_us < SLEEP_LEAST_US)
        return 0; /* not forgotten: many short sleeps are a long one */
    meter->started = true;
    meter->suspended_us = now_us;
    return slept_us > 0 ? (uint64_t)slept_us : 0;
}
