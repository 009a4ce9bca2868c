/* SPDX-License-Identifier: Apache-2.0 */
/* See scorer.h. */
#include "scorer.h"

#include "host.h"

#include "util/util.h"

#define SLOW_LEAST_US (200 * MS)
#define SLOW_MORE_US  (50 * MS)

/* Weights: what a second or an event is worth, in seconds of outage. */
#define COST_SLOW     0.2
#define COST_CLOSE    1.0
#define COST_NEEDLESS 0.1
#define COST_AWAY     0.01

static void move_count(struct world *world)
{
    struct score *score = &world->score;

    if (score->first_us == NEVER && world->now_us >= score->fault_us)
        score->first_us = world->now_us - score->fault_us;
}

/* A move is worth making where the truth says that the other path is better; or as good, and of
 * an uplink that is preferred (the file's order). */
void score_move(struct world *world, const struct conn *conn, const struct path *to)
{
    const struct path *from = &conn->host.path;
    enum quality is = network_quality(&world->network, conn->peer, from, world->now_us);
    enum quality will = network_quality(&world->network, conn->peer, to, world->now_us);
    bool needless = will < is || (will == is && to->source >= from->source);

    world->score.moves++;
    world->score.asked[conn->peer]++;
    world->score.needless += needless;
    move_count(world);
    world_say(world, "%s moves from uplink %u to %u%s", world->peers[conn->peer].name, from->source,
              to->source, needless ? ", needless" : "");
}

/* What the other end has given up already cannot be lost by closing it. */
void score_close(struct world *world, const struct conn *conn)
{
    world->score.closes += conn->far.alive;
    world->score.asked[conn->peer]++;
    move_count(world);
}

void score_begin(struct world *world)
{
    for (unsigned i = 0; i < PEERS; i++)
        world->score.counted_us[i] = world->now_us;
    world_at(world, world->now_us + TICK_US, score_tick, NULL, 0);
}

static void away_tick(struct world *world, const struct peer *peer, unsigned index)
{
    struct path preferred = {.source = 0, .bound = 0, .port = UINT32_MAX};

    if (peer->live && host_uplink(peer->live) != 0 &&
        network_quality(&world->network, index, &preferred, world->now_us) == QUALITY_GOOD)
        world->score.away_s += (double)TICK_US / 1e6 / PEERS;
}

/* Of what arrived a moment ago. */
static uint64_t latency_us(const struct world *world, const struct stream *stream)
{
    return world->now_us < stream->arrived_us + SECOND ? stream->latency_us : 0;
}

/* Since when one direction stands still: something waits, and nothing of it arrives. */
static uint64_t stuck_us(const struct stream *stream)
{
    uint64_t waits_us = stream_waits_us(stream);

    return waits_us == NEVER ? NEVER : max_u64(waits_us, stream->arrived_us);
}

static uint64_t slowest_us(const struct world *world, const struct stream *stream)
{
    return max_u64(latency_us(world, stream), sub_u64(world->now_us, stream_waits_us(stream)));
}

static void peer_tick(struct world *world, unsigned index)
{
    struct peer *peer = &world->peers[index];
    struct score *score = &world->score;
    uint64_t since_us = min_u64(stuck_us(&peer->streams[OUT]), stuck_us(&peer->streams[IN]));
    uint64_t one_way_us = network_rtt(&world->network, index, 0, 0) / 2;
    uint64_t slow_us = max_u64(SLOW_LEAST_US, 2 * one_way_us + SLOW_MORE_US);

    away_tick(world, peer, index);
    if (sub_u64(world->now_us, since_us) > OUTAGE_US + one_way_us) {
        uint64_t from_us = max_u64(score->counted_us[index], since_us);

        score->outage_s += (double)(world->now_us - from_us) / 1e6 / PEERS;
        score->counted_us[index] = world->now_us;
        return;
    }
    if (max_u64(slowest_us(world, &peer->streams[OUT]), slowest_us(world, &peer->streams[IN])) >
        slow_us)
        score->slow_s += (double)TICK_US / 1e6 / PEERS;
}

void score_tick(struct world *world, void *object, uint64_t argument)
{
    (void)object;
    (void)argument;
    world_at(world, world->now_us + TICK_US, score_tick, NULL, 0);
    if (world->asleep) {
        for (unsigned i = 0; i < PEERS; i++)
            world->score.counted_us[i] = world->now_us;
        return;
    }
    for (unsigned i = 0; i < PEERS; i++)
        peer_tick(world, i);
}

double score_cost(const struct score *score)
{
    return score->outage_s + COST_SLOW * score->slow_s + COST_AWAY * score->away_s +
           (COST_CLOSE * (double)score->closes + COST_NEEDLESS * (double)score->needless) / PEERS;
}
