/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What scrapers are given. All connections are looked at in slices, beside everything else; who
 * comes meanwhile is given the same. Where a look took long, and was a short while ago, it is not
 * done again: however many scrape, looking takes no more than a tenth of the time.
 */
#include "private.h"

static struct page *page_unref(struct page *page)
{
    if (page && --page->refs == 0) {
        buffer_clear(&page->bytes);
        free(page);
    }
    return NULL;
}

static struct page *page_make(struct metrics *metrics, enum text_form form)
{
    struct page_facts facts = {
        .engine = metrics->host.engine,
        .tally = metrics->looked,
        .version = metrics->host.version,
        .now_us = clock_us(CLOCK_MONOTONIC),
        .realtime_us = clock_us(CLOCK_REALTIME),
        .start_us = metrics->host.start_us,
    };
    struct page *page = memory_new(1, sizeof(*page));

    process_read(&facts.cpu_us, &facts.resident_bytes);
    memcpy(facts.scrapes, metrics->scrapes, sizeof(facts.scrapes));
    page->refs = 1;
    page_write(&page->bytes, form, &facts, &metrics->counts);
    return page;
}

static void give_all(struct metrics *metrics)
{
    struct page *pages[FORM_COUNT] = {0};

    for (size_t i = 0; i < SCRAPERS_MAX; i++) {
        struct scraper *scraper = metrics->scrapers[i];
        struct page **page;

        if (!scraper || scraper->state != SCRAPER_WAITS)
            continue;
        page = &pages[scraper->request.form];
        if (!*page)
            *page = page_make(metrics, scraper->request.form);
        scraper_give(scraper, *page);
    }
    for (size_t i = 0; i < FORM_COUNT; i++)
        (void)page_unref(pages[i]);
}

static bool is_fresh(const struct metrics *metrics, uint64_t now_us)
{
    return metrics->looked_us &&
           sub_u64(now_us, metrics->looked_us) < metrics->took_us * REUSE_FACTOR;
}

void gather_begin(struct metrics *metrics)
{
    if (!metrics->looking && !is_fresh(metrics, clock_us(CLOCK_MONOTONIC))) {
        metrics->looking = true;
        metrics->place = 0;
        metrics->looking_us = 0;
        metrics->tally = (struct inspect_tally){0};
    }
    sd_event_source_set_enabled(metrics->work, SD_EVENT_ON);
}

/* Returns true: that was all. */
static bool look_on(struct metrics *metrics)
{
    const struct engine *engine = metrics->host.engine;
    uint64_t begin_us = clock_us(CLOCK_MONOTONIC), now_us = begin_us;

    while (metrics->place < inspect_places(engine)) {
        inspect_tally(engine, now_us, metrics->place, metrics->place + PLACES_STEP,
                      &metrics->tally);
        metrics->place += PLACES_STEP;
        now_us = clock_us(CLOCK_MONOTONIC);
        if (now_us - begin_us >= TURN_US)
            break;
    }
    metrics->looking_us += now_us - begin_us;
    if (metrics->place < inspect_places(engine))
        return false;
    metrics->looking = false;
    metrics->looked = metrics->tally;
    metrics->looked_us = now_us;
    metrics->took_us = metrics->looking_us;
    return true;
}

/* The page is written in a slice of its own. */
int gather_run(sd_event_source *source, int fd, uint32_t revents, void *user)
{
    struct metrics *metrics = user;

    if (metrics->looking && (!look_on(metrics) || metrics->took_us >= TURN_US / 2))
        return 0;
    sd_event_source_set_enabled(source, SD_EVENT_OFF);
    give_all(metrics);
    return 0;
}
