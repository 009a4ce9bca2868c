/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The quick way for the line that comes most: `summaries` in exactly the form
 * that docs/node-protocol.md shows, without a space, members in that order.
 * Whatever is written otherwise is none of its business: jansson reads it.
 * Both must say the same of a line that this one takes (fuzz-summaries-diff).
 */
#ifndef NODE_SUMMARIES_SCAN_H
#define NODE_SUMMARIES_SCAN_H

#include "summaries.h"

#define SCAN_COLUMNS_MAX 32
#define SCAN_HEAD_MAX    1024

/* The columns of the last line: the next one mostly has the same. Zeroed is none. */
struct summaries_scan {
    char head[SCAN_HEAD_MAX]; /* of a line, up to its rows */
    size_t head_length;       /* 0: none */
    uint32_t columns;         /* bit per pd_column */
    size_t n_places;
    uint8_t cells[SCAN_COLUMNS_MAX];   /* place in a row → cell, see summaries-scan.c */
    uint8_t lengths[SCAN_COLUMNS_MAX]; /* digits there in the row before, 1 … 7: a guess */
};

/* Returns true with the rows in `batch`, of which none is bad. False: not in that
 * form, or not certainly; `batch` then holds nothing that counts. */
bool summaries_scan(struct summaries_scan *scan, const char *line, size_t length,
                    struct summaries *batch);

#endif
