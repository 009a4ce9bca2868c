/* SPDX-License-Identifier: Apache-2.0 */
/* It grows only for requests that are open. */
#include "requests.h"

#include "../state.h"

#define ENDED_KEPT 65536u

static struct request_slot *slot_of(const struct migration *migration, uint64_t request)
{
    return sequence_find(&migration->requests, request, sizeof(struct request_slot));
}

uint64_t request_next(const struct migration *migration)
{
    return sequence_last(&migration->requests) + 1;
}

uint64_t request_new(struct migration *migration, struct move *move)
{
    struct sequence *requests = &migration->requests;
    struct request_slot *slot;

    while (requests->count >= ENDED_KEPT && !slot_of(migration, requests->dropped + 1)->move)
        sequence_drop(requests);
    slot = sequence_add(requests, sizeof(*slot));
    *slot = (struct request_slot){.move = move, .conn = move->conn, .by = move->by};
    return sequence_last(requests);
}

struct request_slot *request_find(const struct migration *migration, uint64_t request)
{
    struct request_slot *slot = slot_of(migration, request);

    return slot && slot->conn ? slot : NULL;
}

void request_ended(struct migration *migration, uint64_t request)
{
    struct request_slot *slot = request_find(migration, request);

    if (slot)
        slot->move = NULL;
}

void request_answered(struct migration *migration, uint64_t request)
{
    struct request_slot *slot = request_find(migration, request);

    if (slot)
        slot->conn = 0;
}

struct move *requests_next(const struct migration *migration, uint64_t *request)
{
    struct request_slot *slot;

    *request = max_u64(*request, migration->requests.dropped + 1);
    while ((slot = slot_of(migration, *request))) {
        ++*request;
        if (slot->move)
            return slot->move;
    }
    return NULL;
}
