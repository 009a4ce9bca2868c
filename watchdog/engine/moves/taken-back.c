/* SPDX-License-Identifier: Apache-2.0 */
/* See taken-back.h. A node that does not know `cancel` goes on with the old request, and refuses
 * the new one as busy until that is over. */
#include "taken-back.h"

#include "../base/outbox.h"
#include "../peers/name.h"
#include "../peers/peer.h"
#include "../state.h"
#include "advice.h"
#include "move.h"
#include "requests.h"

/* The node reports the end of the old connection, the new one, and the answer one after the other.
 */
#define RECONNECTED_US UINT64_C(2000000)

void taken_back_begin(struct engine *engine, struct move *move)
{
    struct peer_moves *moves = move->peer->moves;

    if (engine->node.features & NODE_MAKE_BEFORE_BREAK)
        outbox_action(engine, ACTION_CANCEL)->cancel.request = move->request;
    if (!moves->taken_back) /* else the node may still be busy with that one */
        moves->taken_back = move->request;
}

bool taken_back_waits(struct engine *engine, struct move *move)
{
    if (!move->peer->moves->taken_back)
        return false;
    move->behind = true;
    move_set_state(engine, move, MOVE_WAITING, engine->now_us + move_time_us(move));
    return true;
}

void taken_back_over(struct move *move)
{
    if (!move->behind)
        return;
    move->behind = false;
    move->peer->moves->taken_back = 0;
}

void taken_back_answered(struct engine *engine, struct peer *peer, uint64_t request)
{
    struct peer_moves *moves = peer->moves;

    if (!moves || moves->taken_back != request)
        return;
    moves->taken_back = 0;
    if (moves->move && moves->move->behind) {
        moves->move->behind = false;
        move_set_state(engine, moves->move, MOVE_WAITING, engine->now_us);
    }
}

/* What it was advised last about where the network leads, and did not do yet; NULL. */
static struct reason *open_word(const struct peer_moves *moves)
{
    const struct move *move = moves->move;

    if (move && move->reason->kind == PD_KIND_MOVED && move->by == BY_MIGRATE)
        return move->reason;
    return moves->remembered && moves->remembered->kind == PD_KIND_MOVED ? moves->remembered : NULL;
}

void taken_back_peer_gone(struct engine *engine, struct peer *peer)
{
    struct peer_moves *moves = peer->moves;
    const struct request_slot *slot =
        moves && moves->taken_back ? request_find(&engine->migration, moves->taken_back) : NULL;
    struct reason *reason = slot && slot->by == BY_RECONNECT ? open_word(moves) : NULL;

    if (reason)
        name_leave(engine, peer->view.name, reason, engine->now_us + RECONNECTED_US);
}

void taken_back_reconnected(struct engine *engine, struct peer *peer)
{
    struct reason *reason = name_left(engine, peer->view.name);

    if (reason)
        advice_note(engine, peer, reason, true);
}

void taken_back_link_lost(struct peer *peer)
{
    struct peer_moves *moves = peer->moves;

    if (!moves)
        return;
    moves->taken_back = 0;
    if (moves->move)
        moves->move->behind = false;
}
