/* SPDX-License-Identifier: Apache-2.0 */
/* See evidence.h. */
#include "evidence.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "../base/outbox.h"
#include "../base/text.h"
#include "../peers/peer.h"
#include "../peers/ping.h"
#include "../peers/poll.h"
#include "../state.h"
#include "groups.h"

/* How are the others on an uplink that a connection leaves? Not at the next round only. */
#define ROUND_US UINT64_C(50000)
/* One that is dead there, and cannot leave it: how are the others? So many are asked, so often. */
#define DOUBT_PEERS 16u
#define DOUBT_US    UINT64_C(5000000)
#define LATE_US     UINT64_C(100000)
/* So few that are silent at once may each have a cause of their own. */
#define ALL_LEAST       5u
#define PENALTY_STEP_US UINT64_C(8000000)
#define PENALTY_MAX_US  UINT64_C(600000000)
#define HOLD_MIN_US     UINT64_C(15000000)
#define HOLD_MAX_US     UINT64_C(480000000)
/* Who has to leave again so soon after a return waits longer for the next one. */
#define RETURN_SHORT_US UINT64_C(300000000)
#define QUIET_US        UINT64_C(1800000000)
/* A probe that was not answered speaks against an uplink for so long. */
#define UNANSWERED_US UINT64_C(2000000)
/* Rows come each sample_interval: what was heard in the last two of them is no old news. */
#define LIVES_INTERVALS 2u

void evidence_change(struct engine *engine, struct uplink *uplink, enum uplink_change change,
                     const char *format, ...)
{
    struct record *record = outbox_record(engine, RECORD_UPLINK);
    char reason[200];
    va_list args;

    va_start(args, format);
    vsnprintf(reason, sizeof(reason), format, args);
    va_end(args);
    text_unref(uplink->is.change_reason);
    uplink->is.change_reason = text_new(reason);
    uplink->is.change = change;
    uplink->is.change_us = engine->now_us;
    record->uplink = (struct record_uplink){
        .uplink = text_ref(uplink->name),
        .interface = text_ref(uplink->interface),
        .change = change,
        .reason = text_ref(uplink->is.change_reason),
        .peers = uplink->n_peers,
    };
}

/* ---- what got through ---- */

void evidence_heard(struct uplink *uplink, uint64_t at_us)
{
    uplink->is.heard_us = max_u64(uplink->is.heard_us, at_us);
}

/* RFC 6298's smoothing, over all connections that use it. */
static void take_rtt(struct uplink *uplink, uint64_t rtt_us)
{
    uint32_t rtt = (uint32_t)min_u64(rtt_us, UINT32_MAX / 2);

    if (!rtt)
        return;
    uplink->is.rtt_us =
        uplink->is.rtt_us ? (uint32_t)(((uint64_t)uplink->is.rtt_us * 7 + rtt) / 8) : rtt;
}

/* How long ago did something get through, both ways? Of what was acknowledged since the row before
 * it is not said when. But data that still waits was sent before: the acknowledgement of what went
 * ahead of it came an RTT later at most, and what is heard since then proves one direction. */
static uint64_t through_us(const struct pd_sample *sample)
{
    uint64_t srtt_us = sample->row->v[PD_SRTT_US];
    uint64_t silent_us = sample->silent_us == PD_UNKNOWN ? 0 : sample->silent_us;

    if (sample->unacked_us == PD_UNKNOWN || srtt_us == PD_UNKNOWN)
        return silent_us;
    return max_u64(silent_us, sub_u64(sample->unacked_us, srtt_us));
}

/* Acknowledged is what proves that packets go both ways; where a node never tells of that, heard
 * has to do. The small packets of a starved connection prove nothing that it could use. */
void evidence_row(struct engine *engine, const struct peer *peer, const struct pd_sample *sample)
{
    struct uplink *uplink = uplink_at(engine, peer->uplink);
    uint64_t srtt_us = sample->row->v[PD_SRTT_US];

    uint64_t at_us;

    if (!sample->progress || (!sample->acknowledged && peer->samples_known))
        return;
    at_us = sub_u64(engine->now_us, through_us(sample));
    groups_heard(engine, peer, at_us);
    if (!uplink)
        return;
    evidence_heard(uplink, at_us);
    if (sample->fresh && srtt_us != PD_UNKNOWN)
        take_rtt(uplink, srtt_us);
}

bool evidence_silent(const struct uplink *uplink)
{
    return uplink->is.left_us && uplink->is.left_us >= uplink->is.heard_us;
}

