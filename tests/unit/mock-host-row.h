/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a row says, as watchdog/engine/stages/row.c, peers/unacked.c and peers/progress.c have it:
 * the part of mock-host.c that measures. Of that file alone, which is compiled by its name: so
 * these are functions in a header.
 */
#ifndef MOCK_HOST_ROW_H
#define MOCK_HOST_ROW_H

#include <pathdog/mock-host.h>

static bool take_regular(struct mock *mock, struct mock_peer *found)
{
    if (mock->fast_polls || (found->regular_us && mock->turn.now_us - found->regular_us <
                                                      MOCK_SAMPLE_INTERVAL_US / 5 * 4))
        return false;
    found->regular_us = mock->turn.now_us;
    return true;
}

static bool is_heard(const struct mock_peer *found, const struct pd_row *row, uint64_t now_us)
{
    uint64_t received = row->v[PD_BYTES_RECEIVED], before = found->row.v[PD_BYTES_RECEIVED];
    uint64_t silent_ms = row->v[PD_SILENT_MS];

    if (received != PD_UNKNOWN && before != PD_UNKNOWN && received > before)
        return true;
    return silent_ms != PD_UNKNOWN && found->last_look_us &&
           silent_ms < (now_us - found->last_look_us) / 1000;
}

static void take_outstanding(struct mock_peer *found, const struct pd_row *row, bool outstanding,
                             uint64_t now_us)
{
    bool sent =
        row->v[PD_BYTES_SENT] != PD_UNKNOWN && row->v[PD_BYTES_SENT] > found->row.v[PD_BYTES_SENT];

    if (!found->outstanding_since_us) {
        if (!outstanding && !sent && !found->outstanding_sent)
            return;
        found->outstanding_since_us = now_us;
        found->outstanding_always = outstanding;
        found->outstanding_sent = false;
        found->outstanding_rows = 1;
        return;
    }
    found->outstanding_always &= outstanding;
    found->outstanding_sent |= sent;
    found->outstanding_rows += found->outstanding_rows < UINT8_MAX;
    if (!found->outstanding_always && !found->outstanding_sent &&
        now_us > found->outstanding_since_us)
        found->outstanding_since_us = 0;
}

static uint64_t known(uint64_t value)
{
    return value == PD_UNKNOWN ? 0 : value;
}

static bool is_outstanding(const struct pd_row *row)
{
    return known(row->v[PD_IN_FLIGHT_BYTES]) || known(row->v[PD_PTO_COUNT]) ||
           known(row->v[PD_UNACKED_MS]);
}

static uint64_t pto_us(const struct pd_row *row)
{
    uint64_t srtt_us = row->v[PD_SRTT_US], rttvar_us = row->v[PD_RTTVAR_US];

    if (known(row->v[PD_PTO_US]))
        return row->v[PD_PTO_US];
    if (srtt_us == PD_UNKNOWN)
        srtt_us = 333000;
    if (rttvar_us == PD_UNKNOWN)
        rttvar_us = srtt_us / 2;
    return srtt_us + (rttvar_us * 4 > 1000 ? rttvar_us * 4 : 1000) + 25000;
}

/* Of 128 bytes at most, and two probes of 48 bytes for each probe timeout. */
static bool more_than_keep_alive(const struct mock_peer *found, const struct pd_row *row)
{
    uint64_t ptos = known(row->v[PD_PTO_COUNT]), sent = row->v[PD_BYTES_SENT];
    uint64_t before = known(found->row.v[PD_BYTES_SENT]);
    uint64_t most = 128 + 96 * (ptos < 16 ? ptos : 16);

    if (row->v[PD_UNACKED_BYTES] != PD_UNKNOWN)
        return row->v[PD_UNACKED_BYTES] > 0;
    return known(row->v[PD_IN_FLIGHT_BYTES]) > most ||
           (sent != PD_UNKNOWN && found->last_look_us && sent > before && sent - before > most);
}

