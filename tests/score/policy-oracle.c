/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Oracles: they see the truth, the future included. The second may only follow the route table:
 * what it loses is what any policy without a choice of uplinks must lose.
 */
#include "hand.h"
#include "policies.h"

#define TICK (50 * MS)
/* So long a path stays good that is worth going to, or coming back to. */
#define STEADY (10 * SECOND)
#define STEPS  20u
/* A gap that is shorter is sat out. */
#define GAP_MOVE  (200 * MS)
#define GAP_CLOSE (2 * SECOND)

struct oracle {
    struct hand hands[PEERS];
};

static struct path bound_to(const struct world *world, unsigned uplink)
{
    /* A port as new as one can be. */
    return (struct path){.source = (uint8_t)uplink,
                         .bound = (int8_t)uplink,
                         .port = (uint32_t)(world->now_us / MS) + 1};
}

/* The worst of what comes. */
static enum quality steady(const struct world *world, unsigned peer, const struct path *path)
{
    enum quality worst = QUALITY_GOOD;

    for (unsigned i = 0; i <= STEPS; i++) {
        enum quality at =
            network_quality(&world->network, peer, path, world->now_us + i * STEADY / STEPS);

        worst = at < worst ? at : worst;
    }
    return worst;
}

/* Returns the uplink that is worth going to; NO_UPLINK: none. */
static int best_uplink(const struct world *world, const struct conn *conn)
{
    enum quality best = steady(world, conn->peer, &conn->host.path);
    unsigned at = host_uplink(conn);
    int target = NO_UPLINK;

    for (unsigned i = 0; i < world->network.n_uplinks; i++) {
        struct path path = bound_to(world, i);
        enum quality quality = steady(world, conn->peer, &path);

        if (quality > best || (quality == best && quality == QUALITY_GOOD && i < at)) {
            best = quality;
            target = (int)i;
            at = i;
        }
    }
    return target;
}

static void oracle_conn(struct world *world, struct oracle *oracle, struct conn *conn, bool free)
{
    struct hand *hand = &oracle->hands[conn->peer];
    const struct path *path = &conn->host.path;
    enum quality is = network_quality(&world->network, conn->peer, path, world->now_us);
    uint64_t for_us =
        network_dead_until(&world->network, conn->peer, path, world->now_us) - world->now_us;
    int target = free ? best_uplink(world, conn) : NO_UPLINK;
    struct path new;

    if (!conn->far.alive) { /* the peer has given it up */
        (void)hand_reconnect(world, hand, conn, target);
        return;
    }
    if (!host_socket(world, target, &new))
        return;
    if (is == QUALITY_GOOD && !(free && target != NO_UPLINK))
        return;
    if (is == QUALITY_DEAD && for_us < GAP_MOVE)
        return;
    if (network_quality(&world->network, conn->peer, &new, world->now_us) < is ||
        (network_quality(&world->network, conn->peer, &new, world->now_us) == is &&
         new.source >= path->source))
        return;
    (void)hand_move(world, hand, conn, target, is == QUALITY_DEAD && for_us > GAP_CLOSE);
}

static void oracle_tick(struct world *world, void *self, bool free)
{
    for (unsigned i = 0; i < PEERS; i++)
        if (world->peers[i].live)
            oracle_conn(world, self, world->peers[i].live, free);
    world_policy_at(world, host_now(world) + TICK);
}

static void oracle_timer(struct world *world, void *self)
{
    oracle_tick(world, self, true);
}

static void oracle_route_timer(struct world *world, void *self)
{
    oracle_tick(world, self, false);
}

static void oracle_start(struct world *world, void *self)
{
    (void)self;
    world_policy_at(world, host_now(world) + TICK);
}

static void oracle_news(struct world *world, void *self, const struct news *news)
{
    (void)world;
    hand_news(((struct oracle *)self)->hands, news);
}

const struct policy policy_oracle_route = {
    .name = "oracle-route",
    .summary = "knows the truth, and may only go where the route table leads",
    .size = sizeof(struct oracle),
    .start = oracle_start,
    .timer = oracle_route_timer,
    .news = oracle_news,
};

const struct policy policy_oracle = {
    .name = "oracle",
    .summary = "knows the truth and chooses the uplink",
    .size = sizeof(struct oracle),
    .start = oracle_start,
    .timer = oracle_timer,
    .news = oracle_news,
};
