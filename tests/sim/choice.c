/* SPDX-License-Identifier: Apache-2.0 */
/* splitmix64, or bytes of somebody else. */
#include "choice.h"

struct choice choice_seeded(uint64_t seed)
{
    return (struct choice){.state = seed};
}

struct choice choice_bytes(const uint8_t *bytes, size_t count)
{
    return (struct choice){.bytes = bytes, .left = count};
}

static uint64_t next_byte(struct choice *choice)
{
    if (!choice->left)
        return 0;
    choice->left--;
    return *choice->bytes++;
}

uint64_t choose(struct choice *choice, uint64_t n)
{
    uint64_t x;

    if (n < 2)
        return 0;
    if (choice->bytes) {
        x = next_byte(choice);
        for (uint64_t range = 256; range < n && range < (uint64_t)1 << 56; range <<= 8)
            x = x << 8 | next_byte(choice);
        return x % n;
    }
    choice->state += 0x9e3779b97f4a7c15u;
    x = choice->state;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return (x ^ x >> 31) % n;
}

bool chance(struct choice *choice, uint64_t n)
{
    return choose(choice, n) == n - 1;
}
