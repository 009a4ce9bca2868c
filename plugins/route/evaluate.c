/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One evaluation: what a connection is known to use against what the kernel
 * would take now. What is in flight or already advised is compared with what
 * was asked for, so that the same next hop is not advised twice in a row.
 */
#include "evaluate.h"

#include "util/util.h"

/* Nothing can arrive: where the peer sends to is on no interface, or on none with carrier. A
 * client's packets may leave by another interface then, and the peer follows them (RFC 9000 §9.3):
 * without carrier it is proven only for a server, and for whoever is bound to the interface. */
static enum proof proof_of(const struct evaluating *evaluating, uint32_t index,
                           const struct route_peer *peer)
{
    const struct key *key = evaluating->key;
    const struct nexthop_slot *known = nexthops_slot(&evaluating->route->nexthops, peer->known);
    char local[IP_TEXT_SIZE];

    if (peer->cut == CUT_NO_CARRIER || peer->cut == CUT_GONE)
        return PROOF_UNREACHABLE;
    /* After a move of ours the address that we were told may be the old one: what the kernel took
     * instead is no proof. */
    if (peer->adopt || !key->name.source_family || !(known->source_gone || known->source_cut))
        return PROOF_NONE;
    ip_format(local, key->name.source_family, key->name.source);
    if (strcmp(local, known->nexthop.source) != 0)
        return PROOF_NONE;
    return known->source_gone ||
                   evaluating->turn->host->peer(evaluating->turn, index)->role == PD_ROLE_SERVER
               ? PROOF_UNREACHABLE
               : PROOF_NO_CARRIER;
}

static void evaluate_advise(struct evaluating *evaluating, uint32_t index, struct route_peer *peer,
                            bool in_flight, bool again)
{
    struct pd_turn *turn = evaluating->turn;
    struct nexthops *nexthops = &evaluating->route->nexthops;
    const struct verdict verdict = {
        .base = in_flight ? peer->open : peer->known,
        .now = evaluating->key->answer,
        .again = again,
        .proof = proof_of(evaluating, index, peer),
        .cut = in_flight ? CUT_NOT : (enum cut)peer->cut,
        .prefix = evaluating->prefix,
    };
    struct verdict_text *text = &evaluating->text;
    int r;

    if (verdict_same(text, &verdict)) {
        r = turn->host->advise(turn, index, NULL);
    } else {
        verdict_write(text, nexthops, &verdict);
        struct pd_advice advice = {
            .kind = PD_KIND_MOVED,
            .cause = route_fire(turn, text->reason),
            .reason = text->reason,
            .evidence = text->evidence,
            .n_evidence = text->n_evidence,
        };

        r = turn->host->advise(turn, index, &advice);
    }
    if (r < 0) {
        evaluating->result = r;
        return;
    }
    peer->provisional = evaluating->key->provisional;
    nexthops_set(nexthops, &peer->asked, verdict.now);
    if (!in_flight)
        nexthops_set(nexthops, &peer->open, verdict.now);
}

/* ---- what is compared ---- */

/* The local address was gone before we saw the connection: what it uses, if
 * anything, is not what the kernel says. */
static uint16_t nexthop_lost(struct evaluating *evaluating)
{
    const struct key_name *name = &evaluating->key->name;
    struct nexthop nexthop = {0};
    uint16_t lost;

    ip_format(nexthop.source, name->source_family, name->source);
    lost = nexthops_intern(&evaluating->route->nexthops, &nexthop);
    if (lost)
        nexthops_slot(&evaluating->route->nexthops, lost)->source_gone = true;
    return lost;
}

/* Returns false if there is nothing to compare: what is there now is what it uses. */
static bool evaluate_first_sight(struct evaluating *evaluating, struct route_peer *peer)
{
    struct nexthops *nexthops = &evaluating->route->nexthops;

    /* After a move of ours the address that we were told may be an old one. */
    if (evaluating->key->source_gone && !peer->adopt) {
        nexthops_unref(nexthops, peer->known);
        peer->known = nexthop_lost(evaluating);
        if (peer->known)
            return true;
    }
    nexthops_set(nexthops, &peer->known, evaluating->key->answer);
    peer->adopt = false;
    return false;
}

