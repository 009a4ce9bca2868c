/* SPDX-License-Identifier: Apache-2.0 */
/* Refusals that repeat, counted per connection, trigger and verdict. */
#include "decision.h"

#include "../base/cause.h"
#include "../base/outbox.h"
#include "../peers/peer.h"
#include "../state.h"

#define MINUTE_US 60000000u

void decision_write(struct engine *engine, const struct record_subject *subject,
                    const struct deciding_on *what, enum verdict verdict, const struct move *move,
                    uint64_t repeats)
{
    struct record *record = outbox_record(engine, RECORD_DECISION);
    struct reason *reason = what->reason;
    const struct destination *destination = what->destination;

    record->bulk = reason->bulk || (reason->repeated && move);
    record->decision = (struct record_decision){
        .subject = *subject,
        .decision = what->decision,
        .cause = reason->cause,
        .cause_age_us = cause_age_us(engine, reason->cause),
        .trigger = reason->trigger,
        .kind = reason->kind,
        .by = what->by,
        .verdict = verdict,
        .reason = text_ref(reason->text),
        .evidence = evidence_ref(reason->evidence),
        .request = move ? move->request : 0,
        .attempt = move ? move->attempt : 0,
        .timeout_ms = move ? move->timeout_ms : 0,
        .into = what->into,
        .repeats = repeats,
    };
    if (!destination)
        return;
    record->decision.uplink = text_ref(destination->uplink);
    record->decision.target = text_ref(destination->target);
    record->decision.choice = text_ref(destination->choice);
}

static void write_repeats(struct engine *engine, struct repeats *repeats)
{
    struct record_subject subject = peer_subject(repeats->peer);

    decision_write(engine, &subject,
                   &(struct deciding_on){.reason = repeats->reason,
                                         .destination = repeats->destination,
                                         .by = repeats->by,
                                         .decision = repeats->decision,
                                         .into = repeats->into},
                   repeats->verdict, NULL, repeats->count);
    repeats->count = 0;
}

static void repeat_free(struct engine *engine, struct repeats *repeats)
{
    struct repeats **link = &repeats->peer->moves->repeats;

    while (*link != repeats)
        link = &(*link)->next;
    *link = repeats->next;
    deadline_set(&engine->deadlines, &repeats->deadline, NEVER);
    reason_unref(repeats->reason);
    destination_unref(repeats->destination);
    pool_give(&engine->repeat_pool, repeats);
    engine->suppressed--;
}

void repeat_due(struct engine *engine, struct deadline *deadline)
{
    struct repeats *repeats = CONTAINER_OF(deadline, struct repeats, deadline);

    if (!repeats->count) {
        repeat_free(engine, repeats);
        return;
    }
    write_repeats(engine, repeats);
    deadline_append(&engine->deadlines, &engine->fifos.repeats, deadline,
                    engine->now_us + MINUTE_US);
}

static struct repeats *find(struct peer_moves *moves, const char *trigger, enum verdict verdict)
{
    struct repeats *repeats = moves->repeats;

    while (repeats && (repeats->reason->trigger != trigger || repeats->verdict != verdict))
        repeats = repeats->next;
    return repeats;
}

static void count(struct repeats *repeats, const struct deciding_on *what)
{
    reason_ref(what->reason);
    reason_unref(repeats->reason);
    destination_ref(what->destination);
    destination_unref(repeats->destination);
    repeats->reason = what->reason;
    repeats->destination = what->destination;
    repeats->by = what->by;
    repeats->decision = what->decision;
    repeats->into = what->into;
    repeats->count++;
}

void repeat_refusal(struct engine *engine, struct peer *peer, const struct deciding_on *what,
                    enum verdict verdict)
{
    struct record_subject subject;
    struct peer_moves *moves;
    struct repeats *repeats;

    if (what->reason->kind == PD_KIND_OPERATOR) { /* who asks is answered each time */
        subject = peer_subject(peer);
        decision_write(engine, &subject, what, verdict, NULL, 0);
        return;
    }
    moves = peer_moves(engine, peer);
    repeats = find(moves, what->reason->trigger, verdict);
    if (repeats) {
        count(repeats, what);
        return;
    }
    repeats = pool_take(&engine->repeat_pool);
    *repeats = (struct repeats){
        .next = moves->repeats,
        .peer = peer,
        .reason = reason_ref(what->reason),
        .destination = destination_ref(what->destination),
        .verdict = verdict,
        .by = what->by,
        .decision = what->decision,
        .into = what->into,
        .deadline.kind = DEADLINE_REPEATS,
    };
    moves->repeats = repeats;
    engine->suppressed++;
    write_repeats(engine, repeats);
    deadline_append(&engine->deadlines, &engine->fifos.repeats, &repeats->deadline,
                    engine->now_us + MINUTE_US);
}

void repeats_flush(struct engine *engine, struct peer *peer)
{
    while (peer->moves && peer->moves->repeats) {
        struct repeats *repeats = peer->moves->repeats;

        if (repeats->count)
            write_repeats(engine, repeats);
        repeat_free(engine, repeats);
    }
}
