/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies that know uplinks: iroh (each path is pinged each 5 s, the fastest is taken), mwan3
 * (each uplink is pinged each second), Chromium (a path that degrades is left for another network
 * that answers, and the default network is tried again and again). From their descriptions.
 */
#include "hand.h"
#include "policies.h"

/* ---- iroh ---- */

#define HEARTBEAT_US (5 * SECOND)
#define TRUST_US     (6500 * MS)

struct iroh_path {
    uint64_t request, pong_us, rtt_us; /* pong_us 0: never */
};

struct iroh {
    struct hand hands[PEERS];
    struct iroh_path paths[PEERS][UPLINKS_MAX];
    uint64_t beat_us;
};

#define IROH_TICK_US (250 * MS)

static bool trusted(const struct world *world, const struct iroh_path *path)
{
    return path->pong_us && host_now(world) < path->pong_us + TRUST_US;
}

static void iroh_choose(struct world *world, struct iroh *iroh, struct conn *conn)
{
    const struct iroh_path *paths = iroh->paths[conn->peer];
    unsigned now = host_uplink(conn);
    int best = NO_UPLINK;

    for (unsigned i = 0; i < world->network.n_uplinks; i++)
        if (trusted(world, &paths[i]) && network_usable(&world->network, i) &&
            (best == NO_UPLINK || paths[i].rtt_us < paths[best].rtt_us))
            best = (int)i;
    if (best == NO_UPLINK || best == (int)now)
        return;
    (void)hand_move(world, &iroh->hands[conn->peer], conn, best, false);
}

static void iroh_ping(struct world *world, struct iroh *iroh)
{
    for (unsigned i = 0; i < PEERS; i++)
        for (unsigned k = 0; k < world->network.n_uplinks; k++) {
            iroh->paths[i][k].request = ++world->last_request;
            host_probe(world, i, k, HEARTBEAT_US, iroh->paths[i][k].request);
        }
    iroh->beat_us = host_now(world) + HEARTBEAT_US;
}

static void iroh_start(struct world *world, void *self)
{
    iroh_ping(world, self);
    world_policy_at(world, host_now(world) + IROH_TICK_US);
}

static void iroh_timer(struct world *world, void *self)
{
    struct iroh *iroh = self;

    if (host_now(world) >= iroh->beat_us)
        iroh_ping(world, iroh);
    for (unsigned i = 0; i < PEERS; i++)
        if (world->peers[i].live)
            iroh_choose(world, iroh, world->peers[i].live);
    world_policy_at(world, host_now(world) + IROH_TICK_US);
}

static void iroh_news(struct world *world, void *self, const struct news *news)
{
    struct iroh *iroh = self;

    hand_news(iroh->hands, news);
    if (news->type == NEWS_KERNEL)
        iroh_ping(world, iroh);
    if (news->type != NEWS_PROBED || news->code)
        return;
    for (unsigned i = 0; i < PEERS; i++)
        for (unsigned k = 0; k < UPLINKS_MAX; k++)
            if (iroh->paths[i][k].request == news->request) {
                iroh->paths[i][k].pong_us = host_now(world);
                iroh->paths[i][k].rtt_us = news->rtt_us;
            }
}

const struct policy policy_iroh = {
    .name = "iroh",
    .summary = "all paths pinged each 5 s, trusted for 6.5 s, the fastest is used",
    .size = sizeof(struct iroh),
    .start = iroh_start,
    .timer = iroh_timer,
    .news = iroh_news,
};

/* ---- mwan3 ---- */

#define MWAN_INTERVAL_US SECOND
#define MWAN_TIMEOUT_US  (500 * MS)
#define MWAN_DOWN        3u
#define MWAN_UP          3u

struct mwan3 {
    struct hand hands[PEERS];
    struct {
        uint64_t request;
        unsigned good, bad; /* in a row */
        bool down;
    } uplinks[UPLINKS_MAX];
};

/* The first that is up, in the order of preference; NO_UPLINK. */
static int mwan_best(const struct world *world, const struct mwan3 *mwan)
{
    for (unsigned i = 0; i < world->network.n_uplinks; i++)
        if (!mwan->uplinks[i].down && network_usable(&world->network, i))
            return (int)i;
    return NO_UPLINK;
}

static void mwan_follow(struct world *world, struct mwan3 *mwan)
{
    int best = mwan_best(world, mwan);

    for (unsigned i = 0; i < PEERS && best != NO_UPLINK; i++) {
        struct conn *conn = world->peers[i].live;
        unsigned at;

        if (!conn || (int)host_uplink(conn) == best)
            continue;
        at = host_uplink(conn);
        /* What the peer dialled is dialled anew only where its uplink is down. */
        (void)hand_move(world, &mwan->hands[i], conn, best,
                        mwan->uplinks[at].down || !network_usable(&world->network, at));
    }
}

static void mwan_timer(struct world *world, void *self)
{
    struct mwan3 *mwan = self;

    for (unsigned i = 0; i < world->network.n_uplinks; i++) {
        mwan->uplinks[i].request = ++world->last_request;
        host_probe(world, ANYWHERE, i, MWAN_TIMEOUT_US, mwan->uplinks[i].request);
    }
    mwan_follow(world, mwan);
    world_policy_at(world, host_now(world) + MWAN_INTERVAL_US);
}

static void mwan_start(struct world *world, void *self)
{
    (void)self;
    world_policy_at(world, host_now(world) + MWAN_INTERVAL_US);
}

