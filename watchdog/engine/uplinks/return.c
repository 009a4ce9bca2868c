/* SPDX-License-Identifier: Apache-2.0 */
/* See return.h. */
#include "return.h"

#include <inttypes.h>
#include <stdio.h>

#include "../moves/advice.h"
#include "../moves/move.h"
#include "../peers/name.h"
#include "../peers/peer.h"
#include "../peers/waiting.h"
#include "../state.h"
#include "evidence.h"
#include "members.h"
#include "probe.h"

#define STEP_MIN_US  UINT64_C(1000000)
#define STEP_MAX_US  UINT64_C(30000000)
#define TICK_MIN_US  UINT64_C(250000)
#define TICK_IDLE_US UINT64_C(1000000)
/* An answer is late that takes so many times what is usual, and so much more. */
#define LATE_TIMES 3u
#define LATE_US    UINT64_C(100000)
#define WALK       4096u /* connections looked at in one step */

const char return_name[] = "return";

static uint64_t step_us(const struct uplink *uplink)
{
    return min_u64(max_u64(uplink->is.proof.hold_us / RETURN_PROBES, STEP_MIN_US), STEP_MAX_US);
}

/* ---- the proof ---- */

static void take_good(struct engine *engine, struct uplink *uplink)
{
    struct proof *proof = &uplink->is.proof;

    if (!proof->good++)
        proof->since_us = engine->now_us;
}

static void take_bad(struct uplink *uplink)
{
    uplink->is.proof.good = 0;
    uplink->is.proof.since_us = 0;
}

/* Was it left because it was slow, and still is? Or is it to be faster than where they are? */
static bool too_slow(const struct engine *engine, const struct uplink *uplink,
                     const struct peer *peer, uint64_t rtt_us)
{
    uint64_t slow_us = uplink->is.slow_us;

    if (slow_us && rtt_us * 10 > slow_us * 8)
        return true;
    return engine->config->returns == RETURN_BETTER && peer && peer->rtt_last[0] != UINT32_MAX &&
           rtt_us >= peer->rtt_last[0];
}

static bool is_late(uint64_t rtt_us, uint64_t usual_us)
{
    return rtt_us > LATE_TIMES * usual_us + LATE_US;
}

/* A queue that fills, or a radio that fades, answers late before it answers no more. Late for the
 * uplink, since the preferred one may be a slow one; and for the peer, since some are far away.
 * What is usual grows slowly, so that an uplink that is another network now is trusted in the end.
 */
static bool is_unwell(struct uplink *uplink, const struct peer *peer, uint64_t rtt_us)
{
    uint64_t usual_us = uplink->is.probe_usual_us;

    if (!usual_us || rtt_us < usual_us)
        uplink->is.probe_usual_us = rtt_us;
    else
        uplink->is.probe_usual_us += (rtt_us - usual_us) / 64;
    return usual_us && is_late(rtt_us, usual_us) && peer && peer->rtt_last[0] != UINT32_MAX &&
           is_late(rtt_us, peer->rtt_last[0]);
}

void return_probed(struct engine *engine, const struct uplink_probe *probe,
                   const struct event_probed *answer)
{
    struct uplink *uplink = uplink_at(engine, probe->uplink);
    const struct peer *peer = peers_find(engine, probe->conn);

    if (!uplink)
        return;
    if (answer->ok && !is_unwell(uplink, peer, answer->rtt_us) &&
        !too_slow(engine, uplink, peer, answer->rtt_us))
        take_good(engine, uplink);
    else
        take_bad(uplink);
}

/* Without probes: what got through there since the step before. */
static void prove_by_others(struct engine *engine, struct uplink *uplink)
{
    if (uplink->n_peers &&
        uplink->is.heard_us + step_us(uplink) + engine->config->sample_interval_us > engine->now_us)
        take_good(engine, uplink);
    else
        take_bad(uplink);
}

/* An idle connection that has stayed on what others left shows neither that it lives nor that it is
 * still dead. */
static bool is_empty(const struct engine *engine, const struct uplink *uplink)
{
    return !uplink->n_peers || (evidence_silent(uplink) && !evidence_waits(engine, uplink));
}

/* Nobody is there who could prove it, and it was left alone for long enough: one may try. */
static bool waited(const struct engine *engine, const struct uplink *uplink)
{
    const struct proof *proof = &uplink->is.proof;
    uint64_t since_us = max_u64(max_u64(uplink->is.left_us, uplink->is.since_us),
                                max_u64(proof->returned_us, proof->tried_us));

    return !(engine->node.features & NODE_PROBE_PATH) &&
           engine->now_us >= since_us + proof->hold_us && is_empty(engine, uplink);
}

