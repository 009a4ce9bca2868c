/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate. gate_verdict() is the table of docs/decisions.md, read from the
 * top; the rest carries its verdicts out.
 */
#include "gate.h"

#include "../base/cause.h"
#include "../base/outbox.h"
#include "../liveness/fallback.h"
#include "../moves/advice.h"
#include "../moves/decision.h"
#include "../moves/move.h"
#include "../peers/name.h"
#include "../peers/peer.h"
#include "../peers/waiting.h"
#include "../state.h"
#include "../uplinks/choose.h"
#include "../uplinks/evidence.h"
#include "../uplinks/probe.h"
#include "../uplinks/react.h"
#include "admit.h"
#include "deferred.h"
#include "fate.h"
#include "newer.h"
#include "outcome.h"

/* None of the uplinks has answered: one of them may live again. */
#define ASKED_AGAIN_US UINT64_C(3000000)
/* By then all probes are answered, or given up. */
#define PROBED_US (PROBE_TIMEOUT_MS * UINT64_C(1000) + 500000)

/* Does it join something that is under way? Then which decision. */
static uint64_t joins(const struct engine *engine, const struct peer_moves *moves,
                      enum pd_kind kind)
{
    const struct move *move = moves->move;

    if (kind >= PD_KIND_DEGRADED && moves->last_request_us &&
        engine->now_us < moves->last_request_us + engine->config->merge_window_us)
        return moves->last_decision;
    if (move && move->state == MOVE_QUEUED && kind >= move->reason->kind)
        return move->decision;
    if (move && kind >= PD_KIND_DEGRADED)
        return move->decision; /* its next attempt is near */
    return 0;
}

/* The gap between reconnects began with the very request that is taken back. */
static bool newer_gap(const struct peer *peer, const struct gate_question *question)
{
    return question->newer && peer_in_flight(peer) && peer->moves->move->by == BY_RECONNECT;
}

bool gate_applies(const struct engine *engine, const struct peer *peer,
                  const struct gate_question *question, enum verdict verdict, uint64_t *ret_into)
{
    const struct peer_moves *moves = peer->moves;
    enum pd_kind kind = question->kind;
    enum by by = question->by;
    bool asked = kind == PD_KIND_OPERATOR; /* by an operator */

    switch (verdict) {
    case VERDICT_GONE:
        return peer->state != PEER_UP;
    case VERDICT_INBOUND:
        return by == BY_MIGRATE && peer_inbound(peer);
    case VERDICT_DISABLED:
        return !peer_movable(engine, peer, by);
    case VERDICT_HELD:
        return !asked && name_held(engine, peer->view.name);
    case VERDICT_NO_TARGET:
        return !asked &&
               (question->no_target || (by == BY_RECONNECT && peer->unrouted && !question->bound));
    case VERDICT_IN_FLIGHT:
        return peer_in_flight(peer) && !question->newer;
    case VERDICT_MERGED:
        *ret_into = moves && !question->newer ? joins(engine, moves, kind) : 0;
        return *ret_into;
    case VERDICT_COOLING:
        return question->cools ||
               (moves && kind >= PD_KIND_DEGRADED && waiting_cooling(engine, moves));
    case VERDICT_BACKING_OFF:
        if (moves && kind == PD_KIND_MOVED)
            return question->repeated && moves->again;
        return moves && !asked && !question->over_another &&
               waiting_backoff_until_us(moves, kind, by) > engine->now_us;
    case VERDICT_DAMPED:
        return kind_is_network(kind) &&
               waiting_damped_until_us(engine, peer, kind, question->gone,
                                       newer_gap(peer, question) ? BY_MIGRATE : by);
    case VERDICT_AWAITING:
        *ret_into = question->awaits ? question->into : 0;
        return question->awaits;
    case VERDICT_OBSERVING:
        return !asked && engine->mode == MODE_OBSERVE;
    case VERDICT_PROBING:
        return question->probing;
    default:
        return false;
    }
}

enum verdict gate_verdict(const struct engine *engine, const struct peer *peer,
                          const struct gate_question *question, uint64_t *ret_into)
{
    for (enum verdict verdict = 0; verdict < VERDICT_QUEUED; verdict++)
        if (gate_applies(engine, peer, question, verdict, ret_into))
            return verdict;
    return question->by == BY_MIGRATE ? VERDICT_MIGRATE : VERDICT_RECONNECT;
}

/* As long as it is watched, the other uplinks are asked again and again. */
static uint64_t asked_again_us(const struct engine *engine, const struct peer *peer)
{
    return peer->moves && peer->moves->watch.on ? engine->now_us + ASKED_AGAIN_US : NEVER;
}

