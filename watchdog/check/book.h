/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the node has told of its connections, over all clients of one run. Says
 * what does not fit what was told before; pure.
 */
#ifndef CHECK_BOOK_H
#define CHECK_BOOK_H

#include <jansson.h>

#include "report.h"

enum entry_state { ENTRY_UP, ENTRY_REPLACED, ENTRY_DOWN };

struct entry {
    uint64_t conn;
    char *peer;
    enum entry_state state;
    uint64_t session; /* the last one in which it was told */
    bool server, not_migratable, not_reconnectable;
    char *local;
    uint64_t counters[5]; /* of the last row, see book.c */
    uint64_t rtt_samples;
    bool counted;            /* counters are set */
    bool sampled;            /* rtt_samples is set */
    uint64_t rows;           /* in this session */
    uint64_t line;           /* the summaries line that had its last row */
    uint64_t up_at, down_at; /* book.clock then */
};

/* Zeroed is empty. */
struct book {
    struct entry *entries;
    size_t n_entries, capacity;
    json_t *index;     /* conn in decimal → place in entries */
    json_t *names;     /* peer → its greatest conn */
    uint64_t greatest; /* conn of the sessions before */
    uint64_t greatest_now;
    uint64_t session;
    bool complete; /* the snapshot of this session has been answered */
    uint64_t n_summaries;
    uint64_t clock; /* counts what is told of connections: what came before what */
    char *columns;  /* of the first summaries line, joined by commas */
};

/* A new client; nothing has been told to it. */
void book_session(struct book *book);
void book_complete(struct book *book);

/* NULL: never told. */
struct entry *book_find(const struct book *book, uint64_t conn);

/* Up, and told in this session. */
bool book_is_up(const struct book *book, const struct entry *entry);
size_t book_count(const struct book *book);

/* NULL: there are too many to keep another. */
struct entry *book_up(struct book *book, struct report *report, uint64_t conn, const char *peer);
struct entry *book_path(struct book *book, struct report *report, const char *method,
                        uint64_t conn);
void book_down(struct book *book, struct report *report, uint64_t conn);

void entry_set_local(struct entry *entry, const char *local);

/* A whole summaries message. Returns how many rows it has. No connection may have more than
 * `rows_max` in this session, with this message. */
uint64_t book_summaries(struct book *book, struct report *report, const json_t *params,
                        uint64_t rows_max);

void book_clear(struct book *book);

#endif
