/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How requests end. finish() is the one way out of an open request: it writes
 * the record; then, by outcome, the move is over, is tried again, or gives way
 * to what has become more urgent.
 */
#include "outcome.h"

#include "../base/notice.h"
#include "../base/outbox.h"
#include "../liveness/effect.h"
#include "../liveness/fallback.h"
#include "../moves/advice.h"
#include "../moves/move.h"
#include "../moves/requests.h"
#include "../moves/taken-back.h"
#include "../peers/name.h"
#include "../peers/peer.h"
#include "../peers/progress.h"
#include "../peers/waiting.h"
#include "../state.h"
#include "../uplinks/choose.h"
#include "../uplinks/evidence.h"
#include "../uplinks/react.h"
#include "../uplinks/return.h"
#include "newer.h"

static const struct event_answer no_answer = {0};

static enum outcome outcome_of(const struct move *move, const struct event_answer *answer)
{
    if (answer->malformed)
        return OUTCOME_FAILED;
    if (answer->ok)
        return move->by == BY_RECONNECT ? OUTCOME_RECONNECTED : OUTCOME_MIGRATED;
    switch (answer->code) {
    case NODE_NOT_CONNECTED:
    case NODE_NO_CONN:
        return OUTCOME_GONE;
    case NODE_PEER_DISABLE_MIGRATION:
        return OUTCOME_DISABLED;
    case NODE_TIMEOUT:
        return OUTCOME_TIMEOUT;
    case NODE_NOT_MIGRATABLE:
        return OUTCOME_NOT_MIGRATABLE;
    case NODE_BUSY:
        return OUTCOME_BUSY;
    case NODE_NO_PATH:
        return OUTCOME_NO_PATH;
    case NODE_DIAL_FAILED:
        return OUTCOME_DIAL_FAILED;
    case NODE_OLD_LIVES:
        return move->keep_old ? OUTCOME_OLD_LIVES : OUTCOME_FAILED;
    default:
        return OUTCOME_FAILED;
    }
}

/* Writes the record and closes the request; the move itself lives on. */
static void finish(struct engine *engine, struct move *move, enum outcome outcome,
                   const struct event_answer *answer)
{
    bool moved = outcome == OUTCOME_MIGRATED;
    bool error = answer != &no_answer && !answer->ok && !answer->malformed;
    struct record *record = outbox_record(engine, RECORD_OUTCOME);

    if (move->peer && !move->adopted)
        moves_peer_path(move->peer);
    /* of what failed before and fails again the refusals are counted */
    record->bulk = move->reason->bulk || (move->reason->repeated && outcome != OUTCOME_MIGRATED &&
                                          outcome != OUTCOME_RECONNECTED);
    record->outcome = (struct record_outcome){
        .subject = {.peer = text_ref(move->name), .conn = move->conn},
        .decision = move->decision,
        .request = move->request,
        .attempt = move->attempt,
        .by = move->by,
        .outcome = outcome,
        .validated = moved && answer->validated,
        .elapsed_us = engine->now_us - move->since_us,
        .local_before = text_ref(move->local_before),
        .local_after = moved ? text_new(answer->local) : NULL,
        .target = move->destination ? text_ref(move->destination->target) : NULL,
        .conn_new = outcome == OUTCOME_RECONNECTED ? answer->conn : 0,
        .error = error,
        .error_code = error ? answer->code : 0,
        .error_message = error ? text_new(answer->message) : NULL,
    };
    request_ended(&engine->migration, move->request);
    move_set_state(engine, move, MOVE_WAITING, NEVER);
    return_ended(engine, move, outcome);
}

/* What an error says about the connection, whoever asked and when. */
static void learn(struct engine *engine, struct peer *peer, enum by by, int64_t code)
{
    switch (code) {
    case NODE_NOT_CONNECTED:
    case NODE_NO_CONN:
        if (peer->state == PEER_UP)
            peer_set_state(engine, peer, PEER_GONE, NULL);
        break;
    case NODE_PEER_DISABLE_MIGRATION:
    case NODE_NOT_MIGRATABLE:
        peer_refuse(peer, by);
        break;
    default:
        break;
    }
}

