/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lane is one direction of the wire: it decides what becomes of each frame and holds the
 * frames that are under way. Pure: time is an argument, a frame is only a number to it; it
 * must not read a clock or touch a socket.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "settings.h"

struct lane;

enum lane_fate {
    LANE_QUEUED,
    LANE_LOST,       /* by the dice of `loss` */
    LANE_BLACKHOLED, /* nothing leaves a blackhole, nor what was under way when it began */
    LANE_OVERFLOWED, /* the queue was full */
};

struct lane_counters {
    uint64_t received;
    uint64_t received_bytes;
    uint64_t lost;
    uint64_t blackholed;
    uint64_t overflowed;
};

/* Holds at most `limit` frames. The same seed and the same calls give the same fates. */
int lane_new(uint32_t limit, uint64_t seed, struct lane **ret_lane);
struct lane *lane_free(struct lane *lane);

void lane_configure(struct lane *lane, const struct settings *settings);
const struct settings *lane_settings(const struct lane *lane);
const struct lane_counters *lane_counters(const struct lane *lane);
uint32_t lane_queued(const struct lane *lane);

/* Anything but LANE_QUEUED: the caller keeps the frame. */
enum lane_fate lane_admit(struct lane *lane, uint64_t now_ns, uint32_t bytes, uint32_t frame);

/* When lane_take() will give the next frame; false: the lane is empty. */
bool lane_next(const struct lane *lane, uint64_t *ret_due_ns);

/*
 * Gives back the next frame whose time has come, false if there is none. *ret_fate says what
 * to do with it: LANE_QUEUED, send it; LANE_BLACKHOLED, forget it.
 */
bool lane_take(struct lane *lane, uint64_t now_ns, uint32_t *ret_frame, enum lane_fate *ret_fate);
