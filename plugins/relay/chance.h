/* SPDX-License-Identifier: Apache-2.0 */
/* Random numbers, for ids that nobody else has and for times that do not coincide. Waits for
 * nothing: where the kernel has none yet, which is over when a network is up, they are made of the
 * time. */
#ifndef RELAY_CHANCE_H
#define RELAY_CHANCE_H

#include "util/clock.h"
#include "util/hash.h"

#include <sys/random.h>
#include <unistd.h>

static inline void chance_fill(uint8_t *out, size_t length)
{
    uint64_t hash = HASH_START;

    if (getrandom(out, length, GRND_NONBLOCK) == (ssize_t)length)
        return;
    for (size_t i = 0; i < length; i++) {
        hash = hash_step(hash_step(hash, clock_us(CLOCK_REALTIME)), (uint64_t)getpid() + i);
        out[i] = (uint8_t)(hash >> 32);
    }
}

/* From 0 to `below` - 1; 0 where that is 0. */
static inline uint64_t chance_below(uint64_t below)
{
    uint8_t bytes[sizeof(uint64_t)] = {0};
    uint64_t number = 0;

    chance_fill(bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++)
        number = number << 8 | bytes[i];
    return below ? number % below : 0;
}

#endif