/* The path changed by a migration of ours. */
static void path_moved(struct peer *peer, const char *local)
{
    (void)peer_set_path(peer, local, NULL, NULL, NULL);
    progress_path(peer);
}

/* The interface that the request named; NULL: the route table decided. */
static const char *named(const struct move *move)
{
    if (move->reason->interface)
        return move->reason->interface;
    return move->destination && move->destination->interface ? move->destination->interface->s
                                                             : NULL;
}

static struct answered succeeded(struct engine *engine, struct move *move,
                                 const struct event_answer *answer)
{
    struct reason *reason = reason_ref(move->reason);
    struct destination *destination = destination_ref(move->destination);
    const char *interface = named(move);
    struct peer *peer = move->peer;
    bool reconnected = move->by == BY_RECONNECT;
    bool same = peer && !move->adopted && peer->view.conn == move->conn;
    bool settles = same && move->settles;
    bool redialled =
        reconnected && peer && move->adopted && peer->view.conn == answer->conn && named(move);

    if (reconnected)
        effect_start_reconnected(engine, move, answer->conn);
    else
        effect_start(engine, move);
    move_free(engine, move);
    if (peer && !reconnected) {
        waiting_moved(engine, peer);
        again_forget(engine, peer);
        path_moved(peer, answer->local);
        if (reason->repeated) /* those before it did not begin a watch */
            fallback_advised(engine, peer, reason);
    }
    if (peer && (!reconnected || redialled))
        return_moved(engine, peer, destination, interface, reason->kind == PD_KIND_OPERATOR);
    if (reconnected || answer->validated)
        react_left(engine, destination);
    destination_unref(destination);
    if (!peer) {
        reason_unref(reason);
        return (struct answered){0};
    }
    return (struct answered){
        .moved = reconnected && !redialled ? NULL : peer,
        .reason = reason,
        .done = peer,
        .same = same,
        .settles = settles,
        .outcome = reconnected ? OUTCOME_RECONNECTED : OUTCOME_MIGRATED,
    };
}

void outcome_succeeded(struct engine *engine, const struct answered *led)
{
    if (led->settles)
        advice_forget(engine, led->done);
    if (led->same)
        (void)fallback_answered(engine, led->done, led->outcome);
    if (led->done)
        advice_give_remembered(engine, led->done);
}

/* Is there to be another attempt, if it is possible? */
static bool retry_wanted(const struct engine *engine, const struct move *move, enum outcome outcome,
                         int64_t code)
{
    const struct peer *peer = move->peer;

    if (!kind_is_network(move->reason->kind) || move->reason->repeated || engine->stopping)
        return false;
    if (!peer || peer->view.conn != move->conn)
        return false;
    if (move->outlived || move->retries >= engine->config->retries)
        return false;
    switch (outcome) {
    case OUTCOME_TIMEOUT:
    case OUTCOME_BUSY:
    case OUTCOME_NO_PATH:
    case OUTCOME_UNANSWERED:
        return true;
    case OUTCOME_DIAL_FAILED: /* the old connection is still there */
        return move->keep_old;
    case OUTCOME_FAILED:
        return code != NODE_UNKNOWN_VIA;
    default:
        return false;
    }
}

static bool may_retry(const struct engine *engine, const struct move *move, enum outcome outcome,
                      int64_t code)
{
    return retry_wanted(engine, move, outcome, code) && move_possible(engine, move);
}

