/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When the kernel is asked, in which order, and when what has changed may be
 * advised: rounds over all keys, and the window that settles. Pure.
 */
#include "policy.h"

#include "util/util.h"

/* Without a next hop anywhere the kernel is not asked more often than this. */
#define NO_NEXTHOP_PACE_US 10000u
/* Rounds that take longer than this are followed by a pause as long, within bounds. */
#define LONG_ROUND_US 1000u
#define PAUSE_MAX_US  200000u
/* The source answers within this, or has lost the question. */
#define ANSWER_US 2000000u

/* ---- the window ---- */

bool route_may_fire(const struct route *route)
{
    return !route->window_end_us || route->round.fires;
}

uint64_t route_fire(struct pd_turn *turn, const char *reason)
{
    struct route *route = turn->self;

    route->round.fired = true;
    if (!route->window_end_us && route->settle_us) {
        route->window_end_us = add_u64(turn->now_us, route->settle_us);
        route->round.fires = true;
    }
    if (!route->cause)
        route->cause = turn->host->open_cause(turn, reason);
    return route->cause;
}

void route_close_cause(struct pd_turn *turn)
{
    struct route *route = turn->self;

    if (route->cause)
        turn->host->close_cause(turn, route->cause);
    route->cause = 0;
}

/* ---- asking ---- */

void route_queue(struct route *route, uint32_t index)
{
    uint32_t waiting = route->n_queue - route->queue_head;

    route->keys.slots[index].queued = true;
    if (route->queue_head > ROUTE_SLICE && route->queue_head > waiting) {
        memmove(route->queue, route->queue + route->queue_head, waiting * sizeof(uint32_t));
        route->queue_head = 0;
        route->n_queue = waiting;
    }
    route->queue =
        array_reserve(route->queue, &route->queue_capacity, route->n_queue + 1u, sizeof(uint32_t));
    route->queue[route->n_queue++] = index << 1;
}

static uint64_t ticket_new(struct route *route, uint32_t index, bool is_nexthop,
                           uint32_t *ret_ticket)
{
    route->ticket = (route->ticket + 1) & ROUTE_ID_TICKET_MASK;
    if (!route->ticket)
        route->ticket = 1;
    *ret_ticket = route->ticket;
    route->outstanding++;
    return (uint64_t)route->ticket << (ROUTE_ID_INDEX_BITS + 1) | (uint64_t)index << 1 | is_nexthop;
}

static void field_number(struct pd_field **end, const char *name, uint64_t number)
{
    *(*end)++ = (struct pd_field){.name = name, .number = number};
}

static void field_text(struct pd_field **end, const char *name, const char *text)
{
    *(*end)++ = (struct pd_field){.name = name, .text = text};
}

static void key_query(struct pd_turn *turn, uint32_t index)
{
    struct route *route = turn->self;
    struct key *key = &route->keys.slots[index];
    const struct key_name *name = &key->name;
    char destination[IP_TEXT_SIZE], source[IP_TEXT_SIZE];
    struct pd_field fields[8], *end = fields;
    struct pd_query query = {.fields = fields};

    if (name->destination_family) {
        ip_format(destination, name->destination_family, name->destination);
        field_text(&end, "destination", destination);
    } else {
        field_number(&end, "family", name->family);
    }
    if (name->scope[0])
        field_text(&end, "interface", name->scope);
    if (name->source_family) {
        ip_format(source, name->source_family, name->source);
        field_text(&end, "source", source);
    }
    if (route->uid != UINT32_MAX)
        field_number(&end, "uid", route->uid);
    if (route->mark_given)
        field_number(&end, "mark", route->mark);
    if (name->sport)
        field_number(&end, "sport", name->sport);
    if (name->dport)
        field_number(&end, "dport", name->dport);
    if (key->token)
        field_number(&end, "token", key->token);
    query.n_fields = (size_t)(end - fields);
    query.id = ticket_new(route, index, false, &key->ticket);
    key->asked_at = route->epoch;
    turn->host->query(turn, &query);
}

/* Is the source of a next hop that peers are known to use still on the host? */
static void nexthop_query(struct pd_turn *turn, uint16_t index)
{
    struct route *route = turn->self;
    struct nexthop_slot *slot = nexthops_slot(&route->nexthops, index);
    struct pd_field field = {.name = "address"};
    char source[IP_TEXT_SIZE];
    struct pd_query query = {.fields = &field, .n_fields = 1};

    memcpy(source, slot->nexthop.source, sizeof(source));
    field.text = source;
    nexthops_ref(&route->nexthops, index); /* until it is answered */
    query.id = ticket_new(route, index, true, &slot->ticket);
    turn->host->query(turn, &query);
}

