/* SPDX-License-Identifier: Apache-2.0 */
/* Timelines, the route table, queues and losses. See network.h. */
#include "network.h"

#include "util/util.h"

#define LOSS_BAD      50000u /* of a million */
#define SLOWER_US     (150 * MS)
#define SMALLEST_RATE 12500u /* 100 kbit/s: below that an uplink is dead */
#define FULL_PACKET   1350u

/* ---- timelines ---- */

void network_init(struct network *network, unsigned n_uplinks, uint64_t seed)
{
    *network = (struct network){.random = choice_seeded(seed), .n_uplinks = n_uplinks};
    for (unsigned i = 0; i < n_uplinks; i++) {
        struct uplink *uplink = &network->uplinks[i];

        uplink->timeline = array_reserve(NULL, &uplink->capacity, 1, sizeof(*uplink->timeline));
        uplink->timeline[0] = (struct condition){
            .carrier = true, .address = true, .route = true, .metric = 100 * (i + 1)};
        uplink->n_conditions = 1;
    }
    for (unsigned i = 0; i < PEERS + 1; i++) {
        struct peer_far *peer = &network->peers[i];

        peer->timeline = array_reserve(NULL, &peer->capacity, 1, sizeof(*peer->timeline));
        peer->timeline[0] = (struct far){0};
        peer->n = 1;
    }
}

void network_done(struct network *network)
{
    for (unsigned i = 0; i < network->n_uplinks; i++)
        free(network->uplinks[i].timeline);
    for (unsigned i = 0; i < PEERS + 1; i++)
        free(network->peers[i].timeline);
}

/* Index of the entry in force at a time. Searches on from `from`, which is not later. */
static size_t condition_at(const struct uplink *uplink, uint64_t at_us, size_t from)
{
    if (uplink->timeline[from].from_us > at_us)
        from = 0;
    while (from + 1 < uplink->n_conditions && uplink->timeline[from + 1].from_us <= at_us)
        from++;
    return from;
}

static size_t far_at(const struct peer_far *peer, uint64_t at_us, size_t from)
{
    if (peer->timeline[from].from_us > at_us)
        from = 0;
    while (from + 1 < peer->n && peer->timeline[from + 1].from_us <= at_us)
        from++;
    return from;
}

static size_t condition_cut(struct uplink *uplink, uint64_t at_us)
{
    size_t i = at_us == NEVER ? uplink->n_conditions : condition_at(uplink, at_us, 0);

    if (at_us == NEVER || uplink->timeline[i].from_us == at_us)
        return i;
    uplink->timeline = array_reserve(uplink->timeline, &uplink->capacity, uplink->n_conditions + 1,
                                     sizeof(*uplink->timeline));
    memmove(&uplink->timeline[i + 1], &uplink->timeline[i],
            (uplink->n_conditions++ - i) * sizeof(*uplink->timeline));
    uplink->timeline[i + 1].from_us = at_us;
    return i + 1;
}

static size_t far_cut(struct peer_far *peer, uint64_t at_us)
{
    size_t i = at_us == NEVER ? peer->n : far_at(peer, at_us, 0);

    if (at_us == NEVER || peer->timeline[i].from_us == at_us)
        return i;
    peer->timeline =
        array_reserve(peer->timeline, &peer->capacity, peer->n + 1, sizeof(*peer->timeline));
    memmove(&peer->timeline[i + 1], &peer->timeline[i], (peer->n++ - i) * sizeof(*peer->timeline));
    peer->timeline[i + 1].from_us = at_us;
    return i + 1;
}

struct condition *network_spell(struct uplink *uplink, uint64_t from_us, uint64_t to_us,
                                struct condition **ret_end)
{
    size_t first = condition_cut(uplink, from_us), end = condition_cut(uplink, to_us);

    *ret_end = &uplink->timeline[end];
    return &uplink->timeline[first];
}

