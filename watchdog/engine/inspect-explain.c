/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a peer was or was not moved: all that the gate would look at, and what it
 * would say, asked of the gate itself. Changes nothing.
 */
#include "inspect.h"

#include <stdio.h>

#include "moves/advice.h"
#include "peers/name.h"
#include "peers/peer.h"
#include "peers/progress.h"
#include "peers/waiting.h"
#include "stages/fate.h"
#include "stages/gate.h"
#include "stages/newer.h"
#include "state.h"
#include "uplinks/choose.h"

static void ask_gate(const struct engine *engine, const struct peer *peer, enum reason_by by,
                     struct inspect_verdict *ret)
{
    struct gate_question question = {.kind = ret->kind};
    uint64_t into = 0;

    const struct reason reason = {.kind = ret->kind, .by = by};
    struct choice choice;

    if (ret->kind == PD_KIND_DEGRADED && peer->moves && peer->moves->deferred) {
        question.awaits = true;
        question.into = fate_into(engine, peer);
    }
    question.by = advice_choose_by(engine, peer, ret->kind, by);
    if (choose_uplink(engine, peer, &reason, NULL, &choice)) {
        const struct uplink *target = uplink_at(engine, choice.to);

        question.no_target = choice.no_target;
        question.bound = choice.to;
        question.probing = choice.probe;
        ret->target = target ? target->name->s : NULL;
        snprintf(ret->choice, sizeof(ret->choice), "%s", choice.why);
    }
    ret->by = question.by;
    ret->verdict = gate_verdict(engine, peer, &question, &ret->into);
    for (enum verdict verdict = 0; verdict < VERDICT_QUEUED; verdict++)
        if (gate_applies(engine, peer, &question, verdict, &into))
            ret->applies |= 1u << verdict;
    if (engine->migration.open < engine->migration.budget)
        return;
    ret->applies |= 1u << VERDICT_QUEUED;
    if (ret->verdict == VERDICT_MIGRATE || ret->verdict == VERDICT_RECONNECT)
        ret->verdict = VERDICT_QUEUED;
}

static void ask_all(const struct engine *engine, const struct peer *peer,
                    struct inspect_explain *ret)
{
    static const struct {
        enum pd_kind kind;
        enum reason_by by;
        bool fallback;
    } questions[INSPECT_QUESTIONS] = {
        {PD_KIND_MOVED, REASON_BY_RULE, false},
        {PD_KIND_DEAD, REASON_BY_RULE, false},
        {PD_KIND_DEGRADED, REASON_BY_RULE, false},
        {PD_KIND_DEAD, REASON_BY_RECONNECT, true},
        {PD_KIND_OPERATOR, REASON_BY_MIGRATE, false},
        {PD_KIND_OPERATOR, REASON_BY_RECONNECT, false},
    };

    for (size_t i = 0; i < INSPECT_QUESTIONS; i++) {
        ret->verdicts[i] = (struct inspect_verdict){
            .kind = questions[i].kind,
            .fallback = questions[i].fallback,
        };
        ask_gate(engine, peer, questions[i].by, &ret->verdicts[i]);
    }
}

static uint64_t ago_us(const struct engine *engine, uint64_t at_us)
{
    return at_us ? sub_u64(engine->now_us, at_us) : INSPECT_NEVER;
}

static void report_moves(const struct engine *engine, const struct peer_moves *moves,
                         struct inspect_explain *ret)
{
    struct tokens tokens = waiting_tokens(engine, moves);
    const struct move *move = moves->move;

    ret->cooldown_us = waiting_cooldown_us(engine, moves);
    if (moves->cooling_since_us)
        ret->cooling_left_us =
            sub_u64(add_u64(moves->cooling_since_us, ret->cooldown_us), engine->now_us);
    for (enum by by = 0; by < ARRAY_SIZE(ret->backoff_left_us); by++) {
        ret->backoff_left_us[by] = sub_u64(moves->backoff_until_us[by], engine->now_us);
        ret->backoff_dead_left_us[by] =
            sub_u64(waiting_backoff_until_us(moves, PD_KIND_DEAD, by), engine->now_us);
    }
    ret->tokens = (uint32_t)sub_u64(ret->tokens_most, tokens.used);
    if (tokens.used)
        ret->token_in_us =
            sub_u64(tokens.since_us + engine->config->move_refill_us, engine->now_us);
    ret->moved_in_us = sub_u64(waiting_moved_at_us(engine, moves), engine->now_us);
    ret->requested_ago_us = ago_us(engine, moves->last_request_us);
    ret->moved_ago_us = ago_us(engine, moves->moved_us);
    ret->watched = moves->watch.on;
    ret->watch_left_us = sub_u64(moves->watch.until_us, engine->now_us);
    ret->evaluated = moves->effect != NULL;
    ret->polled_closely = moves->polled;
    if (moves->remembered)
        ret->remembered = moves->remembered->text->s;
    else if (moves->again)
        ret->remembered = moves->again->reason->text->s;
    if (!move)
        return;
    ret->decision = move->decision;
    ret->request = move->request;
    ret->attempt = move->attempt;
    ret->gives_way = newer_may_give_way(move);
    ret->waits_for = move->behind ? moves->taken_back : 0;
    ret->move_for_us = sub_u64(engine->now_us, move->since_us);
}

static void report_fallback(const struct engine *engine, const struct peer *peer,
                            struct inspect_explain *ret)
{
    struct fallback_plan plan;

    if (!fallback_plan(engine, peer, &plan))
        return;
    ret->dial = plan.dial;
    ret->dial_why = plan.why;
    ret->dial_after_us = plan.after_us == NEVER ? INSPECT_NEVER : plan.after_us;
}

bool inspect_explain(const struct engine *engine, uint64_t now_us, const char *name,
                     struct inspect_explain *ret)
{
    struct engine present = *engine; /* as it is, but now */
    const struct peer *peer = peers_find_name(engine, name);
    const struct shelved *shelved;

    *ret =
        (struct inspect_explain){.requested_ago_us = INSPECT_NEVER, .moved_ago_us = INSPECT_NEVER};
    if (!peer)
        return false;
    present.now_us = max_u64(now_us, engine->now_us);
    (void)inspect_find(engine, present.now_us, name, &ret->peer);
    ret->peer.unanswered_throughout = progress_unanswered(peer);
    ret->reconnect_possible = peer_movable(&present, peer, BY_RECONNECT);
    ret->cooldown_us = engine->config->cooldown_us;
    ret->tokens = ret->tokens_most = engine->config->move_burst;
    ret->gap_left_us = sub_u64(name_reconnect_allowed_us(&present, name), present.now_us);
    shelved = shelf_find(engine, peer);
    fate_report(&present, peer, ret->waits, sizeof(ret->waits));
    if (peer->moves) {
        report_moves(&present, peer->moves, ret);
        report_fallback(&present, peer, ret);
    } else if (shelved) {
        ret->requested_ago_us = ago_us(&present, shelved->last_request_us);
        ret->moved_ago_us = ago_us(&present, shelved->moved_us);
    }
    ask_all(&present, peer, ret);
    return true;
}
