/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gateways that do not answer: the kernel has asked one for its link address and drops what is to
 * go through it. That alone moves nobody, since packets may go another way than the lookup says,
 * and since a gateway that ignores the question when it comes by unicast answers the next one. So
 * a connection is advised `dead` by a row in which something has waited for a probe timeout and
 * nothing came. One that makes progress stays. Pure.
 */
#include "policy.h"

#include "util/util.h"

/* What has been outstanding for less may just be on its way. */
#define LEAST_US 50000u
/* Rows are wanted soon: of this many connections when a gateway fails, and of each that waits. */
#define POLLED  1024u
#define POLL_US 2000000u
/* Advice about one gateway within this has one cause. */
#define CAUSE_US 2000000u

/* Its place among those that fail, or ROUTE_GATEWAYS. */
static size_t gateway_find(const struct route *route, uint32_t oif, const char *gateway)
{
    size_t i = oif ? 0 : ROUTE_GATEWAYS;

    while (i < ROUTE_GATEWAYS &&
           (route->gateways[i].oif != oif || strcmp(route->gateways[i].gateway, gateway) != 0))
        i++;
    return i;
}

/* That of the one that this connection sends through. Where both families count, or a redirect
 * leads elsewhere, it is not known. */
static size_t gateway_of(const struct route *route, const struct route_peer *peer)
{
    const struct nexthop *nexthop;

    if (!route->n_gateways || !peer->known || !peer->linked ||
        route->keys.slots[peer->key].redirected)
        return ROUTE_GATEWAYS;
    nexthop = &nexthops_slot(&route->nexthops, peer->known)->nexthop;
    if (nexthop->also[0] || !nexthop->gateway[0])
        return ROUTE_GATEWAYS;
    return gateway_find(route, nexthop->oif, nexthop->gateway);
}

bool route_gateway_failed(const struct route *route, const struct route_peer *peer)
{
    return gateway_of(route, peer) < ROUTE_GATEWAYS;
}

/* ---- what the kernel says ---- */

static void cause_close(struct pd_turn *turn, struct route_gateway *gateway)
{
    if (gateway->cause)
        turn->host->close_cause(turn, gateway->cause);
    gateway->cause = gateway->cause_until_us = 0;
}

/* Those behind it are wanted to be seen; what was advised because of one that answers now is taken
 * back. */
static void peers_look(struct pd_turn *turn, size_t failed)
{
    struct route *route = turn->self;
    uint32_t polled = 0;

    for (uint32_t i = 0; i < route->n_indices; i++) {
        struct route_peer *peer = turn->host->state(turn, i);
        size_t gateway = peer ? gateway_of(route, peer) : ROUTE_GATEWAYS;

        if (gateway < ROUTE_GATEWAYS && gateway == failed && polled < POLLED) {
            turn->host->look(turn, i, turn->now_us + POLL_US);
            polled++;
        }
        if (gateway < ROUTE_GATEWAYS || !peer || !peer->dead)
            continue;
        peer->dead = false;
        if (!peer->asked)
            turn->host->withdraw(turn, i);
    }
}

static void gateway_failed(struct pd_turn *turn, uint32_t oif, const char *gateway)
{
    struct route *route = turn->self;
    size_t room = 0;

    while (room < ROUTE_GATEWAYS && route->gateways[room].oif)
        room++;
    if (room == ROUTE_GATEWAYS)
        return;
    route->gateways[room] = (struct route_gateway){.oif = oif};
    memcpy(route->gateways[room].gateway, gateway, strnlen(gateway, IP_TEXT_SIZE - 1));
    route->n_gateways++;
    /* The kernel may lead elsewhere now, and back as soon as it answers the next question. */
    route_loss(route, oif, turn->now_us);
    peers_look(turn, room);
}

/* What waits behind it is tried at once: the stacks' own probes have become rare. */
static void peers_try(struct pd_turn *turn, size_t place)
{
    struct route *route = turn->self;

    for (uint32_t i = 0; i < route->n_indices; i++) {
        const struct route_peer *peer = turn->host->state(turn, i);

        if (peer && gateway_of(route, peer) == place && !peer->no_route)
            turn->host->no_route(turn, i, false);
    }
}

void route_gateway(struct pd_turn *turn, uint32_t oif, const char *gateway, bool failed)
{
    struct route *route = turn->self;
    size_t place = gateway_find(route, oif, gateway);

    if (failed && oif && gateway[0] && place == ROUTE_GATEWAYS)
        gateway_failed(turn, oif, gateway);
    if (failed || place == ROUTE_GATEWAYS)
        return;
    peers_try(turn, place);
    cause_close(turn, &route->gateways[place]);
    route->gateways[place] = (struct route_gateway){0};
    route->n_gateways--;
    peers_look(turn, ROUTE_GATEWAYS);
}

