/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recorded traces, read from a folder that is no part of the project: uplinks/, handover/,
 * driving/ and labelled/ with .csv or .csv.gz files.
 */
#ifndef SCORE_TRACES_H
#define SCORE_TRACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRACE_COLUMNS 5u

/* One file: numbers in rows, the header left out. */
struct trace {
    char *name;
    size_t n_columns, n_rows, capacity;
    int64_t *values; /* row by row, TRACE_COLUMNS each */
};

struct trace_folder {
    struct trace *traces; /* by name */
    size_t n_traces, capacity;
};

struct traces {
    struct trace_folder uplinks, handover, driving, labelled;
};

/* False and a message on standard error: a file cannot be read, or is not as it should be. A
 * folder that is not there is empty. */
bool traces_read(const char *directory, struct traces *ret_traces);
void traces_done(struct traces *traces);

static inline int64_t trace_value(const struct trace *trace, size_t row, unsigned column)
{
    return trace->values[row * TRACE_COLUMNS + column];
}

#endif
