/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate. gate_verdict() is the table of docs/decisions.md, read from the
 * top; the rest carries its verdicts out.
 */
#include "gate.h"

#include "cause.h"
#include "fold.h"
#include "host.h"
#include "look.h"
#include "migration.h"
#include "name.h"
#include "outbox.h"
#include "peer.h"
#include "watch.h"

#define BULK_ABOVE 1000u

bool gate_reconnect_possible(const struct engine *engine, const struct peer *peer)
{
    return (engine->node.features & NODE_RECONNECT) && peer->reconnectable && !peer->undialable;
}

static bool network_kind(enum pd_kind kind)
{
    return kind == PD_KIND_MOVED || kind == PD_KIND_DEAD;
}

/* What would be asked. */
static enum by choose_by(const struct engine *engine, const struct peer *peer,
                         const struct because *because)
{
    bool prefer_reconnect = engine->config->prefer == PREFER_NODE
                                ? engine->node.prefer_reconnect
                                : engine->config->prefer == PREFER_RECONNECT;

    if (because->by != BECAUSE_BY_RULE)
        return because->by == BECAUSE_BY_RECONNECT ? BY_RECONNECT : BY_MIGRATE;
    return prefer_reconnect && network_kind(because->kind) && gate_reconnect_possible(engine, peer)
               ? BY_RECONNECT
               : BY_MIGRATE;
}

static uint64_t cooldown_us(const struct engine *engine, const struct affair *affair)
{
    uint64_t cooldown = engine->config->cooldown_us;

    for (unsigned i = 0; i < affair->cooldown_doublings; i++)
        cooldown = min_u64(cooldown * 2, engine->config->cooldown_max_us);
    return cooldown;
}

static bool cooling(const struct engine *engine, const struct affair *affair)
{
    return affair->cooling_since_us &&
           engine->now_us < add_u64(affair->cooling_since_us, cooldown_us(engine, affair));
}

/* Gives back what has been refilled since, and tells when there is a token: 0 now. */
static uint64_t token_at_us(const struct engine *engine, struct affair *affair)
{
    uint64_t refill = engine->config->move_refill_us;
    uint64_t refilled = (engine->now_us - affair->tokens_us) / refill;

    if (refilled >= affair->tokens_used) {
        affair->tokens_used = 0;
        affair->tokens_us = engine->now_us;
    } else {
        affair->tokens_used -= (uint32_t)refilled;
        affair->tokens_us += refilled * refill;
    }
    return affair->tokens_used < engine->config->move_burst ? 0 : affair->tokens_us + refill;
}

/* When what is damped may be tried again; 0: it is not. */
static uint64_t damped_until_us(const struct engine *engine, const struct peer *peer, enum by by)
{
    uint64_t until_us = peer->affair ? token_at_us(engine, peer->affair) : 0;

    if (by == BY_RECONNECT)
        until_us = max_u64(until_us, name_reconnect_allowed_us(engine, peer->name->s));
    return until_us;
}

/* Does it join something that is under way? Then which decision. */
static uint64_t joins(const struct engine *engine, const struct affair *affair, enum pd_kind kind)
{
    const struct move *move = affair->move;

    if (kind == PD_KIND_DEGRADED && affair->last_request_us &&
        engine->now_us < affair->last_request_us + engine->config->merge_window_us)
        return affair->last_decision;
    if (move && move->state == MOVE_QUEUED && kind >= move->because->kind)
        return move->decision;
    if (move && kind == PD_KIND_DEGRADED)
        return move->decision; /* its next attempt is near */
    return 0;
}

/* Only what an operator does not pass; VERDICT_COUNT: nothing is in the way. */
static enum verdict timing_verdict(const struct engine *engine, const struct peer *peer,
                                   enum pd_kind kind, enum by by)
{
    const struct affair *affair = peer->affair;

    if (affair && kind == PD_KIND_DEGRADED && cooling(engine, affair))
        return VERDICT_COOLING;
    if (affair && kind != PD_KIND_MOVED && affair->backoff_until_us[by] > engine->now_us)
        return VERDICT_BACKING_OFF;
    if (network_kind(kind) && damped_until_us(engine, peer, by))
        return VERDICT_DAMPED;
    if (engine->mode == MODE_OBSERVE)
        return VERDICT_OBSERVING;
    return VERDICT_COUNT;
}