/* A request to an uplink failed: is that to blame? */
static void blame(struct engine *engine, const struct move *move, enum outcome outcome)
{
    char what[128];

    if (!move->peer || (outcome != OUTCOME_TIMEOUT && outcome != OUTCOME_NO_PATH &&
                        outcome != OUTCOME_DIAL_FAILED))
        return;
    snprintf(what, sizeof(what), "the %s of %.80s ended as %s", by_name(move->by), move->name->s,
             outcome_name(outcome));
    evidence_failed(engine, move->destination, uplinks_family(move->peer), move->since_us, what);
}

static bool backs_off(enum outcome outcome)
{
    switch (outcome) {
    case OUTCOME_TIMEOUT:
    case OUTCOME_BUSY:
    case OUTCOME_NO_PATH:
    case OUTCOME_DIAL_FAILED:
    case OUTCOME_FAILED:
    case OUTCOME_UNANSWERED:
    case OUTCOME_LINK_LOST:
        return true;
    default:
        return false;
    }
}

/* The kernel has changed the route, the connection has not followed, and nobody else will ask. */
static void give_up(struct engine *engine, const struct move *move, enum outcome outcome,
                    int64_t code)
{
    struct peer *peer = move->peer;

    if (!peer || move->adopted || engine->stopping || move->reason->kind != PD_KIND_MOVED ||
        peer->view.conn != move->conn || peer->state != PEER_UP || !backs_off(outcome) ||
        (outcome == OUTCOME_FAILED && code == NODE_UNKNOWN_VIA))
        return;
    again_failed(engine, peer, move->reason);
}

static void retry(struct engine *engine, struct move *move, enum outcome outcome)
{
    bool other = choose_again(engine, move, uplinks_target(engine, move->destination));

    if (other && outcome == OUTCOME_TIMEOUT)
        move_retry_elsewhere(engine, move);
    else
        move_retry(engine, move, outcome == OUTCOME_TIMEOUT);
}

/* May what is remembered be decided instead of another attempt? That takes no token. */
static bool remembered_first(struct engine *engine, struct move *move, enum outcome outcome,
                             int64_t code)
{
    struct peer *peer = move->peer;

    return peer && peer->moves->remembered && peer->state == PEER_UP &&
           !advice_still_refused(engine, peer) &&
           !(may_retry(engine, move, outcome, code) && advice_remembered_damped(engine, peer));
}

/* After a failure, what is next: where the network leads now, the fallback if the connection is
 * dead by now, advice that came meanwhile, another attempt, or nothing for a while. */
static void failed(struct engine *engine, struct move *move, enum outcome outcome, int64_t code)
{
    struct peer *peer = move->peer;
    bool remembered;

    if (outcome == OUTCOME_BUSY && peer && !move->adopted && taken_back_waits(engine, move))
        return;
    remembered = remembered_first(engine, move, outcome, code);
    if (peer && !move->adopted && !(remembered && newer_waits(peer, move)) &&
        fallback_answered(engine, peer, outcome)) {
        give_up(engine, move, outcome, code);
        move_free(engine, move);
        advice_forget(engine, peer);
        return;
    }
    if (remembered) {
        if (peer->moves->remembered->kind != PD_KIND_MOVED)
            give_up(engine, move, outcome, code);
        move_free(engine, move);
        advice_give_remembered(engine, peer);
        return;
    }
    if (may_retry(engine, move, outcome, code)) {
        retry(engine, move, outcome);
        return;
    }
    if (peer && backs_off(outcome) && !move->reason->repeated)
        waiting_failed(engine, peer, move->by);
    if (peer && retry_wanted(engine, move, outcome, code) && !newer_waits(peer, move))
        advice_remember_held(engine, peer, move->reason);
    if (peer && !advice_still_refused(engine, peer))
        give_up(engine, move, outcome, code);
    move_free(engine, move);
    if (peer && !advice_still_refused(engine, peer))
        advice_forget(engine, peer);
}

/* Nothing failed, and nothing is to be done: what was advised because the connection seemed dead
 * is disproved. */
