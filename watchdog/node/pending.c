/* SPDX-License-Identifier: Apache-2.0 */
/* Answered ones leave when everything before them has left. */
#include "pending.h"

#include "../util/util.h"

static struct pending_entry *find(const struct pending *pending, uint64_t id)
{
    return sequence_find(&pending->ids, id, sizeof(struct pending_entry));
}

static const struct pending_entry *oldest(const struct pending *pending)
{
    return find(pending, pending->ids.dropped + 1);
}

/* Where there is too much, the oldest is forgotten. */
static void make_room(struct pending *pending, uint32_t now_s)
{
    struct sequence *ids = &pending->ids;

    while (ids->count >= PENDING_MAX ||
           (ids->count >= PENDING_LATE_MAX && oldest(pending)->until_s < now_s))
        sequence_drop(ids);
}

uint64_t pending_add(struct pending *pending, uint64_t now_us, uint64_t until_us,
                     enum pending_kind kind, uint64_t number)
{
    struct pending_entry *entry;

    make_room(pending, (uint32_t)(now_us / 1000000));
    entry = sequence_add(&pending->ids, sizeof(*entry));
    *entry = (struct pending_entry){
        .number = number,
        .until_s = (uint32_t)min_u64(until_us / 1000000 + 1, UINT32_MAX),
        .kind = (uint8_t)kind,
        .move = kind == PENDING_MIGRATE || kind == PENDING_RECONNECT,
    };
    return sequence_last(&pending->ids);
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
    while (pending->ids.count && oldest(pending)->kind == PENDING_NOTHING)
        sequence_drop(&pending->ids);
    return kind;
}

/* Halves the ids; what is no move has other numbers, and is passed over. */
uint64_t pending_move_id(const struct pending *pending, uint64_t number)
{
    uint64_t from = pending->ids.dropped + 1, end = sequence_last(&pending->ids) + 1;

    while (from < end) {
        uint64_t middle = from + (end - from) / 2, id = middle;
        const struct pending_entry *entry;

        while (id < end && !find(pending, id)->move)
            id++;
        entry = id < end ? find(pending, id) : NULL;
        if (entry && entry->number == number)
            return entry->kind == PENDING_NOTHING ? 0 : id;
        if (entry && entry->number < number)
            from = id + 1;
        else
            end = middle;
    }
    return 0;
}

void pending_give_up(struct pending *pending, uint64_t id)
{
    struct pending_entry *entry = find(pending, id);

    if (entry && (entry->kind == PENDING_SUMMARY || entry->kind == PENDING_PROBE_PATH))
        entry->kind = PENDING_GIVEN_UP;
}

void pending_clear(struct pending *pending)
{
    sequence_clear(&pending->ids);
}
