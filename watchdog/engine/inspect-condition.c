/* SPDX-License-Identifier: Apache-2.0 */
#include "inspect-condition.h"

#include "liveness/fallback.h"
#include "peers/poll.h"

#define ROUNDS_UNSEEN 3u
#define SLACK_US      1000000u /* a node and a loop may be a little late */

/* What is known is old: the node leaves it out, or says nothing at all. */
static bool is_unseen(const struct engine *engine, uint64_t now_us, const struct peer *peer)
{
    uint64_t seen_us = peer->last_look_us ? peer->last_look_us : peer->up_us;
    uint64_t most_us = ROUNDS_UNSEEN * engine->config->sample_interval_us + SLACK_US;

    return polls_silent_us(engine, now_us) || sub_u64(now_us, seen_us) > most_us;
}

/* A request is under way, or nobody knows yet whether what was done helped. */
static bool is_moving(const struct peer *peer)
{
    return peer->moves && (peer->moves->move || peer->moves->watch.on);
}

enum inspect_condition inspect_condition(const struct engine *engine, uint64_t now_us,
                                         const struct peer *peer)
{
    if (peer->state == PEER_GONE)
        return INSPECT_IS_GONE;
    if (peer->state != PEER_UP)
        return INSPECT_IS_UNREPORTED;
    if (is_unseen(engine, now_us, peer))
        return INSPECT_IS_UNSEEN;
    if (!peer->last_look_us)
        return INSPECT_IS_NEW;
    if (fallback_dead(engine, peer, now_us))
        return INSPECT_IS_SILENT;
    if (is_moving(peer))
        return INSPECT_IS_MOVING;
    /* the last row is the last in which nothing was outstanding */
    if (peer->stalled_polls && peer->unanswered_since_us == peer->last_look_us)
        return INSPECT_IS_IDLE;
    return INSPECT_IS_UP;
}

uint64_t inspect_silent_us(const struct engine *engine, uint64_t now_us, const struct peer *peer)
{
    if (!peer->last_look_us)
        return INSPECT_NEVER;
    if (!peer->stalled_polls)
        return 0;
    /* Of what was not seen nothing is known, not even that it was silent. */
    if (is_unseen(engine, now_us, peer))
        now_us = peer->last_look_us;
    return sub_u64(now_us, peer->stalled_since_us);
}
