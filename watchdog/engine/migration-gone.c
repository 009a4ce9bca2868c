/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a move when its connection, or the node's socket, comes and goes. */
#include "gate.h"
#include "migration.h"
#include "name.h"
#include "outcome.h"
#include "peer.h"
#include "requests.h"

void migration_peer_path(struct peer *peer)
{
    struct move *move = peer->affair ? peer->affair->move : NULL;

    if (move && move->state == MOVE_OPEN && !move->local_before)
        move->local_before = text_new(peer->view.path->local_text);
}

void migration_peer_gone(struct engine *engine, struct peer *peer)
{
    struct move *move = peer->affair ? peer->affair->move : NULL;
    struct name_state *name;

    if (!move)
        return;
    if (move->state != MOVE_OPEN) {
        move_end_waiting(engine, move, VERDICT_GONE);
    } else if (move->by == BY_RECONNECT && engine->node.up) {
        /* our own doing: the answer, or the new connection, is still to come */
        migration_peer_path(peer);
        peer->affair->move = NULL;
        peer->in_flight = false;
        move->peer = NULL;
        name = name_get(engine, move->name->s);
        name->orphan = move;
    } else {
        outcome_gone(engine, move);
    }
}

void migration_peer_up(struct engine *engine, struct peer *peer)
{
    struct name_state *name = engine->names.count ? name_find(engine, peer->view.name) : NULL;

    if (!name || !name->orphan)
        return;
    name->orphan->peer = peer;
    name->orphan->adopted = true;
    peer_affair(engine, peer)->move = name->orphan;
    peer->in_flight = true;
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
        move_end_waiting(engine, move, VERDICT_GONE);
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
