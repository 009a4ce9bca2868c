/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines of path summaries → rows, into memory that is used again and again.
 * The rules are those of "Columns of summaries" in docs/node-protocol.md; pure.
 */
#ifndef NODE_SUMMARIES_H
#define NODE_SUMMARIES_H

#include "decode.h"

/* The rows of one line. Zeroed is empty. */
struct summaries {
    struct sample_row *rows;
    size_t n_rows;
    size_t capacity;
    uint32_t columns; /* bit per pd_column that the line has */
    uint64_t bad_rows;
    size_t first_bad; /* which row, from 0 */
    const char *bad_why;
};

/* Empties it for the next line; its memory stays, unless it has grown too large. */
void summaries_begin(struct summaries *batch);

/* A whole line. Returns 0 with the rows in `batch`, -EPROTO where it is not a
 * `summaries` message or a malformed one, -EBADMSG where it is not a JSON object. */
int summaries_decode(const char *line, size_t length, struct summaries *batch);

/* The params of a `summaries` message. Returns 0, or -EPROTO with `problem`. */
int summaries_params(const json_t *params, struct summaries *batch, struct problem *problem);

/* Empties it and frees its memory. */
void summaries_clear(struct summaries *batch);

/* A column by its name: its number, or -1. */
int column_find(const char *name);
const char *column_name(enum pd_column column);

#endif