/* Keeps one slice of questions open. */
void route_pump(struct pd_turn *turn)
{
    struct route *route = turn->self;

    while (route->queue_head < route->n_queue && route->outstanding < ROUTE_SLICE) {
        uint32_t entry = route->queue[route->queue_head++], index = entry >> 1;

        if (entry & 1) {
            struct nexthop_slot *slot = nexthops_slot(&route->nexthops, (uint16_t)index);

            if (slot->refs && slot->nexthop.source[0] && !slot->ticket)
                nexthop_query(turn, (uint16_t)index);
            continue;
        }
        struct key *key = &route->keys.slots[index];

        if (!key->live || !key->queued)
            continue;
        key->queued = false;
        if (!key->n_peers)
            keys_release(&route->keys, &route->nexthops, index);
        else if (key->ticket)
            key->again = true;
        else
            key_query(turn, index);
    }
    if (route->queue_head == route->n_queue)
        route->queue_head = route->n_queue = 0;
}

static void round_begin(struct pd_turn *turn, bool full, bool closing)
{
    struct route *route = turn->self;

    route->round = (struct route_round){
        .active = true,
        .full = full,
        .fires = closing || route->round.fires,
        .fired = route->round.fired,
        .closing = closing,
        .began_us = turn->now_us,
        .heard_us = turn->now_us,
    };
}

void route_ask(struct pd_turn *turn, uint32_t index)
{
    struct route *route = turn->self;
    struct key *key = &route->keys.slots[index];

    /* Queued, or asked as things are now: the answer is for this one too. */
    if (key->queued || (key->ticket && key->asked_at == route->epoch))
        return;
    route_queue(route, index);
    if (!route->round.active)
        round_begin(turn, false, false);
    route_pump(turn);
    route_step(turn);
}

/* Quarters of powers of two: busy enough an order, and found in one pass. */
static uint32_t busy_bucket(uint64_t bytes)
{
    uint32_t log2;

    if (bytes < 4)
        return (uint32_t)bytes;
    log2 = 63u - (uint32_t)__builtin_clzll(bytes);
    return log2 * 4 + (uint32_t)(bytes >> (log2 - 2) & 3);
}

#define BUSY_BUCKETS 256

/* The sources of next hops, so that it is known then which are gone; then all keys, those with
 * most bytes in flight first. */
static void queue_fill(struct route *route)
{
    struct keys *keys = &route->keys;
    uint32_t start[BUSY_BUCKETS + 1] = {0};

    route->queue = array_reserve(route->queue, &route->queue_capacity,
                                 (size_t)keys->n_live + route->nexthops.n_slots, sizeof(uint32_t));
    route->queue_head = route->n_queue = 0;
    for (uint32_t i = 1; i < route->nexthops.n_slots; i++)
        if (route->nexthops.slots[i].refs && route->nexthops.slots[i].nexthop.source[0])
            route->queue[route->n_queue++] = i << 1 | 1;
    for (uint32_t i = 0; i < keys->n_slots; i++)
        if (keys->slots[i].live)
            start[BUSY_BUCKETS - 1 - busy_bucket(keys->slots[i].in_flight_bytes) + 1]++;
    start[0] = route->n_queue;
    for (size_t i = 0; i < BUSY_BUCKETS; i++)
        start[i + 1] += start[i];
    for (uint32_t i = 0; i < keys->n_slots; i++) {
        if (!keys->slots[i].live)
            continue;
        keys->slots[i].queued = true;
        route->queue[start[BUSY_BUCKETS - 1 - busy_bucket(keys->slots[i].in_flight_bytes)]++] =
            i << 1;
    }
    route->n_queue = start[BUSY_BUCKETS - 1];
}

static void round_full(struct pd_turn *turn, bool closing)
{
    struct route *route = turn->self;

    round_begin(turn, true, closing);
    route->round_epoch = route->epoch;
    route->deferred = false;
    route->held_us = 0;
    queue_fill(route);
    route_pump(turn);
}

/* ---- rounds ---- */

