/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moves from the gate to the request: queue, budget, sending, and what happens
 * to them when a connection or the node's socket goes. How a request ends is
 * outcome.c.
 */
#include "migration.h"

#include "cause.h"
#include "effect.h"
#include "gate.h"
#include "name.h"
#include "outbox.h"
#include "outcome.h"
#include "peer.h"
#include "queue.h"
#include "requests.h"

#define MAX_IN_FLIGHT_DEFAULT 1024u
#define ANSWER_GRACE_US       1000000u
#define EXPIRE_DEGRADED_US    10000000u
#define EXPIRE_US             60000000u
#define RETRY_BUSY_US         100000u

void migration_init(struct engine *engine)
{
    pool_init(&engine->migration.pool, sizeof(struct move));
    migration_set_budget(engine, 0);
}

void migration_clear(struct engine *engine)
{
    struct migration *migration = &engine->migration;

    free(migration->queue);
    free(migration->slots);
    pool_clear(&migration->pool);
}

void migration_set_budget(struct engine *engine, uint32_t node_max_in_flight)
{
    uint32_t configured = engine->config->max_in_flight;

    engine->migration.budget = configured           ? configured
                               : node_max_in_flight ? node_max_in_flight
                                                    : MAX_IN_FLIGHT_DEFAULT;
}

/* The only function that changes a move's state, and its deadline with it. */
void move_set_state(struct engine *engine, struct move *move, enum move_state state,
                    uint64_t deadline_us)
{
    struct migration *migration = &engine->migration;
    bool waited = move->state == MOVE_WAITING || move->state == MOVE_LINKLESS;
    bool waits = state == MOVE_WAITING || state == MOVE_LINKLESS;

    if (move->state == MOVE_QUEUED && state != MOVE_QUEUED)
        queue_remove(migration, move);
    migration->open += (state == MOVE_OPEN) - (move->state == MOVE_OPEN);
    migration->waiting += (uint32_t)waits - (uint32_t)waited;
    move->state = state;
    if (state == MOVE_OPEN && move->attempt == 1)
        deadline_append(&engine->deadlines, &engine->lanes.open, &move->deadline, deadline_us);
    else
        deadline_set(&engine->deadlines, &move->deadline, deadline_us);
}

void move_free(struct engine *engine, struct move *move)
{
    struct migration *migration = &engine->migration;
    struct name_state *name;

    queue_remove(migration, move);
    move_set_state(engine, move, MOVE_QUEUED, NEVER);
    if (move->peer) {
        move->peer->affair->move = NULL;
    } else {
        name = name_find(engine, move->name->s);
        if (name && name->orphan == move) {
            name->orphan = NULL;
            name_release(engine, name);
        }
    }
    text_unref(move->name);
    text_unref(move->local_before);
    because_unref(move->because);
    pool_give(&migration->pool, move);
}

/* Ends a move that waits. Out of the queue its decision is written again. */
static void end_waiting(struct engine *engine, struct move *move, enum verdict verdict)
{
    if (move->state == MOVE_QUEUED) {
        struct record_subject subject = {.peer = text_ref(move->name), .conn = move->conn};

        decision_write(engine, &subject, move->because, move->by, move->decision, verdict, NULL, 0,
                       0);
    }
    move_free(engine, move);
}

/* While it waited an operator may have held it, and the node or a late answer may
 * have told more of the connection. */
bool move_possible(const struct engine *engine, const struct move *move)
{
    const struct peer *peer = move->peer;

    if (peer->state != PEER_UP)
        return false;
    if (move->because->kind != PD_KIND_OPERATOR &&
        (engine->mode == MODE_OBSERVE || name_held(engine, move->name->s)))
        return false;
    return move->by == BY_RECONNECT ? gate_reconnect_possible(engine, peer)
                                    : !peer_inbound(peer) && !peer->disabled && peer->migratable;
}

static void send_request(struct engine *engine, struct move *move)
{
    struct peer *peer = move->peer;
    struct affair *affair = peer->affair;
    const struct because *because = move->because;
    struct action *action;

    move_set_state(engine, move, MOVE_OPEN,
                   engine->now_us + move->timeout_ms * (uint64_t)1000 + ANSWER_GRACE_US);
    move->since_us = engine->now_us;
    move->request = request_new(&engine->migration, move);
    move->rtt_count = peer->rtt_count;
    memcpy(move->rtt_before, peer->rtt, sizeof(move->rtt_before));
    affair->last_request_us = engine->now_us;
    affair->last_decision = move->decision;
    if (move->by == BY_RECONNECT)
        name_reconnecting(engine, move->name->s, move->attempt > 1);
    outbox_keep(engine, move->because);
    action = outbox_action(engine, move->by == BY_RECONNECT ? ACTION_RECONNECT : ACTION_MIGRATE);
    action->move = (struct action_move){
        .request = move->request,
        .conn = move->conn,
        .timeout_ms = move->timeout_ms,
        .reason = because->reason,
    };
    if (move->by == BY_MIGRATE && (engine->node.features & NODE_BIND)) {
        action->move.interface = because->interface;
        action->move.local = because->local;
    }
    if (move->by == BY_MIGRATE && (engine->node.features & NODE_RELAY))
        action->move.via = because->via;
}

