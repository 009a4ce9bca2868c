/* SPDX-License-Identifier: Apache-2.0 */
#include "meter.h"

#include <pathdog/path.h>

void lease_meter_row(struct lease_meter *meter, uint64_t now_us, uint64_t counter, uint64_t limit)
{
    uint64_t elapsed_us = now_us - meter->window_us, more, rate;

    if (counter == PD_UNKNOWN)
        return;
    if (!meter->window_us) {
        meter->window_us = now_us;
        meter->counter = counter;
        meter->used = counter < limit ? counter : 0;
        return;
    }
    if (counter < meter->counter) {
        meter->window_us = now_us;
        meter->counter = counter;
        meter->used += counter;
        return;
    }
    if (elapsed_us < LEASE_WINDOW_US)
        return;
    more = counter - meter->counter; /* below 2^53 */
    rate = more * 1000 / (elapsed_us / 1000);
    if (rate < meter->rate && more)
        rate += (meter->rate - rate) / 2;
    meter->rate = rate;
    meter->used += more;
    meter->counter = counter;
    meter->window_us = now_us;
}

uint64_t lease_meter_used(const struct lease_meter *meter, uint64_t counter)
{
    if (counter == PD_UNKNOWN || counter < meter->counter)
        return meter->used;
    return meter->used + (counter - meter->counter);
}

void lease_meter_restart(struct lease_meter *meter)
{
    meter->used = 0;
}
