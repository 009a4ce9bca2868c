/* SPDX-License-Identifier: Apache-2.0 */
/* See rate.h. A bucket of tokens is kept as the time at which it would be full again. */
#include "rate.h"

#include "relay.h"
#include "util/siphash.h"

#include <stdlib.h>

#define SETS         1024u
#define WAYS         8u
#define REG_US       (UINT64_C(1000000) / RELAY_REG_PER_S)
#define SAY_EVERY_US UINT64_C(1000000)

struct stranger {
    uint8_t ip[16];
    uint32_t scope;
    bool used;
    uint64_t seen_us;
    struct rate rate;
};

struct strangers {
    uint64_t key[2];
    struct stranger sets[SETS][WAYS];
};

bool rate_take(struct rate *rate, uint64_t now_us)
{
    uint64_t from_us = rate->used_until_us > now_us ? rate->used_until_us : now_us;

    if (from_us + REG_US > now_us + RELAY_REG_BURST * REG_US)
        return false;
    rate->used_until_us = from_us + REG_US;
    return true;
}

bool rate_say(uint64_t *said_us, uint64_t now_us)
{
    if (*said_us && now_us - *said_us < SAY_EVERY_US)
        return false;
    *said_us = now_us ? now_us : 1;
    return true;
}

struct strangers *strangers_new(const uint64_t key[static 2])
{
    struct strangers *strangers = calloc(1, sizeof(*strangers));

    if (strangers)
        memcpy(strangers->key, key, sizeof(strangers->key));
    return strangers;
}

struct strangers *strangers_free(struct strangers *strangers)
{
    free(strangers);
    return NULL;
}

size_t strangers_memory_bytes(void)
{
    return sizeof(struct strangers);
}

struct rate *strangers_rate(struct strangers *strangers, const struct endpoint *ip, uint64_t now_us)
{
    uint8_t words[20];
    struct stranger *set, *oldest;

    memcpy(words, ip->ip, 16);
    memcpy(words + 16, &ip->scope, 4);
    set = oldest = strangers->sets[siphash(strangers->key, words, sizeof(words)) % SETS];
    for (struct stranger *one = set; one < set + WAYS; one++) {
        if (one->used && !memcmp(one->ip, ip->ip, 16) && one->scope == ip->scope) {
            one->seen_us = now_us;
            return &one->rate;
        }
        if (one->seen_us < oldest->seen_us || (!one->used && oldest->used))
            oldest = one;
    }
    memcpy(oldest->ip, ip->ip, 16);
    oldest->scope = ip->scope;
    oldest->used = true;
    oldest->seen_us = now_us;
    return &oldest->rate;
}
