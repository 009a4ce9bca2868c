/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long the machine was suspended: by how much CLOCK_BOOTTIME ran on while CLOCK_MONOTONIC
 * stood still. Not the wall clock, which NTP and operators set.
 */
#ifndef RESUME_METER_H
#define RESUME_METER_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* The kernel; in tests not. */
struct resume_kernel {
    uint64_t (*now_us)(void *user, clockid_t clock);
    /* A descriptor that becomes readable when the wall clock is set, or the machine resumes; it is
     * the caller's. Or -errno. */
    int (*clock_set)(void *user);
    void *user;
};

extern const struct resume_kernel resume_kernel_real;

/* All zero at first. */
struct sleep_meter {
    bool started;
    int64_t suspended_us; /* in all, up to the last sleep that was taken */
};

/* How long the machine slept since the last time that this was not 0, or since the first call; 0
 * for less than a second. */
uint64_t sleep_meter_take(struct sleep_meter *meter, const struct resume_kernel *kernel);

#endif
