/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A report as one HTML page: words, lines of time, tables. Records go by one at a time, and what is
 * kept of them has a bound, as has the page. No script, nothing that is fetched. Pure.
 */
#ifndef CTL_PAGE_H
#define CTL_PAGE_H

#include <jansson.h>

#include "../util/buffer.h"
#include "outage.h"

/* The first bytes of every page: by them a file is known as one. */
#define PAGE_MAGIC "<!doctype html><!--pathdog-->"

struct page;

struct page *page_new(void);

/* To be given to the report: times without a working path are drawn, too. */
const struct outage_watch *page_watch(const struct page *page);

/* A record, in order. */
void page_take(struct page *page, const json_t *record);

/* A line of `pathdog-replay --rtt`: the RTTs of a peer. */
void page_series(struct page *page, json_t *line);

/* Appends the page about all of that. `report` is what report_end made of the same records, with
 * the period and the source; and where a recording was compared, "what_if". */
void page_html(struct page *page, const json_t *report, const char *version, struct buffer *out);

/* NULL is fine. Returns NULL. */
struct page *page_free(struct page *page);

#endif