static void mwan_probed(struct world *world, struct mwan3 *mwan, unsigned uplink, bool good)
{
    mwan->uplinks[uplink].good = good ? mwan->uplinks[uplink].good + 1 : 0;
    mwan->uplinks[uplink].bad = good ? 0 : mwan->uplinks[uplink].bad + 1;
    if (mwan->uplinks[uplink].bad >= MWAN_DOWN)
        mwan->uplinks[uplink].down = true;
    else if (mwan->uplinks[uplink].good >= MWAN_UP)
        mwan->uplinks[uplink].down = false;
    mwan_follow(world, mwan);
}

static void mwan_news(struct world *world, void *self, const struct news *news)
{
    struct mwan3 *mwan = self;

    hand_news(mwan->hands, news);
    if (news->type == NEWS_KERNEL)
        mwan_follow(world, mwan);
    for (unsigned i = 0; news->type == NEWS_PROBED && i < UPLINKS_MAX; i++)
        if (mwan->uplinks[i].request == news->request)
            mwan_probed(world, mwan, i, !news->code);
}

const struct policy policy_mwan3 = {
    .name = "mwan3",
    .summary = "uplinks pinged each 1 s, down after 3 losses, up after 3 answers; all follow",
    .size = sizeof(struct mwan3),
    .start = mwan_start,
    .timer = mwan_timer,
    .news = mwan_news,
};

/* ---- Chromium ---- */

#define DEGRADING_PTOS  4u
#define CHROMIUM_US     (50 * MS)
#define PROBE_US        SECOND
#define BACK_FIRST_US   SECOND
#define BACK_LONGEST_US (128 * SECOND)

struct chromium_peer {
    uint64_t request;         /* of the probe that is open */
    int target;               /* that it asks */
    uint64_t back_us, gap_us; /* when the default network is tried again */
    uint64_t quiet_us;        /* no new attempt before */
};

struct chromium {
    struct hand hands[PEERS];
    struct chromium_peer peers[PEERS];
};

static void chromium_probe(struct world *world, struct chromium_peer *peer, unsigned index,
                           int uplink)
{
    peer->target = uplink;
    peer->request = ++world->last_request;
    host_probe(world, index, (unsigned)uplink, PROBE_US, peer->request);
}

static bool degrading(const struct world *world, const struct conn *conn)
{
    struct pd_row row;

    host_row(world, conn, &row);
    return row.v[PD_IN_FLIGHT_BYTES] &&
           row.v[PD_SILENT_MS] * MS > DEGRADING_PTOS * hand_pto_us(&row);
}

static void chromium_look(struct world *world, struct chromium *chromium, struct conn *conn)
{
    struct chromium_peer *peer = &chromium->peers[conn->peer];
    uint64_t now_us = host_now(world);
    unsigned at = host_uplink(conn);
    int other = hand_other(world, at), table = network_route(&world->network, NO_UPLINK);

    if (!conn->client || peer->request || now_us < peer->quiet_us)
        return;
    if (!network_usable(&world->network, at)) { /* disconnected */
        peer->quiet_us = now_us + PROBE_US;
        if (other != NO_UPLINK)
            (void)hand_move(world, &chromium->hands[conn->peer], conn, other, false);
    } else if (degrading(world, conn)) {
        peer->quiet_us = now_us + PROBE_US;
        if (other != NO_UPLINK)
            chromium_probe(world, peer, conn->peer, other);
        else
            (void)hand_move(world, &chromium->hands[conn->peer], conn, NO_UPLINK, false);
    } else if (table != NO_UPLINK && (int)at != table) { /* not on the default network */
        if (!peer->back_us) {
            peer->gap_us = BACK_FIRST_US;
            peer->back_us = now_us + peer->gap_us;
        }
        if (now_us < peer->back_us)
            return;
        peer->gap_us = min_u64(2 * peer->gap_us, BACK_LONGEST_US);
        peer->back_us = now_us + peer->gap_us;
        chromium_probe(world, peer, conn->peer, table);
    } else {
        peer->back_us = 0;
    }
}

static void chromium_timer(struct world *world, void *self)
{
    for (unsigned i = 0; i < PEERS; i++)
        if (world->peers[i].live)
            chromium_look(world, self, world->peers[i].live);
    world_policy_at(world, host_now(world) + CHROMIUM_US);
}

static void chromium_start(struct world *world, void *self)
{
    (void)self;
    world_policy_at(world, host_now(world) + CHROMIUM_US);
}

static void chromium_news(struct world *world, void *self, const struct news *news)
{
    struct chromium *chromium = self;

    hand_news(chromium->hands, news);
    for (unsigned i = 0; news->type == NEWS_PROBED && i < PEERS; i++) {
        struct chromium_peer *peer = &chromium->peers[i];

        if (peer->request != news->request)
            continue;
        peer->request = 0;
        if (!news->code && world->peers[i].live && world->peers[i].live->client &&
            (int)host_uplink(world->peers[i].live) != peer->target)
            (void)hand_move(world, &chromium->hands[i], world->peers[i].live, peer->target, false);
    }
}

const struct policy policy_chromium = {
    .name = "chromium",
    .summary = "4 PTO of silence: another network that answers; back with doubling gaps",
    .size = sizeof(struct chromium),
    .start = chromium_start,
    .timer = chromium_timer,
    .news = chromium_news,
};
