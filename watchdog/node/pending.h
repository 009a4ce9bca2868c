/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was asked on this connection, by request id: each id is answered at most
 * once. Ids are sequential, and the oldest are dropped: it is bounded. Pure.
 */
#ifndef NODE_PENDING_H
#define NODE_PENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../util/sequence.h"

/* So many requests whose time is over are kept, for answers that come late. */
#define PENDING_LATE_MAX 65536u
/* No more than this in all. */
#define PENDING_MAX (1u << 20)

enum pending_kind {
    PENDING_NOTHING, /* answered, or never asked */
    PENDING_HELLO,
    PENDING_SUBSCRIBE,
    PENDING_SUMMARY,
    PENDING_MIGRATE,
    PENDING_RECONNECT,
    PENDING_PROBE,
    PENDING_PROBE_PATH,
    PENDING_GIVEN_UP, /* a summary or a path's probe that is not waited for any more */
};

struct pending_entry {
    uint64_t number;  /* the engine's: a poll, a request or a path's probe */
    uint32_t until_s; /* an answer later than this is late */
    uint8_t kind;     /* enum pending_kind */
    bool move;        /* it was asked as a migrate or reconnect, answered or not */
};

/* Zeroed is a new connection. */
struct pending {
    struct sequence ids; /* of pending_entry */
};

/* Returns the new id: 1, 2, 3 … */
uint64_t pending_add(struct pending *pending, uint64_t now_us, uint64_t until_us,
                     enum pending_kind kind, uint64_t number);

/* The answer of `id` is here. Returns what was asked, PENDING_NOTHING if nothing
 * was, and forgets it; `*ret_number` is the engine's number. */
enum pending_kind pending_take(struct pending *pending, int64_t id, uint64_t *ret_number);

/* The id of the migrate or reconnect of that number; 0 where it was answered, or is not known. The
 * engine numbers them in the order in which they are asked. */
uint64_t pending_move_id(const struct pending *pending, uint64_t number);

/* The answer of a summary or of a path's probe will be ignored from now on. */
void pending_give_up(struct pending *pending, uint64_t id);

/* Forgets everything; ids begin at 1 again. */
void pending_clear(struct pending *pending);

#endif
