/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of one move. A move is what a decision to migrate or reconnect a connection becomes; a
 * connection has one at most, in peer->move state->move. It lives in a pool and owns its texts, its
 * reason, and the deadline that says how long it stays in its state.
 *
 * Birth. The gate let advice pass, and admit.c calls move_new(). A move that waited for the same
 * connection gives way to it, as `superseded`; an open one cannot be there, for the gate refuses
 * with `in-flight` then, or takes it back.
 *
 * Queued. Where the budget has room, move_enter_asked() enters the request whose line has been
 * written already. Where it has none, move_enqueue() puts the move into the queue (queue.c: the
 * strongest kind first, then most bytes in flight). It leaves that in one of four ways:
 * migration_pump() asks for it when a request ends; its time is over (`expired`); the connection or
 * the reason goes (`gone`, `superseded`: a policy withdrew); or an operator forbids it (`held`).
 * Each is written as one more decision of the same number.
 *
 * Open. request_enter() is the only way into this state: it takes the next request number
 * (requests.c), remembers the last RTTs to compare with, and starts the deadline: what the node was
 * given, and a second for its answer. While a move is open its connection is `in_flight`, and
 * counts against the budget.
 *
 * The end of an attempt. outcome.c writes the outcome record and decides: over, once more
 * (move_retry(): at once with a longer time after `timeout`, after a while otherwise), or gives way
 * to advice that came meanwhile. Between attempts the move is `waiting`. If the node's socket
 * closed, it is `linkless` (move_link_lost()) until the next snapshot, once.
 *
 * Taken back. `moved` advice that came after the request, and leads elsewhere, does not wait for
 * its answer (stages/newer.c): move_take_back() sends `cancel` to a node that knows it, the outcome
 * is `cancelled`, and the move of the new advice takes its place. A node that is still busy with
 * the old one answers so; then the new one is asked again when the late answer to the old one has
 * come (move_waits_behind(), move_let_go()).
 *
 * A reconnect closes its own connection, unless it dials first. The move outlives that:
 * move_orphan() parks it under the peer's name, and it ends there when its answer comes, or is
 * handed to the new connection by move_adopt() when that is up first.
 *
 * Death. move_free() is the only way out. Before it, whoever ends the move has written why; after
 * it nothing points at the move: not the connection, the name, the queue, nor its request's number,
 * which requests.c keeps, so that a late answer is still learnt from.
 */
#include "move.h"

#include "../base/cause.h"
#include "../base/outbox.h"
#include "../peers/name.h"
#include "../peers/peer.h"
#include "../state.h"
#include "advice.h"
#include "decision.h"
#include "queue.h"
#include "requests.h"

#define MAX_IN_FLIGHT_DEFAULT 1024u
#define ANSWER_GRACE_US       1000000u
#define EXPIRE_DEGRADED_US    10000000u
#define EXPIRE_US             60000000u
#define RETRY_FIRST_US        100000u

void moves_init(struct engine *engine)
{
    pool_init(&engine->migration.pool, sizeof(struct move));
    moves_set_budget(engine, 0);
}

void moves_clear(struct engine *engine)
{
    struct migration *migration = &engine->migration;

    free(migration->queue);
    sequence_clear(&migration->requests);
    pool_clear(&migration->pool);
}

void moves_set_budget(struct engine *engine, uint32_t node_max_in_flight)
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
    if (move->peer)
        move->peer->in_flight = state == MOVE_OPEN;
    if (state == MOVE_OPEN && move->attempt == 1)
        deadline_append(&engine->deadlines, &engine->fifos.open, &move->deadline, deadline_us);
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
        move->peer->moves->move = NULL;
    } else {
        name = name_find(engine, move->name->s);
        if (name && name->orphan == move) {
            name->orphan = NULL;
            name_release(engine, name);
        }
    }
    text_unref(move->name);
    text_unref(move->local_before);
    reason_unref(move->reason);
    destination_unref(move->destination);
    pool_give(&migration->pool, move);
}

static void write_decision(struct engine *engine, const struct move *move, enum verdict verdict)
{
    struct record_subject subject = {.peer = text_ref(move->name), .conn = move->conn};

    decision_write(engine, &subject,
                   &(struct deciding_on){.reason = move->reason,
                                         .destination = move->destination,
                                         .by = move->by,
                                         .decision = move->decision},
                   verdict, move->state == MOVE_OPEN ? move : NULL, 0);
}

void move_end_waiting(struct engine *engine, struct move *move, enum verdict verdict)
{
    if (move->state == MOVE_QUEUED)
        write_decision(engine, move, verdict);
    move_free(engine, move);
}

/* While it waited an operator may have held it, and the node or a late answer may
 * have told more of the connection. */
