/* SPDX-License-Identifier: Apache-2.0 */
/* See deferred.h. */
#include "deferred.h"

#include "../base/cause.h"
#include "../peers/peer.h"
#include "../peers/poll.h"
#include "../peers/unacked.h"
#include "../state.h"

/* So long a quiet moment is waited for. */
#define QUIET_PTOS   3u
#define QUIET_MAX_US UINT64_C(10000000)

struct deferred *deferred_new(struct engine *engine, struct peer *peer, struct advice *advice)
{
    struct deferred *deferred = pool_take(&engine->fates.pool);

    *deferred = (struct deferred){
        .reason = advice->reason,
        .peer = peer->view.index,
        .fate = advice->fate,
        .again = advice->again,
        .deadline.kind = DEADLINE_QUIET,
    };
    if (advice->fate == FATE_SCOUT && !advice->again) { /* its own cause waits with it */
        cause_uncount_advice(engine, advice->reason->cause);
    } else if (!advice->again) {
        cause_count_verdict(engine, advice->reason->cause, VERDICT_AWAITING);
        deferred->again = true;
    }
    advice->reason = NULL;
    peer_moves(engine, peer)->deferred = deferred;
    return deferred;
}

void deferred_append(struct deferred_list *list, struct deferred *deferred)
{
    deferred->list = list;
    deferred->next = NULL;
    deferred->previous = list->last;
    if (list->last)
        list->last->next = deferred;
    else
        list->first = deferred;
    list->last = deferred;
    list->n++;
}

static void unlink_deferred(struct deferred *deferred)
{
    struct deferred_list *list = deferred->list;

    if (!list)
        return;
    if (deferred->previous)
        deferred->previous->next = deferred->next;
    else
        list->first = deferred->next;
    if (deferred->next)
        deferred->next->previous = deferred->previous;
    else
        list->last = deferred->previous;
    list->n--;
}

void deferred_join(struct deferred_list *to, struct deferred_list *from)
{
    while (from->first) {
        struct deferred *deferred = from->first;

        unlink_deferred(deferred);
        deferred_append(to, deferred);
    }
}

/* The only way out. */
static void deferred_free(struct engine *engine, struct deferred *deferred)
{
    struct peer *peer = peer_at(engine, deferred->peer);

    unlink_deferred(deferred);
    deadline_set(&engine->deadlines, &deferred->deadline, NEVER);
    peer->moves->deferred = NULL;
    reason_unref(deferred->reason);
    pool_give(&engine->fates.pool, deferred);
}

void deferred_release(struct engine *engine, struct deferred *deferred, struct reason *reason,
                      enum fate fate, bool quiet)
{
    struct peer *peer = peer_at(engine, deferred->peer);
    bool again = deferred->again;

    deferred_free(engine, deferred);
    advice_note_evaluated(engine, peer, reason, again, fate, quiet);
}

void deferred_release_all(struct engine *engine, struct deferred_list *list, enum fate fate,
                          struct text *text, uint64_t cause)
{
    bool counts = cause_find(engine, cause), bulk = cause && list->n > CAUSE_BULK_ABOVE;
    struct reason *from = NULL, *to = NULL; /* neighbours mostly have the same */

    while (list->first) {
        struct deferred *deferred = list->first;

        if (deferred->reason != from) {
            reason_unref(from);
            reason_unref(to);
            from = reason_ref(deferred->reason);
            to = cause ? reason_again(from, cause, text) : reason_ref(from);
            to->bulk |= bulk;
        }
        deferred->again &= !counts;
        deferred_release(engine, deferred, reason_ref(to), fate, false);
    }
    reason_unref(from);
    reason_unref(to);
}

void deferred_dismiss(struct engine *engine, struct deferred *deferred)
{
    deferred_free(engine, deferred);
}

/* ---- a quiet moment ---- */

/* As last known. */
static uint64_t pto_us(const struct peer *peer)
{
    uint32_t srtt_us = peer->rtt_last[0], rttvar_us = peer->rtt_last[2];

    return probe_timeout_us(srtt_us == UINT32_MAX ? PD_UNKNOWN : srtt_us,
                            rttvar_us == UINT32_MAX ? PD_UNKNOWN : rttvar_us);
}

void deferred_until_quiet(struct engine *engine, struct deferred *deferred)
{
    struct peer *peer = peer_at(engine, deferred->peer);
    uint64_t until_us = engine->now_us + min_u64(QUIET_PTOS * pto_us(peer), QUIET_MAX_US);

    deadline_set(&engine->deadlines, &deferred->deadline, until_us);
    poll_wanted(engine, peer, max_u64(until_us, peer->moves->poll_until_us));
}

static void release_quiet(struct engine *engine, struct deferred *deferred)
{
    deferred_release(engine, deferred, reason_ref(deferred->reason), deferred->fate, true);
}

void deferred_row(struct engine *engine, struct peer *peer)
{
    struct deferred *deferred = peer->moves->deferred;

    if (deferred && !deferred->list && !peer->busy)
        release_quiet(engine, deferred);
}

void deferred_due(struct engine *engine, struct deadline *deadline)
{
    release_quiet(engine, CONTAINER_OF(deadline, struct deferred, deadline));
}

struct reason *deferred_take(struct engine *engine, struct peer *peer, const char *trigger,
                             bool *ret_again)
{
    struct deferred *deferred = peer->moves ? peer->moves->deferred : NULL;
    struct reason *reason;

    if (!deferred || (trigger && deferred->reason->trigger != trigger))
        return NULL;
    if (ret_again)
        *ret_again = deferred->again;
    reason = deferred->awaits ? NULL : reason_ref(deferred->reason);
    deferred_free(engine, deferred);
    return reason;
}
