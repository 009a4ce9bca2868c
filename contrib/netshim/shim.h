/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wire: two ports, a lane each way, and the loop that carries frames between them.
 * Must not decide a frame's fate (lane.c does) nor parse commands (settings.c does).
 */
#pragma once

#include <stdint.h>

#include "settings.h"

struct shim;

struct shim_options {
    const char *interfaces[2];
    const char *control_path; /* or NULL */
    struct settings settings[2];
    uint64_t seed;
    uint32_t queue_frames; /* at most, in each direction */
};

/* Says on stderr what failed, and returns -errno. SIGTERM and SIGINT are blocked from here. */
int shim_new(const struct shim_options *options, struct shim **ret_shim);
struct shim *shim_free(struct shim *shim);

/* Carries frames until SIGTERM or SIGINT (0), or until the loop itself fails (-errno). */
int shim_run(struct shim *shim);

/* Two lines of counters, one per direction. Returns the length, never more than size - 1. */
int shim_format_stats(struct shim *shim, char *buffer, size_t size);