/* Is there `moved` or `dead` advice that waits? Nobody would give that again, if it were forgotten
 * for what the next sample may say. */
static bool waits_for_network(const struct peer *peer)
{
    const struct reason *remembered = peer->moves ? peer->moves->remembered : NULL;

    return remembered && kind_is_network(remembered->kind);
}

/* Refused for now: is it to be given again later, and when? */
static void remember_refused(struct engine *engine, struct peer *peer, struct reason *reason,
                             enum by by, enum verdict verdict)
{
    if (verdict == VERDICT_PROBING && (kind_is_network(reason->kind) || !waits_for_network(peer)))
        advice_remember(engine, peer, reason, verdict, engine->now_us + PROBED_US);
    else if (verdict == VERDICT_AWAITING)
        fate_keep(engine, peer, reason);
    if (!kind_is_network(reason->kind))
        return;
    if (verdict == VERDICT_HELD || verdict == VERDICT_OBSERVING)
        advice_remember_held(engine, peer, reason);
    else if (verdict == VERDICT_INBOUND && reason->kind == PD_KIND_DEAD &&
             peer_movable(engine, peer, BY_RECONNECT))
        advice_remember(engine, peer, reason, verdict, NEVER);
    else if (verdict == VERDICT_NO_TARGET && !reason->no_target && !reason->via)
        advice_remember(engine, peer, reason, verdict, asked_again_us(engine, peer));
    else if (verdict == VERDICT_IN_FLIGHT ||
             (verdict == VERDICT_GONE && peer->state == PEER_UNREPORTED))
        advice_remember(engine, peer, reason, verdict, NEVER);
    else if (verdict == VERDICT_DAMPED)
        advice_remember(engine, peer, reason, verdict,
                        waiting_damped_until_us(engine, peer, reason->kind,
                                                reason_proves(reason, "unreachable"), by));
    else if (verdict == VERDICT_BACKING_OFF && reason->by != REASON_BY_RULE && !reason->repeated)
        advice_remember(engine, peer, reason, verdict,
                        waiting_backoff_until_us(peer->moves, reason->kind, by));
}

static void refuse(struct engine *engine, struct peer *peer, const struct deciding_on *what,
                   bool again, enum verdict verdict)
{
    struct reason *reason = what->reason;

    if (verdict == VERDICT_OBSERVING)
        waiting_observed(engine, peer);
    repeat_refusal(engine, peer, what, verdict);
    remember_refused(engine, peer, reason, what->by, verdict);
    if (!again)
        cause_count_verdict(engine, reason->cause, verdict);
    if (kind_is_network(reason->kind) && verdict != VERDICT_HELD && verdict != VERDICT_OBSERVING &&
        verdict != VERDICT_GONE && !reason->repeated)
        fallback_advised(engine, peer, reason);
}

/* It passed: where it leaves from hears of that. */
static void admit(struct engine *engine, struct peer *peer, const struct deciding_on *what,
                  bool again, const struct choice *choice)
{
    enum pd_kind kind = what->reason->kind;
    bool instead = peer_in_flight(peer);

    if (choice->to && choice->to != choice->from &&
        !uplink_held(uplink_at(engine, choice->from), engine->now_us) && kind != PD_KIND_BETTER &&
        kind != PD_KIND_OPERATOR)
        evidence_leaving(engine, peer, uplink_at(engine, choice->from), kind);
    if (instead) /* the newer word wins */
        outcome_cancelled(engine, peer->moves->move);
    admit_add(engine, peer, what, again, instead);
}

/* What the peer opened cannot migrate: where others left its uplink for one that lives, it is
 * dialled over that. */
static bool follows(const struct engine *engine, const struct peer *peer,
                    const struct reason *reason, const struct choice *choice)
{
    return reason->kind == PD_KIND_DEAD && reason->by == REASON_BY_RULE && peer_inbound(peer) &&
           peer_movable(engine, peer, BY_RECONNECT) && choose_follows(engine, peer, choice);
}

/* Has the kernel proven that nothing can arrive where it is? */
static bool is_unreachable(const struct peer *peer, const struct reason *reason)
{
    const struct watch *watch = peer->moves ? &peer->moves->watch : NULL;

    return reason_proves(reason, "unreachable") || (watch && watch->on && watch->gone);
}

/* Over a relay: the way under the connection is the node's, who goes on from another address, or
 * over another one. */
static bool is_relayed(const struct peer *peer)
{
    const char *via = peer->view.path->via;

    return via && !string_equal(via, "direct");
}

/* Dial first, and close then: the connection may live after all, or the dial may fail, and then it
 * is still there. Not where it has to leave a path that lives (an operator wants it so), and not
 * where its path is known to be gone: there is nothing to keep, and the node would wait for a sign
 * of life before it goes on. */