static bool is_proven_long(const struct engine *engine, const struct uplink *uplink)
{
    const struct proof *proof = &uplink->is.proof;

    return (proof->good >= RETURN_PROBES && engine->now_us >= proof->since_us + proof->hold_us) ||
           waited(engine, uplink);
}

/* For one that costs money while it is used the first sign of life will do. */
static bool is_proven(const struct engine *engine, const struct uplink *uplink,
                      const struct uplink *from)
{
    const struct proof *proof = &uplink->is.proof;

    if (from->class == UPLINK_METERED && uplink->class != UPLINK_METERED && proof->good)
        return true;
    return is_proven_long(engine, uplink);
}

static void prove(struct engine *engine, const struct peer *peer, struct uplink *uplink)
{
    struct proof *proof = &uplink->is.proof;

    if (engine->now_us < proof->next_us || probes_open(engine, uplink, true))
        return;
    proof->next_us = engine->now_us + step_us(uplink);
    if (engine->node.features & NODE_PROBE_PATH)
        probe_send(engine, peer, uplink, true);
    else
        prove_by_others(engine, uplink);
}

/* ---- those that come back ---- */

/* What the gate would refuse is not advised. */
static bool is_ready(const struct engine *engine, const struct peer *peer)
{
    const struct peer_moves *moves = peer->moves;

    if (peer_in_flight(peer) || name_held(engine, peer->view.name) || engine->mode == MODE_OBSERVE)
        return false;
    return !moves || (!moves->move && !waiting_cooling(engine, moves) &&
                      moves->backoff_until_us[BY_MIGRATE] <= engine->now_us);
}

static void advise(struct engine *engine, struct peer *peer, struct uplink *uplink)
{
    const struct proof *proof = &uplink->is.proof;
    char reason[160];

    if (proof->good)
        snprintf(reason, sizeof(reason),
                 "%s lives again: %" PRIu32 " good probes over %" PRIu64 " s", uplink->name->s,
                 proof->good, (engine->now_us - proof->since_us) / 1000000);
    else
        snprintf(reason, sizeof(reason), "%s may live again: left %" PRIu64 " s ago",
                 uplink->name->s, sub_u64(engine->now_us, uplink->is.left_us) / 1000000);
    advice_give(engine, peer, return_name, REASON_BY_MIGRATE, false,
                &(struct pd_advice){
                    .kind = PD_KIND_BETTER,
                    .reason = reason,
                    .interface = uplink->interface->s,
                });
}

static void send_scout(struct engine *engine, struct peer *peer, struct uplink *uplink)
{
    struct proof *proof = &uplink->is.proof;

    if (proof->good)
        evidence_change(engine, uplink, UPLINK_CHANGE_PROVEN,
                        "%" PRIu32 " good probes over %" PRIu64 " s; %s goes first", proof->good,
                        (engine->now_us - proof->since_us) / 1000000, peer->view.name);
    proof->scout = peer->view.conn;
    proof->open = false;
    proof->brief = !is_proven_long(engine, uplink);
    advise(engine, peer, uplink);
}

/* One that wants back. Whether it is advised to. */
static bool consider(struct engine *engine, struct peer *peer, struct uplink *uplink)
{
    struct proof *proof = &uplink->is.proof;

    prove(engine, peer, uplink);
    if (!is_ready(engine, peer))
        return false;
    if (proof->open &&
        (!proof->brief || uplink_at(engine, peer->uplink)->class == UPLINK_METERED)) {
        advise(engine, peer, uplink);
        return true;
    }
    if (proof->scout || !is_proven(engine, uplink, uplink_at(engine, peer->uplink)))
        return false;
    send_scout(engine, peer, uplink);
    return true;
}

/* From one that costs money it goes to whatever lives first, not only to where it wants. */
static void consider_others(struct engine *engine, struct peer *peer, const struct uplink *wanted)
{
    const struct uplink *from = uplink_at(engine, peer->uplink);

    for (size_t i = 0; i < engine->uplinks.n && from->class == UPLINK_METERED; i++) {
        struct uplink *uplink = &engine->uplinks.list[i];

        if (uplink != wanted && uplink->class != UPLINK_METERED &&
            uplink_serves(uplink, uplinks_family(peer), engine->now_us) &&
            consider(engine, peer, uplink))
            return;
    }
}

/* A scout whose move ended without an effect, or was refused: another may go. */
static void forget_scouts(struct engine *engine)
{
    for (size_t i = 0; i < engine->uplinks.n; i++) {
        struct proof *proof = &engine->uplinks.list[i].is.proof;
        const struct peer *peer = proof->scout ? peers_find(engine, proof->scout) : NULL;

        if (!peer || !peer->moves || (!peer->moves->move && !peer->moves->effect))
            proof->scout = 0;
    }
}

