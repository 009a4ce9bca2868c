/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies that look at rows and know no uplinks: nothing at all; the recipe (SRTT above 200 ms
 * on two polls 5 s apart); PLB (congested for several rounds: another port); Pilot (8 s of
 * silence in three polls).
 */
#include "hand.h"
#include "policies.h"

#define POLL_US (5 * SECOND)

static void poll_start(struct world *world, void *self)
{
    (void)self;
    world_policy_at(world, host_now(world) + POLL_US);
}

static void nothing_timer(struct world *world, void *self)
{
    (void)world;
    (void)self;
}

const struct policy policy_nothing = {
    .name = "nothing",
    .summary = "nobody moves anything",
    .timer = nothing_timer,
};

/* ---- the recipe ---- */

#define RECIPE_US      (200 * MS)
#define RECIPE_STRIKES 2u

struct recipe {
    struct hand hands[PEERS];
    uint64_t numbers[PEERS], samples[PEERS];
    unsigned strikes[PEERS];
};

static void recipe_look(struct world *world, struct recipe *recipe, struct conn *conn)
{
    unsigned i = conn->peer;
    struct pd_row row;

    host_row(world, conn, &row);
    if (recipe->numbers[i] != conn->number)
        recipe->strikes[i] = 0;
    else if (recipe->samples[i] == row.v[PD_RTT_SAMPLES])
        return;
    recipe->numbers[i] = conn->number;
    recipe->samples[i] = row.v[PD_RTT_SAMPLES];
    if (row.v[PD_SRTT_US] == PD_UNKNOWN || row.v[PD_SRTT_US] <= RECIPE_US)
        recipe->strikes[i] = 0;
    else if (++recipe->strikes[i] == RECIPE_STRIKES) {
        recipe->strikes[i] = 0;
        (void)hand_move(world, &recipe->hands[i], conn, NO_UPLINK, false);
    }
}

static void recipe_timer(struct world *world, void *self)
{
    for (unsigned i = 0; i < PEERS; i++)
        if (world->peers[i].live)
            recipe_look(world, self, world->peers[i].live);
    world_policy_at(world, host_now(world) + POLL_US);
}

static void recipe_news(struct world *world, void *self, const struct news *news)
{
    (void)world;
    hand_news(((struct recipe *)self)->hands, news);
}

const struct policy policy_recipe = {
    .name = "recipe",
    .summary = "SRTT above 200 ms on two polls 5 s apart: a new port",
    .size = sizeof(struct recipe),
    .start = poll_start,
    .timer = recipe_timer,
    .news = recipe_news,
};

/* ---- PLB: after K congested rounds, or after fewer when idle, another port ---- */

#define PLB_ROUND_US    (100 * MS)
#define PLB_ROUNDS      12u
#define PLB_IDLE_ROUNDS 3u
#define PLB_SUSPEND_US  (60 * SECOND)

struct plb {
    struct hand hands[PEERS];
    struct {
        uint64_t lost, suspended_us;
        unsigned rounds;
    } peers[PEERS];
};

static void plb_look(struct world *world, struct plb *plb, struct conn *conn)
{
    unsigned i = conn->peer;
    uint64_t now_us = host_now(world);
    struct pd_row row;
    bool congested;

    host_row(world, conn, &row);
    congested = row.v[PD_PACKETS_LOST] > plb->peers[i].lost ||
                (row.v[PD_SRTT_US] != PD_UNKNOWN &&
                 row.v[PD_LATEST_RTT_US] > 2 * row.v[PD_MIN_RTT_US] + 10 * MS);
    plb->peers[i].lost = row.v[PD_PACKETS_LOST];
    if (row.v[PD_PTO_COUNT])
        plb->peers[i].suspended_us = now_us + PLB_SUSPEND_US;
    plb->peers[i].rounds = congested ? plb->peers[i].rounds + 1 : 0;
    if (now_us < plb->peers[i].suspended_us ||
        plb->peers[i].rounds < (row.v[PD_IN_FLIGHT_BYTES] ? PLB_ROUNDS : PLB_IDLE_ROUNDS))
        return;
    plb->peers[i].rounds = 0;
    (void)hand_move(world, &plb->hands[i], conn, NO_UPLINK, false);
}

static void plb_timer(struct world *world, void *self)
{
    for (unsigned i = 0; i < PEERS; i++)
        if (world->peers[i].live)
            plb_look(world, self, world->peers[i].live);
    world_policy_at(world, host_now(world) + PLB_ROUND_US);
}

static void plb_news(struct world *world, void *self, const struct news *news)
{
    (void)world;
    hand_news(((struct plb *)self)->hands, news);
}

const struct policy policy_plb = {
    .name = "plb",
    .summary = "12 congested rounds, 3 when idle: a new port; 60 s of rest after a probe timeout",
    .size = sizeof(struct plb),
    .start = poll_start,
    .timer = plb_timer,
    .news = plb_news,
};

/* ---- Pilot ---- */

#define PILOT_SILENT_MS 8000u
#define PILOT_MISSES    3u

struct pilot {
    struct hand hands[PEERS];
    struct {
        uint64_t number, sent;
        unsigned misses;
        bool moved;
    } peers[PEERS];
};

static void pilot_look(struct world *world, struct pilot *pilot, struct conn *conn)
{
    unsigned i = conn->peer;
    struct pd_row row;
    bool sends;

    host_row(world, conn, &row);
    if (pilot->peers[i].number != conn->number) {
        pilot->peers[i].misses = 0;
        pilot->peers[i].moved = false;
    }
    sends = row.v[PD_IN_FLIGHT_BYTES] || row.v[PD_BYTES_SENT] != pilot->peers[i].sent;
    pilot->peers[i].number = conn->number;
    pilot->peers[i].sent = row.v[PD_BYTES_SENT];
    if (!sends || row.v[PD_SILENT_MS] <= PILOT_SILENT_MS) {
        pilot->peers[i].misses = 0;
        pilot->peers[i].moved = false;
        return;
    }
    if (++pilot->peers[i].misses < PILOT_MISSES)
        return;
    pilot->peers[i].misses = 0;
    if (pilot->peers[i].moved || !conn->client)
        (void)hand_reconnect(world, &pilot->hands[i], conn, NO_UPLINK);
    else
        (void)hand_move(world, &pilot->hands[i], conn, NO_UPLINK, false);
    pilot->peers[i].moved = true;
}

static void pilot_timer(struct world *world, void *self)
{
    for (unsigned i = 0; i < PEERS; i++)
        if (world->peers[i].live)
            pilot_look(world, self, world->peers[i].live);
    world_policy_at(world, host_now(world) + POLL_US);
}

static void pilot_news(struct world *world, void *self, const struct news *news)
{
    (void)world;
    hand_news(((struct pilot *)self)->hands, news);
}

const struct policy policy_pilot = {
    .name = "pilot",
    .summary = "8 s of silence in 3 polls 5 s apart: a new port, then a new connection",
    .size = sizeof(struct pilot),
    .start = poll_start,
    .timer = pilot_timer,
    .news = pilot_news,
};
