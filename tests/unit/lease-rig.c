/* SPDX-License-Identifier: Apache-2.0 */
#include "lease-rig.h"

void relays(struct mock *mock, bool obeys, const char *one, const char *two)
{
    const struct pd_relay list[] = {{.name = one}, {.name = two}};

    mock_relays(mock, &(struct pd_relays){.obeys = obeys,
                                          .told = one,
                                          .list = list,
                                          .n = one && two ? 2
                                               : one      ? 1
                                                          : 0});
}

void begin(struct mock *mock, const char *options)
{
    *mock = (struct mock){0};
    assert_int_equal(mock_start(mock, &pathdog_trigger_lease, options), 0);
    relays(mock, true, NULL, NULL);
    mock_peer_up(mock, "bravo", NULL, NULL);
    mock_peer_via(mock, 0, "A");
}

void later(struct mock *mock, uint64_t us)
{
    mock_time(mock, mock->turn.now_us + us);
}

void row(struct mock *mock, uint64_t sent, uint64_t received, uint64_t ms, uint64_t sent_left,
         uint64_t received_left)
{
    struct pd_row row = mock_row();

    row.v[PD_BYTES_SENT] = sent;
    row.v[PD_BYTES_RECEIVED] = received;
    row.v[PD_LEASE_MS] = ms;
    row.v[PD_LEASE_SENT_BYTES] = sent_left;
    row.v[PD_LEASE_RECEIVED_BYTES] = received_left;
    later(mock, 5 * SECOND);
    mock_sample(mock, 0, &row, true);
}

void counters(struct mock *mock, uint64_t sent, uint64_t received)
{
    row(mock, sent, received, UN, UN, UN);
}

void ms_left(struct mock *mock, uint64_t ms)
{
    row(mock, 1000, 1000, ms, UN, UN);
}