struct far *network_far_spell(struct peer_far *peer, uint64_t from_us, uint64_t to_us,
                              struct far **ret_end)
{
    size_t first = far_cut(peer, from_us), end = far_cut(peer, to_us);

    *ret_end = &peer->timeline[end];
    return &peer->timeline[first];
}

uint64_t network_next_us(const struct network *network)
{
    uint64_t next_us = NEVER;

    for (unsigned i = 0; i < network->n_uplinks; i++) {
        const struct uplink *uplink = &network->uplinks[i];

        if (uplink->now + 1 < uplink->n_conditions)
            next_us = min_u64(next_us, uplink->timeline[uplink->now + 1].from_us);
    }
    for (unsigned i = 0; i < PEERS + 1; i++)
        if (network->peers[i].now + 1 < network->peers[i].n)
            next_us =
                min_u64(next_us, network->peers[i].timeline[network->peers[i].now + 1].from_us);
    return next_us;
}

bool network_advance(struct network *network, uint64_t now_us)
{
    bool kernel = false;

    for (unsigned i = 0; i < network->n_uplinks; i++) {
        struct uplink *uplink = &network->uplinks[i];
        struct condition was = uplink->timeline[uplink->now], *is;

        uplink->now = condition_at(uplink, now_us, uplink->now);
        is = &uplink->timeline[uplink->now];
        kernel |= was.carrier != is->carrier || was.address != is->address ||
                  was.route != is->route || was.metric != is->metric;
    }
    for (unsigned i = 0; i < PEERS + 1; i++)
        network->peers[i].now = far_at(&network->peers[i], now_us, network->peers[i].now);
    return kernel;
}

/* ---- the kernel ---- */

static bool usable(const struct condition *condition)
{
    return condition->carrier && condition->address && condition->route;
}

bool network_usable(const struct network *network, unsigned uplink)
{
    return uplink < network->n_uplinks && usable(network_condition(network, uplink));
}

static int route_at(const struct network *network, int source, uint64_t at_us)
{
    int best = NO_UPLINK;
    uint32_t metric = UINT32_MAX;

    for (unsigned i = 0; i < network->n_uplinks; i++) {
        const struct uplink *uplink = &network->uplinks[i];
        const struct condition *is = &uplink->timeline[condition_at(uplink, at_us, uplink->now)];

        if (!usable(is))
            continue;
        if (network->source_rules && source == (int)i)
            return source;
        if (is->metric < metric) {
            metric = is->metric;
            best = (int)i;
        }
    }
    return best;
}

int network_route(const struct network *network, int source)
{
    int best = NO_UPLINK;
    uint32_t metric = UINT32_MAX;

    for (unsigned i = 0; i < network->n_uplinks; i++) {
        const struct condition *is = network_condition(network, i);

        if (!usable(is))
            continue;
        if (network->source_rules && source == (int)i)
            return source;
        if (is->metric < metric) {
            metric = is->metric;
            best = (int)i;
        }
    }
    return best;
}

/* ---- packets ---- */

static bool lost(struct network *network, uint32_t of_a_million)
{
    return of_a_million && choose(&network->random, 1000000) < of_a_million;
}

static bool vanishes(struct network *network, const struct way *way, uint32_t bytes)
{
    return way->dead || !way->rate || (way->mtu && bytes > way->mtu) || lost(network, way->loss);
}