bool move_possible(const struct engine *engine, const struct move *move)
{
    const struct peer *peer = move->peer;
    enum verdict verdict;

    if (peer->state != PEER_UP)
        return false;
    if (advice_held_back(engine, peer, move->reason->kind, &verdict))
        return false;
    return peer_movable(engine, peer, move->by) && !(move->by == BY_MIGRATE && peer_inbound(peer));
}

void request_write(struct engine *engine, struct reason *reason, struct destination *destination,
                   enum by by, const struct action_move *move)
{
    bool migrate = by == BY_MIGRATE;
    struct action *action = outbox_action(engine, migrate ? ACTION_MIGRATE : ACTION_RECONNECT);

    outbox_keep(engine, reason, destination);
    action->move = *move;
    action->move.reason = reason->text;
    if (engine->node.features & NODE_BIND) {
        action->move.interface = reason->interface;
        action->move.local = reason->local;
        if (destination && destination->interface && !reason->interface)
            action->move.interface = destination->interface->s;
    }
    if (migrate && (engine->node.features & NODE_RELAY))
        action->move.via = reason->via;
}

uint64_t move_time_us(const struct move *move)
{
    return move->timeout_ms * UINT64_C(1000) + ANSWER_GRACE_US;
}

/* Enters a request that is being made. */
static void request_enter(struct engine *engine, struct move *move)
{
    struct peer *peer = move->peer;

    move_set_state(engine, move, MOVE_OPEN, engine->now_us + move_time_us(move));
    move->since_us = engine->now_us;
    move->request = request_new(&engine->migration, move);
    /* the node may have come back without it since that was decided */
    move->keep_old = move->keep_old && (engine->node.features & NODE_MAKE_BEFORE_BREAK);
    move->rtt_count = peer_rtt_count(peer);
    memcpy(move->rtt_before, peer->rtt, sizeof(move->rtt_before));
    peer->moves->last_request_us = engine->now_us;
    peer->moves->last_decision = move->decision;
    if (move->by == BY_RECONNECT)
        name_reconnecting(engine, move->name->s, move->attempt > 1);
}

static void send_request(struct engine *engine, struct move *move)
{
    request_enter(engine, move);
    request_write(engine, move->reason, move->destination, move->by,
                  &(struct action_move){
                      .request = move->request,
                      .conn = move->conn,
                      .timeout_ms = move->timeout_ms,
                      .keep_old = move->keep_old,
                  });
}

static enum verdict request_verdict(const struct move *move)
{
    return move->by == BY_RECONNECT ? VERDICT_RECONNECT : VERDICT_MIGRATE;
}

void move_ask(struct engine *engine, struct move *move)
{
    send_request(engine, move);
    write_decision(engine, move, request_verdict(move));
}

static void count_verdict(struct engine *engine, const struct move *move, enum verdict verdict)
{
    if (!move->again)
        cause_count_verdict(engine, move->reason->cause, verdict);
}

void move_enter_requested(struct engine *engine, struct move *move)
{
    count_verdict(engine, move, request_verdict(move));
    request_enter(engine, move);
    write_decision(engine, move, request_verdict(move));
}

void move_attempt(struct engine *engine, struct move *move)
{
    move->attempt++;
    text_unref(move->local_before);
    move->local_before = NULL;
    send_request(engine, move);
}

void move_retry(struct engine *engine, struct move *move, bool longer)
{
    uint32_t done = move->retries++;

    if (longer) {
        move->timeout_ms = (uint32_t)min_u64(move->timeout_ms * (uint64_t)2,
                                             engine->config->timeout_max_us / 1000);
        move_attempt(engine, move);
    } else {
        move_set_state(engine, move, MOVE_WAITING,
                       engine->now_us + ((uint64_t)RETRY_FIRST_US << min_u64(2 * done, 16)));
    }
}

void move_retry_elsewhere(struct engine *engine, struct move *move)
{
    move->retries++;
    move->timeout_ms = move_timeout_ms(engine);
    move_attempt(engine, move);
}

void move_link_lost(struct engine *engine, struct move *move)
{
    move->link_retried = true;
    move_set_state(engine, move, MOVE_LINKLESS, NEVER);
}

void move_orphan(struct engine *engine, struct move *move)
{
    struct peer *peer = move->peer;

    moves_peer_path(peer);
    peer->moves->move = NULL;
    peer->in_flight = false;
    move->peer = NULL;
    name_get(engine, move->name->s)->orphan = move;
}

void move_adopt(struct engine *engine, struct peer *peer)
{
    struct name_state *name = engine->names.count ? name_find(engine, peer->view.name) : NULL;

    if (!name || !name->orphan)
        return;
    name->orphan->peer = peer;
    name->orphan->adopted = true;
    peer_moves(engine, peer)->move = name->orphan;
    peer->in_flight = true;
    name->orphan = NULL;
}

