/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often an address may register, and how often it is told why something was not done. For
 * addresses without members there is a table of fixed size: who comes when it is full takes over a
 * place with what was used of it, so that nobody gains by pushing others out. Pure.
 */
#ifndef UDP_RELAY_RATE_H
#define UDP_RELAY_RATE_H

#include "endpoint.h"

#include <stddef.h>

struct rate {
    uint64_t used_until_us; /* all registrations so far would be paid for then */
    uint64_t unknown_us;    /* ERR:unknown was said; 0: never */
    uint64_t limit_us;      /* ERR:limit was said because of the rate */
};

/* One registration: may it be? */
bool rate_take(struct rate *rate, uint64_t now_us);
/* At most once a second; notes that it is said now. */
bool rate_say(uint64_t *said_us, uint64_t now_us);

struct strangers;

/* NULL: no memory. */
struct strangers *strangers_new(const uint64_t key[static 2]);
struct strangers *strangers_free(struct strangers *strangers);
size_t strangers_memory_bytes(void);

/* The address's; never NULL. Good until the next call. */
struct rate *strangers_rate(struct strangers *strangers, const struct endpoint *ip,
                            uint64_t now_us);

#endif
