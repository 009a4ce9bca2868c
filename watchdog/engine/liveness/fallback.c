/* SPDX-License-Identifier: Apache-2.0 */
/* The watch over connections that may be dead, and the fallback. */
#include "fallback.h"

#include <inttypes.h>
#include <stdio.h>

#include "../base/notice.h"
#include "../base/outbox.h"
#include "../moves/advice.h"
#include "../moves/move.h"
#include "../peers/peer.h"
#include "../peers/ping.h"
#include "../peers/poll.h"
#include "../peers/progress.h"
#include "../peers/unacked.h"
#include "../state.h"
#include "../uplinks/evidence.h"
#include "../uplinks/react.h"
#include "dial.h"

#define WATCH_US    60000000u
#define SURE_US     1000000u /* progress so long after the advice is not left from before it */
#define POLLS_LEAST 3u

static const char fallback_name[] = "fallback";

void fallback_due(struct engine *engine, struct deadline *deadline)
{
    struct peer_moves *moves =
        CONTAINER_OF(CONTAINER_OF(deadline, struct watch, deadline), struct peer_moves, watch);

    if (engine->now_us >= moves->watch.until_us) { /* also if no row ever came */
        fallback_off(engine, moves->peer);
        return;
    }
    deadline_append(&engine->deadlines, &engine->fifos.watch_ends, deadline, moves->watch.until_us);
    poll_update(engine, moves->peer);
    poll_soon(engine);
}

/* Since when it has been waited for: nothing need be outstanding where nothing can arrive. */
static uint64_t waited_since_us(const struct peer *peer, enum dial dial)
{
    return dial == DIAL_GONE ? peer->stalled_since_us : peer->unanswered_since_us;
}

/* A look is wanted at the very moment when it was waited long enough. */
static void set_deadline(struct engine *engine, struct peer *peer)
{
    struct watch *watch = &peer->moves->watch;
    enum dial dial = dial_judge(engine, peer);
    uint64_t after_us =
        engine->config->fallback == FALLBACK_OFF ? NEVER : dial_after_us(engine, peer, dial);
    uint64_t at_us = min_u64(add_u64(waited_since_us(peer, dial), after_us), watch->until_us);

    if (after_us == engine->config->fallback_after_us)
        deadline_append(&engine->deadlines, &engine->fifos.watched, &watch->deadline, at_us);
    else
        deadline_set(&engine->deadlines, &watch->deadline, at_us);
}

void fallback_off(struct engine *engine, struct peer *peer)
{
    struct watch *watch = peer->moves ? &peer->moves->watch : NULL;

    if (!watch || !watch->on)
        return;
    watch->on = false;
    deadline_set(&engine->deadlines, &watch->deadline, NEVER);
    poll_update(engine, peer);
}

/* Progress counts from here on. */
static void watch_since_now(const struct engine *engine, struct watch *watch)
{
    watch->advised_us = engine->now_us;
    watch->polled = false;
}

static void take_moved(struct watch *watch, const struct reason *reason)
{
    watch->flipped = watch->untried = !reason->no_target;
    watch->no_way = reason->no_target;
    watch->no_path = false;
    watch->silent = false; /* that was elsewhere */
    watch->gone = reason_proves(reason, "unreachable");
    watch->no_carrier = reason_proves(reason, "no-carrier");
}

void fallback_advised(struct engine *engine, struct peer *peer, const struct reason *reason)
{
    struct watch *watch = &peer_moves(engine, peer)->watch;
    bool own = reason->trigger == fallback_name;
    /* a silence that is known must not be put off by being said again, nor by a route that flaps */
    bool known = watch->on && !own;

    if (!watch->on)
        *watch = (struct watch){.deadline = watch->deadline, .application = true};
    if (!own || !watch->on)
        watch->until_us = engine->now_us + WATCH_US;
    watch->on = true;
    watch->probed = false;
    watch->cause = reason->cause;
    watch->bulk = reason->bulk;
    if (reason->kind == PD_KIND_MOVED)
        take_moved(watch, reason);
    if (own) /* at once only once: what was refused or failed waits as any other does */
        watch->gone = watch->no_carrier = false;
    watch_since_now(engine, watch);
    watch->deadline.kind = DEADLINE_WATCH;
    if (!known)
        progress_restart(engine, peer);
    if (!known || reason->kind == PD_KIND_MOVED)
        watch->given = false;
    set_deadline(engine, peer);
    poll_update(engine, peer);
}

static bool judgeable(const struct engine *engine)
{
    const uint32_t needed = 1u << PD_RTT_SAMPLES | 1u << PD_BYTES_RECEIVED | 1u << PD_SILENT_MS;

    return engine->polls.columns & needed;
}