uint32_t move_timeout_ms(const struct engine *engine)
{
    return (uint32_t)(engine->config->migrate_timeout_us / 1000);
}

struct move *move_new(struct engine *engine, struct peer *peer, const struct deciding_on *what,
                      bool again)
{
    struct peer_moves *moves = peer->moves;
    struct move *move;

    if (moves->move) {
        if (moves->move->state == MOVE_WAITING && what->reason->kind == PD_KIND_DEAD)
            again_superseded(engine, peer, moves->move->reason);
        move_end_waiting(engine, moves->move, VERDICT_SUPERSEDED);
    }
    move = pool_take(&engine->migration.pool);
    *move = (struct move){
        .state = MOVE_QUEUED,
        .by = what->by,
        .again = again,
        .keep_old = what->keep_old,
        .attempt = 1,
        .timeout_ms = move_timeout_ms(engine),
        .conn = peer->view.conn,
        .decision = what->decision,
        .since_us = engine->now_us,
        .peer = peer,
        .name = text_ref(peer_name(peer)),
        .reason = reason_ref(what->reason),
        .destination = destination_ref(what->destination),
        .deadline.kind = DEADLINE_MOVE,
    };
    moves->move = move;
    return move;
}

void move_direct(struct move *move, struct destination *destination)
{
    destination_ref(destination);
    destination_unref(move->destination);
    move->destination = destination;
}

void move_enqueue(struct engine *engine, struct move *move)
{
    bool degraded = move->reason->kind >= PD_KIND_DEGRADED;

    queue_push(&engine->migration, move);
    deadline_append(&engine->deadlines,
                    degraded ? &engine->fifos.queued_degraded : &engine->fifos.queued,
                    &move->deadline, engine->now_us + (degraded ? EXPIRE_DEGRADED_US : EXPIRE_US));
}

void move_record_queued(struct engine *engine, const struct move *move)
{
    bool queued = move->state == MOVE_QUEUED;

    count_verdict(engine, move, queued ? VERDICT_QUEUED : request_verdict(move));
    if (queued)
        write_decision(engine, move, VERDICT_QUEUED);
}

void moves_peer_path(struct peer *peer)
{
    struct move *move = peer->moves ? peer->moves->move : NULL;

    if (move && move->state == MOVE_OPEN && !move->local_before)
        move->local_before = text_new(peer->view.path->local_text);
}

/* A node is reconnected after `moved` because its moves lose data: it followed the kernel by
 * itself, and what was lost on the way there does not come back with the way. */
static bool withdrawable(const struct engine *engine, const struct peer *peer,
                         const struct reason *reason, const char *trigger)
{
    return reason->trigger == trigger &&
           !(reason->kind == PD_KIND_MOVED &&
             advice_choose_by(engine, peer, reason->kind, reason->by) == BY_RECONNECT);
}

void moves_withdraw(struct engine *engine, struct peer *peer, const char *trigger)
{
    struct peer_moves *moves = peer->moves;
    struct move *move = moves->move;

    if (moves->remembered && withdrawable(engine, peer, moves->remembered, trigger))
        advice_forget(engine, peer);
    if (moves->again && withdrawable(engine, peer, moves->again->reason, trigger))
        again_forget(engine, peer);
    if (move && move->state != MOVE_OPEN && withdrawable(engine, peer, move->reason, trigger))
        move_end_waiting(engine, move, VERDICT_SUPERSEDED);
}

bool moves_wait(const struct peer *peer, const char *trigger)
{
    const struct peer_moves *moves = peer->moves;
    const struct move *move = moves ? moves->move : NULL;

    if (moves && moves->remembered && moves->remembered->trigger == trigger)
        return true;
    return move && move->state != MOVE_OPEN && move->reason->trigger == trigger;
}

void moves_disproved(struct engine *engine, struct peer *peer, const char *trigger)
{
    struct move *move;

    moves_withdraw(engine, peer, trigger);
    move = peer->moves->move;
    if (move && move->reason->trigger == trigger)
        move->outlived = true;
}

static void end_queued(struct engine *engine, struct move *move, enum verdict verdict)
{
    if (verdict == VERDICT_HELD)
        advice_remember_held(engine, move->peer, move->reason);
    move_end_waiting(engine, move, verdict);
}

void moves_end_queued(struct engine *engine, struct peer *peer, enum verdict verdict)
{
    struct migration *migration = &engine->migration;

    if (peer) {
        if (peer->moves && peer->moves->move && peer->moves->move->state == MOVE_QUEUED)
            end_queued(engine, peer->moves->move, verdict);
        return;
    }
    while (queue_first(migration))
        end_queued(engine, queue_first(migration), verdict);
}

void moves_resort(struct engine *engine, struct peer *peer)
{
    if (peer->moves && peer->moves->move)
        queue_resort(&engine->migration, peer->moves->move);
}
