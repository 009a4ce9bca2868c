/* SPDX-License-Identifier: Apache-2.0 */
/* pathdog's records in the systemd journal. All that pathdogctl does with libsystemd is here. */
#ifndef CTL_JOURNAL_READ_H
#define CTL_JOURNAL_READ_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct journal_reader;

/* At most one of directory and file; none: this machine's journal. Borrowed. */
struct journal_place {
    const char *directory, *file;
};

/* What is wanted at least; the rest is the reader's caller's to filter. Borrowed. */
struct journal_wish {
    const char *unit; /* NULL: of every pathdog */
    const char *run;  /* NULL: of every run */
    const char *peer; /* just this name; NULL: whatever */
    bool uplinks;     /* also what happened to uplinks */
    bool everything;  /* that too, and causes, nodes, peers and notices */
};

/* Returns 0 or -errno: -EACCES where there is a journal that may not be read, -ENODATA where there
 * is none. */
int journal_reader_open(const struct journal_place *place, struct journal_reader **ret_reader);

/* The unit that logged under that run, to be freed: NULL if it was no service of systemd. Returns
 * 1, or 0 if there is no record of the run, or -errno. */
int journal_reader_unit(struct journal_reader *reader, const char *run, char **ret_unit);

/* From what the journal got at that time on forwards, or backwards; 0: from its beginning, or its
 * end. Returns 0 or -errno. */
int journal_reader_start(struct journal_reader *reader, const struct journal_wish *wish,
                         uint64_t from_us, bool backwards);

/* Is there any record of such? 1, 0 or -errno. Where the reader is, is not kept. */
int journal_reader_any(struct journal_reader *reader, const struct journal_wish *wish);

/* The next record, to be freed, and when the journal got it, which is at the record's own time or
 * after it. NULL where the entry is no good record, which is counted. Returns 1, or 0 at the end,
 * or -errno. */
int journal_reader_next(struct journal_reader *reader, json_t **ret_record, uint64_t *ret_got_us);

/* At the end: waits for more. Returns 0 or -errno. */
int journal_reader_wait(struct journal_reader *reader);

/* Run → unit, and run → machine, of all that was read (machines.h); borrowed. */
const json_t *journal_reader_units(const struct journal_reader *reader);
const json_t *journal_reader_machines(const struct journal_reader *reader);

/* When the oldest entry came that the journal still has, of whatever program. 0: not known. */
uint64_t journal_reader_oldest(struct journal_reader *reader);

/* Of the last record: so many before it did not get into the journal. */
uint64_t journal_reader_dropped(const struct journal_reader *reader);
/* Entries so far that were no good records. */
uint64_t journal_reader_bad(const struct journal_reader *reader);

/* NULL is fine. Returns NULL. */
struct journal_reader *journal_reader_free(struct journal_reader *reader);

#endif
