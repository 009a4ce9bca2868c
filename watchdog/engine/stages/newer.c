/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request that is open goes to where the network led when it was asked. When the network changes
 * again, its time is wasted: it is taken back, and the new one asked at once. But the same word
 * said twice is no reason to begin anew, and what closed the old connection cannot be taken back.
 */
#include "newer.h"

#include "../moves/move.h"
#include "../peers/peer.h"
#include "../state.h"

static const char *interface_of(const struct reason *reason, const struct destination *destination)
{
    if (reason->interface)
        return reason->interface;
    return destination && destination->interface ? destination->interface->s : NULL;
}

static bool says_the_same(const struct reason *a, const struct reason *b)
{
    const struct evidence *evidence = b->evidence;

    return strcmp(a->text->s, b->text->s) == 0 &&
           evidence_equal(a->evidence, evidence ? evidence->fields : NULL,
                          evidence ? evidence->n_fields : 0);
}

/* Two triggers may report one change, each in its own words. What is no `moved` was asked for
 * another reason than where the network leads. */
static bool is_another(const struct reason *before, const struct reason *reason)
{
    return before->kind != PD_KIND_MOVED ||
           (reason->trigger == before->trigger && !says_the_same(reason, before));
}

/* Over another interface; or as the route table leads, in other words. What is no `moved`, and
 * names the interface to which the network leads now, goes there already. */
static bool leads_elsewhere(const struct move *move, const struct reason *reason,
                            const struct destination *destination)
{
    const char *then = interface_of(move->reason, move->destination);
    const char *now = interface_of(reason, destination);

    if (!string_equal(then, now))
        return true;
    return (!now || move->reason->kind == PD_KIND_MOVED) && is_another(move->reason, reason);
}

static bool may_give_way(const struct move *move)
{
    if (move->reason->kind == PD_KIND_OPERATOR || move->adopted)
        return false;
    if (move->state == MOVE_OPEN)
        return move->by == BY_MIGRATE || move->keep_old;
    return move->state == MOVE_QUEUED;
}

bool newer_wins(const struct engine *engine, const struct peer *peer, const struct advice *advice,
                const struct destination *destination)
{
    const struct move *move = peer->moves ? peer->moves->move : NULL;

    return move && !advice->again && advice->reason->kind == PD_KIND_MOVED &&
           move->conn == peer->view.conn && move->since_us < engine->now_us && may_give_way(move) &&
           leads_elsewhere(move, advice->reason, destination);
}

bool newer_redials(const struct engine *engine, const struct peer *peer,
                   const struct reason *reason)
{
    return peer_in_flight(peer) && peer->moves->move->by == BY_RECONNECT &&
           reason->by == REASON_BY_RULE && peer_movable(engine, peer, BY_RECONNECT) &&
           (peer_inbound(peer) || !peer_movable(engine, peer, BY_MIGRATE));
}

bool newer_waits(const struct peer *peer, const struct move *move)
{
    const struct reason *reason = peer->moves->remembered;

    return reason && reason->kind == PD_KIND_MOVED && is_another(move->reason, reason);
}
