/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the node's rows say: of connections that live, are idle, or are dead in one of several ways;
 * mostly without contradictions.
 */
#include "sim.h"
#include "util/util.h"

#define PUSH_US   500000u
#define PUSH_PTOS 4u
#define SLOWER_US 800000u

static uint64_t pick(struct sim *sim, uint64_t n)
{
    return choose(&sim->choice, n);
}

static uint64_t any_value(struct sim *sim)
{
    static const uint64_t values[] = {0, 1, 5, 1000, 50000, 200000, ((uint64_t)1 << 53) - 1};

    return pick(sim, 4) ? values[pick(sim, ARRAY_SIZE(values))] : PD_UNKNOWN;
}

static void wild_row(struct sim *sim, struct pd_row *row)
{
    for (size_t i = 0; i < PD_COLUMN_COUNT; i++)
        row->v[i] = any_value(sim);
}

/* A column that the node does not have stays so; no value reaches 2^53. */
static void set(struct pd_row *row, enum pd_column column, uint64_t value)
{
    if (row->v[column] != PD_UNKNOWN)
        row->v[column] = min_u64(value, ((uint64_t)1 << 53) - 1);
}

static void add(struct pd_row *row, enum pd_column column, uint64_t more)
{
    set(row, column, row->v[column] + more);
}

/* The link that it shares with others is full. */
static void slower(struct sim *sim, const struct sim_peer *peer, struct pd_row *row)
{
    if (sim->now_us >= sim->slow_until_us || (sim->hosts.on && hosts_of(sim, peer)))
        return;
    row->v[PD_SRTT_US] += SLOWER_US;
    if (row->v[PD_LATEST_RTT_US] != PD_UNKNOWN)
        row->v[PD_LATEST_RTT_US] += SLOWER_US;
}

/* An RTT sample more. */
static void sample(struct sim *sim, const struct sim_peer *peer, struct pd_row *row)
{
    row->v[PD_SRTT_US] = 1000 + pick(sim, 400) * 1000;
    row->v[PD_LATEST_RTT_US] = pick(sim, 3) ? 1000 + pick(sim, 400) * 1000 : PD_UNKNOWN;
    add(row, PD_RTT_SAMPLES, 1);
    row->v[PD_SILENT_MS] = pick(sim, 5);
    hosts_rtt(sim, peer, row);
    slower(sim, peer, row);
}

/* ---- application data ---- */

static void nothing_unacked(struct sim_peer *peer, struct pd_row *row)
{
    peer->unacked_us = 0;
    set(row, PD_UNACKED_MS, 0);
    set(row, PD_UNACKED_BYTES, 0);
}

/* What is unacknowledged gets older: from a time since the last row on. */
static void unacked(struct sim *sim, struct sim_peer *peer, struct pd_row *row)
{
    if (!peer->unacked_us)
        peer->unacked_us =
            sim->now_us - (peer->poll_us ? pick(sim, sim->now_us - peer->poll_us + 1) : 0);
    set(row, PD_UNACKED_MS, (sim->now_us - peer->unacked_us) / 1000);
    set(row, PD_UNACKED_BYTES, max_u64(row->v[PD_IN_FLIGHT_BYTES], 1));
}

static void acked(struct sim *sim, struct sim_peer *peer, struct pd_row *row)
{
    uint64_t in_flight = row->v[PD_IN_FLIGHT_BYTES];

    add(row, PD_ACKED_BYTES, pick(sim, 4) * 1200);
    nothing_unacked(peer, row);
    if (in_flight && pick(sim, 4)) {
        set(row, PD_UNACKED_MS, pick(sim, row->v[PD_SRTT_US] / 1000 + 1));
        set(row, PD_UNACKED_BYTES, in_flight);
    }
}

/* Says of itself what cannot be. */
static void contradict(struct sim *sim, struct pd_row *row)
{
    enum pd_column column =
        (enum pd_column)(PD_UNACKED_MS + pick(sim, PD_COLUMN_COUNT - PD_UNACKED_MS));

    if (sim->rubbish && pick(sim, 4) == 0)
        row->v[column] = any_value(sim);
}

/* ---- rows ---- */

static void alive(struct sim *sim, struct sim_peer *peer, struct pd_row *row)
{
    sample(sim, peer, row);
    row->v[PD_IN_FLIGHT_BYTES] = pick(sim, 5) * 1200;
    add(row, PD_PACKETS_SENT, pick(sim, 5));
    acked(sim, peer, row);
}

/* What is outstanding may be a keep-alive alone. */
static void frozen(struct sim *sim, struct sim_peer *peer, struct pd_row *row, uint64_t sent)
{
    bool application = peer->unacked_us || pick(sim, 3);

    row->v[PD_IN_FLIGHT_BYTES] = application ? 1200 + pick(sim, 4) * 100 : 40;
    row->v[PD_BYTES_SENT] = sent + pick(sim, 3) * 50;
    row->v[PD_PTO_COUNT] = pick(sim, 5);
    add(row, PD_PACKETS_SENT, pick(sim, 3));
    if (application)
        unacked(sim, peer, row);
    else
        nothing_unacked(peer, row);
}