static bool keeps_old(const struct engine *engine, const struct peer *peer,
                      const struct reason *reason, enum by by)
{
    const struct uplink *from = uplink_at(engine, peer->uplink);

    if (by != BY_RECONNECT || reason->kind == PD_KIND_OPERATOR ||
        !(engine->node.features & NODE_MAKE_BEFORE_BREAK))
        return false;
    if (is_relayed(peer))
        return true;
    if (from && (from->condition != UPLINK_UP || uplink_held(from, engine->now_us)))
        return false;
    return !is_unreachable(peer, reason);
}

static struct gate_question question_of(const struct engine *engine, const struct peer *peer,
                                        const struct advice *advice, enum by by,
                                        const struct choice *choice)
{
    bool elsewhere = choice->probe || (choice->to && choice->to != choice->from);

    return (struct gate_question){
        .kind = advice->reason->kind,
        .by = by,
        .no_target = advice->reason->no_target || choice->no_target ||
                     advice->fate == FATE_NOWHERE || (advice->fate == FATE_SCOUT && !elsewhere),
        .bound = choice->to,
        .probing = choice->probe,
        .cools = advice->fate == FATE_COOLS,
        .awaits = advice->fate == FATE_AWAITS,
        .into = advice->fate == FATE_AWAITS ? fate_into(engine, peer) : 0,
        .repeated = advice->reason->repeated,
        .over_another = advice->reason->kind == PD_KIND_DEAD && advice->reason->via,
        .gone = reason_proves(advice->reason, "unreachable"),
    };
}

/* The newest word of the kernel: what failed before, failed on another route. */
static void route_changed(struct engine *engine, struct peer *peer)
{
    waiting_route_changed(engine, peer);
    again_forget(engine, peer);
}

/* The one place where advice becomes a decision; or it is deferred. */
static void decide(struct engine *engine, struct advice *advice)
{
    struct peer *peer = peer_at(engine, advice->peer);
    struct deciding_on what = {.reason = advice->reason};
    struct gate_question question;
    struct choice choice;
    enum verdict verdict;
    bool newer, scout;

    if (what.reason->kind == PD_KIND_DEGRADED)
        fate_advised(engine, peer, advice);
    if (what.reason->kind == PD_KIND_MOVED && !advice->again)
        route_changed(engine, peer);
    what.by = advice_choose_by(engine, peer, what.reason->kind, what.reason->by);
    if (peer->admitted)
        admit_make(engine);
    if (choose_uplink(engine, peer, what.reason, NULL, &choice))
        what.destination = choose_destination(engine, &choice);
    if (follows(engine, peer, what.reason, &choice))
        what.by = BY_RECONNECT;
    newer = newer_wins(engine, peer, advice, what.destination);
    if (newer && newer_redials(engine, peer, what.reason))
        what.by = BY_RECONNECT;
    if (what.by == BY_RECONNECT)
        name_lived(engine, peer->view.name, peer->up_us);
    what.keep_old = keeps_old(engine, peer, what.reason, what.by);
    question = question_of(engine, peer, advice, what.by, &choice);
    question.newer = newer;
    verdict = gate_verdict(engine, peer, &question, &what.into);
    if (fate_defers(engine, peer, advice, verdict)) {
        destination_unref(what.destination);
        return;
    }
    what.decision = ++engine->last_decision;
    if (verdict == VERDICT_MIGRATE || verdict == VERDICT_RECONNECT)
        admit(engine, peer, &what, advice->again, &choice);
    else
        refuse(engine, peer, &what, advice->again, verdict);
    if (verdict == VERDICT_PROBING)
        probe_candidates(engine, peer, &choice);
    if (verdict == VERDICT_INBOUND && what.reason->kind == PD_KIND_DEAD)
        evidence_doubt(engine, peer);
    scout = advice->fate == FATE_SCOUT;
    advice->reason = NULL;
    if (scout) /* gives those that wait for it to the gate: the list, and this advice, may move */
        fate_decided(engine, peer, what.decision, verdict);
    destination_unref(what.destination);
    reason_unref(what.reason);
}

/* The order within a turn: by kind; of one kind that which names a relay goes first, since it knows
 * more than to try another port. */
static unsigned rank_of(const struct reason *reason)
{
    return 2 * (unsigned)reason->kind + !reason->via;
}

/* Before deciding: which causes concern so many that their records are bulk.
 * Returns which ranks there are, one bit each. */