/* The first attempt: its decision is written with it. */
static void ask(struct engine *engine, struct move *move)
{
    struct record_subject subject = {.peer = text_ref(move->name), .conn = move->conn};

    send_request(engine, move);
    decision_write(engine, &subject, move->because, move->by, move->decision,
                   move->by == BY_RECONNECT ? VERDICT_RECONNECT : VERDICT_MIGRATE, move, 0, 0);
}

void move_attempt(struct engine *engine, struct move *move)
{
    move->attempt++;
    text_unref(move->local_before);
    move->local_before = NULL;
    send_request(engine, move);
}

static void move_due(struct engine *engine, struct deadline *deadline)
{
    struct move *move = CONTAINER_OF(deadline, struct move, deadline);
    struct migration *migration = &engine->migration;

    switch (move->state) {
    case MOVE_QUEUED:
        end_waiting(engine, move, VERDICT_EXPIRED);
        break;
    case MOVE_OPEN:
        outcome_unanswered(engine, move);
        break;
    case MOVE_WAITING:
        if (!move_possible(engine, move))
            move_free(engine, move);
        else if (migration->open < migration->budget)
            move_attempt(engine, move);
        else
            move_set_state(engine, move, MOVE_WAITING, engine->now_us + RETRY_BUSY_US);
        break;
    case MOVE_LINKLESS:
        break;
    }
}

void migration_pass(struct engine *engine, struct peer *peer, struct because *because, enum by by,
                    uint64_t decision, bool again)
{
    struct migration *migration = &engine->migration;
    struct affair *affair = peer_affair(engine, peer);
    struct move *move;

    if (affair->move)
        end_waiting(engine, affair->move, VERDICT_SUPERSEDED);
    move = pool_take(&migration->pool);
    *move = (struct move){
        .state = MOVE_QUEUED,
        .by = by,
        .again = again,
        .attempt = 1,
        .timeout_ms = (uint32_t)(engine->config->migrate_timeout_us / 1000),
        .conn = peer->conn,
        .decision = decision,
        .since_us = engine->now_us,
        .peer = peer,
        .name = text_ref(peer->name),
        .because = because_ref(because),
        .deadline.run = move_due,
    };
    affair->move = move;
    engine->passed = array_reserve(engine->passed, &engine->passed_capacity, engine->n_passed + 1,
                                   sizeof(struct move *));
    engine->passed[engine->n_passed++] = move;
}

static void count_verdict(struct engine *engine, const struct move *move, enum verdict verdict)
{
    struct cause *cause = move->again ? NULL : cause_find(engine, move->because->cause);

    if (cause)
        cause->verdicts[verdict]++;
}

static void queue(struct engine *engine, struct move *move)
{
    bool degraded = move->because->kind == PD_KIND_DEGRADED;

    queue_push(&engine->migration, move);
    deadline_append(&engine->deadlines,
                    degraded ? &engine->lanes.queued_degraded : &engine->lanes.queued,
                    &move->deadline, engine->now_us + (degraded ? EXPIRE_DEGRADED_US : EXPIRE_US));
}

/* Those that did not fit are `queued` in their decision; by then the best of
 * the turn have been taken out of the queue. */
static void write_queued(struct engine *engine, struct move *move)
{
    struct record_subject subject = {.peer = text_ref(move->name), .conn = move->conn};

    decision_write(engine, &subject, move->because, move->by, move->decision, VERDICT_QUEUED, NULL,
                   0, 0);
}

void migration_ask_passed(struct engine *engine)
{
    struct migration *migration = &engine->migration;
    struct move **passed = engine->passed;
    size_t count = engine->n_passed;

    engine->n_passed = 0;
    if (!migration->queue_count && migration->open + count <= migration->budget) {
        for (size_t i = 0; i < count; i++) {
            count_verdict(engine, passed[i],
                          passed[i]->by == BY_RECONNECT ? VERDICT_RECONNECT : VERDICT_MIGRATE);
            ask(engine, passed[i]);
        }
        return;
    }
    for (size_t i = 0; i < count; i++)
        queue(engine, passed[i]);
    migration_pump(engine);
    for (size_t i = 0; i < count; i++) {
        bool queued = passed[i]->state == MOVE_QUEUED;

        count_verdict(engine, passed[i],
                      queued                          ? VERDICT_QUEUED
                      : passed[i]->by == BY_RECONNECT ? VERDICT_RECONNECT
                                                      : VERDICT_MIGRATE);
        if (queued)
            write_queued(engine, passed[i]);
    }
}

