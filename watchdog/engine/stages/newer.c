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

/* Two triggers may report one change, each in its own words: only where they name different
 * interfaces do they disagree. */
static bool leads_elsewhere(const struct move *open, const struct reason *reason,
                            const struct destination *destination)
{
    const char *then = interface_of(open->reason, open->destination);
    const char *now = interface_of(reason, destination);

    if (!string_equal(then, now))
        return true;
    if (open->reason->kind != PD_KIND_MOVED) /* the route table led it, and leads elsewhere now */
        return !now;
    return reason->trigger == open->reason->trigger && !says_the_same(reason, open->reason);
}

/* What was remembered is not newer; and the word of an operator is not for a trigger to take
 * back. */
bool newer_wins(const struct engine *engine, const struct peer *peer, const struct advice *advice,
                const struct destination *destination)
{
    const struct move *open = peer->moves ? peer->moves->move : NULL;

    if (!peer_in_flight(peer) || advice->again || advice->reason->kind != PD_KIND_MOVED)
        return false;
    if (!open || open->state != MOVE_OPEN || open->adopted || open->conn != peer->view.conn ||
        open->since_us >= engine->now_us || open->reason->kind == PD_KIND_OPERATOR)
        return false;
    if (open->by == BY_RECONNECT && !open->keep_old)
        return false;
    return leads_elsewhere(open, advice->reason, destination);
}
