/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between the gate and the request, in two steps. Of ten thousand requests the last one
 * waits for all before it: so the lines go out first, and what is to be entered of them
 * comes when the node has them.
 *
 *   engine_ask     gate → passed_add: who, why, which decision
 *                       → passed_ask: the lines, under the numbers after the last one
 *   (the shell sends them)
 *   engine_settle  passed_settle → make: token taken, move made, connection watched
 *                                → move_enter_asked: entered under that number, recorded
 *
 * Nothing else gives out a number between the two. Where the budget does not suffice for
 * all, they are made in the first step and go through the queue.
 */
#include "passed.h"

#include "../base/outbox.h"
#include "../liveness/watch.h"
#include "../moves/advice.h"
#include "../moves/move.h"
#include "../moves/queue.h"
#include "../peers/peer.h"
#include "../peers/waiting.h"
#include "../state.h"

static void make(struct engine *engine, struct passed *passed)
{
    struct peer *peer = passed->peer;
    struct reason *reason = passed->reason;
    struct peer_moves *moves = peer_moves(engine, peer);
    bool settles;

    if (passed->move)
        return;
    peer->passing = false;
    if (kind_is_network(reason->kind))
        waiting_take_token(engine, moves);
    settles = moves->remembered && reason->kind <= moves->remembered->kind;
    if (settles && !advice_still_refused(engine, peer)) {
        gate_forget_remembered(engine, peer);
        settles = false;
    }
    passed->move = move_new(engine, peer, reason, passed->by, passed->decision, passed->again);
    passed->move->settles = settles; /* what is held back: only if this one succeeds */
    if (kind_is_network(reason->kind))
        watch_advised(engine, peer, reason);
}

void passed_add(struct engine *engine, struct peer *peer, struct reason *reason, enum by by,
                uint64_t decision, bool again)
{
    struct passed *passed;

    engine->passed = array_reserve(engine->passed, &engine->passed_capacity, engine->n_passed + 1,
                                   sizeof(struct passed));
    passed = &engine->passed[engine->n_passed++];
    *passed = (struct passed){
        .peer = peer,
        .conn = peer->view.conn,
        .reason = reason_ref(reason),
        .decision = decision,
        .by = by,
        .again = again,
    };
    peer->passing = true;
    if (peer->moves && peer->moves->move) /* it gives way, maybe in the queue */
        make(engine, passed);
}

void passed_make(struct engine *engine)
{
    for (; engine->n_made < engine->n_passed; engine->n_made++)
        make(engine, &engine->passed[engine->n_made]);
}

/* Those that did not fit are `queued` in their decision; by then the best of
 * the turn have been taken out of the queue. */
static void queue_all(struct engine *engine)
{
    passed_make(engine);
    for (size_t i = 0; i < engine->n_passed; i++)
        move_enqueue(engine, engine->passed[i].move);
    migration_pump(engine);
    for (size_t i = 0; i < engine->n_passed; i++)
        move_record_queued(engine, engine->passed[i].move);
    passed_clear(engine);
}

void passed_ask(struct engine *engine)
{
    const struct migration *migration = &engine->migration;

    if (migration->queue_count || migration->open + engine->n_passed > migration->budget) {
        queue_all(engine);
        return;
    }
    /* Their numbers are those that they will be entered by. */
    for (size_t i = 0; i < engine->n_passed; i++) {
        const struct passed *passed = &engine->passed[i];

        request_write(engine, passed->reason, passed->by,
                      &(struct action_move){
                          .request = migration->last_request + 1 + i,
                          .conn = passed->conn,
                          .timeout_ms = move_timeout_ms(engine),
                      });
    }
}

/* The next ones, while this one is worked on. */
static void prefetch(const struct engine *engine, size_t i)
{
    const struct peer_moves *moves;

    if (i + 8 >= engine->n_passed)
        return;
    __builtin_prefetch(engine->passed[i + 8].peer);
    __builtin_prefetch(peer_name(engine->passed[i + 6].peer));
    moves = engine->passed[i + 6].peer->moves;
    for (size_t at = 0; moves && at < sizeof(*moves); at += 64)
        __builtin_prefetch((const char *)moves + at, 1);
}

bool passed_settle(struct engine *engine, size_t most)
{
    size_t end = engine->n_settled + min_u64(most, engine->n_passed - engine->n_settled);

    for (; engine->n_settled < end; engine->n_settled++) {
        struct passed *passed = &engine->passed[engine->n_settled];

        prefetch(engine, engine->n_settled);
        make(engine, passed);
        move_enter_asked(engine, passed->move);
    }
    if (end < engine->n_passed)
        return false;
    passed_clear(engine);
    return true;
}

void passed_clear(struct engine *engine)
{
    for (size_t i = 0; i < engine->n_passed; i++)
        reason_unref(engine->passed[i].reason);
    engine->n_passed = engine->n_made = engine->n_settled = 0;
}
