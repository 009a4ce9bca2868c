/* SPDX-License-Identifier: Apache-2.0 */
/* All that a scraper is given, as text. Pure: what is not in the engine or the counters is told. */
#ifndef METRICS_PAGE_H
#define METRICS_PAGE_H

#include "../engine/inspect.h"
#include "counts.h"
#include "text.h"

/* How a connection to the socket ended. */
enum scrape {
    SCRAPE_OK,
    SCRAPE_BAD,     /* answered with an error */
    SCRAPE_GONE,    /* it went before it had its answer */
    SCRAPE_SLOW,    /* closed: it took too long */
    SCRAPE_REFUSED, /* there were too many */
    SCRAPE_COUNT
};

struct page_facts {
    const struct engine *engine;
    struct inspect_tally tally; /* of all connections */
    const char *version;
    uint64_t now_us, realtime_us;
    uint64_t start_us; /* by the wall clock */
    uint64_t cpu_us, resident_bytes;
    uint64_t scrapes[SCRAPE_COUNT];
};

/* Counters of what exists begin with 0: `counts` learns its names. */
void page_write(struct buffer *out, enum text_form form, const struct page_facts *facts,
                struct counts *counts);

/* Its two halves (page-state.c, page-counts.c); both are told a family, and write its samples.
 * False: it is not one of theirs. */
bool page_state(struct text_out *text, enum family_id id, const struct page_facts *facts);
bool page_counts(struct text_out *text, enum family_id id, const struct page_facts *facts,
                 const struct counts *counts);

/* Those that an uplink has a label of its own for, in file order. */
#define PAGE_UPLINKS COUNTED_UPLINKS

#endif
