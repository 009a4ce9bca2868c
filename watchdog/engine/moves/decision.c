/* SPDX-License-Identifier: Apache-2.0 */
/* Refusals that repeat, counted per connection, trigger and verdict. */
#include "decision.h"

#include "../base/outbox.h"
#include "../peers/peer.h"
#include "../state.h"

#define MINUTE_US 60000000u

void decision_write(struct engine *engine, const struct record_subject *subject,
                    struct reason *reason, enum by by, uint64_t decision, enum verdict verdict,
                    const struct move *move, uint64_t into, uint64_t repeats)
{
    struct record *record = outbox_record(engine, RECORD_DECISION);

    record->bulk = reason->bulk;
    record->decision = (struct record_decision){
        .subject = *subject,
        .decision = decision,
        .cause = reason->cause,
        .trigger = reason->trigger,
        .kind = reason->kind,
        .by = by,
        .verdict = verdict,
        .reason = text_ref(reason->text),
        .evidence = evidence_ref(reason->evidence),
        .request = move ? move->request : 0,
        .attempt = move ? move->attempt : 0,
        .timeout_ms = move ? move->timeout_ms : 0,
        .into = into,
        .repeats = repeats,
    };
}

static void say(struct engine *engine, struct fold *fold)
{
    struct record_subject subject = peer_subject(fold->peer);

    decision_write(engine, &subject, fold->reason, fold->by, fold->decision, fold->verdict, NULL,
                   fold->into, fold->count);
    fold->count = 0;
}

static void fold_free(struct engine *engine, struct fold *fold)
{
    struct fold **link = &fold->peer->moves->folds;

    while (*link != fold)
        link = &(*link)->next;
    *link = fold->next;
    deadline_set(&engine->deadlines, &fold->deadline, NEVER);
    reason_unref(fold->reason);
    pool_give(&engine->fold_pool, fold);
    engine->folded--;
}

void fold_due(struct engine *engine, struct deadline *deadline)
{
    struct fold *fold = CONTAINER_OF(deadline, struct fold, deadline);

    if (!fold->count) {
        fold_free(engine, fold);
        return;
    }
    say(engine, fold);
    deadline_append(&engine->deadlines, &engine->lanes.folds, deadline, engine->now_us + MINUTE_US);
}

static struct fold *find(struct peer_moves *moves, const char *trigger, enum verdict verdict)
{
    struct fold *fold = moves->folds;

    while (fold && (fold->reason->trigger != trigger || fold->verdict != verdict))
        fold = fold->next;
    return fold;
}

void fold_refusal(struct engine *engine, struct peer *peer, struct reason *reason, enum by by,
                  uint64_t decision, enum verdict verdict, uint64_t into)
{
    struct record_subject subject;
    struct peer_moves *moves;
    struct fold *fold;

    if (reason->kind == PD_KIND_OPERATOR) { /* who asks is answered each time */
        subject = peer_subject(peer);
        decision_write(engine, &subject, reason, by, decision, verdict, NULL, into, 0);
        return;
    }
    moves = peer_moves(engine, peer);
    fold = find(moves, reason->trigger, verdict);
    if (fold) {
        reason_ref(reason);
        reason_unref(fold->reason);
        fold->reason = reason;
        fold->by = by;
        fold->decision = decision;
        fold->into = into;
        fold->count++;
        return;
    }
    fold = pool_take(&engine->fold_pool);
    *fold = (struct fold){
        .next = moves->folds,
        .peer = peer,
        .reason = reason_ref(reason),
        .verdict = verdict,
        .by = by,
        .decision = decision,
        .into = into,
        .deadline.kind = DEADLINE_REPEATS,
    };
    moves->folds = fold;
    engine->folded++;
    say(engine, fold);
    deadline_append(&engine->deadlines, &engine->lanes.folds, &fold->deadline,
                    engine->now_us + MINUTE_US);
}

void folds_flush(struct engine *engine, struct peer *peer)
{
    while (peer->moves && peer->moves->folds) {
        struct fold *fold = peer->moves->folds;

        if (fold->count)
            say(engine, fold);
        fold_free(engine, fold);
    }
}