/* Looks at some of the connections. Whether any wants back. */
static bool walk(struct engine *engine)
{
    struct uplinks *uplinks = &engine->uplinks;
    bool found = false;

    for (uint32_t n = 0; n < WALK && n < engine->peers.top; n++) {
        struct peer *peer;
        struct uplink *uplink;

        if (uplinks->cursor >= engine->peers.top)
            uplinks->cursor = 0;
        peer = peer_at(engine, uplinks->cursor++);
        uplink = peer->state == PEER_UP ? members_wanted(engine, peer) : NULL;
        if (!uplink)
            continue;
        found = true;
        if (!consider(engine, peer, uplink))
            consider_others(engine, peer, uplink);
    }
    return found;
}

/* The soonest step that somebody waits for. */
static uint64_t next_us(const struct engine *engine)
{
    uint64_t soonest_us = engine->now_us + TICK_IDLE_US;

    for (size_t i = 0; i < engine->uplinks.n; i++) {
        const struct proof *proof = &engine->uplinks.list[i].is.proof;

        if (proof->next_us > engine->now_us)
            soonest_us = min_u64(soonest_us, proof->next_us);
    }
    return max_u64(soonest_us, engine->now_us + TICK_MIN_US);
}

static bool is_possible(const struct engine *engine)
{
    return uplinks_chosen(engine) && engine->config->returns != RETURN_NEVER;
}

static void begin(struct engine *engine)
{
    struct uplinks *uplinks = &engine->uplinks;

    uplinks->away = true;
    uplinks->tick.kind = DEADLINE_RETURN;
    if (!deadline_is_on(&uplinks->tick))
        deadline_set(&engine->deadlines, &uplinks->tick, engine->now_us + TICK_MIN_US);
}

void return_moved(struct engine *engine, struct peer *peer, const struct destination *destination,
                  const char *interface, bool asked)
{
    peer_set_interface(peer, engine->node.features & NODE_BIND ? interface : NULL);
    members_moved(engine, peer, destination, asked);
    return_peer(engine, peer);
}

void return_peer(struct engine *engine, const struct peer *peer)
{
    if (is_possible(engine) && members_wanted(engine, peer))
        begin(engine);
}

/* Of very many connections the steps will look at the rest. */
void return_look(struct engine *engine)
{
    uint32_t i = 0;
    const struct peer *peer;

    if (!is_possible(engine))
        return;
    while (i < WALK && (peer = peers_next(engine, &i)))
        if (members_wanted(engine, peer)) {
            begin(engine);
            return;
        }
    if (engine->peers.top > WALK)
        begin(engine);
}

void return_due(struct engine *engine)
{
    struct uplinks *uplinks = &engine->uplinks;
    uint32_t before = uplinks->cursor;
    bool found;

    if (!is_possible(engine))
        return;
    probes_expire(engine);
    forget_scouts(engine);
    found = walk(engine);
    /* ends when all were looked at and none wants back */
    if (found)
        uplinks->away = true;
    else if (uplinks->cursor <= before || engine->peers.top <= WALK) {
        if (!uplinks->away || engine->peers.top <= WALK)
            return;
        uplinks->away = false;
    }
    deadline_set(&engine->deadlines, &uplinks->tick, next_us(engine));
}

/* ---- how it went ---- */

/* The others say something of the peer, or of the node, and nothing of the uplink. */
static bool is_of_path(enum outcome outcome)
{
    return outcome == OUTCOME_TIMEOUT || outcome == OUTCOME_NO_PATH ||
           outcome == OUTCOME_UNANSWERED;
}

void return_ended(struct engine *engine, const struct move *move, enum outcome outcome)
{
    struct uplink *uplink =
        move->reason->interface ? uplinks_by_interface(engine, move->reason->interface) : NULL;

    if (!uplink || move->reason->kind != PD_KIND_BETTER)
        return;
    if (outcome == OUTCOME_MIGRATED) {
        uplink->is.proof.returned_us = engine->now_us;
        return;
    }
    uplink->is.proof.tried_us = engine->now_us;
    if (!is_of_path(outcome))
        return;
    if (uplink->is.proof.scout == move->conn)
        evidence_distrust(uplink);
    else if (uplink->is.heard_us <= move->since_us) /* nothing got through there meanwhile */
        evidence_unprove(uplink);
}

void return_effect(uint64_t conn, struct uplink *target, enum effect effect)
{
    if (effect == EFFECT_STALLED)
        evidence_distrust(target);
    else if (target->is.proof.scout == conn)
        evidence_trust(target);
}

void return_node_down(struct uplink *uplink)
{
    uplink->is.proof.scout = 0;
}
