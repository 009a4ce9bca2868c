/* SPDX-License-Identifier: Apache-2.0 */
/* One row of one connection. */
#include "row.h"

#include "../liveness/effect.h"
#include "../liveness/fallback.h"
#include "../moves/advice.h"
#include "../moves/again.h"
#include "../moves/move.h"
#include "../peers/index.h"
#include "../peers/name.h"
#include "../peers/peer.h"
#include "../peers/poll.h"
#include "../peers/progress.h"
#include "../peers/unacked.h"
#include "../state.h"
#include "../triggers/triggers.h"
#include "../uplinks/evidence.h"
#include "../uplinks/groups.h"
#include "deferred.h"
#include "gate.h"

#define FAST_POLL UINT64_MAX /* no time is enough */
#define AHEAD     8u         /* rows: as long as a connection takes to be fetched */

static const enum pd_column rtt_columns[] = {PD_SRTT_US, PD_LATEST_RTT_US, PD_RTTVAR_US};

static inline uint32_t kept_rtt(uint64_t value)
{
    return (uint32_t)min_u64(value, UINT32_MAX - 1);
}

/* Compared are only those that both rows have. */
static bool rtt_differs(const struct peer *peer, const struct pd_row *row)
{
    for (size_t i = 0; i < ARRAY_SIZE(rtt_columns); i++) {
        uint64_t value = row->v[rtt_columns[i]];

        if (value != PD_UNKNOWN && peer->rtt_last[i] != UINT32_MAX &&
            peer->rtt_last[i] != kept_rtt(value))
            return true;
    }
    return false;
}

static inline void take_rtt(struct peer *peer, const struct pd_row *row)
{
    for (size_t i = 0; i < ARRAY_SIZE(rtt_columns); i++)
        if (row->v[rtt_columns[i]] != PD_UNKNOWN)
            peer->rtt_last[i] = kept_rtt(row->v[rtt_columns[i]]);
}

/* Measured, and with another RTT sample than the row before. A row that lacks a
 * column says nothing of it: the last that had it still counts. */
static bool take_fresh(struct peer *peer, const struct pd_row *row)
{
    uint64_t samples = row->v[PD_RTT_SAMPLES];
    bool changed = samples != PD_UNKNOWN && peer->samples_known
                       ? (uint32_t)samples != peer->rtt_samples
                       : rtt_differs(peer, row);

    take_rtt(peer, row);
    if (samples != PD_UNKNOWN) {
        peer->rtt_samples = (uint32_t)samples;
        peer->samples_known = true;
    }
    if (row->v[PD_SRTT_US] == PD_UNKNOWN || !samples)
        return false;
    changed |= !peer->measured;
    peer->measured = true;
    return changed;
}

static void keep_rtt(struct peer *peer, uint64_t rtt_us)
{
    memmove(peer->rtt + 1, peer->rtt, sizeof(peer->rtt) - sizeof(peer->rtt[0]));
    peer->rtt[0] = kept_rtt(rtt_us);
}

static bool received_more(const struct peer *peer, const struct pd_row *row, uint64_t now_us)
{
    uint64_t received = row->v[PD_BYTES_RECEIVED], silent_ms = row->v[PD_SILENT_MS];

    if (received != PD_UNKNOWN && peer->bytes_received != PD_UNKNOWN &&
        received > peer->bytes_received)
        return true;
    return silent_ms != PD_UNKNOWN && peer->last_look_us &&
           silent_ms < (now_us - peer->last_look_us) / 1000;
}

/* One row in each sample_interval, so that what is counted over several of them spans that
 * time: not what fast polls bring (FAST_POLL), nor rows sent unasked close to each other. */
static bool take_regular(struct peer *peer, uint64_t now_us, uint64_t spacing_us)
{
    if (spacing_us == FAST_POLL)
        return false;
    if (peer->regular_us && now_us - peer->last_look_us < spacing_us &&
        (uint32_t)now_us - peer->regular_us < spacing_us)
        return false;
    peer->regular_us = (uint32_t)now_us ? (uint32_t)now_us : 1;
    return true;
}

/* Would a move now disturb what is on its way? A column that is not reported says nothing. */
static bool shows_busy(const struct pd_row *row)
{
    uint64_t in_flight = row->v[PD_IN_FLIGHT_BYTES], unacked = row->v[PD_UNACKED_BYTES];

    return in_flight && unacked && (in_flight & unacked) != PD_UNKNOWN;
}

/* Somebody advised something about it. */
OUT_OF_LINE static void take_moves(struct engine *engine, struct peer *peer,
                                   const struct pd_sample *sample)
{
    advice_row(engine, peer, sample->progress);
    if (sample->progress)
        again_progressed(engine, peer);
    moves_resort(engine, peer);
    if (peer->moves->effect)
        effect_row(engine, peer, sample);
    fallback_row(engine, peer, sample);
    deferred_row(engine, peer);
}

