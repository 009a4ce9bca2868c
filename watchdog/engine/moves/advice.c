/* SPDX-License-Identifier: Apache-2.0 */
/* The list of this turn, and what is remembered for later. */
#include "advice.h"

#include "../base/cause.h"
#include "../peers/name.h"
#include "../peers/peer.h"
#include "../peers/waiting.h"
#include "../state.h"

#define ROOM_KEPT 8192u /* of advice, between storms */

enum by advice_choose_by(const struct engine *engine, const struct peer *peer, enum pd_kind kind,
                         enum reason_by by)
{
    bool prefer_reconnect = engine->config->prefer == PREFER_NODE
                                ? engine->node.prefer_reconnect || peer->given_up
                                : engine->config->prefer == PREFER_RECONNECT;

    if (by == REASON_BY_MIGRATE && kind != PD_KIND_OPERATOR && peer->given_up)
        by = REASON_BY_RULE; /* over a relay: no path helps where the peer has forgotten it */
    if (by != REASON_BY_RULE)
        return by == REASON_BY_RECONNECT ? BY_RECONNECT : BY_MIGRATE;
    return prefer_reconnect && kind_is_network(kind) && peer_movable(engine, peer, BY_RECONNECT)
               ? BY_RECONNECT
               : BY_MIGRATE;
}

void advice_note(struct engine *engine, struct peer *peer, struct reason *reason, bool again)
{
    if (!again)
        cause_count_advice(engine, reason->cause);
    engine->advice = array_reserve(engine->advice, &engine->advice_capacity, engine->n_advice + 1,
                                   sizeof(struct advice));
    engine->advice[engine->n_advice++] = (struct advice){
        .peer = peer->view.index,
        .conn = peer->view.conn,
        .reason = reason,
        .again = again,
    };
}

void advice_note_evaluated(struct engine *engine, struct peer *peer, struct reason *reason,
                           bool again, enum fate fate, bool quiet)
{
    struct advice *advice;

    advice_note(engine, peer, reason, again);
    advice = &engine->advice[engine->n_advice - 1];
    advice->fate = fate;
    advice->quiet = quiet;
}

void advice_give(struct engine *engine, struct peer *peer, const char *trigger, enum reason_by by,
                 bool bulk, const struct pd_advice *advice)
{
    struct reason *reason = reason_new(trigger, by, advice);

    reason->bulk = bulk;
    advice_note(engine, peer, reason, true);
}

void advice_take_back(struct engine *engine, struct peer *peer, const char *trigger)
{
    for (size_t i = 0; i < engine->n_advice; i++) {
        struct advice *advice = &engine->advice[i];

        if (advice->reason && advice->peer == peer->view.index &&
            advice->reason->trigger == trigger)
            advice->reason = reason_unref(advice->reason);
    }
}

static void note(struct engine *engine, const struct peer *peer, const char *trigger)
{
    engine->withdrawals = array_reserve(engine->withdrawals, &engine->withdrawals_capacity,
                                        engine->n_withdrawals + 1, sizeof(struct withdrawal));
    engine->withdrawals[engine->n_withdrawals++] =
        (struct withdrawal){.peer = peer->view.index, .trigger = trigger};
}

void advice_withdraw(struct engine *engine, struct peer *peer, const char *trigger)
{
    if (peer->moves) /* else nothing waits */
        note(engine, peer, trigger);
}

void advice_routed(struct engine *engine, struct peer *peer)
{
    note(engine, peer, NULL);
}

void advice_forget(struct engine *engine, struct peer *peer)
{
    struct peer_moves *moves = peer->moves;

    if (!moves || !moves->remembered)
        return;
    moves->remembered = reason_unref(moves->remembered);
    deadline_set(&engine->deadlines, &moves->remembered_deadline, NEVER);
    engine->remembered--;
    engine->remembered_inbound -= moves->remembered_as == VERDICT_INBOUND;
}

bool advice_held_back(const struct engine *engine, const struct peer *peer, enum pd_kind kind,
                      enum verdict *ret_verdict)
{
    if (kind == PD_KIND_OPERATOR)
        return false;
    *ret_verdict = name_held(engine, peer->view.name) ? VERDICT_HELD : VERDICT_OBSERVING;
    return *ret_verdict == VERDICT_HELD || engine->mode == MODE_OBSERVE;
}

/* Was it refused because an operator wants it so? */
static bool remembered_by_will(const struct peer_moves *moves)
{
    return moves->remembered &&
           (moves->remembered_as == VERDICT_HELD || moves->remembered_as == VERDICT_OBSERVING);
}

bool advice_still_refused(const struct engine *engine, const struct peer *peer)
{
    const struct peer_moves *moves = peer->moves;

    if (!moves || !remembered_by_will(moves))
        return false;
    return moves->remembered_as == VERDICT_HELD ? name_held(engine, peer->view.name)
                                                : engine->mode == MODE_OBSERVE;
}