bool evidence_left(const struct uplink *uplink, const struct peer *peer)
{
    return uplink->is.suspect &&
           (evidence_silent(uplink) || uplink->is.heard_us <= peer->progress_us);
}

bool evidence_deserted(const struct uplink *uplink)
{
    if (!uplink)
        return false;
    return (uplink->is.suspect && !uplink->is.slow_us && evidence_silent(uplink)) ||
           (uplink->is.doubted_us && uplink->is.doubted_us >= uplink->is.heard_us);
}

bool evidence_unanswered(const struct uplink *uplink, uint64_t now_us)
{
    uint64_t failed_us = uplink->is.unanswered_us;

    if (uplink->is.asked_us && now_us >= uplink->is.asked_us + EVIDENCE_ANSWER_US)
        failed_us = max_u64(failed_us, uplink->is.asked_us + EVIDENCE_ANSWER_US);
    return failed_us > uplink->is.heard_us && uplink->is.asked_us > uplink->is.heard_us &&
           now_us < failed_us + UNANSWERED_US;
}

bool evidence_recent(const struct engine *engine, uint64_t at_us)
{
    return at_us && engine->now_us < at_us + LIVES_INTERVALS * engine->config->sample_interval_us;
}

bool evidence_lives(const struct engine *engine, const struct uplink *uplink)
{
    return !evidence_silent(uplink) && !evidence_unanswered(uplink, engine->now_us) &&
           evidence_recent(engine, uplink->is.heard_us);
}

/* ---- penalty ---- */

uint64_t evidence_penalty_us(const struct uplink *uplink, unsigned family, uint64_t now_us)
{
    if (family)
        return uplink_penalty_us(uplink, family_place(family), now_us);
    return max_u64(uplink_penalty_us(uplink, 0, now_us), uplink_penalty_us(uplink, 1, now_us));
}

void evidence_failed(struct engine *engine, const struct destination *destination, unsigned family,
                     uint64_t began_us, const char *what)
{
    struct uplink *uplink = uplinks_target(engine, destination);
    const struct uplink *from =
        destination && destination->uplink ? uplinks_find(engine, destination->uplink->s) : NULL;
    struct penalty *penalty;
    uint64_t left_us;

    if (!uplink)
        return;
    penalty = &uplink->is.penalty[family_place(family)];
    left_us = uplink_penalty_us(uplink, family_place(family), engine->now_us);
    /* Others got through there meanwhile, or where it came from: the peer is to blame. */
    if (uplink->is.heard_us > began_us || (from && from->is.heard_us > began_us))
        return;
    /* A new port where it was: that nothing gets through there was known. And what was on its way
     * when the last one failed fails for the same cause. */
    if (from == uplink || (left_us && began_us <= penalty->at_us))
        return;
    *penalty = (struct penalty){
        .left_us = min_u64(2 * left_us + PENALTY_STEP_US, PENALTY_MAX_US),
        .at_us = engine->now_us,
    };
    evidence_unprove(uplink);
    evidence_change(engine, uplink, UPLINK_CHANGE_PENALTY, "%s: not used for %" PRIu64 " s", what,
                    penalty->left_us / 1000000);
}

/* ---- connections leave ---- */

void evidence_unprove(struct uplink *uplink)
{
    struct proof *proof = &uplink->is.proof;

    proof->good = 0;
    proof->since_us = proof->scout = 0;
    proof->open = proof->brief = false;
}

void evidence_distrust(struct uplink *uplink)
{
    struct proof *proof = &uplink->is.proof;

    proof->hold_us = min_u64(max_u64(proof->hold_us, HOLD_MIN_US) * 2, HOLD_MAX_US);
    evidence_unprove(uplink);
}

void evidence_trust(struct uplink *uplink)
{
    uplink->is.proof.scout = 0;
    uplink->is.proof.open = true;
    uplink->is.suspect = false;
}

/* The longer the return takes the more often it did not last. */
static void set_ladder(struct engine *engine, struct uplink *from)
{
    struct proof *proof = &from->is.proof;

    if (proof->returned_us && engine->now_us < proof->returned_us + RETURN_SHORT_US)
        evidence_distrust(from);
    else if (!from->is.left_us || engine->now_us > from->is.left_us + QUIET_US)
        proof->hold_us = HOLD_MIN_US;
    proof->hold_us = max_u64(proof->hold_us, HOLD_MIN_US);
    proof->returned_us = 0;
    proof->next_us = engine->now_us;
    evidence_unprove(from);
}

