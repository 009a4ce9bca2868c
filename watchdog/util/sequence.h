/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entries by consecutive numbers, 1, 2, 3 …, the newest at the end: a ring that
 * grows. Which of the oldest are dropped, and when, is its user's rule. All
 * entries of one have the same size, which each call is given. Pure.
 */
#ifndef UTIL_SEQUENCE_H
#define UTIL_SEQUENCE_H

#include <stddef.h>
#include <stdint.h>

/* Zeroed is empty, and its first number is 1. */
struct sequence {
    char *entries;
    size_t capacity; /* 0 or a power of two */
    size_t count;
    uint64_t dropped; /* numbers up to this one are not kept any more */
};

/* The newest number that was given; 0: none yet. */
static inline uint64_t sequence_last(const struct sequence *sequence)
{
    return sequence->dropped + sequence->count;
}

/* A zeroed entry for the next number. Pointers to entries are good until then. */
void *sequence_add(struct sequence *sequence, size_t entry_size);

/* NULL where the number was not given yet, or is not kept any more. */
void *sequence_find(const struct sequence *sequence, uint64_t number, size_t entry_size);

/* The oldest is dropped. The memory of a large one is given back once it is empty. */
void sequence_drop(struct sequence *sequence);

/* Frees all; the numbers begin at 1 again. */
void sequence_clear(struct sequence *sequence);

#endif
