/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal, written by a thread of its own: sd_journal_sendv blocks its
 * caller while journald stands still, and the loop must not. Behind a bounded
 * queue; what does not fit is counted and said with the next record.
 */
#ifndef OUT_JOURNAL_H
#define OUT_JOURNAL_H

#include <sys/uio.h>

#include "../util/buffer.h"

struct journal;

struct journal_config {
    size_t max_entries, max_bytes;
    /* As sd_journal_sendv(3), which it is outside the tests. */
    int (*send)(const struct iovec *fields, int n_fields);
};

int journal_new(const struct journal_config *config, struct journal **ret_journal);

/* Would an entry fit? One that would not need not be made: it is journal_drop'ped.
 * `*ret_dropped` were lost and not said yet. */
bool journal_has_room(struct journal *journal, uint64_t *ret_dropped);
void journal_drop(struct journal *journal);

/* Queues an entry (as record_journal makes it). `said` of the lost ones are
 * said in it. What does not fit is dropped. Never waits for journald. */
void journal_push(struct journal *journal, const struct buffer *entry, uint64_t said);

/* Waits at most so long for the queue to be written, then ends the thread.
 * Returns how many entries are lost and were not said. */
uint64_t journal_stop(struct journal *journal, uint64_t timeout_us);

/* After journal_stop. NULL is fine. */
struct journal *journal_free(struct journal *journal);

#endif
