/* SPDX-License-Identifier: Apache-2.0 */
/* See unacked.h. */
#include "unacked.h"

#include "../state.h"
#include "poll.h"

/* RFC 9002 §6.2.2: what to go by before the first RTT sample. */
#define INITIAL_RTT_US UINT64_C(333000)
/* RFC 9002 §6.1.2 and RFC 9000 §18.2: timer granularity, the peer's max_ack_delay. */
#define GRANULARITY_US   UINT64_C(1000)
#define MAX_ACK_DELAY_US UINT64_C(25000)
/* So long the peer may be heard without acknowledging anything. */
#define ONE_WAY_US   UINT64_C(1500000)
#define ONE_WAY_PTOS 6u
/* So long small packets may be acknowledged, and data not. */
#define STARVED_US UINT64_C(3000000)
/* A keep-alive with whatever its packet carries besides; and a probe: a PING in a packet of its
 * own, of which a probe timeout sends two at most (RFC 9002 §6.2.4). */
#define KEEP_ALIVE_BYTES  UINT64_C(128)
#define PROBE_BYTES       UINT64_C(48)
#define PROBES_PER_PTO    2u
#define PTO_COUNT_COUNTED UINT64_C(16)

bool unacked_shows(const struct pd_row *row)
{
    uint64_t in_flight = row->v[PD_IN_FLIGHT_BYTES], pto = row->v[PD_PTO_COUNT];
    uint64_t unacked_ms = row->v[PD_UNACKED_MS];

    return (in_flight != PD_UNKNOWN && in_flight > 0) || (pto != PD_UNKNOWN && pto > 0) ||
           (unacked_ms != PD_UNKNOWN && unacked_ms > 0);
}

uint64_t probe_timeout_us(uint64_t srtt_us, uint64_t rttvar_us)
{
    if (srtt_us == PD_UNKNOWN)
        srtt_us = INITIAL_RTT_US;
    if (rttvar_us == PD_UNKNOWN)
        rttvar_us = srtt_us / 2;
    return srtt_us + max_u64(rttvar_us * 4, GRANULARITY_US) + MAX_ACK_DELAY_US;
}

static uint64_t pto_us(const struct pd_row *row)
{
    if (row->v[PD_PTO_US] != PD_UNKNOWN && row->v[PD_PTO_US] > 0)
        return row->v[PD_PTO_US];
    return probe_timeout_us(row->v[PD_SRTT_US], row->v[PD_RTTVAR_US]);
}

/* The stack's own probes are no more than a keep-alive either. */
static bool more_than_keep_alive(const struct peer *peer, const struct pd_row *row)
{
    uint64_t sent = row->v[PD_BYTES_SENT], in_flight = row->v[PD_IN_FLIGHT_BYTES];
    uint64_t ptos = row->v[PD_PTO_COUNT] == PD_UNKNOWN ? 0 : row->v[PD_PTO_COUNT];
    uint64_t most =
        KEEP_ALIVE_BYTES + PROBE_BYTES * PROBES_PER_PTO * min_u64(ptos, PTO_COUNT_COUNTED);

    if (row->v[PD_UNACKED_BYTES] != PD_UNKNOWN)
        return row->v[PD_UNACKED_BYTES] > 0;
    return (in_flight != PD_UNKNOWN && in_flight > most) ||
           (sent != PD_UNKNOWN && peer->last_look_us && sub_u64(sent, peer->bytes_sent) > most);
}

/* What was in flight in a row that acknowledged something is unacknowledged from then on. */
static void take_by_size(struct engine *engine, struct peer *peer, struct pd_sample *sample)
{
    bool outstanding = unacked_shows(sample->row), application = peer->application;

    if (!outstanding) {
        peer->unacked_since_us = sample->unacked_us = 0;
        peer->application = sample->application = false;
        return;
    }
    if (sample->acknowledged || !peer->unacked_since_us)
        peer->unacked_since_us = engine->now_us;
    sample->unacked_us = engine->now_us - peer->unacked_since_us;
    if (!sample->unacked_us)
        application = false;
    application = application || more_than_keep_alive(peer, sample->row);
    peer->application = sample->application = application;
}

/* Neither bytes in flight nor probe timeouts are reported. */
static void take_by_growth(struct peer *peer, struct pd_sample *sample)
{
    if (sample->acknowledged || sample->heard)
        peer->application = false;
    peer->application |= more_than_keep_alive(peer, sample->row);
    sample->application = peer->application;
    sample->unacked_us = PD_UNKNOWN;
}

