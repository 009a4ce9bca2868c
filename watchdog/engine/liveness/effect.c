/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Effects. A job lives beside its connection, or under the peer's name while
 * the new connection of a reconnect is still to come.
 */
#include "effect.h"

#include <stdio.h>

#include "../base/outbox.h"
#include "../moves/advice.h"
#include "../peers/name.h"
#include "../peers/peer.h"
#include "../peers/poll.h"
#include "../peers/progress.h"
#include "../peers/waiting.h"
#include "../state.h"
#include "../uplinks/evidence.h"
#include "../uplinks/groups.h"
#include "../uplinks/return.h"

static uint32_t median(const uint32_t *values, uint8_t count)
{
    uint64_t less, more;

    if (count == 1)
        return values[0];
    less = min_u64(values[0], values[1]);
    more = max_u64(values[0], values[1]);
    if (count == 2)
        return (uint32_t)((less + more) / 2);
    return (uint32_t)max_u64(less, min_u64(more, values[2]));
}

/* From what was seen so far; `unanswered`: somebody waits for an answer on it. */
static enum effect evaluate(const struct effect_job *job, bool unanswered)
{
    uint64_t before, after;

    if (job->progress && (job->by == BY_RECONNECT || kind_is_network(job->kind)))
        return EFFECT_BETTER;
    if (!job->progress && unanswered)
        return EFFECT_STALLED;
    if (!job->n_before || !job->n_after || job->by == BY_RECONNECT)
        return EFFECT_UNKNOWN;
    before = median(job->before, job->n_before);
    after = median(job->after, job->n_after);
    if (after * 10 <= before * 8)
        return EFFECT_BETTER;
    return after * 4 >= before * 5 ? EFFECT_WORSE : EFFECT_SAME;
}

/* Did the uplink do that the move went to? */
static void tell_uplink(struct engine *engine, const struct effect_job *job, enum effect effect)
{
    struct uplink *target = uplinks_target(engine, job->destination);
    char what[128];

    if (!target)
        return;
    snprintf(what, sizeof(what), "the move of %.80s there had no effect", job->name->s);
    if (effect == EFFECT_STALLED && job->peer)
        evidence_failed(engine, job->destination, uplinks_family(job->peer), job->since_us, what);
    if (job->kind == PD_KIND_BETTER)
        return_effect(job->conn, target, effect);
}

static void finish(struct engine *engine, struct effect_job *job, enum effect effect)
{
    struct record *record = outbox_record(engine, RECORD_EFFECT);
    struct peer *peer = job->peer;
    struct name_state *name;

    record->bulk = job->bulk;
    record->effect = (struct record_effect){
        .subject = {.peer = text_ref(job->name), .conn = job->conn},
        .decision = job->decision,
        .effect = effect,
        .rtt_before_us = job->n_before ? median(job->before, job->n_before) : PD_UNKNOWN,
        .rtt_after_us = job->n_after ? median(job->after, job->n_after) : PD_UNKNOWN,
        .samples_before = job->n_before,
        .samples_after = job->n_after,
    };
    deadline_set(&engine->deadlines, &job->deadline, NEVER);
    if (peer) {
        peer->moves->effect = NULL;
        waiting_evaluated(engine, peer, effect);
        poll_update(engine, peer);
    } else if ((name = name_find(engine, job->name->s)) && name->awaited == job) {
        name->awaited = NULL;
        name_release(engine, name);
    }
    tell_uplink(engine, job, effect);
    groups_effect(engine, job->conn, effect);
    text_unref(job->name);
    destination_unref(job->destination);
    pool_give(&engine->effect_pool, job);
    engine->effects_open--;
}

void effect_due(struct engine *engine, struct deadline *deadline)
{
    struct effect_job *job = CONTAINER_OF(deadline, struct effect_job, deadline);

    /* a new connection that never came up is one that does not get through */
    finish(engine, job, evaluate(job, !job->peer || progress_unanswered(job->peer)));
}

static struct effect_job *job_new(struct engine *engine, const struct move *move, uint64_t conn)
{
    struct effect_job *job = pool_take(&engine->effect_pool);

    *job = (struct effect_job){
        .name = text_ref(move->name),
        .destination = destination_ref(move->destination),
        .conn = conn,
        .decision = move->decision,
        .since_us = engine->now_us,
        .kind = move->reason->kind,
        .by = move->by,
        .bulk = move->reason->bulk,
        .n_before = move->rtt_count,
        .deadline.kind = DEADLINE_EFFECT,
    };
    memcpy(job->before, move->rtt_before, sizeof(job->before));
    deadline_append(&engine->deadlines, &engine->fifos.effects, &job->deadline,
                    engine->now_us + engine->config->effect_window_us);
    engine->effects_open++;
    return job;
}