enum transit network_send(struct network *network, unsigned peer, const struct path *path,
                          enum direction direction, uint32_t bytes, uint64_t now_us,
                          uint64_t *ret_arrival_us)
{
    struct uplink *uplink = &network->uplinks[path->source];
    const struct condition *is = network_condition(network, path->source);
    const struct way *way = direction == OUT ? &is->out : &is->in;
    const struct far *far = network_far(network, peer);
    uint64_t *free_us = &uplink->free_us[direction];
    uint64_t *arrived_us = &network->arrived_us[peer][path->source][direction];

    if (direction == OUT) {
        int egress = path->bound != NO_UPLINK ? path->bound : network_route(network, path->source);

        if (egress == NO_UPLINK || !is->address || !network_usable(network, (unsigned)egress))
            return TRANSIT_REFUSED;
        if (egress != path->source) /* the other provider filters foreign sources (BCP 38) */
            return TRANSIT_LOST;
    } else if (!is->carrier || !is->address) {
        return TRANSIT_LOST;
    }
    if (path->port < is->ports_from || far->away || lost(network, far->loss) ||
        vanishes(network, way, bytes))
        return TRANSIT_LOST;
    *free_us = max_u64(*free_us, now_us);
    if ((*free_us - now_us) * way->rate / SECOND > way->queue)
        return TRANSIT_LOST;
    *free_us += bytes * SECOND / way->rate;
    *arrived_us = max_u64(*arrived_us, *free_us + way->delay_us + far->delay_us);
    *ret_arrival_us = *arrived_us;
    return TRANSIT_ARRIVES;
}

/* ---- the truth ---- */

static uint64_t delay_of(const struct condition *is)
{
    return is->out.delay_us + is->in.delay_us;
}

uint64_t network_rtt(const struct network *network, unsigned peer, unsigned uplink, uint64_t at_us)
{
    const struct uplink *up = &network->uplinks[uplink];
    const struct peer_far *far = &network->peers[peer];

    return delay_of(&up->timeline[condition_at(up, at_us, up->now)]) +
           2 * far->timeline[far_at(far, at_us, far->now)].delay_us;
}

void network_begin(struct network *network)
{
    for (unsigned i = 0; i < network->n_uplinks; i++) {
        struct uplink *uplink = &network->uplinks[i];

        uplink->best_us = NEVER;
        for (size_t k = 0; k < uplink->n_conditions; k++)
            uplink->best_us = min_u64(uplink->best_us, delay_of(&uplink->timeline[k]));
    }
}

static bool way_dead(const struct way *way)
{
    return way->dead || way->rate < SMALLEST_RATE || (way->mtu && way->mtu < FULL_PACKET);
}

enum quality network_quality(const struct network *network, unsigned peer, const struct path *path,
                             uint64_t at_us)
{
    const struct uplink *uplink = &network->uplinks[path->source];
    const struct condition *is = &uplink->timeline[condition_at(uplink, at_us, uplink->now)];
    const struct peer_far *far = &network->peers[peer];
    const struct far *beyond = &far->timeline[far_at(far, at_us, far->now)];
    int egress = path->bound != NO_UPLINK ? path->bound : route_at(network, path->source, at_us);

    if (!usable(is) || egress != path->source || path->port < is->ports_from || beyond->away ||
        way_dead(&is->out) || way_dead(&is->in))
        return QUALITY_DEAD;
    if (is->out.loss + is->in.loss >= LOSS_BAD || beyond->loss >= LOSS_BAD ||
        delay_of(is) > uplink->best_us + SLOWER_US)
        return QUALITY_BAD;
    return QUALITY_GOOD;
}

uint64_t network_dead_until(const struct network *network, unsigned peer, const struct path *path,
                            uint64_t at_us)
{
    const struct peer_far *far = &network->peers[peer];

    while (at_us != NEVER && network_quality(network, peer, path, at_us) == QUALITY_DEAD) {
        uint64_t next_us = NEVER;
        size_t k;

        for (unsigned i = 0; i < network->n_uplinks; i++) {
            const struct uplink *uplink = &network->uplinks[i];

            k = condition_at(uplink, at_us, uplink->now) + 1;
            if (k < uplink->n_conditions)
                next_us = min_u64(next_us, uplink->timeline[k].from_us);
        }
        k = far_at(far, at_us, far->now) + 1;
        if (k < far->n)
            next_us = min_u64(next_us, far->timeline[k].from_us);
        at_us = next_us;
    }
    return at_us;
}
