/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests by their number: a ring of the last ones. Those that ended are kept
 * for a while, since a late answer is still learnt from.
 */
#ifndef ENGINE_REQUESTS_H
#define ENGINE_REQUESTS_H

#include "../record.h"

struct migration;
struct move;

/* What is kept of a request by its number, also after it ended: a late answer
 * changes nothing any more, but is learnt from. */
struct request_slot {
    struct move *move; /* NULL: ended */
    uint64_t conn;
    enum by by;
};

/* Numbers a new request of this move. */
uint64_t request_new(struct migration *migration, struct move *move);

/* The number that the next one gets. */
uint64_t request_next(const struct migration *migration);

/* NULL if it was never made, was answered already, or is too long ago. */
struct request_slot *request_find(const struct migration *migration, uint64_t request);

/* It ended: its number is kept for a late answer. That came: nothing more is learnt from it. */
void request_ended(struct migration *migration, uint64_t request);
void request_answered(struct migration *migration, uint64_t request);

/* Walks over the open ones: the next at or after `*request`, NULL at the end. */
struct move *requests_next(const struct migration *migration, uint64_t *request);

#endif
