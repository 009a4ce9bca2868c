/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of the trigger stall: rows of a connection whose PTO is 225 ms. */
#ifndef TEST_STALL_LAB_H
#define TEST_STALL_LAB_H

#include "check.h"

#include <pathdog/mock-host.h>

#define MS     1000ull
#define SECOND 1000000ull

extern const struct pd_trigger pathdog_trigger_stall;

/* PTO = 100 + 4 × 25 + 25 = 225 ms; four of them are 900 ms. */
static inline struct pd_row row_of(uint64_t in_flight, uint64_t sent)
{
    struct pd_row row = mock_row();

    row.v[PD_SRTT_US] = 100000;
    row.v[PD_RTTVAR_US] = 25000;
    row.v[PD_IN_FLIGHT_BYTES] = in_flight;
    row.v[PD_BYTES_SENT] = sent;
    return row;
}

static inline void look(struct mock *mock, uint64_t at_us, uint64_t in_flight, uint64_t sent,
                        bool progress)
{
    struct pd_row row = row_of(in_flight, sent);

    mock_time(mock, at_us);
    mock_sample(mock, 0, &row, progress);
}

static inline void begin(struct mock *mock, const char *options)
{
    *mock = (struct mock){.turn.now_us = SECOND};
    assert_int_equal(mock_start(mock, &pathdog_trigger_stall, options), 0);
    mock_peer_up(mock, "bravo", NULL, NULL);
    look(mock, SECOND, 0, 1000, true);
}

/* Nothing comes, and `silent_ms` says for how long. */
static inline void silent(struct mock *mock, uint64_t at_us, uint64_t sent, uint64_t silent_ms)
{
    struct pd_row row = row_of(PD_UNKNOWN, sent);

    row.v[PD_SILENT_MS] = silent_ms;
    mock_time(mock, at_us);
    mock_sample(mock, 0, &row, false);
}

struct told {
    uint64_t unacked_ms, silent_ms, acked;
    bool fresh;
};

static inline void tell(struct mock *mock, uint64_t at_us, struct told told)
{
    struct pd_row row = row_of(1200, at_us / MS);

    row.v[PD_UNACKED_MS] = told.unacked_ms;
    row.v[PD_SILENT_MS] = told.silent_ms;
    row.v[PD_ACKED_BYTES] = told.acked;
    mock_time(mock, at_us);
    mock_sample(mock, 0, &row, told.fresh);
}

#endif