static void round_done(struct pd_turn *turn)
{
    struct route *route = turn->self;
    struct route_round done = route->round;
    uint64_t took_us = turn->now_us - done.began_us;

    route->round = (struct route_round){0};
    route_say_lost(turn);
    if (done.full) {
        if (route->keys.n_live && route->keys.n_no_route == route->keys.n_live)
            route->not_before_us = done.began_us + NO_NEXTHOP_PACE_US;
        if (took_us > LONG_ROUND_US)
            route->not_before_us = turn->now_us + min_u64(took_us, PAUSE_MAX_US);
    }
    if (!route->settle_us) {
        route_close_cause(turn);
    } else if (done.closing) {
        route_close_cause(turn);
        route->window_end_us = done.fired ? add_u64(turn->now_us, route->settle_us) : 0;
    }
}

/* Is something that was held to be evaluated now? */
static bool held_due(const struct route *route, uint64_t now_us)
{
    return route->held_us && now_us >= route->held_us;
}

/* When the next round may begin, or the one that runs has waited for too long; 0: never. */
static uint64_t step_next_us(const struct route *route)
{
    uint64_t next_us = 0;

    if (route->round.active)
        return route->round.heard_us + ANSWER_US;
    if (route->window_end_us)
        next_us = max_u64(route->window_end_us, route->not_before_us);
    else if (route->epoch != route->round_epoch || route->deferred)
        next_us = route->not_before_us;
    if (route->held_us && (!next_us || next_us > route->held_us))
        next_us = max_u64(route->held_us, route->not_before_us);
    return next_us;
}

/* Ends a round that is over, and begins the next where one is due. */
void route_step(struct pd_turn *turn)
{
    struct route *route = turn->self;
    uint64_t timer_us, gateways_us = route_gateways_due(turn);

    if (route->round.active && !route->n_queue && !route->outstanding)
        round_done(turn);
    while (!route->round.active) {
        bool held = held_due(route, turn->now_us);
        bool due = route->epoch != route->round_epoch || held;
        bool window = route->window_end_us && turn->now_us < route->window_end_us;

        if (window && !held)
            break;
        if (route->window_end_us && !window && !due && !route->deferred) {
            route_close_cause(turn);
            route->window_end_us = 0;
        }
        if (!due && !route->deferred)
            break;
        if (turn->now_us < route->not_before_us)
            break;
        round_full(turn, route->window_end_us && !window);
        if (!route->n_queue && !route->outstanding)
            round_done(turn); /* there are no peers */
    }
    timer_us = step_next_us(route);
    if (gateways_us && (!timer_us || timer_us > gateways_us))
        timer_us = gateways_us;
    /* While answers come the deadline only grows: an early timer sees that itself. */
    if (route->round.active && route->timer_us && route->timer_us <= timer_us)
        return;
    if (timer_us != route->timer_us)
        turn->host->set_timer(turn, timer_us);
    route->timer_us = timer_us;
}

/* Questions that the source has lost: whatever comes of them now is too late. */
static void round_give_up(struct pd_turn *turn)
{
    struct route *route = turn->self;

    for (uint32_t i = 0; i < route->keys.n_slots; i++) {
        struct key *key = &route->keys.slots[i];

        key->ticket = 0;
        key->again = key->queued = false;
        keys_release(&route->keys, &route->nexthops, i);
    }
    for (uint32_t i = 1; i < route->nexthops.n_slots; i++) {
        if (!route->nexthops.slots[i].refs || !route->nexthops.slots[i].ticket)
            continue;
        route->nexthops.slots[i].ticket = 0;
        nexthops_unref(&route->nexthops, (uint16_t)i);
    }
    route->outstanding = route->n_queue = route->queue_head = 0;
    turn->host->notice(
        turn, PD_LEVEL_ERROR, "route-lookups-lost",
        "the kernel did not answer route lookups within 2 s: all routes are looked up again");
    route->epoch++;
    route_step(turn);
}

void route_timer_due(struct pd_turn *turn)
{
    struct route *route = turn->self;

    route->timer_us = 0;
    if (route->round.active && turn->now_us >= route->round.heard_us + ANSWER_US)
        round_give_up(turn);
    else
        route_step(turn);
}

void route_changed(struct pd_turn *turn)
{
    struct route *route = turn->self;

    route->epoch++;
    /* New peers were just being asked for: all are, then, from now on. */
    if (route->round.active && !route->round.full && !route->window_end_us)
        round_full(turn, false);
    route_step(turn);
}
