/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a connection is on its circuit, and how much went over it, kept across a restart of
 * pathdog: where the node does not say what is left, nobody else knows.
 */
#include "policy.h"

#include "util/util.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

int lease_save(const void *self, const struct pd_peer *who, const void *state, char *text,
               size_t size)
{
    const struct lease_peer *peer = state;

    (void)self;
    (void)who;
    if (!peer->relay)
        return 0;
    return snprintf(text, size,
                    "%" PRIu32 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
                    " %" PRIu64,
                    peer->relay, peer->since_us, peer->sent.window_us, peer->sent.counter,
                    peer->sent.used, peer->received.counter, peer->received.used);
}

static bool number_read(const char **text, uint64_t most, uint64_t *ret)
{
    char *end;

    if (**text < '0' || **text > '9')
        return false;
    errno = 0;
    *ret = strtoull(*text, &end, 10);
    *text = *end == ' ' ? end + 1 : end;
    return !errno && *ret <= most && (!*end || *end == ' ');
}

/* The text comes from a file: every number is checked. */
int lease_restore(struct pd_turn *turn, const struct pd_peer_event *event, const char *text)
{
    struct lease_peer *peer = event->state;
    const uint64_t most[] = {UINT32_MAX,        turn->now_us,      turn->now_us,
                             UINT64_C(1) << 53, UINT64_C(1) << 53, UINT64_C(1) << 53,
                             UINT64_C(1) << 53};
    uint64_t numbers[ARRAY_SIZE(most)];

    for (size_t i = 0; i < ARRAY_SIZE(most); i++)
        if (!number_read(&text, most[i], &numbers[i]))
            return -EINVAL;
    if (*text)
        return -EINVAL;
    if (numbers[0] != peer->relay) /* it has moved meanwhile */
        return 0;
    peer->since_us = numbers[1];
    peer->sent = (struct lease_meter){numbers[2], numbers[3], numbers[4], 0};
    peer->received = (struct lease_meter){numbers[2], numbers[5], numbers[6], 0};
    return 0;
}
