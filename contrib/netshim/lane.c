/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue of one direction: a binary heap over (due time, order of arrival) in memory
 * that is allocated once. Pure: must not read a clock or touch a socket.
 */
#include "lane.h"

#include <errno.h>
#include <stdlib.h>

#define NS_PER_S UINT64_C(1000000000)

struct entry {
    uint64_t due_ns;
    uint64_t serial; /* order of arrival, decides between equal times */
    uint32_t frame;
};

struct lane {
    struct settings settings;
    struct lane_counters counters;
    uint64_t random_state;
    uint64_t serial;
    uint64_t last_due_ns;  /* of the frame admitted last */
    uint64_t line_free_ns; /* when the rate-limited line has sent all it was given */
    uint32_t limit;
    uint32_t count;
    struct entry heap[];
};

int lane_new(uint32_t limit, uint64_t seed, struct lane **ret_lane)
{
    if (limit == 0)
        return -EINVAL;

    struct lane *lane = calloc(1, sizeof(*lane) + (size_t)limit * sizeof(lane->heap[0]));
    if (!lane)
        return -ENOMEM;
    lane->limit = limit;
    lane->random_state = seed;
    *ret_lane = lane;
    return 0;
}

struct lane *lane_free(struct lane *lane)
{
    free(lane);
    return NULL;
}

void lane_configure(struct lane *lane, const struct settings *settings)
{
    /* What the old rate still owed must not hold up frames under the new one. */
    if (lane->settings.rate_bit_s != settings->rate_bit_s)
        lane->line_free_ns = 0;
    lane->settings = *settings;
}

const struct settings *lane_settings(const struct lane *lane)
{
    return &lane->settings;
}

const struct lane_counters *lane_counters(const struct lane *lane)
{
    return &lane->counters;
}

uint32_t lane_queued(const struct lane *lane)
{
    return lane->count;
}

/* A Weyl sequence through a 64-bit finalizer: every seed is good, also 0 and neighbours. */
static uint64_t random_next(struct lane *lane)
{
    uint64_t x = lane->random_state += UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static bool entry_before(const struct entry *a, const struct entry *b)
{
    return a->due_ns < b->due_ns || (a->due_ns == b->due_ns && a->serial < b->serial);
}

static void heap_push(struct lane *lane, struct entry entry)
{
    uint32_t at = lane->count++;

    while (at > 0) {
        uint32_t parent = (at - 1) / 2;
        if (!entry_before(&entry, &lane->heap[parent]))
            break;
        lane->heap[at] = lane->heap[parent];
        at = parent;
    }
    lane->heap[at] = entry;
}

static struct entry heap_pop(struct lane *lane)
{
    struct entry top = lane->heap[0];
    struct entry last = lane->heap[--lane->count];
    uint32_t at = 0;

    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= lane->count)
            break;
        if (child + 1 < lane->count && entry_before(&lane->heap[child + 1], &lane->heap[child]))
            child++;
        if (!entry_before(&lane->heap[child], &last))
            break;
        lane->heap[at] = lane->heap[child];
        at = child;
    }
    lane->heap[at] = last;
    return top;
}

static uint64_t due_compute(struct lane *lane, uint64_t now_ns, uint32_t bytes)
{
    const struct settings *settings = &lane->settings;
    uint64_t due_ns = now_ns;

    if (settings->rate_bit_s) {
        if (lane->line_free_ns > due_ns)
            due_ns = lane->line_free_ns;
        due_ns += (uint64_t)bytes * 8 * NS_PER_S / settings->rate_bit_s;
        lane->line_free_ns = due_ns;
    }
    due_ns += settings->delay_ns;
    if (settings->jitter_ns)
        due_ns += random_next(lane) % (settings->jitter_ns + 1);
    if (!settings->reorder && due_ns < lane->last_due_ns)
        due_ns = lane->last_due_ns;
    lane->last_due_ns = due_ns;
    return due_ns;
}

enum lane_fate lane_admit(struct lane *lane, uint64_t now_ns, uint32_t bytes, uint32_t frame)
{
    struct lane_counters *counters = &lane->counters;

    counters->received++;
    counters->received_bytes += bytes;
    if (lane->settings.blackhole) {
        counters->blackholed++;
        return LANE_BLACKHOLED;
    }
    if (lane->settings.loss_ppm && random_next(lane) % 1000000 < lane->settings.loss_ppm) {
        counters->lost++;
        return LANE_LOST;
    }
    if (lane->count == lane->limit) {
        counters->overflowed++;
        return LANE_OVERFLOWED;
    }
    heap_push(lane, (struct entry){.due_ns = due_compute(lane, now_ns, bytes),
                                   .serial = lane->serial++,
                                   .frame = frame});
    return LANE_QUEUED;
}

bool lane_next(const struct lane *lane, uint64_t *ret_due_ns)
{
    if (lane->count == 0)
        return false;
    /* A blackhole gives everything back at once, to be forgotten. */
    *ret_due_ns = lane->settings.blackhole ? 0 : lane->heap[0].due_ns;
    return true;
}

bool lane_take(struct lane *lane, uint64_t now_ns, uint32_t *ret_frame, enum lane_fate *ret_fate)
{
    uint64_t due_ns = 0;

    if (!lane_next(lane, &due_ns) || due_ns > now_ns)
        return false;
    *ret_frame = heap_pop(lane).frame;
    *ret_fate = LANE_QUEUED;
    if (lane->settings.blackhole) {
        lane->counters.blackholed++;
        *ret_fate = LANE_BLACKHOLED;
        /* Nothing is under way any more that a later frame would have to wait for. */
        if (lane->count == 0)
            lane->last_due_ns = lane->line_free_ns = 0;
    }
    return true;
}