bool fallback_dead(const struct engine *engine, const struct peer *peer, uint64_t now_us)
{
    return peer->unanswered_rows >= POLLS_LEAST && judgeable(engine) &&
           sub_u64(now_us, peer->unanswered_since_us) >= engine->config->fallback_after_us;
}

static bool waited_enough(const struct engine *engine, const struct peer *peer, enum dial dial)
{
    uint32_t rows = dial == DIAL_GONE ? peer->stalled_polls : peer->unanswered_rows;

    return rows >= dial_rows(dial) && judgeable(engine) &&
           sub_u64(engine->now_us, waited_since_us(peer, dial)) >=
               dial_after_us(engine, peer, dial);
}

/* Where the kernel has the proof, nothing need be outstanding, and a moment is enough. */
static void reason_write(char *text, size_t size, const struct peer *peer, enum dial dial,
                         uint64_t silent_ms)
{
    char span[40];

    if (silent_ms < 1000)
        snprintf(span, sizeof(span), "%" PRIu64 " ms", silent_ms);
    else
        snprintf(span, sizeof(span), "%" PRIu64 ".%" PRIu64 " s", silent_ms / 1000,
                 silent_ms % 1000 / 100);
    snprintf(text, size, "no progress for %s in %u poll%s%s; %s", span, peer->stalled_polls,
             peer->stalled_polls == 1 ? "" : "s",
             dial == DIAL_GONE ? "" : ", and something is outstanding", dial_text(dial));
}

static void advise_fallback(struct engine *engine, struct peer *peer, enum dial dial)
{
    struct watch *watch = &peer->moves->watch;
    uint64_t silent_ms = (engine->now_us - peer->stalled_since_us) / 1000;
    char reason[200];
    const struct pd_field evidence[] = {
        {.name = "dial", .text = dial_name(dial)},
        {.name = "silent_ms", .number = silent_ms},
        {.name = "looks", .number = peer->stalled_polls},
        {.name = "in_flight_bytes", .number = peer->in_flight_bytes},
    };

    reason_write(reason, sizeof(reason), peer, dial, silent_ms);
    watch->given = true;
    watch->untried = false;
    advice_give(engine, peer, fallback_name, REASON_BY_RECONNECT, watch->bulk,
                &(struct pd_advice){
                    .kind = PD_KIND_DEAD,
                    .cause = watch->cause,
                    .reason = reason,
                    .evidence = evidence,
                    .n_evidence = ARRAY_SIZE(evidence),
                });
}

/* Judges a connection without a request open. */
static bool evaluate(struct engine *engine, struct peer *peer)
{
    enum dial dial = dial_judge(engine, peer);

    if (peer->moves->watch.given || engine->config->fallback != FALLBACK_RECONNECT ||
        peer->state != PEER_UP || !peer_movable(engine, peer, BY_RECONNECT) ||
        !waited_enough(engine, peer, dial))
        return false;
    advise_fallback(engine, peer, dial);
    return true;
}

bool fallback_plan(const struct engine *engine, const struct peer *peer,
                   struct fallback_plan *ret_plan)
{
    enum dial dial;

    if (!peer->moves || !peer->moves->watch.on || engine->config->fallback != FALLBACK_RECONNECT ||
        !peer_movable(engine, peer, BY_RECONNECT))
        return false;
    dial = dial_judge(engine, peer);
    *ret_plan = (struct fallback_plan){
        .dial = dial_name(dial),
        .why = dial == DIAL_NEVER && peer->moves->watch.silent
                   ? "nothing gets through to any connection that shares its link"
                   : dial_text(dial),
        .after_us = dial_after_us(engine, peer, dial),
    };
    return true;
}

bool fallback_answered(struct engine *engine, struct peer *peer, enum outcome outcome)
{
    struct watch *watch = &peer->moves->watch;

    if (!watch->on)
        return false;
    watch_since_now(engine, watch);
    watch->no_way = false;
    watch->no_path = outcome == OUTCOME_NO_PATH;
    if (outcome == OUTCOME_MIGRATED || outcome == OUTCOME_RECONNECTED ||
        outcome == OUTCOME_OLD_LIVES) {
        watch->gone = watch->no_carrier = false;
        progress_restart(engine, peer); /* what lives now gets its own time */
    } else if (evaluate(engine, peer)) {
        return true;
    }
    set_deadline(engine, peer);
    return false;
}

/* What was acknowledged came after the request, and so on the path that is there now. */
void fallback_lives(struct engine *engine, struct peer *peer)
{
    peer->moves->watch.given = peer->moves->watch.flipped = false;
    (void)fallback_answered(engine, peer, OUTCOME_OLD_LIVES);
}

