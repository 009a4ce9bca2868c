/* SPDX-License-Identifier: Apache-2.0 */
/* See again.h. */
#include "again.h"

#include "../peers/peer.h"
#include "../state.h"
#include "advice.h"

/* Between two requests. */
#define AGAIN_US UINT64_C(10000000)
/* The same after a failure that took long, or where an uplink flaps. */
#define LEAST_US UINT64_C(1000000)
/* Progress so long after the failure is not left from before. */
#define SURE_US UINT64_C(1000000)

static struct again *keep(struct engine *engine, struct peer *peer, struct reason *reason)
{
    struct peer_moves *moves = peer->moves;
    struct again *again = memory_new(1, sizeof(*again));

    *again = (struct again){
        .moves = moves,
        .reason = reason->repeated ? reason_ref(reason) : reason_repeated(reason),
        .failed_us = engine->now_us,
        .deadline.kind = DEADLINE_AGAIN,
    };
    again_forget(engine, peer); /* it may be the same reason's */
    moves->again = again;
    deadline_set(&engine->deadlines, &again->deadline,
                 max_u64(moves->last_request_us + AGAIN_US, engine->now_us + LEAST_US));
    return again;
}

void again_failed(struct engine *engine, struct peer *peer, struct reason *reason)
{
    const struct again *again = keep(engine, peer, reason);

    advice_note(engine, peer, reason_ref(again->reason), true);
}

void again_superseded(struct engine *engine, struct peer *peer, struct reason *reason)
{
    if (reason->kind == PD_KIND_MOVED)
        (void)keep(engine, peer, reason);
}

static void give(struct engine *engine, struct peer *peer)
{
    struct reason *reason = reason_ref(peer->moves->again->reason);

    again_forget(engine, peer);
    advice_note(engine, peer, reason, true);
}

void again_now(struct engine *engine, struct peer *peer)
{
    struct again *again = peer->moves ? peer->moves->again : NULL;
    uint64_t at_us;

    if (!again)
        return;
    at_us = peer->moves->last_request_us + LEAST_US;
    if (at_us <= engine->now_us)
        give(engine, peer);
    else if (again->deadline.at_us > at_us)
        deadline_set(&engine->deadlines, &again->deadline, at_us);
}

void again_forget(struct engine *engine, struct peer *peer)
{
    struct again *again = peer->moves ? peer->moves->again : NULL;

    if (!again)
        return;
    peer->moves->again = NULL;
    deadline_set(&engine->deadlines, &again->deadline, NEVER);
    reason_unref(again->reason);
    free(again);
}

void again_progressed(struct engine *engine, struct peer *peer)
{
    const struct again *again = peer->moves->again;

    if (again && engine->now_us > again->failed_us + SURE_US)
        again_forget(engine, peer);
}

void again_due(struct engine *engine, struct deadline *deadline)
{
    struct again *again = CONTAINER_OF(deadline, struct again, deadline);

    if (again->moves->move) /* something else is tried meanwhile */
        deadline_set(&engine->deadlines, deadline, engine->now_us + AGAIN_US);
    else
        give(engine, again->moves->peer);
}
