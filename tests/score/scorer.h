/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a trace cost. Times are means over the six connections, moves and closes are counted over
 * all of them.
 */
#ifndef SCORE_SCORER_H
#define SCORE_SCORER_H

#include <stdbool.h>
#include <stdint.h>

struct world;
struct conn;
struct path;

/* Something waits to arrive at one of the two ends, and for longer than this nothing does: an
 * outage, from its beginning on. */
#define OUTAGE_US UINT64_C(500000)
#define TICK_US   UINT64_C(50000)

struct score {
    double outage_s, slow_s, away_s;
    uint64_t moves, needless, closes, timeouts, lost;
    uint64_t asked[6];      /* moves and closes of each peer */
    uint64_t first_us;      /* from the beginning of the fault to the first action; UINT64_MAX */
    uint64_t fault_us;      /* where a class says so; UINT64_MAX: there is none */
    uint64_t counted_us[6]; /* to which each peer's outage has been counted */
};

void score_begin(struct world *world);
void score_tick(struct world *world, void *object, uint64_t argument);
/* A move of this connection is asked for, to this path. */
void score_move(struct world *world, const struct conn *conn, const struct path *to);
/* A connection of the host is closed on request. */
void score_close(struct world *world, const struct conn *conn);
/* In seconds, for one user. */
double score_cost(const struct score *score);

#endif