/* Allocates nothing. `spacing_us` is the least time between two regular rows. */
static void row_take(struct engine *engine, struct peer *peer, const struct pd_row *row,
                     uint32_t columns, uint64_t spacing_us)
{
    uint64_t rtt_us =
        row->v[row->v[PD_LATEST_RTT_US] != PD_UNKNOWN ? PD_LATEST_RTT_US : PD_SRTT_US];
    bool fresh = take_fresh(peer, row);
    uint64_t in_flight = row->v[PD_IN_FLIGHT_BYTES];
    struct pd_sample sample = {
        .peer = &peer->view,
        .row = row,
        .columns = columns,
        .fresh = fresh,
        .heard = received_more(peer, row, engine->now_us),
        .deserted = peer->uplink && evidence_deserted(uplink_at(engine, peer->uplink)),
        .in_flight = peer_in_flight(peer),
        .regular = take_regular(peer, engine->now_us, spacing_us),
        .last_look_us = peer->last_look_us,
    };

    if (peer->state == PEER_GONE && fresh)
        peer_set_state(engine, peer, PEER_UP, NULL);
    peer->round = engine->polls.round;
    unacked_row(engine, peer, &sample);
    progress_row(engine, peer, &sample);
    evidence_row(engine, peer, &sample);
    if (peer->stuck || !sample.progress)
        groups_waits(engine, peer,
                     !sample.progress && (peer->outstanding_since_us || sample.in_flight));
    peer->last_look_us = engine->now_us;
    if (row->v[PD_BYTES_RECEIVED] != PD_UNKNOWN)
        peer->bytes_received = row->v[PD_BYTES_RECEIVED];
    if (row->v[PD_BYTES_SENT] != PD_UNKNOWN)
        peer->bytes_sent = row->v[PD_BYTES_SENT];
    peer->in_flight_bytes = in_flight == PD_UNKNOWN ? 0 : (uint32_t)min_u64(in_flight, UINT32_MAX);
    peer->busy = shows_busy(row);
    if (peer->moves)
        take_moves(engine, peer, &sample);
    if (fresh) {
        if (sample.regular)
            groups_row(engine, peer, rtt_us);
        keep_rtt(peer, rtt_us);
    }
    triggers_sample(engine, peer, &sample);
}

/* The table is larger than the caches: what the next rows are about is fetched while this one is
 * worked on, each twice AHEAD of its turn by its slot in the index, and then by that. */
struct ahead {
    size_t places[AHEAD];      /* by row, modulo AHEAD */
    struct peer *peers[AHEAD]; /* what the row is probably about; NULL: not known */
};

static inline void fetch_slot(struct ahead *ahead, const struct engine *engine,
                              const struct event_samples *event, size_t row)
{
    if (row < event->n_rows)
        ahead->places[row % AHEAD] =
            index_prefetch_slot(&engine->peers.by_conn, hash_conn(event->rows[row].conn));
}

static inline void fetch_peer(struct ahead *ahead, const struct engine *engine,
                              const struct event_samples *event, size_t row)
{
    if (row < event->n_rows)
        ahead->peers[row % AHEAD] =
            index_prefetch_peer(engine, &engine->peers.by_conn, ahead->places[row % AHEAD]);
}

void row_samples(struct engine *engine, const struct event_samples *event)
{
    const struct polls *polls = &engine->polls;
    bool fast_poll = polls->open && !polls->open_all;
    uint64_t spacing_us = fast_poll ? FAST_POLL : engine->config->sample_interval_us / 5 * 4;
    struct ahead ahead = {0};

    if (!engine->node.up)
        return;
    polls_reported(engine, event->columns);
    polls_heard(engine);
    if (!engine->peers.by_conn.capacity) {
        engine->ignored += event->n_rows;
        return;
    }
    for (size_t i = 0; i < AHEAD; i++)
        fetch_slot(&ahead, engine, event, AHEAD + i);
    for (size_t i = 0; i < event->n_rows; i++) {
        const struct sample_row *row = &event->rows[i];
        struct peer *peer = ahead.peers[i % AHEAD];

        fetch_peer(&ahead, engine, event, AHEAD + i);
        fetch_slot(&ahead, engine, event, 2 * AHEAD + i);
        if (!peer || peer->view.conn != row->conn)
            peer = peers_find(engine, row->conn);
        if (peer && peer->state != PEER_UNREPORTED)
            row_take(engine, peer, &row->row, event->columns, spacing_us);
        else
            engine->ignored++;
        if (engine->n_withdrawals)
            gate_withdrawn(engine);
    }
}