static unsigned mark_bulk(struct engine *engine)
{
    const struct reason *last = NULL; /* neighbours mostly have the same */
    unsigned ranks = 0;

    for (size_t i = 0; i < engine->n_advice; i++) {
        struct reason *reason = engine->advice[i].reason;
        struct cause *cause;

        if (!reason || reason == last)
            continue;
        cause = cause_find(engine, reason->cause);
        if (cause && cause->advised > CAUSE_BULK_ABOVE)
            reason->bulk = true;
        ranks |= 1u << rank_of(reason);
        last = reason;
    }
    return ranks;
}

/* The connections of a storm do not fit the caches: the next ones are fetched while
 * this one is decided. */
static void prefetch(const struct engine *engine, size_t i, size_t count)
{
    const char *moves;

    if (i + 16 >= count)
        return;
    __builtin_prefetch(peer_at(engine, engine->advice[i + 16].peer));
    moves = (const char *)peer_at(engine, engine->advice[i + 8].peer)->moves;
    if (moves) {
        __builtin_prefetch(moves);
        __builtin_prefetch(moves + offsetof(struct peer_moves, peer) - 1);
    }
}

/* The strongest first, so that within one turn the weaker ones join it. Returns false while
 * there is more in this pass. */
static bool decide_some(struct engine *engine, size_t most)
{
    struct deciding *deciding = &engine->deciding;

    for (; deciding->rank < 2 * PD_KIND_COUNT; deciding->rank++, deciding->at = 0) {
        if (!(deciding->ranks & 1u << deciding->rank))
            continue;
        for (; deciding->at < deciding->count; deciding->at++) {
            struct advice *advice = &engine->advice[deciding->at];

            if (!most--)
                return false;
            prefetch(engine, deciding->at, deciding->count);
            if (advice->reason && rank_of(advice->reason) == deciding->rank)
                decide(engine, advice);
        }
    }
    return true;
}

/* Ends advice that is deferred and was not decided yet, of this trigger or of any for NULL. */
static void end_deferred(struct engine *engine, struct peer *peer, const char *trigger,
                         enum verdict verdict)
{
    bool again = false;
    struct deciding_on what = {.reason = deferred_take(engine, peer, trigger, &again)};
    struct record_subject subject;

    if (!what.reason)
        return;
    subject = peer_subject(peer);
    what.decision = ++engine->last_decision;
    what.by = advice_choose_by(engine, peer, what.reason->kind, what.reason->by);
    decision_write(engine, &subject, &what, verdict, NULL, 0);
    if (!again) {
        cause_count_advice(engine, what.reason->cause);
        cause_count_verdict(engine, what.reason->cause, verdict);
    }
    reason_unref(what.reason);
}

void gate_stop(struct engine *engine, struct peer *peer)
{
    end_deferred(engine, peer, NULL, VERDICT_EXPIRED);
}

void gate_withdrawn(struct engine *engine)
{
    for (size_t i = 0; i < engine->n_withdrawals; i++) {
        const struct withdrawal *withdrawal = &engine->withdrawals[i];
        struct peer *peer = peer_at(engine, withdrawal->peer);

        if (!withdrawal->trigger)
            continue;
        moves_withdraw(engine, peer, withdrawal->trigger);
        end_deferred(engine, peer, withdrawal->trigger, VERDICT_SUPERSEDED);
    }
    for (size_t i = 0; i < engine->n_withdrawals; i++) /* what is left waits for this */
        if (!engine->withdrawals[i].trigger)
            react_routed(engine, peer_at(engine, engine->withdrawals[i].peer));
    engine->n_withdrawals = 0;
}

static void pass_begin(struct engine *engine)
{
    (void)admit_settle(engine, SIZE_MAX);
    engine->deciding = (struct deciding){
        .runs = true,
        .count = engine->n_advice,
        .ranks = mark_bulk(engine),
    };
}

static void pass_end(struct engine *engine)
{
    size_t count = engine->deciding.count;

    /* what was advised meanwhile */
    memmove(engine->advice, engine->advice + count,
            (engine->n_advice - count) * sizeof(struct advice));
    engine->n_advice -= count;
    engine->deciding.runs = false;
}

bool gate_run(struct engine *engine, size_t most)
{
    if (!engine->deciding.runs) {
        gate_withdrawn(engine);
        if (!engine->n_advice)
            return true;
        pass_begin(engine);
    }
    if (!decide_some(engine, most)) {
        admit_ask_some(engine, engine->deciding.count);
        return false;
    }
    if (!admit_ask(engine, most))
        return false;
    pass_end(engine);
    return !engine->n_advice;
}

void gate_peer_gone(struct engine *engine, struct peer *peer)
{
    gate_withdrawn(engine);
    fate_peer_gone(engine, peer);
    for (size_t i = 0; i < engine->n_advice; i++)
        if (engine->advice[i].peer == peer->view.index && engine->advice[i].reason)
            decide(engine, &engine->advice[i]);
}