static bool evaluate_same(const struct nexthops *nexthops, const struct route_peer *peer,
                          uint16_t now, bool in_flight)
{
    /* Of an interface that it is bound to only the interface counts: without a route of its
     * own the kernel takes everybody as its neighbour there. */
    if (peer->bound && nexthops_slot(nexthops, peer->known)->nexthop.oif ==
                           nexthops_slot(nexthops, now)->nexthop.oif)
        return peer->adopt || !nexthops_slot(nexthops, peer->known)->source_gone;
    /* Where an open request goes to, it will choose a source that is there. */
    if (in_flight)
        return nexthops_same(nexthops, peer->open, now);
    if (peer->known == now)
        return true;
    if (!peer->adopt && nexthops_slot(nexthops, peer->known)->source_gone)
        return false;
    return nexthops_same(nexthops, peer->known, now);
}

static void evaluate_back(struct evaluating *evaluating, uint32_t index, struct route_peer *peer,
                          bool in_flight)
{
    struct nexthops *nexthops = &evaluating->route->nexthops;
    uint16_t now = evaluating->key->answer;
    const char *also = nexthops_slot(nexthops, peer->known)->nexthop.also;

    if (in_flight) {
        if (peer->asked && !nexthops_same(nexthops, peer->asked, peer->open)) {
            evaluating->turn->host->withdraw(evaluating->turn, index);
            nexthops_set(nexthops, &peer->asked, peer->open);
        }
        return;
    }
    if (peer->adopt || peer->bound || (!also[0] && nexthops_slot(nexthops, now)->nexthop.also[0]))
        nexthops_set(nexthops, &peer->known, now);
    peer->adopt = false;
    if (peer->asked) { /* what was advised because of its gateway goes with it */
        evaluating->turn->host->withdraw(evaluating->turn, index);
        peer->dead = false;
    }
    nexthops_set(nexthops, &peer->asked, 0);
    nexthops_set(nexthops, &peer->open, 0);
    peer->cut = CUT_NOT;
}

/* What was advised while there was nothing to send from led to a foreign source, or nowhere. */
static bool evaluate_again(const struct evaluating *evaluating, struct route_peer *peer)
{
    const struct key *key = evaluating->key;

    if (!peer->provisional || key->provisional != PROVISIONAL_NOT)
        return false;
    if (nexthops_same(&evaluating->route->nexthops, peer->asked ? peer->asked : peer->known,
                      key->answer) &&
        (!key->name.source_family || key->elsewhere || key->source_gone))
        return true;
    peer->provisional = false;
    return false;
}

/* It differs, or has to be asked for again. May that be advised now? */
static bool evaluate_now(struct evaluating *evaluating, const struct route_peer *peer)
{
    struct route *route = evaluating->route;
    struct key *key = evaluating->key;

    if (!evaluating->allowed && !key->held_since_us) {
        key->unsettled = route->deferred = true;
        return false;
    }
    return !route_hold(route, key, nexthops_slot(&route->nexthops, peer->known)->nexthop.oif,
                       evaluating->turn->now_us);
}

static void evaluate_peer(struct evaluating *evaluating, uint32_t index, struct route_peer *peer)
{
    struct nexthops *nexthops = &evaluating->route->nexthops;
    uint16_t now = evaluating->key->answer;
    bool in_flight, again = evaluate_again(evaluating, peer);

    peer->moved = false;
    if (peer->known == now && !peer->asked && !peer->open && !again) {
        peer->adopt = false;
        return;
    }
    /* Lost, and there again: as if seen for the first time. */
    if (peer->known && !nexthops_slot(nexthops, peer->known)->nexthop.oif &&
        !nexthops_slot(nexthops, peer->known)->source_gone && !evaluating->key->source_gone) {
        if (peer->asked)
            evaluating->turn->host->withdraw(evaluating->turn, index);
        nexthops_set(nexthops, &peer->asked, 0);
        nexthops_set(nexthops, &peer->open, 0);
        nexthops_set(nexthops, &peer->known, 0);
        peer->dead = false;
    }
    if (!peer->known && !evaluate_first_sight(evaluating, peer))
        return;
    in_flight = evaluating->turn->host->in_flight(evaluating->turn, index);
    /* Not our request: it goes where the next hop was when it was sent. */
    if (in_flight && !peer->open)
        nexthops_set(nexthops, &peer->open,
                     evaluating->key->before ? evaluating->key->before : peer->known);
    if (in_flight)
        route_open(evaluating->turn, index, peer);
    if (!again && evaluate_same(nexthops, peer, now, in_flight)) {
        evaluate_back(evaluating, index, peer, in_flight);
        return;
    }
    if (!again && peer->asked && nexthops_same(nexthops, peer->asked, now))
        return;
    if (evaluate_now(evaluating, peer))
        evaluate_advise(evaluating, index, peer, in_flight, again);
}