static void old_lives(struct engine *engine, struct move *move)
{
    struct peer *peer = move->peer;
    bool same = peer && !move->adopted && peer->view.conn == move->conn;

    name_kept(engine, move->name->s);
    move_free(engine, move);
    if (!same)
        return;
    if (peer->moves->remembered && peer->moves->remembered->kind == PD_KIND_DEAD)
        advice_forget(engine, peer);
    fallback_lives(engine, peer);
    advice_give_remembered(engine, peer);
}

struct answered outcome_answered(struct engine *engine, struct move *move,
                                 const struct event_answer *answer)
{
    enum outcome outcome = outcome_of(move, answer);

    finish(engine, move, outcome, answer);
    blame(engine, move, outcome);
    if (outcome == OUTCOME_MIGRATED || outcome == OUTCOME_RECONNECTED)
        return succeeded(engine, move, answer);
    if (outcome == OUTCOME_OLD_LIVES) {
        old_lives(engine, move);
        return (struct answered){0};
    }
    if (!answer->ok && answer->code == NODE_UNKNOWN_VIA)
        notice_format(engine, PD_LEVEL_WARNING, "unknown-via",
                      "the node knows no relay \"%s\", requested for %s: correct the relay's name",
                      move->reason->via ? move->reason->via : "", move->name->s);
    if (move->peer && !move->adopted && !answer->ok && !answer->malformed)
        learn(engine, move->peer, move->by, answer->code);
    failed(engine, move, outcome, answer->malformed ? 0 : answer->code);
    return (struct answered){0};
}

struct answered outcome_late(struct engine *engine, const struct request_slot *slot,
                             const struct event_answer *answer)
{
    struct peer *peer = peers_find(engine, slot->conn);
    struct peer *next = slot->by == BY_RECONNECT && answer->ok && !answer->malformed
                            ? peers_find(engine, answer->conn)
                            : NULL;

    if (next)
        taken_back_reconnected(engine, next);
    if (peer)
        taken_back_answered(engine, peer, answer->request);
    if (!peer || answer->malformed)
        return (struct answered){0};
    if (answer->ok && slot->by == BY_MIGRATE) {
        advice_disproved(engine, peer, PD_KIND_MOVED);
        again_forget(engine, peer);
        path_moved(peer, answer->local);
        return_moved(engine, peer, NULL, NULL, false);
        return (struct answered){.moved = peer};
    }
    if (!answer->ok)
        learn(engine, peer, slot->by, answer->code);
    return (struct answered){0};
}

void outcome_unanswered(struct engine *engine, struct move *move)
{
    finish(engine, move, OUTCOME_UNANSWERED, &no_answer);
    failed(engine, move, OUTCOME_UNANSWERED, 0);
}

void outcome_cancelled(struct engine *engine, struct move *move)
{
    if (move->by == BY_RECONNECT) /* it has closed nothing */
        name_kept(engine, move->name->s);
    taken_back_begin(engine, move);
    finish(engine, move, OUTCOME_CANCELLED, &no_answer);
    move_free(engine, move);
}

void outcome_gone(struct engine *engine, struct move *move)
{
    finish(engine, move, OUTCOME_GONE, &no_answer);
    move_free(engine, move);
}

void outcome_link_lost(struct engine *engine, struct move *move)
{
    struct peer *peer = move->peer;
    bool again = peer && !move->adopted && !move->link_retried && !move->outlived &&
                 (move->reason->kind == PD_KIND_MOVED || move->reason->kind == PD_KIND_DEAD);

    finish(engine, move, OUTCOME_LINK_LOST, &no_answer);
    if (again) {
        move_link_lost(engine, move);
        return;
    }
    if (peer)
        waiting_failed(engine, peer, move->by);
    move_free(engine, move);
}

void outcome_stopped(struct engine *engine, struct move *move)
{
    finish(engine, move, OUTCOME_UNANSWERED, &no_answer);
    move_free(engine, move);
}
