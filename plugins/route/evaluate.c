/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One evaluation: what a connection is known to use against what the kernel
 * would take now. What is in flight or already advised is compared with what
 * was asked for, so that the same next hop is not advised twice in a row.
 */
#include "policy.h"

#include "util/util.h"

struct evaluating {
    struct pd_turn *turn;
    struct route *route;
    struct key *key;    /* of the peer that is evaluated now */
    const char *prefix; /* that its answer goes by, or default_flip; NULL: not told */
    bool allowed;
    int result;
    struct verdict_text text;
};

static const char default_flip[] = "default";

/* ---- what it says ---- */

static void evidence_add(struct verdict_text *text, const char *name, const char *value)
{
    if (value[0])
        text->evidence[text->n_evidence++] = (struct pd_field){.name = name, .text = value};
}

/* What it is that changed: beside the two next hops the beginning of the reason. */
static const char *what_changed(const struct evaluating *evaluating, char *text, size_t size)
{
    const char *const parts[] = {"route to ", evaluating->prefix, " changed: "};

    if (evaluating->prefix == default_flip)
        return "default route flip: ";
    if (!evaluating->prefix)
        return "route changed: ";
    texts_join(text, size, parts, ARRAY_SIZE(parts));
    return text;
}

static void reason_write(struct evaluating *evaluating, const struct nexthop *base,
                         const struct nexthop *now)
{
    struct verdict_text *text = &evaluating->text;
    char before[160], after[160], what[IP_TEXT_SIZE + 32];
    const char *const lost[] = {"local address ", base->source,
                                " is on no interface, the route is ", after};
    const char *const source[] = {"source address ", base->source, " is gone: now ",
                                  now->source,       " on ",       after};
    const char *const moved[] = {what_changed(evaluating, what, sizeof(what)), before, " → ",
                                 after};

    nexthop_text(base, before, sizeof(before));
    nexthop_text(now, after, sizeof(after));
    if (!base->oif)
        texts_join(text->reason, sizeof(text->reason), lost, ARRAY_SIZE(lost));
    else if (nexthops_same(&evaluating->route->nexthops, text->base, text->now))
        texts_join(text->reason, sizeof(text->reason), source, ARRAY_SIZE(source));
    else
        texts_join(text->reason, sizeof(text->reason), moved, ARRAY_SIZE(moved));
}

/* Would it say the same as of the peer before? */
static bool verdict_same(const struct evaluating *evaluating, uint16_t base, uint16_t now)
{
    const struct verdict_text *text = &evaluating->text;

    if (!text->valid || text->base != base || text->now != now)
        return false;
    return text->prefix == evaluating->prefix ||
           (text->prefix && evaluating->prefix && !strcmp(text->prefix, evaluating->prefix));
}

static const struct verdict_text *verdict_write(struct evaluating *evaluating, uint16_t base,
                                                uint16_t now)
{
    struct verdict_text *text = &evaluating->text;
    const struct nexthop *before = &nexthops_slot(&evaluating->route->nexthops, base)->nexthop;
    const struct nexthop *after = &nexthops_slot(&evaluating->route->nexthops, now)->nexthop;

    text->base = base;
    text->now = now;
    text->prefix = evaluating->prefix;
    text->valid = true;
    text->n_evidence = 0;
    evidence_add(text, "oif_before", before->ifname);
    evidence_add(text, "oif_after", after->ifname);
    evidence_add(text, "gateway_before", before->gateway);
    evidence_add(text, "gateway_after", after->gateway);
    evidence_add(text, "source_before", before->source);
    evidence_add(text, "source_after", after->source);
    reason_write(evaluating, before, after);
    return text;
}

static void evaluate_advise(struct evaluating *evaluating, uint32_t index, struct route_peer *peer,
                            bool in_flight)
{
    struct pd_turn *turn = evaluating->turn;
    struct nexthops *nexthops = &evaluating->route->nexthops;
    uint16_t base = in_flight ? peer->open : peer->known, now = evaluating->key->answer;
    int r;

    if (verdict_same(evaluating, base, now)) {
        r = turn->host->advise(turn, index, NULL);
    } else {
        const struct verdict_text *text = verdict_write(evaluating, base, now);
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
    nexthops_set(nexthops, &peer->asked, now);
    if (!in_flight)
        nexthops_set(nexthops, &peer->open, now);
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
        return true;
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
    if (peer->asked)
        evaluating->turn->host->withdraw(evaluating->turn, index);
    nexthops_set(nexthops, &peer->asked, 0);
    nexthops_set(nexthops, &peer->open, 0);
}

static void evaluate_peer(struct evaluating *evaluating, uint32_t index, struct route_peer *peer)
{
    struct nexthops *nexthops = &evaluating->route->nexthops;
    uint16_t now = evaluating->key->answer;
    bool in_flight;

    peer->moved = false;
    if (peer->known == now && !peer->asked && !peer->open) {
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
    }
    if (!peer->known && !evaluate_first_sight(evaluating, peer))
        return;
    in_flight = evaluating->turn->host->in_flight(evaluating->turn, index);
    /* Not our request: it goes where the next hop was when it was sent. */
    if (in_flight && !peer->open)
        nexthops_set(nexthops, &peer->open,
                     evaluating->key->before ? evaluating->key->before : peer->known);
    if (evaluate_same(nexthops, peer, now, in_flight)) {
        evaluate_back(evaluating, index, peer, in_flight);
        return;
    }
    if (peer->asked && nexthops_same(nexthops, peer->asked, now))
        return;
    if (!evaluating->allowed) {
        evaluating->key->unsettled = true;
        evaluating->route->deferred = true;
        return;
    }
    evaluate_advise(evaluating, index, peer, in_flight);
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
    evaluating->prefix = key->by_default && key->default_before ? default_flip : evaluated->prefix;
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
        nexthops_set(&route->nexthops, &key->before, key->answer);
        key->default_before = key->by_default;
    }
    route->n_evaluated = 0;
    return evaluating.result;
}
