/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One judgement: what a connection is known to use against what the kernel
 * would take now. What is in flight or already advised is compared with what
 * was asked for, so that the same way out is not advised twice in a row.
 */
#include "policy.h"

#include "util/util.h"

struct judging {
    struct pd_turn *turn;
    struct route *route;
    struct key *key;    /* of the peer that is judged now */
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

/* What it is that changed: beside the two ways out the beginning of the reason. */
static const char *what_changed(const struct judging *judging, char *text, size_t size)
{
    const char *const parts[] = {"route to ", judging->prefix, " changed: "};

    if (judging->prefix == default_flip)
        return "default route flip: ";
    if (!judging->prefix)
        return "route changed: ";
    texts_join(text, size, parts, ARRAY_SIZE(parts));
    return text;
}

static void reason_write(struct judging *judging, const struct way *base, const struct way *now)
{
    struct verdict_text *text = &judging->text;
    char before[160], after[160], what[IP_TEXT_SIZE + 32];
    const char *const lost[] = {"local address ", base->source,
                                " is on no interface, the route is ", after};
    const char *const source[] = {"source address ", base->source, " is gone: now ",
                                  now->source,       " on ",       after};
    const char *const moved[] = {what_changed(judging, what, sizeof(what)), before, " → ", after};

    way_text(base, before, sizeof(before));
    way_text(now, after, sizeof(after));
    if (!base->oif)
        texts_join(text->reason, sizeof(text->reason), lost, ARRAY_SIZE(lost));
    else if (ways_same(&judging->route->ways, text->base, text->now))
        texts_join(text->reason, sizeof(text->reason), source, ARRAY_SIZE(source));
    else
        texts_join(text->reason, sizeof(text->reason), moved, ARRAY_SIZE(moved));
}

/* Would it say the same as of the peer before? */
static bool verdict_same(const struct judging *judging, uint16_t base, uint16_t now)
{
    const struct verdict_text *text = &judging->text;

    if (!text->valid || text->base != base || text->now != now)
        return false;
    return text->prefix == judging->prefix ||
           (text->prefix && judging->prefix && !strcmp(text->prefix, judging->prefix));
}

static const struct verdict_text *verdict_write(struct judging *judging, uint16_t base,
                                                uint16_t now)
{
    struct verdict_text *text = &judging->text;
    const struct way *before = &ways_slot(&judging->route->ways, base)->way;
    const struct way *after = &ways_slot(&judging->route->ways, now)->way;

    text->base = base;
    text->now = now;
    text->prefix = judging->prefix;
    text->valid = true;
    text->n_evidence = 0;
    evidence_add(text, "oif_before", before->ifname);
    evidence_add(text, "oif_after", after->ifname);
    evidence_add(text, "gateway_before", before->gateway);
    evidence_add(text, "gateway_after", after->gateway);
    evidence_add(text, "source_before", before->source);
    evidence_add(text, "source_after", after->source);
    reason_write(judging, before, after);
    return text;
}

static void judge_advise(struct judging *judging, uint32_t index, struct route_peer *peer,
                         bool in_flight)
{
    struct pd_turn *turn = judging->turn;
    struct ways *ways = &judging->route->ways;
    uint16_t base = in_flight ? peer->open : peer->known, now = judging->key->answer;
    int r;

    if (verdict_same(judging, base, now)) {
        r = turn->host->advise(turn, index, NULL);
    } else {
        const struct verdict_text *text = verdict_write(judging, base, now);
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
        judging->result = r;
        return;
    }
    ways_set(ways, &peer->asked, now);
    if (!in_flight)
        ways_set(ways, &peer->open, now);
}

/* ---- what is compared ---- */

/* The local address was gone before we saw the connection: what it uses, if
 * anything, is not what the kernel says. */
static uint16_t way_lost(struct judging *judging)
{
    const struct key_name *name = &judging->key->name;
    struct way way = {0};
    uint16_t lost;

    ip_format(way.source, name->source_family, name->source);
    lost = ways_intern(&judging->route->ways, &way);
    if (lost)
        ways_slot(&judging->route->ways, lost)->source_gone = true;
    return lost;
}

/* Returns false if there is nothing to compare: what is there now is what it uses. */
static bool judge_first_sight(struct judging *judging, struct route_peer *peer)
{
    struct ways *ways = &judging->route->ways;

    /* After a move of ours the address that we were told may be an old one. */
    if (judging->key->source_gone && !peer->adopt) {
        ways_unref(ways, peer->known);
        peer->known = way_lost(judging);
        if (peer->known)
            return true;
    }
    ways_set(ways, &peer->known, judging->key->answer);
    peer->adopt = false;
    return false;
}

static bool judge_same(const struct ways *ways, const struct route_peer *peer, uint16_t now,
                       bool in_flight)
{
    /* Of an interface that it is bound to only the interface counts: without a route of its
     * own the kernel takes everybody as its neighbour there. */
    if (peer->bound && ways_slot(ways, peer->known)->way.oif == ways_slot(ways, now)->way.oif)
        return true;
    /* Where an open request goes to, it will choose a source that is there. */
    if (in_flight)
        return ways_same(ways, peer->open, now);
    if (peer->known == now)
        return true;
    if (!peer->adopt && ways_slot(ways, peer->known)->source_gone)
        return false;
    return ways_same(ways, peer->known, now);
}

static void judge_back(struct judging *judging, uint32_t index, struct route_peer *peer,
                       bool in_flight)
{
    struct ways *ways = &judging->route->ways;
    uint16_t now = judging->key->answer;
    const char *also = ways_slot(ways, peer->known)->way.also;

    if (in_flight) {
        if (peer->asked && !ways_same(ways, peer->asked, peer->open)) {
            judging->turn->host->withdraw(judging->turn, index);
            ways_set(ways, &peer->asked, peer->open);
        }
        return;
    }
    if (peer->adopt || peer->bound || (!also[0] && ways_slot(ways, now)->way.also[0]))
        ways_set(ways, &peer->known, now);
    peer->adopt = false;
    if (peer->asked)
        judging->turn->host->withdraw(judging->turn, index);
    ways_set(ways, &peer->asked, 0);
    ways_set(ways, &peer->open, 0);
}

static void judge_peer(struct judging *judging, uint32_t index, struct route_peer *peer)
{
    struct ways *ways = &judging->route->ways;
    uint16_t now = judging->key->answer;
    bool in_flight;

    peer->moved = false;
    if (peer->known == now && !peer->asked && !peer->open) {
        peer->adopt = false;
        return;
    }
    /* Lost, and there again: as if seen for the first time. */
    if (peer->known && !ways_slot(ways, peer->known)->way.oif &&
        !ways_slot(ways, peer->known)->source_gone && !judging->key->source_gone) {
        if (peer->asked)
            judging->turn->host->withdraw(judging->turn, index);
        ways_set(ways, &peer->asked, 0);
        ways_set(ways, &peer->open, 0);
        ways_set(ways, &peer->known, 0);
    }
    if (!peer->known && !judge_first_sight(judging, peer))
        return;
    in_flight = judging->turn->host->in_flight(judging->turn, index);
    /* Not our request: it goes where the way out was when it was sent. */
    if (in_flight && !peer->open)
        ways_set(ways, &peer->open, judging->key->before ? judging->key->before : peer->known);
    if (judge_same(ways, peer, now, in_flight)) {
        judge_back(judging, index, peer, in_flight);
        return;
    }
    if (peer->asked && ways_same(ways, peer->asked, now))
        return;
    if (!judging->allowed) {
        judging->key->unsettled = true;
        judging->route->deferred = true;
        return;
    }
    judge_advise(judging, index, peer, in_flight);
}

/* ---- whose peers ---- */

void route_judge_key(struct route *route, uint32_t index, const char *prefix)
{
    struct key *key = &route->keys.slots[index];

    if (key->judged)
        return;
    route->judged = array_reserve(route->judged, &route->judged_capacity, route->n_judged + 1,
                                  sizeof(*route->judged));
    route->judged[route->n_judged++] = (struct judged){.key = index, .prefix = prefix};
    key->judged = (uint32_t)route->n_judged;
}

static void judge_by(struct judging *judging, const struct judged *judged)
{
    struct key *key = &judging->route->keys.slots[judged->key];

    judging->key = key;
    judging->prefix = key->by_default && key->default_before ? default_flip : judged->prefix;
}

/* The peers of each key in turn. */
static void judge_keys(struct judging *judging)
{
    struct route *route = judging->route;
    uint32_t next;

    for (size_t i = 0; i < route->n_judged; i++) {
        judge_by(judging, &route->judged[i]);
        for (uint32_t peer = judging->key->first; peer != ROUTE_NONE; peer = next) {
            struct route_peer *state = judging->turn->host->state(judging->turn, peer);

            next = state->next;
            judge_peer(judging, peer, state);
        }
    }
}

/* All peers in the order in which they lie in memory, which the peers of one key do
 * not: of a hundred thousand, that is what the time goes to. */
static void judge_in_order(struct judging *judging)
{
    struct route *route = judging->route;

    for (uint32_t peer = 0; peer < route->n_indices; peer++) {
        struct route_peer *state = judging->turn->host->state(judging->turn, peer);
        uint32_t judged = state && state->linked ? route->keys.slots[state->key].judged : 0;

        if (!judged)
            continue;
        judge_by(judging, &route->judged[judged - 1]);
        judge_peer(judging, peer, state);
    }
}

int route_judge(struct pd_turn *turn)
{
    struct route *route = turn->self;
    struct judging judging = {.turn = turn, .route = route, .allowed = route_may_fire(route)};
    uint32_t n_peers = 0, kept = 0;

    for (size_t i = 0; i < route->n_judged; i++) {
        struct key *key = &route->keys.slots[route->judged[i].key];

        key->judged = 0;
        if (key->no_way || !key->answer)
            continue;
        key->unsettled = false;
        n_peers += key->n_peers;
        route->judged[kept++] = route->judged[i];
        key->judged = kept;
    }
    route->n_judged = kept;
    if (kept > 1 && n_peers > route->n_indices / 2)
        judge_in_order(&judging);
    else
        judge_keys(&judging);
    for (size_t i = 0; i < kept; i++) {
        struct key *key = &route->keys.slots[route->judged[i].key];

        key->judged = 0;
        if (key->unsettled)
            continue;
        ways_set(&route->ways, &key->before, key->answer);
        key->default_before = key->by_default;
    }
    route->n_judged = 0;
    return judging.result;
}