static void attach(struct engine *engine, struct effect_job *job, struct peer *peer)
{
    struct peer_moves *moves = peer_moves(engine, peer);

    if (moves->effect)
        finish(engine, moves->effect, evaluate(moves->effect, progress_unanswered(peer)));
    moves->effect = job;
    job->peer = peer;
    progress_restart(engine, peer);
    poll_update(engine, peer);
}

void effect_start(struct engine *engine, const struct move *move)
{
    attach(engine, job_new(engine, move, move->conn), move->peer);
}

void effect_start_reconnected(struct engine *engine, const struct move *move, uint64_t conn)
{
    struct effect_job *job = job_new(engine, move, conn);
    struct peer *peer = peers_find_name(engine, move->name->s);
    struct name_state *name;

    /* that one, or one that has followed it; an answer need not name it */
    if (peer && peer->view.conn >= conn && (peer->view.conn != move->conn || conn == move->conn)) {
        job->conn = peer->view.conn;
        attach(engine, job, peer);
        waiting_moved(engine, peer);
        return;
    }
    name = name_get(engine, move->name->s);
    if (name->awaited)
        finish(engine, name->awaited, EFFECT_UNKNOWN);
    name = name_get(engine, move->name->s); /* it may have been released */
    name->awaited = job;
}

/* The answer came before it was told: it is bound to the uplink over which it was dialled. */
static void redialled(struct engine *engine, struct peer *peer, const struct effect_job *job)
{
    const struct destination *destination = job->destination;

    if (peer->view.conn == job->conn && destination && destination->interface)
        return_moved(engine, peer, destination, destination->interface->s,
                     job->kind == PD_KIND_OPERATOR);
}

void effect_peer_up(struct engine *engine, struct peer *peer)
{
    struct name_state *name = engine->names.count ? name_find(engine, peer->view.name) : NULL;
    struct effect_job *job = name ? name->awaited : NULL;

    if (!job || peer->view.conn < job->conn)
        return;
    name->awaited = NULL;
    redialled(engine, peer, job);
    job->conn = peer->view.conn;
    attach(engine, job, peer);
    waiting_moved(engine, peer);
    name_release(engine, name);
}

/* Does the new path carry our packets? That those of the peer arrive does not prove it, but
 * has to do where a node never tells of acknowledgements. The first row after the move covers a
 * time before it, too: what it shows may have come on the old path. When the last packet came
 * tells; else only a new RTT sample. */
static bool got_through(const struct engine *engine, const struct peer *peer,
                        const struct pd_sample *sample)
{
    const struct effect_job *job = peer->moves->effect;
    uint64_t silent_ms = sample->row->v[PD_SILENT_MS];
    bool tells = peer->samples_known || peer->acked_known;

    if (!sample->progress || (tells && !sample->acknowledged))
        return false;
    if (job->by != BY_MIGRATE || job->seen)
        return true;
    if (silent_ms != PD_UNKNOWN)
        return silent_ms < (engine->now_us - job->since_us) / 1000;
    return sample->fresh;
}

void effect_row(struct engine *engine, struct peer *peer, const struct pd_sample *sample)
{
    const struct pd_row *row = sample->row;
    struct effect_job *job = peer->moves->effect;
    uint64_t latest_us = row->v[PD_LATEST_RTT_US];
    uint64_t rtt_us = latest_us != PD_UNKNOWN ? latest_us : row->v[PD_SRTT_US];

    job->progress |= got_through(engine, peer, sample);
    job->seen = true;
    if (sample->fresh && job->n_after < RTT_KEPT)
        job->after[job->n_after++] = (uint32_t)min_u64(rtt_us, UINT32_MAX);
    if (job->n_after == RTT_KEPT || (job->by == BY_RECONNECT && job->progress))
        finish(engine, job, evaluate(job, false));
}

void effect_peer_gone(struct engine *engine, struct peer *peer)
{
    struct effect_job *job = peer->moves ? peer->moves->effect : NULL;

    if (job)
        finish(engine, job, evaluate(job, true));
}

void effects_stop(struct engine *engine)
{
    struct peer *peer;

    for (uint32_t i = 0; (peer = peers_next(engine, &i));)
        if (peer->moves && peer->moves->effect)
            finish(engine, peer->moves->effect, evaluate(peer->moves->effect, false));
    for (size_t i = 0; i < ARRAY_SIZE(engine->names.buckets); i++) {
        struct name_state *next;

        for (struct name_state *name = engine->names.buckets[i]; name; name = next) {
            next = name->next;
            if (name->awaited)
                finish(engine, name->awaited, EFFECT_UNKNOWN);
        }
    }
}