void migration_pump(struct engine *engine)
{
    struct migration *migration = &engine->migration;
    struct move *move;

    while (migration->open < migration->budget && (move = queue_first(migration))) {
        if (move_possible(engine, move))
            ask(engine, move);
        else
            end_waiting(engine, move,
                        move->peer->state == PEER_UP ? VERDICT_SUPERSEDED : VERDICT_GONE);
    }
}

void migration_answer(struct engine *engine, const struct event_answer *answer)
{
    struct request_slot *slot = request_find(&engine->migration, answer->request);

    if (!slot)
        engine->ignored++;
    else if (slot->move)
        outcome_answered(engine, slot->move, answer);
    else
        outcome_late(engine, slot, answer);
    slot = request_find(&engine->migration, answer->request);
    if (slot)
        slot->conn = 0; /* a second answer is not learnt from */
}

void migration_withdraw(struct engine *engine, struct peer *peer, const char *trigger)
{
    struct affair *affair = peer->affair;

    if (affair->remembered && affair->remembered->trigger == trigger)
        gate_forget_remembered(engine, peer);
    if (affair->move && affair->move->state != MOVE_OPEN &&
        affair->move->because->trigger == trigger)
        end_waiting(engine, affair->move, VERDICT_SUPERSEDED);
}

void migration_peer_path(struct peer *peer)
{
    struct move *move = peer->affair ? peer->affair->move : NULL;

    if (move && move->state == MOVE_OPEN && !move->local_before)
        move->local_before = text_new(peer->view->local_text);
}

void migration_peer_gone(struct engine *engine, struct peer *peer)
{
    struct move *move = peer->affair ? peer->affair->move : NULL;
    struct name_state *name;

    if (!move)
        return;
    if (move->state != MOVE_OPEN) {
        end_waiting(engine, move, VERDICT_GONE);
    } else if (move->by == BY_RECONNECT && engine->node.up) {
        /* our own doing: the answer, or the new connection, is still to come */
        migration_peer_path(peer);
        peer->affair->move = NULL;
        move->peer = NULL;
        name = name_get(engine, move->name->s);
        name->orphan = move;
    } else {
        outcome_gone(engine, move);
    }
}

void migration_peer_up(struct engine *engine, struct peer *peer)
{
    struct name_state *name = engine->names.count ? name_find(engine, peer->name->s) : NULL;

    if (!name || !name->orphan)
        return;
    name->orphan->peer = peer;
    name->orphan->adopted = true;
    peer_affair(engine, peer)->move = name->orphan;
    name->orphan = NULL;
}

void migration_link_lost(struct engine *engine)
{
    struct migration *migration = &engine->migration;
    struct move *move;
    uint64_t request = 0;

    while ((move = requests_next(migration, &request)))
        outcome_link_lost(engine, move);
}

void migration_peer_untold(struct engine *engine, struct peer *peer)
{
    struct move *move = peer->affair ? peer->affair->move : NULL;

    if (!move)
        return;
    if (move->state == MOVE_QUEUED) {
        gate_remember_untold(engine, peer, move->because);
        end_waiting(engine, move, VERDICT_GONE);
    } else if (move->state == MOVE_WAITING) {
        move_set_state(engine, move, MOVE_LINKLESS, NEVER);
    }
}

void migration_link_back(struct engine *engine, struct peer *peer)
{
    struct move *move = peer->affair ? peer->affair->move : NULL;

    if (move && move->state == MOVE_LINKLESS)
        move_set_state(engine, move, MOVE_WAITING, engine->now_us);
}

void migration_end_queued(struct engine *engine, struct peer *peer, enum verdict verdict)
{
    struct migration *migration = &engine->migration;

    if (peer) {
        if (peer->affair && peer->affair->move && peer->affair->move->state == MOVE_QUEUED)
            end_waiting(engine, peer->affair->move, verdict);
        return;
    }
    while (queue_first(migration))
        end_waiting(engine, queue_first(migration), verdict);
}

void migration_forget(struct engine *engine)
{
    struct migration *migration = &engine->migration;
    struct move *move;
    struct peer *peer;
    uint64_t request = 0;

    while ((move = requests_next(migration, &request)))
        move_free(engine, move);
    for (uint32_t i = 0; (peer = peers_next(engine, &i));)
        if (peer->affair && peer->affair->move)
            move_free(engine, peer->affair->move);
}

void migration_stop(struct engine *engine)
{
    struct migration *migration = &engine->migration;
    struct move *move;
    uint64_t request = 0;

    migration_end_queued(engine, NULL, VERDICT_EXPIRED);
    while ((move = requests_next(migration, &request)))
        outcome_stopped(engine, move);
    migration_forget(engine);
}

void migration_resort(struct engine *engine, struct peer *peer)
{
    if (peer->affair && peer->affair->move)
        queue_resort(&engine->migration, peer->affair->move);
}
