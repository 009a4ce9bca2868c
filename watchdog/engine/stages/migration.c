/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moves from the gate to the request: queue, budget, sending. How a request ends is
 * outcome.c; what becomes of it when its connection goes is migration-gone.c.
 */
#include "migration.h"

#include "../moves/advice.h"
#include "../moves/move.h"
#include "../moves/queue.h"
#include "../moves/requests.h"
#include "../moves/taken-back.h"
#include "../peers/name.h"
#include "../peers/peer.h"
#include "../state.h"
#include "../uplinks/choose.h"
#include "newer.h"

#define RETRY_BUSY_US 100000u

void migration_due(struct engine *engine, struct deadline *deadline)
{
    struct move *move = CONTAINER_OF(deadline, struct move, deadline);
    struct migration *migration = &engine->migration;

    switch (move->state) {
    case MOVE_QUEUED:
        move_end_waiting(engine, move, VERDICT_EXPIRED);
        break;
    case MOVE_OPEN:
        outcome_unanswered(engine, move);
        break;
    case MOVE_WAITING:
        if (!move_possible(engine, move) || !choose_still(engine, move)) {
            if (!newer_waits(move->peer, move))
                advice_remember_held(engine, move->peer, move->reason);
            move_free(engine, move);
        } else if (migration->open < migration->budget) {
            taken_back_over(move);
            move_attempt(engine, move);
        } else {
            move_set_state(engine, move, MOVE_WAITING, engine->now_us + RETRY_BUSY_US);
        }
        break;
    case MOVE_LINKLESS:
        break;
    }
}

void migration_pump(struct engine *engine)
{
    struct migration *migration = &engine->migration;
    struct move *move;

    while (migration->open < migration->budget && (move = queue_first(migration))) {
        if (move_possible(engine, move) && choose_still(engine, move))
            move_ask(engine, move);
        else
            move_end_waiting(engine, move,
                             move->peer->state == PEER_UP ? VERDICT_SUPERSEDED : VERDICT_GONE);
    }
}

struct answered migration_answer(struct engine *engine, const struct event_answer *answer)
{
    struct request_slot *slot = request_find(&engine->migration, answer->request);
    struct answered led = {0};

    if (!slot)
        engine->ignored++;
    else if (slot->move)
        led = outcome_answered(engine, slot->move, answer);
    else
        led = outcome_late(engine, slot, answer);
    request_answered(&engine->migration, answer->request);
    return led;
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
        if (peer->moves && peer->moves->move)
            move_free(engine, peer->moves->move);
}

void migration_stop(struct engine *engine)
{
    struct migration *migration = &engine->migration;
    struct move *move;
    uint64_t request = 0;

    moves_end_queued(engine, NULL, VERDICT_EXPIRED);
    while ((move = requests_next(migration, &request)))
        outcome_stopped(engine, move);
    migration_forget(engine);
}

/* ---- connections and the node's socket come and go ---- */

void migration_peer_gone(struct engine *engine, struct peer *peer)
{
    struct move *move = peer->moves ? peer->moves->move : NULL;

    taken_back_peer_gone(engine, peer);
    if (!move)
        return;
    if (move->state != MOVE_OPEN) {
        move_end_waiting(engine, move, VERDICT_GONE);
    } else if (move->by == BY_RECONNECT && engine->node.up) {
        /* our own doing: the answer, or the new connection, is still to come */
        move_orphan(engine, move);
    } else {
        outcome_gone(engine, move);
    }
}

void migration_peer_up(struct engine *engine, struct peer *peer)
{
    move_adopt(engine, peer);
}

void migration_link_lost(struct engine *engine)
{
    struct migration *migration = &engine->migration;
    struct move *move;
    uint64_t request = 0;

    while ((move = requests_next(migration, &request)))
        outcome_link_lost(engine, move);
}

void migration_peer_unreported(struct engine *engine, struct peer *peer)
{
    struct move *move = peer->moves ? peer->moves->move : NULL;

    taken_back_link_lost(peer);
    if (!move)
        return;
    if (move->state == MOVE_QUEUED) {
        advice_remember_unreported(engine, peer, move->reason);
        move_end_waiting(engine, move, VERDICT_GONE);
    } else if (move->state == MOVE_WAITING) {
        move_set_state(engine, move, MOVE_LINKLESS, NEVER);
    }
}

void migration_link_back(struct engine *engine, struct peer *peer)
{
    struct move *move = peer->moves ? peer->moves->move : NULL;

    if (move && move->state == MOVE_LINKLESS)
        move_set_state(engine, move, MOVE_WAITING, engine->now_us);
}