/* VERDICT_MIGRATE and VERDICT_RECONNECT mean: as far as the budget allows. */
static enum verdict gate_verdict(const struct engine *engine, const struct peer *peer,
                                 const struct because *because, enum by by, uint64_t *ret_into)
{
    const struct affair *affair = peer->affair;
    bool asked = because->kind == PD_KIND_OPERATOR; /* by an operator */
    enum verdict verdict;

    if (peer->state != PEER_UP)
        return VERDICT_GONE;
    if (by == BY_MIGRATE && peer_inbound(peer))
        return VERDICT_INBOUND;
    if (by == BY_MIGRATE ? peer->disabled || !peer->migratable
                         : !gate_reconnect_possible(engine, peer))
        return VERDICT_DISABLED;
    if (!asked && name_held(engine, peer->name->s))
        return VERDICT_HELD;
    if (!asked && because->no_target)
        return VERDICT_NO_TARGET;
    if (peer_in_flight(peer))
        return VERDICT_IN_FLIGHT;
    *ret_into = affair ? joins(engine, affair, because->kind) : 0;
    if (*ret_into)
        return VERDICT_MERGED;
    verdict = asked ? VERDICT_COUNT : timing_verdict(engine, peer, because->kind, by);
    if (verdict != VERDICT_COUNT)
        return verdict;
    return by == BY_MIGRATE ? VERDICT_MIGRATE : VERDICT_RECONNECT;
}

void decision_write(struct engine *engine, const struct record_subject *subject,
                    struct because *because, enum by by, uint64_t decision, enum verdict verdict,
                    const struct move *move, uint64_t into, uint64_t repeats)
{
    struct record *record = outbox_record(engine, RECORD_DECISION);

    record->bulk = because->bulk;
    record->decision = (struct record_decision){
        .subject = *subject,
        .decision = decision,
        .cause = because->cause,
        .trigger = because->trigger,
        .kind = because->kind,
        .by = by,
        .verdict = verdict,
        .reason = text_ref(because->reason),
        .evidence = evidence_ref(because->evidence),
        .request = move ? move->request : 0,
        .attempt = move ? move->attempt : 0,
        .timeout_ms = move ? move->timeout_ms : 0,
        .into = into,
        .repeats = repeats,
    };
}

static void remembered_due(struct engine *engine, struct deadline *deadline)
{
    gate_advise_remembered(engine,
                           CONTAINER_OF(deadline, struct affair, remembered_deadline)->peer);
}

static void remember(struct engine *engine, struct peer *peer, struct because *because,
                     uint64_t until_us)
{
    struct affair *affair = peer_affair(engine, peer);

    gate_forget_remembered(engine, peer);
    affair->remembered = because_ref(because);
    affair->remembered_deadline.run = remembered_due;
    deadline_set(&engine->deadlines, &affair->remembered_deadline, until_us);
    engine->remembered++;
}

void gate_forget_remembered(struct engine *engine, struct peer *peer)
{
    struct affair *affair = peer->affair;

    if (!affair || !affair->remembered)
        return;
    affair->remembered = because_unref(affair->remembered);
    deadline_set(&engine->deadlines, &affair->remembered_deadline, NEVER);
    engine->remembered--;
}

void gate_advise_remembered(struct engine *engine, struct peer *peer)
{
    struct because *because;

    if (!peer->affair || !peer->affair->remembered)
        return;
    because = because_ref(peer->affair->remembered);
    gate_forget_remembered(engine, peer);
    host_note_advice(engine, peer, because, true);
}

void gate_advise(struct engine *engine, struct peer *peer, const char *trigger, enum because_by by,
                 bool bulk, const struct pd_advice *advice)
{
    struct because *because = because_new(trigger, by, advice);

    because->bulk = bulk;
    host_note_advice(engine, peer, because, true);
}

void gate_take_back(struct engine *engine, struct peer *peer, const char *trigger)
{
    for (size_t i = 0; i < engine->n_advice; i++) {
        struct advice *advice = &engine->advice[i];

        if (advice->because && advice->peer == peer->index && advice->because->trigger == trigger)
            advice->because = because_unref(advice->because);
    }
}

/* The node's socket closed before it could be asked: again when it is back. */
void gate_remember_untold(struct engine *engine, struct peer *peer, struct because *because)
{
    if (network_kind(because->kind))
        remember(engine, peer, because, NEVER);
}

/* Refused for now: is it to be given again later, and when? */
static void remember_refused(struct engine *engine, struct peer *peer, struct because *because,
                             enum by by, enum verdict verdict)
{
    if (!network_kind(because->kind))
        return;
    if (verdict == VERDICT_IN_FLIGHT || (verdict == VERDICT_GONE && peer->state == PEER_UNTOLD))
        remember(engine, peer, because, NEVER);
    else if (verdict == VERDICT_DAMPED)
        remember(engine, peer, because, damped_until_us(engine, peer, by));
    else if (verdict == VERDICT_BACKING_OFF && because->by != BECAUSE_BY_RULE)
        remember(engine, peer, because, peer->affair->backoff_until_us[by]);
}

