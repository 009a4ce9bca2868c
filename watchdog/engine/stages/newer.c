/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request that is open goes to where the network led when it was asked. When the network changes
 * again, its time is wasted: it is taken back, and the new one asked at once. So it is when the way
 * in use is dead and another relay is named, and the request does not go there. But the same word
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

/* Two triggers may report one change, each in its own words; and the evidence may differ in who
 * reported it. What is no `moved` was asked for another reason than where the network leads. */
static bool is_another(const struct reason *before, const struct reason *reason)
{
    return before->kind != PD_KIND_MOVED ||
           (reason->trigger == before->trigger && strcmp(reason->text->s, before->text->s) != 0);
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

bool newer_may_give_way(const struct move *move)
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

    if (!move || advice->again || move->conn != peer->view.conn ||
        move->since_us >= engine->now_us || !newer_may_give_way(move))
        return false;
    if (advice->reason->kind == PD_KIND_DEAD)
        return advice->reason->via && !string_equal(move->reason->via, advice->reason->via);
    return advice->reason->kind == PD_KIND_MOVED &&
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