/* The peer's packets come, ours do not arrive. */
static void one_way(struct sim *sim, struct sim_peer *peer, struct pd_row *row, uint64_t sent)
{
    frozen(sim, peer, row, sent);
    add(row, PD_BYTES_RECEIVED, 100 + pick(sim, 1000));
    row->v[PD_SILENT_MS] = pick(sim, 5);
    unacked(sim, peer, row);
}

/* Small packets are acknowledged, those with the data are not. */
static void starved(struct sim *sim, struct sim_peer *peer, struct pd_row *row)
{
    sample(sim, peer, row);
    row->v[PD_IN_FLIGHT_BYTES] = 1200 + pick(sim, 4) * 1200;
    add(row, PD_BYTES_RECEIVED, pick(sim, 100));
    add(row, PD_PACKETS_SENT, 1 + pick(sim, 5));
    unacked(sim, peer, row);
}

static void next_row(struct sim *sim, struct sim_peer *peer, struct pd_row *row)
{
    uint64_t sent =
        peer->has_row && peer->row.v[PD_BYTES_SENT] != PD_UNKNOWN ? peer->row.v[PD_BYTES_SENT] : 0;

    if (!peer->has_row || peer->life == SIM_WILD) {
        wild_row(sim, row);
        return;
    }
    *row = peer->row;
    set(row, PD_SILENT_MS, peer->poll_us ? (sim->now_us - peer->progress_us) / 1000 : 0);
    set(row, PD_PTO_US, row->v[PD_SRTT_US] == PD_UNKNOWN ? 999000 : 2 * row->v[PD_SRTT_US]);
    switch (peer->life) {
    case SIM_ALIVE:
        alive(sim, peer, row);
        break;
    case SIM_FROZEN:
        frozen(sim, peer, row, sent);
        break;
    case SIM_ONE_WAY:
        one_way(sim, peer, row, sent);
        break;
    case SIM_STARVED:
        starved(sim, peer, row);
        break;
    default:
        row->v[PD_IN_FLIGHT_BYTES] = 0;
        row->v[PD_PTO_COUNT] = 0;
        nothing_unacked(peer, row);
        break;
    }
    contradict(sim, row);
}

static void tell(struct sim *sim, size_t count)
{
    uint32_t columns = (1u << PD_COLUMN_COUNT) - 1;

    if (pick(sim, 30) == 0)
        columns &= (uint32_t)pick(sim, columns + 1);
    for (size_t i = 0; i < count; i++) {
        struct sample_row *row = &sim->rows[i];
        struct sim_peer *peer = model_find(sim, row->conn);

        if (peer)
            next_row(sim, peer, &row->row);
        else
            wild_row(sim, &row->row);
        for (size_t c = 0; c < PD_COLUMN_COUNT; c++)
            if (!(columns & 1u << c))
                row->row.v[c] = PD_UNKNOWN;
        if (peer) /* what the next row of the same line goes on from */
            peer->row = row->row, peer->has_row = true;
    }
    sim->event.type = EVENT_SAMPLES;
    sim->event.samples = (struct event_samples){columns, sim->rows, count};
}

void rows_next(struct sim *sim)
{
    size_t count = 1 + pick(sim, ARRAY_SIZE(sim->rows));

    for (size_t i = 0; i < count; i++) {
        uint64_t conn = world_conn(sim);
        struct sim_peer *peer = model_find(sim, conn);

        sim->rows[i].conn = conn;
        if (!peer)
            continue;
        if (pick(sim, 12) == 0)
            peer->life = (enum sim_life)pick(sim, SIM_LIVES);
        hosts_life(sim, peer);
    }
    tell(sim, count);
}

/* One that has application data unacknowledged for long; any, where there is none, or where the
 * node is not known to send rows unasked. */
void rows_push(struct sim *sim)
{
    size_t first = pick(sim, SIM_NAMES);

    for (size_t i = 0; sim->features & NODE_PUSH && i < SIM_NAMES; i++) {
        struct sim_peer *peer = &sim->peers[(first + i) % SIM_NAMES];
        uint64_t pto_us = peer->has_row ? peer->row.v[PD_PTO_US] : PD_UNKNOWN;

        if (!peer->known || !peer->unacked_us || pto_us > UINT32_MAX ||
            sim->now_us - peer->unacked_us < max_u64(PUSH_PTOS * pto_us, PUSH_US))
            continue;
        sim->rows[0].conn = peer->conn;
        tell(sim, 1);
        return;
    }
    rows_next(sim);
}
