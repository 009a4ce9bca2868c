/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One direction of a connection: how many bytes it carried over the relay that it is on, and how
 * fast. From a counter of the node, in rows. Pure, whole numbers only.
 */
#ifndef LEASE_METER_H
#define LEASE_METER_H

#include <stdbool.h>
#include <stdint.h>

/* A rate is the mean of at least so long: rows of fast polls are no measure of it. */
#define LEASE_WINDOW_US UINT64_C(1000000)

/* Zeroed is one without a row. */
struct lease_meter {
    uint64_t window_us; /* when the present window began; 0: there was no row */
    uint64_t counter;   /* then */
    uint64_t used;      /* on this relay until then */
    uint64_t rate;      /* bytes a second */
};

/*
 * A row: the counter has this value, PD_UNKNOWN is none. All that the very first one has was
 * carried over this relay, unless that is more than `limit` (0: there is none).
 *
 * A window ends with the first row that is LEASE_WINDOW_US later than its beginning. The rate rises
 * at once, falls by half of the difference in each window, and is 0 after one without a byte. A
 * counter that is lower than before began anew.
 */
void lease_meter_row(struct lease_meter *meter, uint64_t now_us, uint64_t counter, uint64_t limit);

/* Used on this relay by the row that was taken last and had this counter. */
uint64_t lease_meter_used(const struct lease_meter *meter, uint64_t counter);

/* It goes over another relay now, or anew over the same one. */
void lease_meter_restart(struct lease_meter *meter);

#endif
