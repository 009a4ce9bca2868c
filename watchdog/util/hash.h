/* SPDX-License-Identifier: Apache-2.0 */
/* FNV-1a, 64 bits: for tables and for seeing that something changed; not against an attacker. */
#ifndef UTIL_HASH_H
#define UTIL_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_START UINT64_C(0xcbf29ce484222325)

/* One step; the word may be wider than a byte. */
static inline uint64_t hash_step(uint64_t hash, uint64_t word)
{
    return (hash ^ word) * UINT64_C(0x100000001b3);
}

static inline uint64_t hash_bytes(uint64_t hash, const void *data, size_t n_bytes)
{
    const uint8_t *bytes = data;

    for (size_t i = 0; i < n_bytes; i++)
        hash = hash_step(hash, bytes[i]);
    return hash;
}

/* With its end, so that "a", "bc" and "ab", "c" differ. */
static inline uint64_t hash_text(uint64_t hash, const char *text)
{
    do
        hash = hash_step(hash, (uint8_t)*text);
    while (*text++);
    return hash;
}

#endif