static void take_unacked(struct mock_peer *found, struct pd_sample *sample, uint64_t now_us)
{
    const struct pd_row *row = sample->row;
    bool outstanding = is_outstanding(row);

    if (row->v[PD_UNACKED_MS] != PD_UNKNOWN) {
        sample->unacked_us = row->v[PD_UNACKED_MS] * 1000;
        sample->application = row->v[PD_UNACKED_MS] > 0;
        found->unacked_since_us = sample->application ? now_us - sample->unacked_us : 0;
        return;
    }
    if (row->v[PD_IN_FLIGHT_BYTES] == PD_UNKNOWN && row->v[PD_PTO_COUNT] == PD_UNKNOWN) {
        if (sample->acknowledged || sample->heard)
            found->application = false;
        found->application |= more_than_keep_alive(found, row);
        sample->application = found->application;
        sample->unacked_us = PD_UNKNOWN;
        return;
    }
    if (!outstanding)
        found->unacked_since_us = 0;
    else if (sample->acknowledged || !found->unacked_since_us)
        found->unacked_since_us = now_us;
    if (!outstanding || found->unacked_since_us == now_us)
        found->application = false;
    found->application |= outstanding && more_than_keep_alive(found, row);
    sample->application = found->application;
    sample->unacked_us = outstanding ? now_us - found->unacked_since_us : 0;
}

static bool take_acked(struct mock_peer *found, struct pd_sample *sample, uint64_t now_us)
{
    uint64_t acked = sample->row->v[PD_ACKED_BYTES], before = found->row.v[PD_ACKED_BYTES];
    bool first = !found->last_look_us || before == PD_UNKNOWN;

    sample->starved_us = PD_UNKNOWN;
    if (acked == PD_UNKNOWN)
        return false;
    if (first || acked != before || sample->row->v[PD_UNACKED_MS] == 0)
        found->acked_us = now_us;
    if (sample->row->v[PD_UNACKED_MS] != PD_UNKNOWN)
        sample->starved_us = now_us - found->acked_us;
    return !first && acked != before;
}

static void evaluate(struct mock_peer *found, struct pd_sample *sample, uint64_t now_us)
{
    const struct pd_row *row = sample->row;
    uint64_t least_us, starved_us;
    bool tells = row->v[PD_RTT_SAMPLES] != PD_UNKNOWN || row->v[PD_ACKED_BYTES] != PD_UNKNOWN ||
                 row->v[PD_UNACKED_MS] != PD_UNKNOWN;

    sample->silent_us =
        row->v[PD_SILENT_MS] == PD_UNKNOWN ? PD_UNKNOWN : row->v[PD_SILENT_MS] * 1000;
    sample->pto_us = pto_us(row);
    sample->acknowledged = take_acked(found, sample, now_us) || sample->fresh;
    take_unacked(found, sample, now_us);
    least_us = 6 * sample->pto_us;
    starved_us = known(sample->starved_us);
    if (starved_us > sample->unacked_us)
        starved_us = sample->unacked_us;
    sample->one_way = sample->heard && !sample->acknowledged && sample->application && tells &&
                      sample->unacked_us != PD_UNKNOWN && sample->unacked_us >= 1500000 &&
                      sample->unacked_us >= least_us;
    sample->starved = starved_us >= 3000000 && starved_us >= least_us;
    sample->progress =
        (sample->acknowledged || sample->heard) && !sample->one_way && !sample->starved;
}

static void take_ages(struct mock_peer *found, struct pd_sample *sample, uint64_t now_us)
{
    if (sample->progress || !found->progress_us)
        found->progress_us = now_us;
    if (sample->progress || sample->in_flight || !sample->last_look_us) {
        found->outstanding_since_us = 0;
        found->outstanding_sent = false;
    } else {
        take_outstanding(found, sample->row, is_outstanding(sample->row), now_us);
    }
    sample->stalled_us = now_us - found->progress_us;
    sample->outstanding_since_us = found->outstanding_since_us;
    sample->outstanding_rows = found->outstanding_since_us ? found->outstanding_rows : 0;
}

#endif