void route_gateways_close(struct pd_turn *turn)
{
    struct route *route = turn->self;

    for (size_t i = 0; i < ARRAY_SIZE(route->gateways); i++)
        cause_close(turn, &route->gateways[i]);
}

void route_gateways_forget(struct pd_turn *turn)
{
    struct route *route = turn->self;

    route_gateways_close(turn);
    memset(route->gateways, 0, sizeof(route->gateways));
    route->n_gateways = 0;
    peers_look(turn, ROUTE_GATEWAYS);
}

uint64_t route_gateways_due(struct pd_turn *turn)
{
    struct route *route = turn->self;
    uint64_t next_us = 0;

    for (size_t i = 0; route->n_gateways && i < ARRAY_SIZE(route->gateways); i++) {
        struct route_gateway *gateway = &route->gateways[i];

        if (gateway->cause_until_us && turn->now_us >= gateway->cause_until_us)
            cause_close(turn, gateway);
        if (gateway->cause_until_us && (!next_us || next_us > gateway->cause_until_us))
            next_us = gateway->cause_until_us;
    }
    return next_us;
}

/* ---- what a row says ---- */

static uint64_t waited_us(const struct pd_turn *turn, const struct pd_sample *sample)
{
    uint64_t waited_us = sample->unacked_us == PD_UNKNOWN ? 0 : sample->unacked_us;

    if (!sample->outstanding_since_us) /* only data of applications is told with its age */
        return waited_us;
    return max_u64(waited_us, turn->now_us - sample->outstanding_since_us);
}

/* Something waits, and nothing has come for as long as it should take. */
static bool is_stalled(const struct pd_turn *turn, const struct pd_sample *sample)
{
    uint64_t least_us = max_u64(sample->pto_us, LEAST_US);
    bool told = sample->silent_us != PD_UNKNOWN;

    return (told || !sample->progress) && waited_us(turn, sample) >= least_us &&
           (told ? sample->silent_us : sample->stalled_us) >= least_us;
}

static int gateway_advise(struct pd_turn *turn, uint32_t index, struct route_peer *peer,
                          struct route_gateway *gateway)
{
    struct route *route = turn->self;
    const struct nexthop *nexthop = &nexthops_slot(&route->nexthops, peer->known)->nexthop;
    char reason[160];
    const char *const parts[] = {"gateway ", nexthop->gateway, " on ", nexthop->ifname,
                                 strchr(nexthop->gateway, ':')
                                     ? " does not answer neighbour solicitations"
                                     : " does not answer ARP"};
    /* The same for all behind it, so that it is stored once. */
    const struct pd_field evidence[] = {
        {.name = "proof", .text = "no-gateway"},
        {.name = "interface", .text = nexthop->ifname},
        {.name = "gateway", .text = nexthop->gateway},
    };

    bool opens = !gateway->cause;
    int r;

    texts_join(reason, sizeof(reason), parts, ARRAY_SIZE(parts));
    if (opens) {
        gateway->cause = turn->host->open_cause(turn, reason);
        gateway->cause_until_us = turn->now_us + CAUSE_US;
    }
    peer->dead = true;
    r = turn->host->advise(turn, index,
                           &(struct pd_advice){
                               .kind = PD_KIND_DEAD,
                               .cause = gateway->cause,
                               .reason = reason,
                               .evidence = evidence,
                               .n_evidence = ARRAY_SIZE(evidence),
                           });
    return r < 0 ? r : opens;
}

/* It goes elsewhere, or may in a moment. */
static bool is_moving(const struct route *route, const struct route_peer *peer)
{
    return peer->asked || peer->open || route->keys.slots[peer->key].unsettled;
}

int route_gateway_row(struct pd_turn *turn, const struct pd_sample *sample)
{
    struct route *route = turn->self;
    struct route_peer *peer = sample->state;
    size_t gateway = gateway_of(route, peer);
    bool was_dead = peer->dead, moves = sample->in_flight || is_moving(route, peer);

    if (gateway == ROUTE_GATEWAYS || sample->progress)
        peer->dead = false;
    if (gateway == ROUTE_GATEWAYS)
        return 0;
    if (was_dead) {
        if (!peer->dead && !moves)
            turn->host->withdraw(turn, sample->peer->index);
        return 0;
    }
    if (moves)
        return 0;
    if (is_stalled(turn, sample))
        return gateway_advise(turn, sample->peer->index, peer, &route->gateways[gateway]);
    if (sample->outstanding_since_us || waited_us(turn, sample))
        turn->host->look(turn, sample->peer->index,
                         add_u64(turn->now_us, add_u64(sample->pto_us, POLL_US)));
    return 0;
}