/* An idle connection is asked to show whether it lives, once. */
static void probe(struct engine *engine, struct peer *peer, const struct pd_row *row)
{
    struct watch *watch = &peer->moves->watch;
    bool outstanding = unacked_shows(row) || peer->sent_since;

    if (watch->probed || outstanding || !ping_now(engine, peer))
        return;
    watch->probed = true;
    progress_restart(engine, peer); /* from here on something is unanswered */
    set_deadline(engine, peer);
}

/* A fallback has no reason any more, watched or not: one of this very turn was
 * never advised, one that waits ends, one that is open is not tried again. */
static void call_off(struct engine *engine, struct peer *peer)
{
    if (peer->moves->watch.given)
        advice_take_back(engine, peer, fallback_name);
    moves_disproved(engine, peer, fallback_name);
}

/* A row tells of all the time since the row before it. The first one since the
 * advice proves something only where it says when the last packet came. */
static bool is_sure(const struct engine *engine, const struct watch *watch,
                    const struct pd_row *row)
{
    uint64_t since_us = watch->advised_us + SURE_US, silent_ms = row->v[PD_SILENT_MS];

    if (engine->now_us <= since_us)
        return false;
    return watch->polled ||
           (silent_ms != PD_UNKNOWN && silent_ms < (engine->now_us - since_us) / 1000);
}

static void progressed(struct engine *engine, struct peer *peer, const struct pd_sample *sample)
{
    struct watch *watch = &peer->moves->watch;
    bool sure = is_sure(engine, watch, sample->row);

    watch->given = false;
    if (sure && sample->acknowledged)
        watch->flipped = watch->gone = watch->no_carrier = false;
    if (sure && !peer_in_flight(peer))
        fallback_off(engine, peer);
    else
        set_deadline(engine, peer);
}

static void notice_unjudgeable(struct engine *engine)
{
    if (judgeable(engine) || engine->polls.noticed_unjudgeable)
        return;
    engine->polls.noticed_unjudgeable = true;
    notice(engine, PD_LEVEL_WARNING, "cannot-judge",
           "the node reports none of rtt_samples, bytes_received, silent_ms: no connection can be "
           "found dead, and the fallback never acts",
           1);
}

/* Is all that shares its link silent, and no other can be chosen? It stays so until something gets
 * through to one of them. */
static bool is_silent(const struct engine *engine, const struct peer *peer, bool progress)
{
    const struct watch *watch = &peer->moves->watch;

    if (progress || watch->flipped || watch->gone || (uplinks_chosen(engine) && peer->uplink))
        return false;
    return watch->silent ? !evidence_group_heard(engine, peer)
                         : evidence_group_silent(engine, peer);
}

/* Nothing could get through while there was no route, or to nobody: that time does not count. What
 * was advised before would close it for nothing. */
static void follow_link(struct engine *engine, struct peer *peer, bool progress)
{
    struct watch *watch = &peer->moves->watch;
    bool silent = is_silent(engine, peer, progress);
    bool routed = watch->unrouted && !peer->unrouted, heard = watch->silent && !silent;

    if (watch->unrouted == peer->unrouted && watch->silent == silent)
        return;
    watch->unrouted = peer->unrouted;
    watch->silent = silent;
    call_off(engine, peer);
    watch->given = false;
    if (routed) {
        watch->flipped = watch->untried = true;
        watch->no_path = false;
    }
    if (!watch->unrouted && !watch->silent) {
        watch_since_now(engine, watch);
        progress_restart(engine, peer);
        if (heard && !progress)
            react_routed(engine, peer);
    }
    set_deadline(engine, peer);
}

void fallback_row(struct engine *engine, struct peer *peer, const struct pd_sample *sample)
{
    const struct uplink *uplink = uplink_at(engine, peer->uplink);
    const struct pd_row *row = sample->row;
    bool progress = sample->progress;

    if (progress)
        call_off(engine, peer);
    if (!peer->moves->watch.on)
        return;
    notice_unjudgeable(engine);
    follow_link(engine, peer, progress);
    if (!uplink || uplink->condition == UPLINK_UP) /* else nothing can go out */
        ping_row(engine, peer, sample);
    if (peer->moves->watch.application != sample->application) {
        peer->moves->watch.application = sample->application;
        set_deadline(engine, peer);
    }
    if (progress) {
        progressed(engine, peer, sample);
    } else if (!peer_in_flight(peer) && !evaluate(engine, peer)) {
        probe(engine, peer, row);
        if (waited_since_us(peer, dial_judge(engine, peer)) == engine->now_us)
            set_deadline(engine, peer); /* nothing is outstanding */
    }
    peer->moves->watch.polled = true;
    if (engine->now_us >= peer->moves->watch.until_us)
        fallback_off(engine, peer);
}