/* ---- whose peers ---- */

void route_evaluate_key(struct route *route, uint32_t index, const char *prefix)
{
    struct key *key = &route->keys.slots[index];

    if (key->evaluated)
        return;
    route->evaluated = array_reserve(route->evaluated, &route->evaluated_capacity,
                                     route->n_evaluated + 1, sizeof(*route->evaluated));
    route->evaluated[route->n_evaluated++] = (struct evaluated){.key = index, .prefix = prefix};
    key->evaluated = (uint32_t)route->n_evaluated;
}

static void evaluate_by(struct evaluating *evaluating, const struct evaluated *evaluated)
{
    struct key *key = &evaluating->route->keys.slots[evaluated->key];

    evaluating->key = key;
    evaluating->prefix =
        key->by_default && key->default_before ? route_default_flip : evaluated->prefix;
}

/* The peers of each key in turn. */
static void evaluate_keys(struct evaluating *evaluating)
{
    struct route *route = evaluating->route;
    uint32_t next;

    for (size_t i = 0; i < route->n_evaluated; i++) {
        evaluate_by(evaluating, &route->evaluated[i]);
        for (uint32_t peer = evaluating->key->first; peer != ROUTE_NONE; peer = next) {
            struct route_peer *state = evaluating->turn->host->state(evaluating->turn, peer);

            next = state->next;
            evaluate_peer(evaluating, peer, state);
        }
    }
}

/* All peers in the order in which they lie in memory, which the peers of one key do
 * not: of a hundred thousand, that is what the time goes to. */
static void evaluate_in_order(struct evaluating *evaluating)
{
    struct route *route = evaluating->route;

    for (uint32_t peer = 0; peer < route->n_indices; peer++) {
        struct route_peer *state = evaluating->turn->host->state(evaluating->turn, peer);
        uint32_t evaluated = state && state->linked ? route->keys.slots[state->key].evaluated : 0;

        if (!evaluated)
            continue;
        evaluate_by(evaluating, &route->evaluated[evaluated - 1]);
        evaluate_peer(evaluating, peer, state);
    }
}

int route_evaluate(struct pd_turn *turn)
{
    struct route *route = turn->self;
    struct evaluating evaluating = {.turn = turn, .route = route, .allowed = route_may_fire(route)};
    uint32_t n_peers = 0, kept = 0;

    for (size_t i = 0; i < route->n_evaluated; i++) {
        struct key *key = &route->keys.slots[route->evaluated[i].key];

        key->evaluated = 0;
        if (key->no_route || !key->answer)
            continue;
        key->unsettled = false;
        n_peers += key->n_peers;
        route->evaluated[kept++] = route->evaluated[i];
        key->evaluated = kept;
    }
    route->n_evaluated = kept;
    if (kept > 1 && n_peers > route->n_indices / 2)
        evaluate_in_order(&evaluating);
    else
        evaluate_keys(&evaluating);
    for (size_t i = 0; i < kept; i++) {
        struct key *key = &route->keys.slots[route->evaluated[i].key];

        key->evaluated = 0;
        if (key->unsettled)
            continue;
        key->held_since_us = 0;
        nexthops_set(&route->nexthops, &key->before, key->answer);
        key->default_before = key->by_default;
    }
    route->n_evaluated = 0;
    return evaluating.result;
}
