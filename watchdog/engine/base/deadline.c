/* SPDX-License-Identifier: Apache-2.0 */
/* A binary heap of embedded deadlines, and FIFOs that have only their first in it. */
#include "deadline.h"

#include "../../util/util.h"

static void place(struct deadlines *deadlines, size_t position, struct deadline *deadline)
{
    deadlines->heap[position] = deadline;
    deadline->position = (uint32_t)position;
}

static void sift_up(struct deadlines *deadlines, size_t position, struct deadline *deadline)
{
    while (position > 1 && deadlines->heap[position / 2]->at_us > deadline->at_us) {
        place(deadlines, position, deadlines->heap[position / 2]);
        position /= 2;
    }
    place(deadlines, position, deadline);
}

static void sift_down(struct deadlines *deadlines, size_t position, struct deadline *deadline)
{
    for (;;) {
        size_t child = position * 2;

        if (child > deadlines->count)
            break;
        if (child < deadlines->count &&
            deadlines->heap[child + 1]->at_us < deadlines->heap[child]->at_us)
            child++;
        if (deadlines->heap[child]->at_us >= deadline->at_us)
            break;
        place(deadlines, position, deadlines->heap[child]);
        position = child;
    }
    place(deadlines, position, deadline);
}

static void settle(struct deadlines *deadlines, size_t position, struct deadline *deadline)
{
    if (position > 1 && deadlines->heap[position / 2]->at_us > deadline->at_us)
        sift_up(deadlines, position, deadline);
    else
        sift_down(deadlines, position, deadline);
}

static void put_in(struct deadlines *deadlines, struct deadline *deadline)
{
    deadlines->heap = array_reserve(deadlines->heap, &deadlines->capacity, deadlines->count + 2,
                                    sizeof(struct deadline *));
    sift_up(deadlines, ++deadlines->count, deadline);
}

static void take_out(struct deadlines *deadlines, struct deadline *deadline)
{
    size_t position = deadline->position;
    struct deadline *last = deadlines->heap[deadlines->count--];

    deadline->position = 0;
    if (last != deadline)
        settle(deadlines, position, last);
}

/* The first of a FIFO leaves its place in the heap to the next one. */
static void leave_fifo(struct deadlines *deadlines, struct deadline *deadline)
{
    struct fifo *fifo = deadline->fifo;
    struct deadline *next = deadline->next;

    if (deadline->previous)
        deadline->previous->next = next;
    else
        fifo->first = next;
    if (next)
        next->previous = deadline->previous;
    else
        fifo->last = deadline->previous;
    if (deadline->position && next) {
        settle(deadlines, deadline->position, next);
        deadline->position = 0;
    } else if (deadline->position) {
        take_out(deadlines, deadline);
    }
    deadline->fifo = NULL;
    deadline->previous = deadline->next = NULL;
}

static void switch_off(struct deadlines *deadlines, struct deadline *deadline)
{
    if (deadline->fifo)
        leave_fifo(deadlines, deadline);
    else if (deadline->position)
        take_out(deadlines, deadline);
}

void deadlines_clear(struct deadlines *deadlines)
{
    free(deadlines->heap);
    *deadlines = (struct deadlines){0};
}

void deadline_set(struct deadlines *deadlines, struct deadline *deadline, uint64_t at_us)
{
    if (deadline->fifo || at_us == NEVER)
        switch_off(deadlines, deadline);
    deadline->at_us = at_us;
    if (at_us == NEVER)
        return;
    if (deadline->position)
        settle(deadlines, deadline->position, deadline);
    else
        put_in(deadlines, deadline);
}

void deadline_append(struct deadlines *deadlines, struct fifo *fifo, struct deadline *deadline,
                     uint64_t at_us)
{
    switch_off(deadlines, deadline);
    if (at_us == NEVER || (fifo->last && fifo->last->at_us > at_us)) {
        deadline_set(deadlines, deadline, at_us);
        return;
    }
    deadline->at_us = at_us;
    deadline->fifo = fifo;
    deadline->previous = fifo->last;
    if (fifo->last)
        fifo->last->next = deadline;
    else
        fifo->first = deadline;
    fifo->last = deadline;
    if (!deadline->previous)
        put_in(deadlines, deadline);
}

uint64_t deadlines_next(const struct deadlines *deadlines)
{
    return deadlines->count ? deadlines->heap[1]->at_us : NEVER;
}

struct deadline *deadlines_take(struct deadlines *deadlines, uint64_t now_us)
{
    struct deadline *deadline;

    if (!deadlines->count || deadlines_next(deadlines) > now_us)
        return NULL;
    deadline = deadlines->heap[1];
    switch_off(deadlines, deadline);
    return deadline;
}
