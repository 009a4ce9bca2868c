/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All connections are looked at in slices, beside everything else; who comes meanwhile is given the
 * same. Where a look took long, and was a short while ago, it is not done again: however many
 * scrape, looking takes no more than a tenth of the time.
 */
#include "private.h"

static bool is_fresh(const struct metrics *metrics, uint64_t now_us)
{
    return metrics->looked_us &&
           sub_u64(now_us, metrics->looked_us) < metrics->took_us * REUSE_FACTOR;
}

void look_begin(struct metrics *metrics)
{
    if (!metrics->looking && !is_fresh(metrics, clock_us(CLOCK_MONOTONIC))) {
        metrics->looking = true;
        metrics->place = 0;
        metrics->looking_us = 0;
        metrics->tally = (struct inspect_tally){0};
    }
    sd_event_source_set_enabled(metrics->work, SD_EVENT_ON);
}

bool look_on(struct metrics *metrics)
{
    const struct engine *engine = metrics->host.engine;
    uint64_t begin_us = clock_us(CLOCK_MONOTONIC), now_us = begin_us;
    uint64_t cpu_us = clock_us(CLOCK_THREAD_CPUTIME_ID); /* not what a busy machine takes away */

    while (metrics->place < inspect_places(engine)) {
        inspect_tally(engine, now_us, metrics->place, metrics->place + PLACES_STEP,
                      &metrics->tally);
        metrics->place += PLACES_STEP;
        now_us = clock_us(CLOCK_MONOTONIC);
        if (now_us - begin_us >= TURN_US)
            break;
    }
    metrics->looking_us += clock_us(CLOCK_THREAD_CPUTIME_ID) - cpu_us;
    if (metrics->place < inspect_places(engine))
        return false;
    metrics->looking = false;
    metrics->looked = metrics->tally;
    metrics->looked_us = now_us;
    metrics->took_us = metrics->looking_us;
    return true;
}