/* Was it refused for want of a target, or of others that found one? */
static bool remembered_for_target(const struct peer_moves *moves)
{
    return moves->remembered &&
           (moves->remembered_as == VERDICT_PROBING || moves->remembered_as == VERDICT_NO_TARGET ||
            moves->remembered_as == VERDICT_INBOUND);
}

void advice_disproved(struct engine *engine, struct peer *peer, enum pd_kind kind)
{
    struct peer_moves *moves = peer->moves;

    if (moves && (remembered_by_will(moves) || remembered_for_target(moves)) &&
        moves->remembered->kind >= kind)
        advice_forget(engine, peer);
}

/* Damped by the tokens: without progress since the route changed it is not. */
static void give_stalled(struct engine *engine, struct peer *peer)
{
    const struct reason *reason = peer->moves->remembered;

    if (!reason || peer->moves->remembered_as != VERDICT_DAMPED || peer_in_flight(peer) ||
        reason->kind != PD_KIND_MOVED)
        return;
    if (!waiting_damped_until_us(engine, peer, reason->kind, reason_proves(reason, "unreachable"),
                                 advice_choose_by(engine, peer, reason->kind, reason->by)))
        advice_give_remembered(engine, peer);
}

void advice_row(struct engine *engine, struct peer *peer, bool progress)
{
    waiting_row(peer, progress);
    if (progress)
        advice_disproved(engine, peer, PD_KIND_DEAD);
    else
        give_stalled(engine, peer);
}

bool advice_allowed(struct engine *engine, struct peer *peer)
{
    struct peer_moves *moves = peer->moves;

    if (!moves || !remembered_by_will(moves))
        return false;
    if (advice_still_refused(engine, peer)) { /* until then, by another hold or no more by this */
        if (moves->remembered_as == VERDICT_HELD)
            deadline_set(&engine->deadlines, &moves->remembered_deadline,
                         name_held_until_us(engine, peer->view.name));
        return false;
    }
    advice_give_remembered(engine, peer);
    return true;
}

void advice_give_remembered(struct engine *engine, struct peer *peer)
{
    struct reason *reason;

    if (!peer->moves || !peer->moves->remembered || advice_still_refused(engine, peer))
        return;
    reason = reason_ref(peer->moves->remembered);
    advice_forget(engine, peer);
    advice_note(engine, peer, reason, true);
}

void advice_due(struct engine *engine, struct deadline *deadline)
{
    advice_give_remembered(engine,
                           CONTAINER_OF(deadline, struct peer_moves, remembered_deadline)->peer);
}

void advice_remember(struct engine *engine, struct peer *peer, struct reason *reason,
                     enum verdict refused_as, uint64_t until_us)
{
    struct peer_moves *moves = peer_moves(engine, peer);

    reason_ref(reason); /* it may be the one that is forgotten */
    advice_forget(engine, peer);
    moves->remembered = reason;
    moves->remembered_as = refused_as & 0x3f;
    if (moves->move)
        moves->move->settles = false;
    moves->remembered_deadline.kind = DEADLINE_REMEMBERED;
    deadline_set(&engine->deadlines, &moves->remembered_deadline, until_us);
    engine->remembered++;
    engine->remembered_inbound += refused_as == VERDICT_INBOUND;
}

bool advice_remembered_damped(struct engine *engine, struct peer *peer)
{
    struct peer_moves *moves = peer->moves;
    const struct reason *reason = moves->remembered;
    enum by by = advice_choose_by(engine, peer, reason->kind, reason->by);
    uint64_t until_us = waiting_damped_until_us(engine, peer, reason->kind,
                                                reason_proves(reason, "unreachable"), by);

    if (until_us)
        deadline_set(&engine->deadlines, &moves->remembered_deadline, until_us);
    return until_us;
}

/* The node's socket closed before it could be asked: again when it is back. */
void advice_remember_unreported(struct engine *engine, struct peer *peer, struct reason *reason)
{
    if (kind_is_network(reason->kind))
        advice_remember(engine, peer, reason, VERDICT_GONE, NEVER);
}

void advice_remember_held(struct engine *engine, struct peer *peer, struct reason *reason)
{
    enum verdict verdict;

    if (kind_is_network(reason->kind) && advice_held_back(engine, peer, reason->kind, &verdict))
        advice_remember(engine, peer, reason, verdict,
                        verdict == VERDICT_HELD ? name_held_until_us(engine, peer->view.name)
                                                : NEVER);
}

void advice_give_back(struct engine *engine)
{
    if (engine->n_advice || engine->advice_capacity <= ROOM_KEPT)
        return;
    free(engine->advice);
    engine->advice = NULL;
    engine->advice_capacity = 0;
}
