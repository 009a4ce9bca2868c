/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a relay will end what goes over it. Pure, whole numbers only.
 */
#ifndef LEASE_TERM_H
#define LEASE_TERM_H

#include "meter.h"

#include <pathdog/path.h>

enum lease_end {
    LEASE_END_TIME,
    LEASE_END_SENT,
    LEASE_END_RECEIVED,
    LEASE_END_COUNT,
    LEASE_END_NONE = LEASE_END_COUNT,
};

/* By the configuration; 0: no such limit. */
struct lease_limits {
    uint64_t data; /* bytes in each direction */
    uint64_t duration_us;
};

/* What is left, as of one row. Each PD_UNKNOWN: no such limit is known. */
struct lease_left {
    uint64_t cut_us; /* when its time is over */
    uint64_t sent, received;
};

struct lease_term {
    enum lease_end end; /* what comes first */
    uint64_t eta_ms;    /* until then; PD_UNKNOWN: nothing does */
};

/* Of what the relay counts, so much is the connection's: it also counts what encryption and framing
 * add. Rounded down. */
uint64_t lease_payload(uint64_t bytes);

/*
 * What is left by this row. What the node says wins over the limits, each for itself. `since_us`:
 * when the connection came onto this relay.
 */
struct lease_left lease_left(const struct pd_row *row, const struct lease_limits *limits,
                             uint64_t now_us, uint64_t since_us, const struct lease_meter *sent,
                             const struct lease_meter *received);

/* The least of: the time; and of each direction, what is left of 0.95 × its limit divided by the
 * rate. Without a rate bytes end nothing. */
struct lease_term lease_term(const struct pd_row *row, const struct lease_limits *limits,
                             const struct lease_left *left, uint64_t now_us,
                             const struct lease_meter *sent, const struct lease_meter *received);

/* Is nothing known? */
bool lease_unlimited(const struct lease_left *left);

/*
 * Is more left than there was in the row before, at `then_us`? Of the time: clearly more, for it is
 * told in whole milliseconds at times of the node's own; and not only the same once more. What is
 * not known any more is not more.
 */
bool lease_renewed(const struct lease_left *before, uint64_t then_us, const struct lease_left *now,
                   uint64_t now_us);

#endif
