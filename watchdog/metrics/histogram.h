/* SPDX-License-Identifier: Apache-2.0 */
/* How many spans of time were how long. Pure. */
#ifndef METRICS_HISTOGRAM_H
#define METRICS_HISTOGRAM_H

#include "../util/util.h"

#define BOUNDS_MAX 16u

/* Upper bounds, in microseconds, rising. */
struct bounds {
    size_t n;
    uint64_t us[BOUNDS_MAX];
};

struct histogram {
    uint64_t counts[BOUNDS_MAX + 1]; /* each without those below it; the last: above all bounds */
    uint64_t sum_us;
};

static inline void histogram_add(struct histogram *histogram, const struct bounds *bounds,
                                 uint64_t span_us)
{
    size_t i = 0;

    while (i < bounds->n && span_us > bounds->us[i])
        i++;
    histogram->counts[i]++;
    histogram->sum_us = add_u64(histogram->sum_us, span_us);
}

#endif
