/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jitter, tested without pathdog: the mock host gives it rows, and keeps what it says.
 * `make check` builds and runs this.
 */
#include <pathdog/mock-host.h>
#include <stdio.h>
#include <string.h>

#define SECOND 1000000ull

extern const struct pd_trigger pathdog_trigger; /* what jitter.c exports */

static unsigned failures;

#define CHECK(what)                                                                                \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            failures++;                                                                            \
            printf("%s:%d: not so: %s\n", __FILE__, __LINE__, #what);                              \
        }                                                                                          \
    } while (0)

/* SRTT is 100 ms. */
static void row(struct mock *mock, uint64_t at_us, uint64_t rttvar_us)
{
    struct pd_row row = mock_row();

    row.v[PD_SRTT_US] = 100000;
    row.v[PD_RTTVAR_US] = rttvar_us;
    mock_time(mock, at_us);
    mock_sample(mock, 0, &row, true);
}

static void begin(struct mock *mock)
{
    *mock = (struct mock){.turn.now_us = SECOND};
    CHECK(mock_start(mock, &pathdog_trigger, "threshold=30000 strikes=2") == 0);
    mock_peer_up(mock, "bravo", NULL, NULL);
}

static void two_bad_samples_are_advised(void)
{
    struct mock mock;

    begin(&mock);
    row(&mock, 5 * SECOND, 30000);
    row(&mock, 10 * SECOND, 31000);
    CHECK(mock.n_advice == 0);
    CHECK(strcmp(mock_tell(&mock, 0), "1 of 2 strikes (RTT varies by more than 30 ms)") == 0);
    row(&mock, 15 * SECOND, 45000);
    CHECK(mock.n_advice == 1);
    CHECK(mock.advice[0].kind == PD_KIND_DEGRADED);
    CHECK(strcmp(mock.advice[0].reason,
                 "RTT varies by 45 ms at a mean of 100 ms, 2 samples in a row") == 0);
    mock_stop(&mock);
}

static void fast_polls_are_no_samples(void)
{
    struct mock mock;

    begin(&mock);
    mock.fast_polls = true;
    for (uint64_t i = 1; i < 10; i++)
        row(&mock, 5 * SECOND + i * SECOND / 2, 90000);
    CHECK(mock.n_advice == 0);
    CHECK(strcmp(mock_tell(&mock, 0), "0 of 2 strikes (RTT varies by more than 30 ms)") == 0);
    mock_stop(&mock);
}

static void another_path_begins_anew(void)
{
    struct mock mock;

    begin(&mock);
    row(&mock, 5 * SECOND, 45000);
    mock_peer_change(&mock, 0, PD_PEER_MIGRATED);
    row(&mock, 10 * SECOND, 45000);
    CHECK(mock.n_advice == 0);
    mock_stop(&mock);
}

int main(void)
{
    two_bad_samples_are_advised();
    fast_polls_are_no_samples();
    another_path_begins_anew();
    if (!failures)
        printf("jitter: all well\n");
    return failures != 0;
}
