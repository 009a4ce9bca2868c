/* SPDX-License-Identifier: Apache-2.0 */
/* The ring of requests. It grows only for requests that are open. */
#include "requests.h"

#include "../state.h"

#define ENDED_KEPT 65536u

static struct request_slot *slot_of(struct migration *migration, uint64_t request)
{
    return &migration->slots[request & (migration->slots_capacity - 1)];
}

static void grow(struct migration *migration)
{
    struct migration old = *migration;

    migration->slots_capacity = old.slots_capacity ? old.slots_capacity * 2 : 64;
    migration->slots = memory_new(migration->slots_capacity, sizeof(struct request_slot));
    for (uint64_t r = old.first_request; old.slots_capacity && r <= old.last_request; r++)
        *slot_of(migration, r) = *slot_of(&old, r);
    free(old.slots);
}

uint64_t request_new(struct migration *migration, struct move *move)
{
    uint64_t request = ++migration->last_request;

    if (!migration->first_request)
        migration->first_request = request;
    while (request - migration->first_request >= migration->slots_capacity) {
        if (migration->slots_capacity < ENDED_KEPT ||
            slot_of(migration, migration->first_request)->move) {
            migration->last_request--; /* not in the ring yet */
            grow(migration);
            migration->last_request++;
        } else {
            migration->first_request++;
        }
    }
    *slot_of(migration, request) =
        (struct request_slot){.move = move, .conn = move->conn, .by = move->by};
    return request;
}

struct request_slot *request_find(struct migration *migration, uint64_t request)
{
    struct request_slot *slot;

    if (!request || request < migration->first_request || request > migration->last_request)
        return NULL;
    slot = slot_of(migration, request);
    return slot->conn ? slot : NULL;
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

struct move *requests_next(struct migration *migration, uint64_t *request)
{
    if (*request < migration->first_request)
        *request = migration->first_request;
    while (*request && *request <= migration->last_request) {
        struct request_slot *slot = slot_of(migration, (*request)++);

        if (slot->move)
            return slot->move;
    }
    return NULL;
}
