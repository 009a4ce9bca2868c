/* SPDX-License-Identifier: Apache-2.0 */
/* Entry `number` is at `number` modulo the capacity. */
#include "sequence.h"

#include "util.h"

#define FIRST_CAPACITY 64u
#define KEPT_EMPTY     4096u /* a larger ring is freed when it is empty */

static char *entry_at(const struct sequence *sequence, uint64_t number, size_t entry_size)
{
    return sequence->entries + (number & (sequence->capacity - 1)) * entry_size;
}

static void grow(struct sequence *sequence, size_t entry_size)
{
    struct sequence old = *sequence;

    sequence->capacity = old.capacity ? 2 * old.capacity : FIRST_CAPACITY;
    sequence->entries = memory_new(sequence->capacity, entry_size);
    for (uint64_t i = old.dropped + 1; i <= sequence_last(&old); i++)
        memcpy(entry_at(sequence, i, entry_size), entry_at(&old, i, entry_size), entry_size);
    free(old.entries);
}

void *sequence_add(struct sequence *sequence, size_t entry_size)
{
    if (sequence->count == sequence->capacity)
        grow(sequence, entry_size);
    sequence->count++;
    return memset(entry_at(sequence, sequence_last(sequence), entry_size), 0, entry_size);
}

void *sequence_find(const struct sequence *sequence, uint64_t number, size_t entry_size)
{
    if (number <= sequence->dropped || number > sequence_last(sequence))
        return NULL;
    return entry_at(sequence, number, entry_size);
}

void sequence_drop(struct sequence *sequence)
{
    sequence->dropped++;
    if (--sequence->count || sequence->capacity <= KEPT_EMPTY)
        return;
    free(sequence->entries);
    sequence->entries = NULL;
    sequence->capacity = 0;
}

void sequence_clear(struct sequence *sequence)
{
    free(sequence->entries);
    *sequence = (struct sequence){0};
}
