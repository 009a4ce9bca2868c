/* SPDX-License-Identifier: Apache-2.0 */
/* Where records of the past come from: the journal, and the memory of the daemon that runs. */
#ifndef CTL_SOURCE_H
#define CTL_SOURCE_H

#include "ctl.h"
#include "history.h"
#include "journal-read.h"

/* What was read, and from where. To be cleared by source_clear. */
struct source {
    struct history history;
    struct journal_reader *reader; /* NULL: the journal was not read */
    const char *why_not;           /* then; NULL: it was not to be */
    char *unit;                    /* whose records; NULL: of every pathdog */
    bool daemon;                   /* its memory was read */
    uint64_t n_memory_only;        /* records that only the daemon had */
    uint64_t n_log_dropped;        /* that the journal says it never got */
    uint64_t n_storms;             /* causes of which the journal has the sum only */
    uint64_t oldest_us;            /* what there was goes back to then; 0: not known */
};

/* The wall clock. */
uint64_t source_now(void);

/* Fills the filter from the command line. Returns CTL_GOOD, or what was said. */
enum ctl_status source_filter(const struct ctl *ctl, struct history_filter *ret_filter);

/* Reads by the command line's source, the last `limit` records that fit, in order. With
 * `follow` the daemon, if it was asked, tells of every further one. */
enum ctl_status source_read(struct ctl *ctl, const struct history_filter *filter, uint64_t limit,
                            bool follow, struct source *ret_source);

/* "from the journal", and what else there is to say about that. */
char *source_text(const struct source *source);

/* Further records of the journal that fit; does not end by itself. */
enum ctl_status source_follow(struct source *source, const struct history_filter *filter,
                              bool (*show)(void *user, const json_t *record), void *user);

void source_clear(struct source *source);

#endif
