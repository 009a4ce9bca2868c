/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loss, tested without pathdog: the mock host gives it rows, and keeps what it says.
 * `make check` builds and runs this.
 */
#include <pathdog/mock-host.h>
#include <stdio.h>
#include <string.h>

#define SECOND 1000000ull

extern const struct pd_trigger pathdog_trigger; /* what loss.c exports */

static unsigned failures;

#define CHECK(what)                                                                                \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            failures++;                                                                            \
            printf("%s:%d: not so: %s\n", __FILE__, __LINE__, #what);                              \
        }                                                                                          \
    } while (0)

/* So many packets of 1000 bytes sent, and so many lost, since the connection began. */
static void row(struct mock *mock, uint64_t at_us, uint64_t sent, uint64_t lost)
{
    struct pd_row row = mock_row();

    row.v[PD_BYTES_SENT] = sent * 1000;
    row.v[PD_PACKETS_LOST] = lost;
    mock_time(mock, at_us);
    mock_sample(mock, 0, &row, true);
}

static void begin(struct mock *mock)
{
    *mock = (struct mock){.turn.now_us = SECOND};
    CHECK(mock_start(mock, &pathdog_trigger, "fraction=50 strikes=2 packet=1000 least=50") == 0);
    mock_peer_up(mock, "bravo", NULL, NULL);
}

static void two_bad_samples_are_advised(void)
{
    struct mock mock;

    begin(&mock);
    row(&mock, 5 * SECOND, 1000, 0);
    row(&mock, 10 * SECOND, 1100, 6);
    CHECK(mock.n_advice == 0);
    CHECK(strcmp(mock_tell(&mock, 0), "1 of 2 strikes (lost above 50 in 1000)") == 0);
    row(&mock, 15 * SECOND, 1200, 12);
    CHECK(mock.n_advice == 1);
    CHECK(mock.advice[0].kind == PD_KIND_DEGRADED);
    CHECK(strcmp(mock.advice[0].reason,
                 "6 of about 100 packets lost, above 50 in 1000, 2 samples in a row") == 0);
    mock_stop(&mock);
}

static void fast_polls_are_no_samples(void)
{
    struct mock mock;

    begin(&mock);
    row(&mock, 5 * SECOND, 1000, 0);
    mock.fast_polls = true;
    for (uint64_t i = 1; i < 10; i++)
        row(&mock, 5 * SECOND + i * SECOND / 2, 1000 + i * 100, i * 50);
    CHECK(mock.n_advice == 0);
    CHECK(strcmp(mock_tell(&mock, 0), "0 of 2 strikes (lost above 50 in 1000)") == 0);
    mock_stop(&mock);
}

static void another_path_begins_anew(void)
{
    struct mock mock;

    begin(&mock);
    row(&mock, 5 * SECOND, 1000, 0);
    row(&mock, 10 * SECOND, 1100, 6);
    mock_peer_change(&mock, 0, PD_PEER_MIGRATED);
    row(&mock, 15 * SECOND, 1200, 12);
    row(&mock, 20 * SECOND, 1300, 18);
    CHECK(mock.n_advice == 0);
    mock_stop(&mock);
}

int main(void)
{
    two_bad_samples_are_advised();
    fast_polls_are_no_samples();
    another_path_begins_anew();
    if (!failures)
        printf("loss: all well\n");
    return failures != 0;
}
