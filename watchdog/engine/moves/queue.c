/* SPDX-License-Identifier: Apache-2.0 */
/* A binary heap of moves, each knowing its place. */
#include "queue.h"

#include "../state.h"

static bool before(const struct move *a, const struct move *b)
{
    if (a->reason->kind != b->reason->kind)
        return a->reason->kind < b->reason->kind;
    if (a->peer->in_flight_bytes != b->peer->in_flight_bytes)
        return a->peer->in_flight_bytes > b->peer->in_flight_bytes;
    return a->decision < b->decision;
}

static void place(struct migration *migration, size_t position, struct move *move)
{
    migration->queue[position] = move;
    move->queue_place = (uint32_t)position;
}

static void settle(struct migration *migration, size_t position, struct move *move)
{
    struct move **queue = migration->queue;

    while (position > 1 && before(move, queue[position / 2])) {
        place(migration, position, queue[position / 2]);
        position /= 2;
    }
    for (;;) {
        size_t child = position * 2;

        if (child > migration->queue_count)
            break;
        if (child < migration->queue_count && before(queue[child + 1], queue[child]))
            child++;
        if (!before(queue[child], move))
            break;
        place(migration, position, queue[child]);
        position = child;
    }
    place(migration, position, move);
}

void queue_push(struct migration *migration, struct move *move)
{
    migration->queue = array_reserve(migration->queue, &migration->queue_capacity,
                                     migration->queue_count + 2, sizeof(struct move *));
    settle(migration, ++migration->queue_count, move);
}

void queue_remove(struct migration *migration, struct move *move)
{
    struct move *last;
    size_t position = move->queue_place;

    if (!position)
        return;
    last = migration->queue[migration->queue_count--];
    move->queue_place = 0;
    if (last != move)
        settle(migration, position, last);
}

void queue_resort(struct migration *migration, struct move *move)
{
    if (move->queue_place)
        settle(migration, move->queue_place, move);
}

struct move *queue_first(const struct migration *migration)
{
    return migration->queue_count ? migration->queue[1] : NULL;
}