/* When was the last packet sent that the peer would have acknowledged, if only the peer were at
 * fault? What was on its way to others when the path died was acknowledged up to an RTT later. */
static uint64_t waits_since_us(const struct peer *peer)
{
    uint64_t rtt_us = peer->rtt_last[0] == UINT32_MAX ? 0 : peer->rtt_last[0];

    if (!peer->unacked_since_us)
        return peer->progress_us;
    return peer->unacked_since_us + max_u64(2 * rtt_us, LATE_US);
}

/* How many on it had something outstanding and nothing acknowledged at the last look; up to `most`.
 */
static uint32_t count_waiting(const struct engine *engine, const struct uplink *uplink,
                              uint32_t most)
{
    const struct peer *peer;
    uint32_t count = 0;

    for (uint32_t i = 0; count < most && (peer = peers_next(engine, &i));)
        count += peer->state == PEER_UP && peer->outstanding_since_us &&
                 uplink_at(engine, peer->uplink) == uplink;
    return count;
}

bool evidence_waits(const struct engine *engine, const struct uplink *uplink)
{
    return uplink->n_peers && count_waiting(engine, uplink, 1);
}

bool evidence_all_silent(const struct engine *engine, const struct peer *peer)
{
    const struct uplink *uplink = uplink_at(engine, peer->uplink);

    return uplink && uplink->n_peers >= ALL_LEAST && uplink->is.heard_us <= waits_since_us(peer) &&
           count_waiting(engine, uplink, ALL_LEAST) >= ALL_LEAST;
}

bool evidence_group_heard(const struct engine *engine, const struct peer *peer)
{
    const struct group *group = group_at(engine, peer->group);

    return group && group->heard_us > waits_since_us(peer);
}

bool evidence_group_silent(const struct engine *engine, const struct peer *peer)
{
    const struct group *group = group_at(engine, peer->group);

    return group && group->stuck >= ALL_LEAST && !evidence_group_heard(engine, peer);
}

bool evidence_tried(const struct peer *peer)
{
    return peer->moves && peer->moves->last_request_us &&
           peer->moves->last_request_us >= waits_since_us(peer);
}

/* Who waits for nothing has nothing outstanding, and cannot be found dead: `most` of those on it
 * are made to wait for an acknowledgement. */
static void look_at(struct engine *engine, const struct uplink *uplink, uint32_t most)
{
    struct peer *peer;

    polls_round_by(engine, engine->now_us + ROUND_US);
    if (!(engine->node.features & NODE_PROBE))
        return;
    for (uint32_t i = 0; most && (peer = peers_next(engine, &i));)
        most -= uplink_at(engine, peer->uplink) == uplink && ping_now(engine, peer);
}

void evidence_doubt(struct engine *engine, const struct peer *peer)
{
    struct uplink *uplink = uplink_at(engine, peer->uplink);

    if (!uplink || uplink->is.heard_us > waits_since_us(peer) ||
        engine->now_us < uplink->is.doubted_us + DOUBT_US)
        return;
    uplink->is.doubted_us = engine->now_us;
    look_at(engine, uplink, DOUBT_PEERS);
}

void evidence_leaving(struct engine *engine, const struct peer *peer, struct uplink *from,
                      enum pd_kind kind)
{
    bool others = kind == PD_KIND_DEAD && from->is.heard_us > waits_since_us(peer);

    if (!from->is.suspect && !others) {
        set_ladder(engine, from);
        from->is.suspect = true;
        from->is.slow_us = kind == PD_KIND_DEGRADED ? peer->rtt_last[0] : 0;
        if (kind == PD_KIND_DEGRADED)
            evidence_change(engine, from, UPLINK_CHANGE_SLOW,
                            "%s got slow: %u.%u ms; the connection goes elsewhere", peer->view.name,
                            peer->rtt_last[0] / 1000, peer->rtt_last[0] % 1000 / 100);
        if (kind == PD_KIND_DEAD) {
            look_at(engine, from, UINT32_MAX);
            evidence_change(engine, from, UPLINK_CHANGE_SILENT,
                            "nothing gets through to %s; the connection goes elsewhere",
                            peer->view.name);
        }
    }
    from->is.proof.hold_us =
        max_u64(from->is.proof.hold_us, HOLD_MIN_US); /* the peer's fault, too */
    from->is.left_us = engine->now_us;
}
