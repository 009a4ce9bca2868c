/* SPDX-License-Identifier: Apache-2.0 */
/* See held.h, fate.h. */
#include "held.h"

#include "../base/cause.h"
#include "../peers/peer.h"
#include "../peers/poll.h"
#include "../state.h"

/* RFC 9002 §6.2: what a probe timeout is made of, and before there is an RTT. */
#define GRANULARITY_US   UINT64_C(1000)
#define MAX_ACK_DELAY_US UINT64_C(25000)
#define INITIAL_PTO_US   UINT64_C(999000)
#define QUIET_PTOS       3u
#define QUIET_MAX_US     UINT64_C(10000000)

struct held *held_new(struct engine *engine, struct peer *peer, struct advice *advice)
{
    struct held *held = pool_take(&engine->fate.pool);

    *held = (struct held){
        .reason = advice->reason,
        .peer = peer->view.index,
        .fate = advice->fate,
        .again = advice->again,
        .deadline.kind = DEADLINE_QUIET,
    };
    if (advice->fate == FATE_FIRST && !advice->again) { /* its own cause waits with it */
        cause_uncount_advice(engine, advice->reason->cause);
    } else if (!advice->again) {
        cause_count_verdict(engine, advice->reason->cause, VERDICT_AWAITING);
        held->again = true;
    }
    advice->reason = NULL;
    peer_moves(engine, peer)->held = held;
    return held;
}

void held_append(struct held_list *list, struct held *held)
{
    held->list = list;
    held->next = NULL;
    held->previous = list->last;
    if (list->last)
        list->last->next = held;
    else
        list->first = held;
    list->last = held;
    list->n++;
}

static void unlink_held(struct held *held)
{
    struct held_list *list = held->list;

    if (!list)
        return;
    if (held->previous)
        held->previous->next = held->next;
    else
        list->first = held->next;
    if (held->next)
        held->next->previous = held->previous;
    else
        list->last = held->previous;
    list->n--;
}

void held_join(struct held_list *to, struct held_list *from)
{
    while (from->first) {
        struct held *held = from->first;

        unlink_held(held);
        held_append(to, held);
    }
}

/* The only way out. */
static void held_free(struct engine *engine, struct held *held)
{
    struct peer *peer = peer_at(engine, held->peer);

    unlink_held(held);
    deadline_set(&engine->deadlines, &held->deadline, NEVER);
    peer->moves->held = NULL;
    reason_unref(held->reason);
    pool_give(&engine->fate.pool, held);
}

void held_release(struct engine *engine, struct held *held, struct reason *reason, enum fate fate,
                  bool quiet)
{
    struct peer *peer = peer_at(engine, held->peer);
    bool again = held->again;

    held_free(engine, held);
    advice_note_judged(engine, peer, reason, again, fate, quiet);
}

void held_dismiss(struct engine *engine, struct held *held)
{
    held_free(engine, held);
}

/* ---- a quiet moment ---- */

static uint64_t pto_us(const struct peer *peer)
{
    uint64_t srtt_us = peer->rtt_last[0], rttvar_us = peer->rtt_last[2];

    if (srtt_us == UINT32_MAX)
        return INITIAL_PTO_US;
    if (rttvar_us == UINT32_MAX)
        rttvar_us = srtt_us / 2;
    return srtt_us + max_u64(4 * rttvar_us, GRANULARITY_US) + MAX_ACK_DELAY_US;
}

void held_until_quiet(struct engine *engine, struct held *held)
{
    struct peer *peer = peer_at(engine, held->peer);
    uint64_t until_us = engine->now_us + min_u64(QUIET_PTOS * pto_us(peer), QUIET_MAX_US);

    deadline_set(&engine->deadlines, &held->deadline, until_us);
    poll_wanted(engine, peer, max_u64(until_us, peer->moves->poll_until_us));
}

static void release_quiet(struct engine *engine, struct held *held)
{
    held_release(engine, held, reason_ref(held->reason), held->fate, true);
}

void held_row(struct engine *engine, struct peer *peer)
{
    struct held *held = peer->moves->held;

    if (held && !held->list && !peer->busy)
        release_quiet(engine, held);
}

void held_due(struct engine *engine, struct deadline *deadline)
{
    release_quiet(engine, CONTAINER_OF(deadline, struct held, deadline));
}

struct reason *held_take(struct engine *engine, struct peer *peer, const char *trigger,
                         bool *ret_again)
{
    struct held *held = peer->moves ? peer->moves->held : NULL;
    struct reason *reason;

    if (!held || (trigger && held->reason->trigger != trigger))
        return NULL;
    if (ret_again)
        *ret_again = held->again;
    reason = held->awaits ? NULL : reason_ref(held->reason);
    held_free(engine, held);
    return reason;
}
