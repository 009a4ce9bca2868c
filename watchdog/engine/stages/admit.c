/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between the gate and the request, in two steps. Of ten thousand requests the last one
 * waits for all before it: so the lines go out first, and what is to be entered of them
 * comes when the node has them.
 *
 *   engine_ask     gate → admit_add: who, why, which decision
 *                       → admit_ask: the lines, under the numbers after the last one
 *   (the shell sends them)
 *   engine_settle  admit_settle → make: token taken, move made, connection watched
 *                                → move_enter_asked: entered under that number, recorded
 *
 * Nothing else gives out a number between the two. Where the budget does not suffice for
 * all, they are made in the first step and go through the queue.
 */
#include "admit.h"

#include "../base/outbox.h"
#include "../liveness/fallback.h"
#include "../moves/advice.h"
#include "../moves/move.h"
#include "../moves/queue.h"
#include "../peers/peer.h"
#include "../peers/waiting.h"
#include "../state.h"
#include "migration.h"

#define ROOM_KEPT 8192u /* of what is admitted, between storms */

static void make(struct engine *engine, struct admitted *admitted)
{
    struct peer *peer = admitted->peer;
    struct reason *reason = admitted->what.reason;
    struct peer_moves *moves = peer_moves(engine, peer);
    bool settles;

    if (admitted->move)
        return;
    peer->admitted = false;
    if (kind_is_network(reason->kind))
        waiting_take_token(engine, moves, reason->kind);
    settles = moves->remembered && reason->kind <= moves->remembered->kind;
    if (settles && !advice_still_refused(engine, peer)) {
        advice_forget(engine, peer);
        settles = false;
    }
    admitted->move = move_new(engine, peer, &admitted->what, admitted->again);
    admitted->move->settles = settles; /* what is held back: only if this one succeeds */
    if (kind_is_network(reason->kind) && !reason->repeated)
        fallback_advised(engine, peer, reason);
}

void admit_add(struct engine *engine, struct peer *peer, const struct deciding_on *what, bool again,
               bool instead)
{
    struct admitted *admitted;

    engine->admitted = array_reserve(engine->admitted, &engine->admitted_capacity,
                                     engine->n_admitted + 1, sizeof(struct admitted));
    admitted = &engine->admitted[engine->n_admitted++];
    *admitted = (struct admitted){
        .peer = peer,
        .conn = peer->view.conn,
        .what = *what,
        .again = again,
        .instead = instead,
    };
    reason_ref(what->reason);
    destination_ref(what->destination);
    peer->admitted = true;
    if (peer->moves && peer->moves->move) /* it gives way, maybe in the queue */
        make(engine, admitted);
}

void admit_make(struct engine *engine)
{
    for (; engine->n_made < engine->n_admitted; engine->n_made++)
        make(engine, &engine->admitted[engine->n_made]);
}

/* What takes the place of an open request has that one's in the budget: it does not wait behind
 * others, of which some may lead where the network was. */
static void enqueue(struct engine *engine, const struct admitted *admitted)
{
    if (admitted->instead)
        move_ask(engine, admitted->move);
    else
        move_enqueue(engine, admitted->move);
}

/* Those that did not fit are `queued` in their decision; by then the best of
 * the turn have been taken out of the queue. Returns false while there is more. */
static bool queue_some(struct engine *engine, size_t most)
{
    size_t n_admitted = engine->n_admitted;

    for (; engine->n_made < n_admitted && most; engine->n_made++, most--)
        make(engine, &engine->admitted[engine->n_made]);
    for (; engine->n_enqueued < n_admitted && most; engine->n_enqueued++, most--)
        enqueue(engine, &engine->admitted[engine->n_enqueued]);
    if (engine->n_enqueued == n_admitted && !engine->pumped) {
        migration_pump(engine);
        engine->pumped = true;
    }
    for (; engine->n_recorded < n_admitted && most; engine->n_recorded++, most--)
        move_record_queued(engine, engine->admitted[engine->n_recorded].move);
    if (engine->n_recorded < n_admitted)
        return false;
    admit_clear(engine);
    return true;
}

/* Their numbers are those that they will be entered by. */
static void write_some(struct engine *engine)
{
    for (; engine->n_asked < engine->n_admitted; engine->n_asked++) {
        const struct admitted *admitted = &engine->admitted[engine->n_asked];

        request_write(engine, admitted->what.reason, admitted->what.destination, admitted->what.by,
                      &(struct action_move){
                          .request = request_next(&engine->migration) + engine->n_asked,
                          .conn = admitted->conn,
                          .timeout_ms = move_timeout_ms(engine),
                          .keep_old = admitted->what.keep_old,
                      });
    }
}

static bool budget_suffices(const struct engine *engine, size_t n_requests)
{
    const struct migration *migration = &engine->migration;

    return !migration->queue_count && migration->open + n_requests <= migration->budget;
}

void admit_ask_some(struct engine *engine, size_t n_advice)
{
    if (budget_suffices(engine, n_advice))
        write_some(engine);
}

bool admit_ask(struct engine *engine, size_t most)
{
    if (!engine->queueing && budget_suffices(engine, engine->n_admitted)) {
        write_some(engine);
        return true;
    }
    engine->queueing = true;
    return queue_some(engine, most);
}

/* The next ones, while this one is worked on. */
static void prefetch(const struct engine *engine, size_t i)
{
    const struct peer_moves *moves;

    if (i + 8 >= engine->n_admitted)
        return;
    __builtin_prefetch(engine->admitted[i + 8].peer);
    __builtin_prefetch(peer_name(engine->admitted[i + 6].peer));
    moves = engine->admitted[i + 6].peer->moves;
    for (size_t at = 0; moves && at < sizeof(*moves); at += 64)
        __builtin_prefetch((const char *)moves + at, 1);
}

bool admit_settle(struct engine *engine, size_t most)
{
    size_t end = engine->n_settled + min_u64(most, engine->n_admitted - engine->n_settled);

    for (; engine->n_settled < end; engine->n_settled++) {
        struct admitted *admitted = &engine->admitted[engine->n_settled];

        prefetch(engine, engine->n_settled);
        make(engine, admitted);
        move_enter_requested(engine, admitted->move);
    }
    if (end < engine->n_admitted)
        return false;
    admit_clear(engine);
    return true;
}

void admit_clear(struct engine *engine)
{
    for (size_t i = 0; i < engine->n_admitted; i++) {
        reason_unref(engine->admitted[i].what.reason);
        destination_unref(engine->admitted[i].what.destination);
    }
    engine->n_admitted = engine->n_asked = engine->n_made = engine->n_settled = 0;
    engine->queueing = engine->pumped = false;
    engine->n_enqueued = engine->n_recorded = 0;
}

void admit_give_back(struct engine *engine)
{
    if (engine->n_admitted || engine->admitted_capacity <= ROOM_KEPT)
        return;
    free(engine->admitted);
    engine->admitted = NULL;
    engine->admitted_capacity = 0;
}
