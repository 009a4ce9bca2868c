/* SPDX-License-Identifier: Apache-2.0 */
/* See candidates.h. */
#include "candidates.h"

#include "../base/names.h"
#include "../peers/peer.h"
#include "../state.h"
#include "evidence.h"

/* ---- why one is not taken ---- */

const char *candidate_lacks(const struct uplink *uplink, unsigned family, uint64_t now_us)
{
    if (uplink->condition != UPLINK_UP)
        return uplink_condition_names[uplink->condition];
    if (uplink_held(uplink, now_us))
        return "held";
    return uplink_serves(uplink, family, now_us) ? NULL
           : family == 6                         ? "no IPv6 route"
                                                 : "no IPv4 route";
}

const char *candidate_objection(const struct choosing *choosing, const struct uplink *uplink)
{
    uint64_t now_us = choosing->engine->now_us;
    const char *why = candidate_lacks(uplink, choosing->family, now_us);

    if (why)
        return why;
    if (uplink == choosing->tried)
        return "just tried";
    if (evidence_penalty_us(uplink, choosing->family, now_us))
        return "in penalty";
    if (evidence_unanswered(uplink, now_us))
        return "no answer";
    return evidence_silent(uplink) ? "silent" : NULL;
}

/* ---- the order ---- */

/* Less is better; what stands in front in the file is better than its equal. */
static bool is_better(const struct choosing *choosing, const struct uplink *a,
                      const struct uplink *b)
{
    bool a_lives = evidence_lives(choosing->engine, a),
         b_lives = evidence_lives(choosing->engine, b);
    uint32_t a_rtt = a->is.rtt_us ? a->is.rtt_us : UINT32_MAX,
             b_rtt = b->is.rtt_us ? b->is.rtt_us : UINT32_MAX;

    if (a->class != b->class)
        return a->class < b->class;
    if (a_lives != b_lives)
        return a_lives;
    return a_lives && a_rtt < b_rtt;
}

const struct uplink *candidates_best(const struct choosing *choosing, bool living)
{
    const struct uplinks *uplinks = &choosing->engine->uplinks;
    const struct uplink *best = NULL;

    for (size_t i = 0; i < uplinks->n; i++) {
        const struct uplink *uplink = &uplinks->list[i];

        if (uplink == choosing->from || candidate_objection(choosing, uplink) ||
            (living && !evidence_lives(choosing->engine, uplink)))
            continue;
        if (!best || is_better(choosing, uplink, best))
            best = uplink;
    }
    return best;
}

/* By a reconnect it can also come to where it was. */
static bool is_open(const struct choosing *choosing, const struct uplink *uplink)
{
    return uplink != choosing->from || choosing->reason->by == REASON_BY_RECONNECT;
}

const struct uplink *candidates_answered(const struct choosing *choosing)
{
    const struct uplinks *uplinks = &choosing->engine->uplinks;
    uint64_t now_us = choosing->engine->now_us;

    for (size_t i = 0; i < uplinks->n; i++) {
        const struct uplink *uplink = &uplinks->list[i];
        uint64_t failed_us = uplink->is.penalty[family_place(choosing->family)].at_us;

        if (is_open(choosing, uplink) && uplink != choosing->tried &&
            !candidate_lacks(uplink, choosing->family, now_us) &&
            evidence_lives(choosing->engine, uplink) && uplink->is.heard_us > failed_us)
            return uplink;
    }
    return NULL;
}

bool candidates_others(const struct choosing *choosing)
{
    const struct uplinks *uplinks = &choosing->engine->uplinks;

    for (size_t i = 0; i < uplinks->n; i++)
        if (&uplinks->list[i] != choosing->from &&
            !candidate_lacks(&uplinks->list[i], choosing->family, choosing->engine->now_us))
            return true;
    return false;
}

uint64_t candidates_to_ask(const struct choosing *choosing, bool doubtful, unsigned *ret_count)
{
    const struct uplinks *uplinks = &choosing->engine->uplinks;
    uint64_t now_us = choosing->engine->now_us, to_ask = 0;

    *ret_count = 0;
    for (size_t i = 0; i < uplinks->n && i < UPLINKS_CHOSEN_MAX; i++) {
        const struct uplink *uplink = &uplinks->list[i];

        if ((doubtful ? !is_open(choosing, uplink) : uplink == choosing->from) ||
            candidate_lacks(uplink, choosing->family, now_us) ||
            evidence_unanswered(uplink, now_us) ||
            (!doubtful && candidate_objection(choosing, uplink)))
            continue;
        if (!evidence_lives(choosing->engine, uplink))
            to_ask |= UINT64_C(1) << i;
        ++*ret_count;
    }
    return to_ask;
}

const struct uplink *candidates_least_doubtful(const struct choosing *choosing)
{
    const struct uplinks *uplinks = &choosing->engine->uplinks;
    uint64_t now_us = choosing->engine->now_us;
    const struct uplink *best = NULL;

    for (size_t i = 0; i < uplinks->n; i++) {
        const struct uplink *uplink = &uplinks->list[i];

        if (uplink == choosing->from || uplink == choosing->tried ||
            candidate_lacks(uplink, choosing->family, now_us) ||
            evidence_unanswered(uplink, now_us) ||
            evidence_penalty_us(uplink, choosing->family, now_us))
            continue;
        if (!best || max_u64(uplink->is.asked_us, uplink->is.left_us) <
                         max_u64(best->is.asked_us, best->is.left_us))
            best = uplink;
    }
    return best;
}
