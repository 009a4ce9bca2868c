/* SPDX-License-Identifier: Apache-2.0 */
/* What scrapers are given: one page for all who wait for the same form. */
#include "private.h"

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
