/* SPDX-License-Identifier: Apache-2.0 */
/* What the lease trigger knows of its connections. See policy.c. */
#ifndef LEASE_POLICY_H
#define LEASE_POLICY_H

#include "target.h"
#include "term.h"

#include "util/glob.h"

struct lease {
    struct lease_limits limits;
    struct globs *limited; /* relays that have them */
    uint64_t lead_ms, repeat_us, interval_us;
    bool stay;
    bool noticed; /* that this node does not report the columns */
    struct lease_relays relays;
};

/* 136 bytes: rates and what was used must be known at any time, for a relay may be left any time.
 */
struct lease_peer {
    struct lease_meter sent, received;
    struct lease_left left; /* by the last row, which may be of the circuit before */
    uint64_t ends_us;       /* by the last row; PD_UNKNOWN: never, 0: there was none of this one */
    uint64_t row_us;        /* when that came */
    uint64_t since_us;      /* on this circuit */
    uint64_t next_us;       /* not advised before */
    uint32_t relay;         /* hash of its name; 0: direct, or the node does not say */
    uint32_t lead_ms;       /* of this circuit */
    uint8_t attempts;       /* to leave this circuit */
    uint8_t late;           /* of those, after the end that was foreseen */
    uint8_t limited : 1;    /* by the configuration, too */
    uint8_t looked : 1;     /* fast polls were asked for */
    uint8_t asked : 1;      /* the circuit before was left by advice of this trigger */
};

int lease_save(const void *self, const struct pd_peer *who, const void *state, char *text,
               size_t size);
int lease_restore(struct pd_turn *turn, const struct pd_peer_event *event, const char *text);

#endif
