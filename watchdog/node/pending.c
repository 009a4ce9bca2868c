/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ring of requests asked. Entry `id` is at `id - 1` modulo the capacity;
 * answered ones leave when everything before them has left.
 */
#include "pending.h"

#include "../util/util.h"

#define PENDING_KEPT 4096u /* an empty ring above this is freed */

static struct pending_entry *entry_of(const struct pending *pending, uint64_t index)
{
    return &pending->ring[index & (pending->capacity - 1)];
}

static void drop_first(struct pending *pending)
{
    pending->first++;
    pending->count--;
}

static void drop_answered(struct pending *pending)
{
    while (pending->count && entry_of(pending, pending->first)->kind == PENDING_NOTHING)
        drop_first(pending);
    if (!pending->count && pending->capacity > PENDING_KEPT) {
        free(pending->ring);
        pending->ring = NULL;
        pending->capacity = 0;
    }
}

/* Room for one more; where there is too much, the oldest is forgotten. */
static void make_room(struct pending *pending, uint32_t now_s)
{
    struct pending_entry *ring;
    size_t capacity = pending->capacity ? 2 * pending->capacity : 64;

    while (pending->count >= PENDING_MAX || (pending->count >= PENDING_LATE_MAX &&
                                             entry_of(pending, pending->first)->until_s < now_s))
        drop_first(pending);
    if (pending->count < pending->capacity)
        return;
    ring = memory_new(capacity, sizeof(*ring));
    for (size_t i = 0; i < pending->count; i++)
        ring[(pending->first + i) & (capacity - 1)] = *entry_of(pending, pending->first + i);
    free(pending->ring);
    pending->ring = ring;
    pending->capacity = capacity;
}

uint64_t pending_add(struct pending *pending, uint64_t now_us, uint64_t until_us,
                     enum pending_kind kind, uint64_t number)
{
    make_room(pending, (uint32_t)(now_us / 1000000));
    *entry_of(pending, pending->first + pending->count) = (struct pending_entry){
        .number = number,
        .until_s = (uint32_t)min_u64(until_us / 1000000 + 1, UINT32_MAX),
        .kind = kind,
    };
    pending->count++;
    return pending->first + pending->count;
}

/* NULL where nothing is known of that id (any more). */
static struct pending_entry *find(const struct pending *pending, uint64_t id)
{
    if (id <= pending->first || id - pending->first > pending->count)
        return NULL;
    return entry_of(pending, id - 1);
}

enum pending_kind pending_take(struct pending *pending, int64_t id, uint64_t *ret_number)
{
    struct pending_entry *entry = id > 0 ? find(pending, (uint64_t)id) : NULL;
    enum pending_kind kind;

    if (!entry)
        return PENDING_NOTHING;
    kind = entry->kind;
    *ret_number = entry->number;
    entry->kind = PENDING_NOTHING;
    drop_answered(pending);
    return kind;
}

void pending_give_up(struct pending *pending, uint64_t id)
{
    struct pending_entry *entry = find(pending, id);

    if (entry && entry->kind == PENDING_SUMMARY)
        entry->kind = PENDING_GIVEN_UP;
}

void pending_clear(struct pending *pending)
{
    free(pending->ring);
    *pending = (struct pending){0};
}
