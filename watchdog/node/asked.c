/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ring of requests asked. Entry `id` is at `id - 1` modulo the capacity;
 * answered ones leave when everything before them has left.
 */
#include "asked.h"

#include "../util/util.h"

#define ASKED_KEPT 4096u /* an empty ring above this is freed */

static struct asked_entry *entry_of(const struct asked *asked, uint64_t index)
{
    return &asked->ring[index & (asked->capacity - 1)];
}

static void drop_first(struct asked *asked)
{
    asked->first++;
    asked->count--;
}

static void drop_answered(struct asked *asked)
{
    while (asked->count && entry_of(asked, asked->first)->kind == ASKED_NOTHING)
        drop_first(asked);
    if (!asked->count && asked->capacity > ASKED_KEPT) {
        free(asked->ring);
        asked->ring = NULL;
        asked->capacity = 0;
    }
}

/* Room for one more; where there is too much, the oldest is forgotten. */
static void make_room(struct asked *asked, uint32_t now_s)
{
    struct asked_entry *ring;
    size_t capacity = asked->capacity ? 2 * asked->capacity : 64;

    while (asked->count >= ASKED_MAX ||
           (asked->count >= ASKED_LATE_MAX && entry_of(asked, asked->first)->until_s < now_s))
        drop_first(asked);
    if (asked->count < asked->capacity)
        return;
    ring = memory_new(capacity, sizeof(*ring));
    for (size_t i = 0; i < asked->count; i++)
        ring[(asked->first + i) & (capacity - 1)] = *entry_of(asked, asked->first + i);
    free(asked->ring);
    asked->ring = ring;
    asked->capacity = capacity;
}

uint64_t asked_add(struct asked *asked, uint64_t now_us, uint64_t until_us, enum asked_kind kind,
                   uint64_t number)
{
    make_room(asked, (uint32_t)(now_us / 1000000));
    *entry_of(asked, asked->first + asked->count) = (struct asked_entry){
        .number = number,
        .until_s = (uint32_t)min_u64(until_us / 1000000 + 1, UINT32_MAX),
        .kind = kind,
    };
    asked->count++;
    return asked->first + asked->count;
}

/* NULL where nothing is known of that id (any more). */
static struct asked_entry *find(const struct asked *asked, uint64_t id)
{
    if (id <= asked->first || id - asked->first > asked->count)
        return NULL;
    return entry_of(asked, id - 1);
}

enum asked_kind asked_take(struct asked *asked, int64_t id, uint64_t *ret_number)
{
    struct asked_entry *entry = id > 0 ? find(asked, (uint64_t)id) : NULL;
    enum asked_kind kind;

    if (!entry)
        return ASKED_NOTHING;
    kind = entry->kind;
    *ret_number = entry->number;
    entry->kind = ASKED_NOTHING;
    drop_answered(asked);
    return kind;
}

void asked_give_up(struct asked *asked, uint64_t id)
{
    struct asked_entry *entry = find(asked, id);

    if (entry && entry->kind == ASKED_SUMMARY)
        entry->kind = ASKED_GIVEN_UP;
}

void asked_clear(struct asked *asked)
{
    free(asked->ring);
    *asked = (struct asked){0};
}
