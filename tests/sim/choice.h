/* SPDX-License-Identifier: Apache-2.0 */
/* Where choices come from: a generator with a seed, or given bytes. */
#ifndef SIM_CHOICE_H
#define SIM_CHOICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct choice {
    uint64_t state;
    const uint8_t *bytes; /* NULL: the generator */
    size_t left;
};

struct choice choice_seeded(uint64_t seed);
struct choice choice_bytes(const uint8_t *bytes, size_t count);

/* 0 … n-1. When bytes have run out: 0. */
uint64_t choose(struct choice *choice, uint64_t n);

/* True once in n. */
bool chance(struct choice *choice, uint64_t n);

static inline bool choice_over(const struct choice *choice)
{
    return choice->bytes && !choice->left;
}

#endif