static inline void take_unacked(struct engine *engine, struct peer *peer, struct pd_sample *sample)
{
    const struct pd_row *row = sample->row;
    uint64_t unacked_ms = row->v[PD_UNACKED_MS];

    if (unacked_ms != PD_UNKNOWN) {
        sample->unacked_us = unacked_ms * 1000;
        sample->application = unacked_ms > 0;
        peer->unacked_since_us = unacked_ms ? sub_u64(engine->now_us, sample->unacked_us) : 0;
    } else if (row->v[PD_IN_FLIGHT_BYTES] != PD_UNKNOWN || row->v[PD_PTO_COUNT] != PD_UNKNOWN) {
        take_by_size(engine, peer, sample);
    } else {
        take_by_growth(peer, sample);
    }
}

/* Time goes on since the row before, whatever this one says. */
static void age_starved(const struct engine *engine, struct peer *peer)
{
    uint64_t us = peer->starved_us + (engine->now_us - peer->last_look_us);

    peer->starved_us = (uint32_t)min_u64(us, UINT32_MAX);
}

/* True where acked_bytes has grown. */
static bool take_acked(struct engine *engine, struct peer *peer, struct pd_sample *sample)
{
    uint64_t acked = sample->row->v[PD_ACKED_BYTES], unacked_ms = sample->row->v[PD_UNACKED_MS];
    bool grew;

    sample->starved_us = PD_UNKNOWN;
    if (acked == PD_UNKNOWN) {
        if (peer->acked_known)
            age_starved(engine, peer);
        return false;
    }
    grew = peer->acked_known && (uint32_t)acked != peer->acked_bytes;
    if (grew || !peer->acked_known || unacked_ms == 0)
        peer->starved_us = 0;
    else
        age_starved(engine, peer);
    peer->acked_known = true;
    peer->acked_bytes = (uint32_t)acked;
    if (unacked_ms != PD_UNKNOWN)
        sample->starved_us = peer->starved_us;
    return grew;
}

/* Is there a column in which an acknowledgement would show? */
static bool tells_acknowledged(const struct pd_row *row)
{
    return row->v[PD_RTT_SAMPLES] != PD_UNKNOWN || row->v[PD_ACKED_BYTES] != PD_UNKNOWN ||
           row->v[PD_UNACKED_MS] != PD_UNKNOWN;
}

static bool is_one_way(const struct pd_sample *sample)
{
    return sample->application && tells_acknowledged(sample->row) &&
           sample->unacked_us != PD_UNKNOWN &&
           sample->unacked_us >= max_u64(ONE_WAY_US, ONE_WAY_PTOS * sample->pto_us);
}

static bool is_starved(const struct pd_sample *sample)
{
    return min_u64(sample->starved_us, sample->unacked_us) >=
           max_u64(STARVED_US, ONE_WAY_PTOS * sample->pto_us);
}

/* Not simply acknowledged. */
OUT_OF_LINE static void judge(struct engine *engine, struct pd_sample *sample)
{
    sample->one_way = sample->heard && !sample->acknowledged && is_one_way(sample);
    sample->starved = sample->starved_us != PD_UNKNOWN && is_starved(sample);
    sample->progress =
        (sample->acknowledged || sample->heard) && !sample->one_way && !sample->starved;
    if (sample->acknowledged && sample->progress) /* or a starved one would be a sign to itself */
        polls_acknowledged(&engine->polls, engine->now_us);
}

void unacked_row(struct engine *engine, struct peer *peer, struct pd_sample *sample)
{
    uint64_t silent_ms = sample->row->v[PD_SILENT_MS];

    sample->silent_us = silent_ms == PD_UNKNOWN ? PD_UNKNOWN : silent_ms * 1000;
    sample->pto_us = pto_us(sample->row);
    sample->acknowledged = take_acked(engine, peer, sample) || sample->fresh;
    take_unacked(engine, peer, sample);
    if (!sample->acknowledged ||
        (sample->starved_us != PD_UNKNOWN && sample->starved_us >= STARVED_US)) {
        judge(engine, sample);
        return;
    }
    sample->one_way = sample->starved = false;
    sample->progress = true;
    polls_acknowledged(&engine->polls, engine->now_us);
}
