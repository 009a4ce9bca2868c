/* SPDX-License-Identifier: Apache-2.0 */
/* See dial.h. */
#include "dial.h"

#include "../peers/peer.h"
#include "../state.h"
#include "../uplinks/evidence.h"

/* The formality: one probe timeout, by default (RFC 9002 §6.2.2, with what is usual). */
#define GONE_US UINT64_C(50000)
#define ROWS    3u
/* The way out has changed, and nothing sent since was acknowledged. */
#define FLIPPED_US UINT64_C(1000000)
/* An idle connection ends by its own time-out (RFC 9000 §10.1); before that it may heal. */
#define IDLE_US UINT64_C(30000000)

/* Was anything acknowledged lately, and since then, over an uplink that it could be dialled over?
 */
static bool others_live(const struct engine *engine, const struct peer *peer, uint64_t least_us)
{
    uint64_t window_us = 2 * engine->config->fallback_after_us;
    uint64_t since_us = max_u64(least_us, sub_u64(engine->now_us, window_us));
    const struct uplinks *uplinks = &engine->uplinks;

    for (size_t i = 0; i < uplinks->n; i++)
        if (uplinks->list[i].condition == UPLINK_UP && uplinks->list[i].is.heard_us > since_us)
            return true;
    return !peer->uplink && engine->polls.acknowledged_us > since_us;
}

/* Is anything heard where it is? Of an uplink that is not known: of any connection. */
static bool others_heard(const struct engine *engine, const struct peer *peer)
{
    const struct uplink *uplink = uplink_at(engine, peer->uplink);

    return uplink ? evidence_lives(engine, uplink)
                  : evidence_recent(engine, engine->polls.acknowledged_us);
}

/* The kernel has no route to it, and it cannot be dialled over another uplink either. */
static bool no_way(const struct engine *engine, const struct peer *peer)
{
    if (!peer->unrouted)
        return false;
    for (size_t i = 0; uplinks_chosen(engine) && i < engine->uplinks.n; i++)
        if (engine->uplinks.list[i].condition == UPLINK_UP)
            return false;
    return true;
}

enum dial dial_judge(const struct engine *engine, const struct peer *peer)
{
    const struct watch *watch = &peer->moves->watch;

    if (watch->no_way || no_way(engine, peer) ||
        (watch->no_path && !others_live(engine, peer, watch->advised_us)))
        return DIAL_NEVER;
    if ((watch->gone || watch->no_carrier) &&
        (peer_inbound(peer) || !peer_movable(engine, peer, BY_MIGRATE)))
        return DIAL_GONE;
    if (watch->silent)
        return DIAL_NEVER;
    if (!watch->application)
        return DIAL_IDLE;
    return watch->flipped || others_live(engine, peer, peer->progress_us) ? DIAL_SIGN : DIAL_BLIND;
}

/* Two pathdogs, one at each end, must not both close the connection; but of a change of its own
 * network only this end knows, and what the peer opened cannot be tried elsewhere before. */
static uint64_t sign_after_us(const struct peer *peer, uint64_t after_us)
{
    if (!peer_inbound(peer))
        return after_us;
    if (peer->moves->watch.untried)
        return min_u64(FLIPPED_US, after_us);
    return peer->moves->watch.flipped ? after_us : 2 * after_us;
}

uint64_t dial_after_us(const struct engine *engine, const struct peer *peer, enum dial dial)
{
    uint64_t after_us = engine->config->fallback_after_us;

    switch (dial) {
    case DIAL_GONE:
        return GONE_US;
    case DIAL_SIGN:
        return sign_after_us(peer, after_us);
    case DIAL_BLIND:
        return max_u64(engine->config->fallback_blind_us, after_us);
    case DIAL_IDLE:
        return others_heard(engine, peer) ? max_u64(IDLE_US, after_us) : NEVER;
    default:
        return NEVER;
    }
}

uint32_t dial_rows(enum dial dial)
{
    return dial == DIAL_GONE ? 1 : ROWS;
}

const char *dial_name(enum dial dial)
{
    static const char *const names[] = {
        [DIAL_GONE] = "unreachable", [DIAL_SIGN] = "sign",   [DIAL_BLIND] = "blind",
        [DIAL_IDLE] = "idle",        [DIAL_NEVER] = "never",
    };

    return names[dial];
}

const char *dial_text(enum dial dial)
{
    static const char *const texts[] = {
        [DIAL_GONE] =
            "the kernel says that nothing can arrive, and the connection cannot be migrated",
        [DIAL_SIGN] = "a new connection can work",
        [DIAL_BLIND] = "nothing says that a new connection can work",
        [DIAL_IDLE] = "it is only a keep-alive",
        [DIAL_NEVER] = "there is no way out",
    };

    return texts[dial];
}
