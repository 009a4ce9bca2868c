/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a record looks like: as a line of JSON, as a sentence, as journal
 * fields. One walk over a record's members serves JSON and journal, so that
 * their names cannot differ. Pure, and without allocation beyond the buffer:
 * a storm writes 100 000 of them.
 */
#ifndef OUT_FORMAT_H
#define OUT_FORMAT_H

#include <sys/uio.h>

#include "../engine/record.h"
#include "../util/buffer.h"

/* Appends the record as one line of JSON, LF included. */
void record_json(struct buffer *buffer, const struct record *record, const char *run);

/* Appends the record as a sentence, without a line end. */
void record_sentence(struct buffer *buffer, const struct record *record);

/* Appends "2026-11-20T10:11:12.000123Z level: sentence" and LF. */
void record_text(struct buffer *buffer, const struct record *record);

/* How much it matters: asked and moved are notices, refused is info, what
 * failed or did not help is a warning; a notice has its own. */
enum pd_level record_level(const struct record *record);

/* Appends the record's journal fields, each as its length (uint32_t) and
 * NAME=value. `n_dropped` records before it were lost: that is said too. */
void record_journal(struct buffer *buffer, const struct record *record, const char *run,
                    uint64_t n_dropped);

/* The most fields that record_journal writes. */
#define JOURNAL_FIELDS_MAX 256u

/* Points at the fields written by record_journal. Returns how many. */
size_t journal_split(const char *bytes, size_t n_bytes, struct iovec *ret_fields,
                     size_t n_fields_max);

#endif
