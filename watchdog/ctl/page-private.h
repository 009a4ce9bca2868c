/* SPDX-License-Identifier: Apache-2.0 */
/* What a page knows, and how its parts draw it. */
#ifndef CTL_PAGE_PRIVATE_H
#define CTL_PAGE_PRIVATE_H

#include "deeds.h"
#include "history.h"
#include "html.h"
#include "page.h"

#define MARKS_MAX   (UINT64_C(1) << 21) /* all that is drawn, of 24 bytes each */
#define OUTAGES_MAX (UINT64_C(1) << 17)
#define PEERS_MAX   (UINT64_C(1) << 17) /* those beyond are drawn as one */
#define UPLINKS_MAX 16u
#define CHANGES_MAX 2048u /* of one uplink, or of a node */
#define LABELS_MAX  256u  /* paths that have names */
#define CHARTS_MAX  12u

enum mark_type {
    MARK_MOVE,    /* a decision that asks for one */
    MARK_REFUSED, /* any other */
    MARK_MOVED,   /* an outcome; value: the path, a label */
    MARK_BEFORE,  /* the path before that */
    MARK_FAILED,  /* an outcome */
    MARK_BETTER,  /* effects */
    MARK_SAME,
    MARK_WORSE,
    MARK_RTT, /* value: in microseconds, as far as a record tells */
    MARK_CAUSE,
    MARK_NOTICE,
    MARK_TYPES
};

struct mark {
    uint64_t time_us;
    uint32_t peer, value;
    uint8_t type;
};

struct outage_span {
    uint64_t from_us, until_us;
    uint32_t peer;
};

struct page {
    struct mark *marks;
    size_t n_marks, marks_capacity;
    uint64_t n_marks_more;
    struct outage_span *outages;
    size_t n_outages, outages_capacity;
    uint64_t n_outages_more;
    json_t *peers;   /* name → number */
    json_t *labels;  /* path → number */
    json_t *homes;   /* path → the uplink's name, where that is known */
    json_t *uplinks; /* name → changes: an array of the records */
    json_t *nodes;   /* the same */
    json_t *series;  /* peer → line */
    json_t *series_all;
    uint64_t n_changes_more;
    struct deeds *deeds;
    struct outage_watch watch;
};

/* Where something is drawn: a time from left to right. */
struct plot {
    struct buffer *out;
    uint64_t from_us, until_us;
    bool dates; /* more than one day: times have their date */
};

/* ---- page-draw.c ---- */

/* "12.3%" of the width. */
void plot_x(const struct plot *plot, uint64_t time_us);
/* A line of the diagram with its name (from outside) and a remark (markup, or NULL). */
void plot_begin(const struct plot *plot, const char *name, const char *remark, unsigned height);
void plot_end(const struct plot *plot);
/* The times below all lines. */
void plot_axis(const struct plot *plot);
void plot_rect(const struct plot *plot, const char *class, uint64_t from_us, uint64_t until_us,
               unsigned y, unsigned height);
/* Ends an element that was begun with `<rect …>`: with its explanation, of which `text` is from
 * outside. */
void plot_title(const struct plot *plot, const char *end, const char *text, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* One sign for each column in which there are such marks, of one peer (UINT32_MAX: of all). */
void plot_marks(const struct plot *plot, const struct page *page, enum mark_type type,
                uint32_t peer, const char *sign, const char *what, unsigned y);

/* "02:13:05", with the date where there are several days. */
void time_put(const struct plot *plot, uint64_t time_us);

/* A peer's number, UINT32_MAX where it is not known. */
uint32_t page_peer(const struct page *page, const char *name);

/* ---- the parts ---- */

void page_style(struct buffer *out);
void page_words(const struct page *page, const json_t *report, const struct plot *plot);
void page_lines(const struct page *page, const json_t *report, const struct plot *plot);
void page_charts(const struct page *page, const json_t *report, const struct plot *plot);
void page_tables(struct page *page, const json_t *report, const struct plot *plot);
void page_deeds(struct page *page, const struct plot *plot);
void page_what_if(const json_t *report, const struct plot *plot);

#endif