/* Through the gate: a move is made, and asked for when all advice is decided. */
static void pass(struct engine *engine, struct peer *peer, struct because *because, enum by by,
                 uint64_t decision, bool again)
{
    struct affair *affair = peer_affair(engine, peer);

    if (network_kind(because->kind)) {
        (void)token_at_us(engine, affair);
        affair->tokens_used++;
    }
    if (affair->remembered && because->kind <= affair->remembered->kind)
        gate_forget_remembered(engine, peer);
    migration_pass(engine, peer, because, by, decision, again);
}

static void decide(struct engine *engine, struct peer *peer, const struct advice *advice)
{
    struct because *because = advice->because;
    struct cause *cause = advice->again ? NULL : cause_find(engine, because->cause);
    enum by by = choose_by(engine, peer, because);
    uint64_t decision = ++engine->last_decision;
    uint64_t into = 0;
    enum verdict verdict;
    bool passed;

    if (by == BY_RECONNECT)
        name_lived(engine, peer->name->s, peer->up_us);
    verdict = gate_verdict(engine, peer, because, by, &into);
    passed = verdict == VERDICT_MIGRATE || verdict == VERDICT_RECONNECT;
    if (passed) {
        pass(engine, peer, because, by, decision, advice->again);
    } else {
        if (verdict == VERDICT_OBSERVING)
            peer_affair(engine, peer)->cooling_since_us = engine->now_us;
        fold_refusal(engine, peer, because, by, decision, verdict, into);
        remember_refused(engine, peer, because, by, verdict);
        if (cause)
            cause->verdicts[verdict]++;
    }
    if (network_kind(because->kind) && verdict != VERDICT_HELD && verdict != VERDICT_OBSERVING &&
        verdict != VERDICT_GONE)
        watch_advised(engine, peer, because);
}

/* Before deciding: which causes concern so many that their records are bulk. */
static void mark_bulk(struct engine *engine)
{
    for (size_t i = 0; i < engine->n_advice; i++) {
        struct because *because = engine->advice[i].because;
        struct cause *cause = because ? cause_find(engine, because->cause) : NULL;

        if (cause && cause->advised > BULK_ABOVE)
            because->bulk = true;
    }
}

static void decide_one(struct engine *engine, struct advice *advice)
{
    struct because *because = advice->because;

    if (!because)
        return;
    decide(engine, peer_at(engine, advice->peer), advice);
    advice->because = because_unref(because);
}

void gate_run(struct engine *engine)
{
    while (engine->n_advice) {
        size_t count = engine->n_advice;

        mark_bulk(engine);
        /* the strongest first, so that within one turn the weaker ones join it */
        for (enum pd_kind kind = PD_KIND_OPERATOR; kind < PD_KIND_COUNT; kind++)
            for (size_t i = 0; i < count; i++)
                if (engine->advice[i].because && engine->advice[i].because->kind == kind)
                    decide_one(engine, &engine->advice[i]);
        migration_ask_passed(engine);
        /* what was advised meanwhile */
        memmove(engine->advice, engine->advice + count,
                (engine->n_advice - count) * sizeof(struct advice));
        engine->n_advice -= count;
    }
}

void gate_peer_gone(struct engine *engine, struct peer *peer)
{
    for (size_t i = 0; i < engine->n_advice; i++)
        if (engine->advice[i].peer == peer->index && engine->advice[i].because)
            decide_one(engine, &engine->advice[i]);
}

void gate_moved(struct engine *engine, struct peer *peer)
{
    struct affair *affair = peer_affair(engine, peer);

    affair->cooling_since_us = engine->now_us;
    memset(affair->backoffs, 0, sizeof(affair->backoffs));
    memset(affair->backoff_until_us, 0, sizeof(affair->backoff_until_us));
}

/* xorshift64*, from the engine's own state: the same events, the same jitter. */
static uint64_t next_random(struct engine *engine)
{
    uint64_t x = engine->random;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    engine->random = x;
    return x * 0x2545f4914f6cdd1du;
}

void gate_failed(struct engine *engine, struct peer *peer, enum by by)
{
    struct affair *affair = peer_affair(engine, peer);
    uint64_t backoff = engine->config->backoff_min_us;

    for (unsigned i = 0; i < affair->backoffs[by]; i++)
        backoff = min_u64(backoff * 2, engine->config->backoff_max_us);
    if (backoff < engine->config->backoff_max_us)
        affair->backoffs[by]++;
    backoff = backoff - backoff / 5 + next_random(engine) % (2 * (backoff / 5) + 1);
    affair->backoff_until_us[by] = engine->now_us + backoff;
}

void gate_judged(struct engine *engine, struct peer *peer, enum effect effect)
{
    struct affair *affair = peer_affair(engine, peer);

    if (effect == EFFECT_BETTER)
        affair->cooldown_doublings = 0;
    else if ((effect == EFFECT_SAME || effect == EFFECT_WORSE) &&
             cooldown_us(engine, affair) < engine->config->cooldown_max_us)
        affair->cooldown_doublings++;
}
